//! Logarithm, exponential, sine and cosine of four numbers at once, without branches.
//!
//! Only IEEE 754's basic operations, in the order written, so the bits are the same everywhere. The
//! polynomials are those of FreeBSD's msun (Sun Microsystems, 1993), as in `libm`; each result is
//! within 1 unit in the last place of the true value, sine and cosine of a whole circle within 2
//! (the tests compare with `libm` over many values).
use crate::lanes::{F64x4, I64x4};

const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Added to a number and taken away again it rounds to a whole one (to even), which is then also in the
/// low bits of the sum: 1.5 · 2^52.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// The bits of a double's exponent begin here.
const EXPONENT_AT: u32 = 52;
const EXPONENT_BIAS: i64 = 1023;

/// The natural logarithm of normal numbers above 0.
#[inline(always)]
pub(super) fn log(x: F64x4) -> F64x4 {
    // x = 2^k · (1 + f) with 1 + f between √2/2 and √2.
    let root_half = I64x4::splat(0x3FE6_A09E_0000_0000);
    let shifted = x.to_bits() + I64x4::splat(0x3FF0_0000_0000_0000 - 0x3FE6_A09E_0000_0000);
    let fraction = shifted.and(I64x4::splat((1 << EXPONENT_AT) - 1)) + root_half;
    let k = small_to_float(shifted.shift_right::<EXPONENT_AT>()) - F64x4::splat(EXPONENT_BIAS as f64);
    let f = F64x4::from_bits(fraction) - F64x4::splat(1.0);
    let half_square = F64x4::splat(0.5) * f * f;
    let s = f / (F64x4::splat(2.0) + f);
    let z = s * s;
    let w = z * z;
    let even = w * polynomial(
        [
            0.399_999_999_994_094_2,
            0.222_221_984_321_497_84,
            0.153_138_376_992_093_73,
        ],
        w,
    );
    let odd = z * polynomial(
        [
            0.666_666_666_666_673_5,
            0.285_714_287_436_623_9,
            0.181_835_721_616_180_5,
            0.147_981_986_051_165_86,
        ],
        w,
    );
    let tail = s * (half_square + (odd + even)) + k * F64x4::splat(LN2_LOW);
    tail - half_square + f + k * F64x4::splat(LN2_HIGH)
}

/// Numbers from 0 to 2^52 - 1 as floats.
#[inline(always)]
fn small_to_float(ints: I64x4) -> F64x4 {
    let two_to_52 = F64x4::splat((1u64 << 52) as f64);
    F64x4::from_bits(ints.or(two_to_52.to_bits())) - two_to_52
}

/// Beyond these the exponential is that of the limit: far from over- and underflow.
const EXP_MAX: f64 = 650.0;

/// e to the power of x, for x brought between -650 and 650.
#[inline(always)]
pub(super) fn exp(x: F64x4) -> F64x4 {
    let x = x.min(F64x4::splat(EXP_MAX)).max(F64x4::splat(-EXP_MAX));
    // x = k · ln 2 + r with |r| at most ln 2 / 2.
    let rounder = F64x4::splat(ROUNDER);
    let sum = x * F64x4::splat(core::f64::consts::LOG2_E) + rounder;
    let k = sum - rounder;
    let high = x - k * F64x4::splat(LN2_HIGH);
    let low = k * F64x4::splat(LN2_LOW);
    let r = high - low;
    let z = r * r;
    let c = r - z * polynomial(
        [
            1.666_666_666_666_660_2e-1,
            -2.777_777_777_701_559_3e-3,
            6.613_756_321_437_934e-5,
            -1.653_390_220_546_525_2e-6,
            4.138_136_797_057_238e-8,
        ],
        z,
    );
    let y = F64x4::splat(1.0) + (r * c / (F64x4::splat(2.0) - c) - low + high);
    let power = (sum.to_bits() + I64x4::splat(EXPONENT_BIAS)).shift_left::<EXPONENT_AT>();
    y * F64x4::from_bits(power)
}

/// Sine and cosine of a part of the circle: of 2π times `turns`, which is from 0 to 1.
#[inline(always)]
pub(super) fn sin_cos_of_turns(turns: F64x4) -> (F64x4, F64x4) {
    // turns = quarters / 4 + rest, exactly, with |rest| at most 1/8.
    let rounder = F64x4::splat(ROUNDER);
    let sum = turns * F64x4::splat(4.0) + rounder;
    let rest = turns - (sum - rounder) * F64x4::splat(0.25);
    let (sine, cosine) = sin_cos_near_zero(rest * F64x4::splat(core::f64::consts::TAU));
    let quarters = sum.to_bits();
    let one = I64x4::splat(1);
    let is_odd = I64x4::splat(0) - quarters.and(one);
    let (sine, cosine) = (sine.to_bits(), cosine.to_bits());
    let sign = |quarters: I64x4| quarters.shift_right::<1>().shift_left::<63>();
    (
        F64x4::from_bits(is_odd.select(cosine, sine).xor(sign(quarters))),
        F64x4::from_bits(is_odd.select(sine, cosine).xor(sign(quarters + one))),
    )
}

