//! Normal numbers from random words, by Box and Muller's formula.
//!
//! The circle is cut into halves: a bit says which, and a part says where on it. So no number need be
//! rounded to a quarter of the circle, and no sine be exchanged for a cosine.
use super::maths;
use crate::lanes::{F64x4, I64x4, U32x4};

/// The radii of four pairs of normal numbers.
#[inline(always)]
pub(super) fn radii([a, b, _, _]: [U32x4; 4]) -> F64x4 {
    // From 2^-52 to 1: never 0, whose logarithm is infinite.
    let part = F64x4::splat(2.0) - one_and(b.behind(a));
    maths::minus_two_log(part).sqrt()
}

/// Four pairs of independent normal numbers: the four first ones and the four second ones.
#[inline(always)]
pub(super) fn pairs([_, _, c, d]: [U32x4; 4], radii: F64x4) -> [F64x4; 2] {
    let word = d.behind(c);
    let (cosine, sine) = maths::half_circle(one_and(word) - F64x4::splat(1.5));
    let other_half = word.shift_left::<63>();
    let radii = F64x4::from_bits(radii.to_bits().xor(other_half));
    [radii * cosine, radii * sine]
}

/// A number from 1 to just below 2, in steps of 2^-52, from the upper bits of `word`.
#[inline(always)]
fn one_and(word: I64x4) -> F64x4 {
    F64x4::from_bits(word.shift_right::<12>().or(F64x4::splat(1.0).to_bits()))
}
