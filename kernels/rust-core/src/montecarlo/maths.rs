//! Logarithm, power of two, sine and cosine of four numbers at once, without branches.
//!
//! Only IEEE 754's basic operations, in the order written, so the bits are the same everywhere. Each
//! polynomial meets its function at Chebyshev's points of the range, which leaves a relative error below 1e-16.
//! They have few constants, and what the caller would multiply by is in them: a processor has sixteen
//! registers, and each constant wants one for as long as a loop runs.
use crate::lanes::{F64x4, I64x4};

/// The bits of a double's exponent begin here.
const EXPONENT_AT: u32 = 52;
const EXPONENT_BITS: u32 = 11;
const EXPONENT_BIAS: i64 = 1023;
const ONE_BITS: i64 = EXPONENT_BIAS << EXPONENT_AT;
/// About the root of 1/2.
const ROOT_HALF_BITS: i64 = 0x3FE6_A09E_0000_0000;

/// -2 times the natural logarithm of normal numbers above 0 and up to 1.
#[inline(always)]
pub(super) fn minus_two_log(x: F64x4) -> F64x4 {
    // x = 2^k · m with m between √2/2 and √2.
    let shifted = x.to_bits() + I64x4::splat(ONE_BITS - ROOT_HALF_BITS);
    let mantissa = shifted.and(I64x4::splat((1 << EXPONENT_AT) - 1)) + I64x4::splat(ROOT_HALF_BITS);
    let m = F64x4::from_bits(mantissa);
    // A small whole number or'ed to the bits of 2^52 is added to it.
    let two_to_52 = (1u64 << 52) as f64;
    let biased = shifted
        .shift_right::<EXPONENT_AT>()
        .or(F64x4::splat(two_to_52).to_bits());
    let k = F64x4::from_bits(biased) - F64x4::splat(two_to_52 + EXPONENT_BIAS as f64);
    // log m = 2 · artanh s
    let s = (m - F64x4::splat(1.0)) / (m + F64x4::splat(1.0));
    let series = Powers::of(s * s).eight([
        -4.0,
        -1.333_333_333_333_353,
        -0.799_999_999_986_038_2,
        -0.571_428_575_214_765_6,
        -0.444_443_940_928_085_5,
        -0.363_672_644_832_340_5,
        -0.306_250_262_294_766,
        -0.296_197_351_446_261_25,
    ]);
    k * F64x4::splat(-2.0 * core::f64::consts::LN_2) + s * series
}

/// Beyond these the power is that of the limit: far from over- and underflow.
const EXPONENT_MAX: f64 = 940.0;
/// Added to a number and taken away again it rounds to a whole one (to even), which is then also in the
/// low bits of the sum: 1.5 · 2^52.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// 2 to the power of x, for x brought between -940 and 940, with the sign of `sign`.
#[inline(always)]
pub(super) fn power_of_two(x: F64x4, sign: f64) -> F64x4 {
    let x = x.clamp(F64x4::splat(-EXPONENT_MAX), F64x4::splat(EXPONENT_MAX));
    let rounder = F64x4::splat(ROUNDER);
    let sum = x + rounder;
    let rest = x - (sum - rounder);
    let near_one = Powers::of(rest).twelve([
        1.0,
        core::f64::consts::LN_2,
        0.240_226_506_959_100_97,
        0.055_504_108_664_821_6,
        0.009_618_129_107_606_888,
        0.001_333_355_814_641_693_6,
        0.000_154_035_304_417_360_5,
        1.525_273_382_983_612e-5,
        1.321_544_258_792_169e-6,
        1.017_806_244_584_577_4e-7,
        7.072_585_949_269_223e-9,
        4.454_960_598_186_518_6e-10,
    ]);
    // Only the sum's low bits stay, in front of which stands the sign.
    let sign_and_bias = EXPONENT_BIAS | (i64::from(sign < 0.0) << EXPONENT_BITS);
    let power = (sum.to_bits() + I64x4::splat(sign_and_bias)).shift_left::<EXPONENT_AT>();
    near_one * F64x4::from_bits(power)
}

/// Cosine and sine of π times `part`, which is from -1/2 to 1/2.
#[inline(always)]
pub(super) fn half_circle(part: F64x4) -> (F64x4, F64x4) {
    // √2 times the sine and cosine of half the angle: cos 2x = 1 - 2 sin² x, sin 2x = 2 sin x · cos x.
    let z = part * part;
    let sine = part
        * Powers::of(z).seven([
            2.221_441_469_079_183,
            -0.913_531_187_499_427_1,
            0.112_702_392_858_284_1,
            -0.006_621_000_189_652_891,
            0.000_226_898_051_342_352_55,
            -5.089_250_235_931_372e-6,
            7.967_585_563_362_772e-8,
        ]);
    let cosine = Powers::of(z).seven([
        core::f64::consts::SQRT_2,
        -1.744_716_049_909_693_6,
        0.358_742_858_432_497_7,
        -0.029_505_417_413_671_225,
        0.001_300_029_888_695_330_7,
        -3.563_837_306_438_805e-5,
        6.583_583_005_207_542e-7,
    ]);
    (F64x4::splat(1.0) - sine * sine, sine * cosine)
}

