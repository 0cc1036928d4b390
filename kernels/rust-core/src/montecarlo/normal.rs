//! Normal numbers from random words, by Box and Muller's formula.

/// Two independent normal numbers from four words.
pub(super) fn pair([a, b, c, d]: [u32; 4]) -> [f64; 2] {
    // The first must not be 0, whose logarithm is infinite.
    let (first, second) = (1.0 - unit(a, b), unit(c, d));
    let radius = libm::sqrt(-2.0 * libm::log(first));
    let (sine, cosine) = libm::sincos(core::f64::consts::TAU * second);
    [radius * cosine, radius * sine]
}

/// A number from 0 to just below 1, in steps of 2^-53.
fn unit(high: u32, low: u32) -> f64 {
    let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
    // Both are exact: 53 bits, and a power of two.
    bits as f64 * (1.0 / (1u64 << 53) as f64)
}
