//! Normal numbers from random words, by Box and Muller's formula.
use super::maths;
use crate::lanes::{F64x4, I64x4, U32x4};

/// Two independent normal numbers from four words, four times: the four first ones and the four second ones.
#[inline(always)]
pub(super) fn pairs([a, b, c, d]: [U32x4; 4]) -> [F64x4; 2] {
    let first = unit(a.extend(), b.extend());
    let second = unit(c.extend(), d.extend());
    // The first must not be 0, whose logarithm is infinite.
    let first = F64x4::splat(1.0) - first;
    let radius = (F64x4::splat(-2.0) * maths::log(first)).sqrt();
    let (sine, cosine) = maths::sin_cos_of_turns(second);
    [radius * cosine, radius * sine]
}

/// A number from 0 to just below 1, in steps of 2^-53.
#[inline(always)]
fn unit(high: I64x4, low: I64x4) -> F64x4 {
    /// The bits of 2^84 and 2^52: a word or'ed to them is added, times 2^32 and as it is.
    const TWO_TO_84: f64 = 19_342_813_113_834_066_795_298_816.0;
    const TWO_TO_52: f64 = 4_503_599_627_370_496.0;
    let float = |word: I64x4, base: f64| {
        let base = F64x4::splat(base);
        F64x4::from_bits(word.or(base.to_bits())) - base
    };
    // Every step is exact: 53 bits in all.
    let sum = float(high, TWO_TO_84) + float(low.shift_right::<11>().shift_left::<11>(), TWO_TO_52);
    sum * F64x4::splat(1.0 / 18_446_744_073_709_551_616.0)
}
