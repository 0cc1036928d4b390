//! Four numbers side by side, said once for every machine: with WebAssembly SIMD, with SSE2
//! (which every x86-64 has), or as plain numbers elsewhere. 64-bit numbers go in two pairs, which also
//! keeps a processor busier than one. Every operation is the plain IEEE 754 or
//! integer operation on each lane, so the bits are the same whichever way is taken, and a kernel in
//! the sandbox and the same kernel built natively are the same algorithm.
#[cfg(any(
    test,
    not(any(target_family = "wasm", all(target_arch = "x86_64", target_feature = "sse2")))
))]
#[cfg_attr(test, allow(dead_code, reason = "the tests compare only what can differ"))]
mod plain;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod sse2;
#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(any(target_family = "wasm", all(target_arch = "x86_64", target_feature = "sse2"))))]
use plain as raw;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
use sse2 as raw;
#[cfg(target_family = "wasm")]
use wasm as raw;

use core::ops::{Add, Div, Mul, Sub};

/// Four floats.
#[derive(Clone, Copy)]
pub(crate) struct F64x4([raw::Floats; 2]);

/// Four 64-bit integers, or a mask: all ones or all zeros in each lane.
#[derive(Clone, Copy)]
pub(crate) struct I64x4([raw::Ints; 2]);

/// Four unsigned 32-bit integers.
#[derive(Clone, Copy)]
pub(crate) struct U32x4(raw::Words);

/// A sum of 64-bit numbers, in two parts.
#[derive(Clone, Copy)]
pub(crate) struct Sum(raw::Ints);

/// A sum of floats, in two parts.
#[derive(Clone, Copy)]
pub(crate) struct FloatSum(raw::Floats);

impl F64x4 {
    #[inline(always)]
    pub(crate) fn new([a, b, c, d]: [f64; 4]) -> Self {
        Self([raw::floats([a, b]), raw::floats([c, d])])
    }

    #[inline(always)]
    pub(crate) fn splat(value: f64) -> Self {
        Self([raw::floats([value; 2]); 2])
    }

    #[inline(always)]
    pub(crate) fn to_array(self) -> [f64; 4] {
        let ([a, b], [c, d]) = (raw::floats_array(self.0[0]), raw::floats_array(self.0[1]));
        [a, b, c, d]
    }

    #[inline(always)]
    pub(crate) fn sqrt(self) -> Self {
        Self(self.0.map(raw::sqrt))
    }

    /// Brought between two numbers; none of the three is NaN.
    #[inline(always)]
    pub(crate) fn clamp(self, least: Self, most: Self) -> Self {
        Self(both(least.0, both(most.0, self.0, raw::min), raw::max))
    }

    /// Where it is at most `other`, which NaN never is.
    #[inline(always)]
    pub(crate) fn at_most(self, other: Self) -> I64x4 {
        I64x4(both(self.0, other.0, raw::at_most))
    }

    /// Where it is below `other`.
    #[inline(always)]
    pub(crate) fn below(self, other: Self) -> I64x4 {
        I64x4(both(self.0, other.0, raw::below))
    }

    #[inline(always)]
    pub(crate) fn to_bits(self) -> I64x4 {
        I64x4(self.0.map(raw::bits))
    }

    #[inline(always)]
    pub(crate) fn from_bits(bits: I64x4) -> Self {
        Self(bits.0.map(raw::from_bits))
    }
}

#[inline(always)]
fn both<A: Copy, B>(a: [A; 2], b: [A; 2], operation: impl Fn(A, A) -> B) -> [B; 2] {
    [operation(a[0], b[0]), operation(a[1], b[1])]
}

impl I64x4 {
    #[inline(always)]
    pub(crate) fn splat(value: i64) -> Self {
        Self([raw::ints([value; 2]); 2])
    }

    #[inline(always)]
    pub(crate) fn to_array(self) -> [i64; 4] {
        let ([a, b], [c, d]) = (raw::ints_array(self.0[0]), raw::ints_array(self.0[1]));
        [a, b, c, d]
    }

