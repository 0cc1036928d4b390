//! WebAssembly's fixed-width SIMD.
use core::arch::wasm32 as arch;

pub(super) type Floats = arch::v128;
pub(super) type Ints = arch::v128;
pub(super) type Words = arch::v128;

macro_rules! binary {
    ($($name:ident($type:ident) -> $out:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        pub(super) fn $name(a: $type, b: $type) -> $out {
            arch::$intrinsic(a, b)
        }
    )*};
}

binary! {
    add(Floats) -> Floats = f64x2_add;
    div(Floats) -> Floats = f64x2_div;
    at_most(Floats) -> Ints = f64x2_le;
    below(Floats) -> Ints = f64x2_lt;
    mul(Floats) -> Floats = f64x2_mul;
    max(Floats) -> Floats = f64x2_pmax;
    min(Floats) -> Floats = f64x2_pmin;
    sub(Floats) -> Floats = f64x2_sub;
    ints_add(Ints) -> Ints = i64x2_add;
    ints_sub(Ints) -> Ints = i64x2_sub;
    and(Ints) -> Ints = v128_and;
    or(Ints) -> Ints = v128_or;
    xor(Ints) -> Ints = v128_xor;
    words_xor(Words) -> Words = v128_xor;
}

#[inline(always)]
pub(super) fn sqrt(floats: Floats) -> Floats {
    arch::f64x2_sqrt(floats)
}

#[inline(always)]
pub(super) fn any(mask: Ints) -> bool {
    arch::v128_any_true(mask)
}

#[inline(always)]
pub(super) fn floats([low, high]: [f64; 2]) -> Floats {
    arch::f64x2(low, high)
}

#[inline(always)]
pub(super) fn floats_array(floats: Floats) -> [f64; 2] {
    [
        arch::f64x2_extract_lane::<0>(floats),
        arch::f64x2_extract_lane::<1>(floats),
    ]
}

#[inline(always)]
pub(super) fn bits(floats: Floats) -> Ints {
    floats
}

#[inline(always)]
pub(super) fn from_bits(bits: Ints) -> Floats {
    bits
}

#[inline(always)]
pub(super) fn ints([low, high]: [i64; 2]) -> Ints {
    arch::i64x2(low, high)
}

#[inline(always)]
pub(super) fn ints_array(ints: Ints) -> [i64; 2] {
    [
        arch::i64x2_extract_lane::<0>(ints),
        arch::i64x2_extract_lane::<1>(ints),
    ]
}

#[inline(always)]
pub(super) fn shift_left<const BITS: u32>(ints: Ints) -> Ints {
    arch::i64x2_shl(ints, BITS)
}

#[inline(always)]
pub(super) fn shift_right<const BITS: u32>(ints: Ints) -> Ints {
    arch::u64x2_shr(ints, BITS)
}

#[inline(always)]
pub(super) fn words([a, b, c, d]: [u32; 4]) -> Words {
    arch::u32x4(a, b, c, d)
}

#[inline(always)]
pub(super) fn load(values: &[u32; 4]) -> Words {
    // SAFETY: the pointer is to 16 readable bytes and need not be aligned.
    unsafe { arch::v128_load(values.as_ptr().cast()) }
}

#[inline(always)]
pub(super) fn products(a: Words, b: Words) -> (Ints, Ints) {
    (
        arch::u64x2_extmul_low_u32x4(a, b),
        arch::u64x2_extmul_high_u32x4(a, b),
    )
}

#[inline(always)]
pub(super) fn low_halves(first: Ints, second: Ints) -> Words {
    arch::u32x4_shuffle::<0, 2, 4, 6>(first, second)
}

#[inline(always)]
pub(super) fn high_halves(first: Ints, second: Ints) -> Words {
    arch::u32x4_shuffle::<1, 3, 5, 7>(first, second)
}

#[inline(always)]
pub(super) fn joined(low: Words, high: Words) -> (Ints, Ints) {
    (
        arch::u32x4_shuffle::<0, 4, 1, 5>(low, high),
        arch::u32x4_shuffle::<2, 6, 3, 7>(low, high),
    )
}