/// Sums c0 + c1 x + c2 x² + … in Estrin's form: neighbours are added up first, then pairs, then fours, so that
/// no sum waits for many others. From the highest power down it would be a multiplication or two less and
/// half as long again to wait.
#[derive(Clone, Copy)]
struct Powers {
    first: F64x4,
    second: F64x4,
    fourth: F64x4,
}

impl Powers {
    #[inline(always)]
    fn of(x: F64x4) -> Self {
        let second = x * x;
        Self {
            first: x,
            second,
            fourth: second * second,
        }
    }

    #[inline(always)]
    fn two(self, a: f64, b: f64) -> F64x4 {
        F64x4::splat(a) + F64x4::splat(b) * self.first
    }

    #[inline(always)]
    fn four(self, [a, b, c, d]: [f64; 4]) -> F64x4 {
        self.two(a, b) + self.two(c, d) * self.second
    }

    #[inline(always)]
    fn seven(self, [a, b, c, d, e, f, g]: [f64; 7]) -> F64x4 {
        let high = self.two(e, f) + F64x4::splat(g) * self.second;
        self.four([a, b, c, d]) + high * self.fourth
    }

    #[inline(always)]
    fn eight(self, [a, b, c, d, e, f, g, h]: [f64; 8]) -> F64x4 {
        self.four([a, b, c, d]) + self.four([e, f, g, h]) * self.fourth
    }

    #[inline(always)]
    fn twelve(self, [a, b, c, d, e, f, g, h, i, j, k, l]: [f64; 12]) -> F64x4 {
        let low = self.eight([a, b, c, d, e, f, g, h]);
        low + self.four([i, j, k, l]) * (self.fourth * self.fourth)
    }
}

#[cfg(test)]
mod tests {
    use super::{half_circle, minus_two_log, power_of_two};
    use crate::lanes::F64x4;

    /// How many floats lie between two of the same sign.
    fn steps_apart(a: f64, b: f64) -> u64 {
        a.to_bits().abs_diff(b.to_bits())
    }

    fn of(function: impl Fn(F64x4) -> F64x4, x: f64) -> f64 {
        let results = function(F64x4::splat(x)).to_array();
        assert_eq!(results.map(f64::to_bits), [results[0].to_bits(); 4]);
        results[0]
    }

    /// From 0 to 1, in odd steps.
    fn parts() -> impl Iterator<Item = f64> {
        (1..=100_000).map(|n| f64::from(n) / 100_000.3)
    }

    #[test]
    fn the_logarithm_is_near_libms() {
        for x in parts().chain([1.0, 1.0 - f64::EPSILON, f64::EPSILON, 0.5, 1e-9]) {
            // Of 1 it is a zero, of either sign.
            let (ours, theirs) = (of(minus_two_log, x).abs(), 2.0 * libm::log(x).abs());
            assert!(steps_apart(ours, theirs) <= 4, "{x}: {ours}, {theirs}");
        }
    }

    #[test]
    fn the_power_is_near_libms() {
        for x in parts().flat_map(|part| [part - 0.5, (part - 0.5) * 20.0, (part - 0.5) * 1_879.0]) {
            for sign in [1.0, -1.0] {
                let (ours, theirs) = (of(|x| power_of_two(x, sign), x), sign * libm::exp2(x));
                assert!(steps_apart(ours, theirs) <= 2, "{x}: {ours}, {theirs}");
            }
        }
        let power = |x| of(|x| power_of_two(x, 1.0), x);
        assert_eq!([power(0.0), power(-1.0), power(10.0)], [1.0, 0.5, 1024.0]);
        assert_eq!(power(1e302), power(940.0));
        assert_eq!(power(-1e302), power(-940.0));
    }

    #[test]
    fn sine_and_cosine_are_near_libms() {
        for part in parts().map(|part| part - 0.5).chain([-0.5, 0.0, 0.25]) {
            let (sine, cosine) = libm::sincos(part * core::f64::consts::PI);
            for (ours, theirs) in [
                (of(|x| half_circle(x).0, part), cosine),
                (of(|x| half_circle(x).1, part), sine),
            ] {
                assert!((ours - theirs).abs() < 1e-15, "{part}: {ours}, {theirs}");
            }
        }
    }
}