    /// Whether any bit is set.
    #[inline(always)]
    pub(crate) fn any(self) -> bool {
        raw::any(raw::or(self.0[0], self.0[1]))
    }

    #[inline(always)]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(both(self.0, other.0, raw::and))
    }

    #[inline(always)]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(both(self.0, other.0, raw::or))
    }

    #[inline(always)]
    pub(crate) fn xor(self, other: Self) -> Self {
        Self(both(self.0, other.0, raw::xor))
    }

    #[inline(always)]
    pub(crate) fn shift_left<const BITS: u32>(self) -> Self {
        Self(self.0.map(raw::shift_left::<BITS>))
    }

    /// Zeros come in at the top.
    #[inline(always)]
    pub(crate) fn shift_right<const BITS: u32>(self) -> Self {
        Self(self.0.map(raw::shift_right::<BITS>))
    }
}

impl U32x4 {
    #[inline(always)]
    pub(crate) fn new(values: [u32; 4]) -> Self {
        Self(raw::words(values))
    }

    /// The lanes as they lie in memory, read at once.
    #[inline(always)]
    pub(crate) fn load(values: &[u32; 4]) -> Self {
        Self(raw::load(values))
    }

    #[inline(always)]
    pub(crate) fn splat(value: u32) -> Self {
        Self::new([value; 4])
    }

    #[inline(always)]
    pub(crate) fn xor(self, other: Self) -> Self {
        Self(raw::words_xor(self.0, other.0))
    }

    /// The products, 64 bits each.
    #[inline(always)]
    pub(crate) fn products(self, other: Self) -> I64x4 {
        I64x4(raw::products(self.0, other.0).into())
    }

    /// Each lane behind 32 bits of `high`.
    #[inline(always)]
    pub(crate) fn behind(self, high: Self) -> I64x4 {
        I64x4(raw::joined(self.0, high.0).into())
    }

    #[inline(always)]
    pub(crate) fn low_halves(of: I64x4) -> Self {
        Self(raw::low_halves(of.0[0], of.0[1]))
    }

    #[inline(always)]
    pub(crate) fn high_halves(of: I64x4) -> Self {
        Self(raw::high_halves(of.0[0], of.0[1]))
    }
}

impl Sum {
    #[inline(always)]
    pub(crate) fn zero() -> Self {
        Self(raw::ints([0; 2]))
    }

    /// With the four products added.
    #[inline(always)]
    pub(crate) fn plus_products(self, a: U32x4, b: U32x4) -> Self {
        let (low, high) = raw::products(a.0, b.0);
        Self(raw::ints_add(raw::ints_add(self.0, low), high))
    }

    /// The whole, modulo 2^64.
    #[inline(always)]
    pub(crate) fn total(self) -> u64 {
        let [a, b] = raw::ints_array(self.0);
        a.wrapping_add(b).cast_unsigned()
    }
}

impl FloatSum {
    #[inline(always)]
    pub(crate) fn zero() -> Self {
        Self(raw::floats([0.0; 2]))
    }

    /// With eight floats added, of which four pairs are added up first.
    #[inline(always)]
    pub(crate) fn plus(self, [a, b]: [F64x4; 2]) -> Self {
        let [a, b] = [a, b].map(|lanes| raw::add(lanes.0[0], lanes.0[1]));
        Self(raw::add(self.0, raw::add(a, b)))
    }

    /// The whole.
    #[inline(always)]
    pub(crate) fn total(self) -> f64 {
        let [a, b] = raw::floats_array(self.0);
        a + b
    }
}

macro_rules! operator {
    ($($type:ident: $trait:ident $method:ident by $raw:ident;)*) => {$(
        impl $trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(both(self.0, other.0, raw::$raw))
            }
        }
    )*};
}

operator! {
    F64x4: Add add by add;
    F64x4: Sub sub by sub;
    F64x4: Mul mul by mul;
    F64x4: Div div by div;
    I64x4: Add add by ints_add;
    I64x4: Sub sub by ints_sub;
}

#[cfg(test)]
mod tests;