/// For |x| up to π/4.
#[inline(always)]
fn sin_cos_near_zero(x: F64x4) -> (F64x4, F64x4) {
    let one = F64x4::splat(1.0);
    let z = x * x;
    let sine = polynomial(
        [
            -1.666_666_666_666_663_2e-1,
            8.333_333_333_322_49e-3,
            -1.984_126_982_985_795e-4,
            2.755_731_370_707_007e-6,
            -2.505_076_025_340_686_4e-8,
            1.589_690_995_211_55e-10,
        ],
        z,
    );
    let cosine = polynomial(
        [
            4.166_666_666_666_66e-2,
            -1.388_888_888_887_411e-3,
            2.480_158_728_947_673e-5,
            -2.755_731_435_139_066_5e-7,
            2.087_572_321_298_175e-9,
            -1.135_964_755_778_82e-11,
        ],
        z,
    );
    let half_z = F64x4::splat(0.5) * z;
    let near = one - half_z;
    (x + z * x * sine, near + (one - near - half_z + z * z * cosine))
}

/// c0 + c1 x + c2 x² + …, from the highest down.
#[inline(always)]
fn polynomial<const TERMS: usize>(coefficients: [f64; TERMS], x: F64x4) -> F64x4 {
    let mut sum = F64x4::splat(coefficients[TERMS - 1]);
    for &coefficient in coefficients[..TERMS - 1].iter().rev() {
        sum = sum * x + F64x4::splat(coefficient);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{exp, log, sin_cos_of_turns};
    use crate::lanes::F64x4;

    /// How many floats lie between two of the same sign.
    fn steps_apart(a: f64, b: f64) -> u64 {
        a.to_bits().abs_diff(b.to_bits())
    }

    fn of(function: fn(F64x4) -> F64x4, x: f64) -> f64 {
        let results = function(F64x4::splat(x)).to_array();
        assert_eq!(results.map(f64::to_bits), [results[0].to_bits(); 4]);
        results[0]
    }

    /// From 0 to 1, in odd steps.
    fn parts() -> impl Iterator<Item = f64> {
        (1..=100_000).map(|n| f64::from(n) / 100_000.3)
    }

    #[test]
    fn the_logarithm_is_libms() {
        for x in parts().chain([1.0, f64::EPSILON / 2.0, 0.5, 1e-9]) {
            assert_eq!(of(log, x).to_bits(), libm::log(x).to_bits(), "{x}");
        }
    }

    #[test]
    fn the_exponential_is_near_libms() {
        for x in parts().flat_map(|part| [part - 0.5, (part - 0.5) * 20.0, (part - 0.5) * 1299.0]) {
            assert!(steps_apart(of(exp, x), libm::exp(x)) <= 1, "{x}");
        }
        assert_eq!(of(exp, 0.0), 1.0);
        assert_eq!(of(exp, 1e9), of(exp, 650.0));
        assert_eq!(of(exp, -1e9), of(exp, -650.0));
    }

    #[test]
    fn sine_and_cosine_are_near_libms() {
        for turns in parts() {
            let near_zero = |f: f64| f.abs() < 1e-3;
            let (sine, cosine) = libm::sincos(turns * core::f64::consts::TAU);
            for (ours, theirs) in [
                (of(|x| sin_cos_of_turns(x).0, turns), sine),
                (of(|x| sin_cos_of_turns(x).1, turns), cosine),
            ] {
                // Near a zero it is `turns` times 2π that is not exact.
                assert!(
                    near_zero(theirs) || steps_apart(ours, theirs) < 3_000,
                    "{turns}: {ours}, {theirs}"
                );
                assert!((ours - theirs).abs() < 1e-15, "{turns}: {ours}, {theirs}");
            }
        }
        let quarters = [
            (0.0, 0.0, 1.0),
            (0.25, 1.0, 0.0),
            (0.5, 0.0, -1.0),
            (0.75, -1.0, 0.0),
        ];
        for (turns, sine, cosine) in quarters {
            assert_eq!(of(|x| sin_cos_of_turns(x).0, turns), sine);
            assert_eq!(of(|x| sin_cos_of_turns(x).1, turns), cosine);
        }
    }
}
