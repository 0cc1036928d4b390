//! SSE2.
use core::arch::x86_64 as arch;

pub(super) type Floats = arch::__m128d;
pub(super) type Ints = arch::__m128i;
pub(super) type Words = arch::__m128i;

/// Calls an intrinsic on values; none of those used here takes a pointer.
macro_rules! sse2 {
    ($intrinsic:ident $(::<$constant:tt>)? ($($value:expr),*)) => {
        // SAFETY: the intrinsic asks for a processor with SSE2, and this module is only compiled where
        // the whole build asks for one.
        unsafe { arch::$intrinsic$(::<$constant>)?($($value),*) }
    };
}

macro_rules! binary {
    ($($name:ident($type:ident) -> $out:ident = $intrinsic:ident;)*) => {$(
        #[inline(always)]
        pub(super) fn $name(a: $type, b: $type) -> $out {
            sse2!($intrinsic(a, b))
        }
    )*};
}

binary! {
    add(Floats) -> Floats = _mm_add_pd;
    sub(Floats) -> Floats = _mm_sub_pd;
    mul(Floats) -> Floats = _mm_mul_pd;
    div(Floats) -> Floats = _mm_div_pd;
    ints_add(Ints) -> Ints = _mm_add_epi64;
    ints_sub(Ints) -> Ints = _mm_sub_epi64;
    and(Ints) -> Ints = _mm_and_si128;
    or(Ints) -> Ints = _mm_or_si128;
    xor(Ints) -> Ints = _mm_xor_si128;
    words_xor(Words) -> Words = _mm_xor_si128;
}

#[inline(always)]
pub(super) fn floats([low, high]: [f64; 2]) -> Floats {
    sse2!(_mm_set_pd(high, low))
}

#[inline(always)]
pub(super) fn floats_array(floats: Floats) -> [f64; 2] {
    let high = sse2!(_mm_unpackhi_pd(floats, floats));
    [sse2!(_mm_cvtsd_f64(floats)), sse2!(_mm_cvtsd_f64(high))]
}

/// Of two zeros it is `a`, and SSE2 gives the second.
#[inline(always)]
pub(super) fn min(a: Floats, b: Floats) -> Floats {
    sse2!(_mm_min_pd(b, a))
}

/// The same.
#[inline(always)]
pub(super) fn max(a: Floats, b: Floats) -> Floats {
    sse2!(_mm_max_pd(b, a))
}

#[inline(always)]
pub(super) fn sqrt(floats: Floats) -> Floats {
    sse2!(_mm_sqrt_pd(floats))
}

#[inline(always)]
pub(super) fn at_most(a: Floats, b: Floats) -> Ints {
    bits(sse2!(_mm_cmple_pd(a, b)))
}

#[inline(always)]
pub(super) fn below(a: Floats, b: Floats) -> Ints {
    bits(sse2!(_mm_cmplt_pd(a, b)))
}

#[inline(always)]
pub(super) fn bits(floats: Floats) -> Ints {
    sse2!(_mm_castpd_si128(floats))
}

#[inline(always)]
pub(super) fn from_bits(bits: Ints) -> Floats {
    sse2!(_mm_castsi128_pd(bits))
}

#[inline(always)]
pub(super) fn ints([low, high]: [i64; 2]) -> Ints {
    sse2!(_mm_set_epi64x(high, low))
}

#[inline(always)]
pub(super) fn ints_array(ints: Ints) -> [i64; 2] {
    let high = sse2!(_mm_unpackhi_epi64(ints, ints));
    [sse2!(_mm_cvtsi128_si64(ints)), sse2!(_mm_cvtsi128_si64(high))]
}

#[inline(always)]
pub(super) fn any(mask: Ints) -> bool {
    let zero = sse2!(_mm_setzero_si128());
    let zeros = sse2!(_mm_cmpeq_epi8(mask, zero));
    sse2!(_mm_movemask_epi8(zeros)) != 0xFFFF
}

#[inline(always)]
pub(super) fn shift_left<const BITS: u32>(ints: Ints) -> Ints {
    let bits = sse2!(_mm_cvtsi32_si128(BITS.cast_signed()));
    sse2!(_mm_sll_epi64(ints, bits))
}

#[inline(always)]
pub(super) fn shift_right<const BITS: u32>(ints: Ints) -> Ints {
    let bits = sse2!(_mm_cvtsi32_si128(BITS.cast_signed()));
    sse2!(_mm_srl_epi64(ints, bits))
}

#[inline(always)]
pub(super) fn words([a, b, c, d]: [u32; 4]) -> Words {
    let [a, b, c, d] = [a, b, c, d].map(u32::cast_signed);
    sse2!(_mm_set_epi32(d, c, b, a))
}

#[inline(always)]
pub(super) fn load(values: &[u32; 4]) -> Words {
    // SAFETY: the pointer is to 16 readable bytes and need not be aligned; SSE2 is there, as above.
    unsafe { arch::_mm_loadu_si128(values.as_ptr().cast()) }
}

#[inline(always)]
pub(super) fn products(a: Words, b: Words) -> (Ints, Ints) {
    let low = |words| sse2!(_mm_shuffle_epi32::<0b01_01_00_00>(words));
    let high = |words| sse2!(_mm_shuffle_epi32::<0b11_11_10_10>(words));
    (
        sse2!(_mm_mul_epu32(low(a), low(b))),
        sse2!(_mm_mul_epu32(high(a), high(b))),
    )
}

#[inline(always)]
pub(super) fn low_halves(first: Ints, second: Ints) -> Words {
    halves::<0b10_00_10_00>(first, second)
}

#[inline(always)]
pub(super) fn high_halves(first: Ints, second: Ints) -> Words {
    halves::<0b11_01_11_01>(first, second)
}

#[inline(always)]
fn halves<const WHICH: i32>(first: Ints, second: Ints) -> Words {
    let (first, second) = (sse2!(_mm_castsi128_ps(first)), sse2!(_mm_castsi128_ps(second)));
    let halves = sse2!(_mm_shuffle_ps::<WHICH>(first, second));
    sse2!(_mm_castps_si128(halves))
}

#[inline(always)]
pub(super) fn joined(low: Words, high: Words) -> (Ints, Ints) {
    (
        sse2!(_mm_unpacklo_epi32(low, high)),
        sse2!(_mm_unpackhi_epi32(low, high)),
    )
}
