//! Plain numbers, for machines whose lanes have no other way here; also what the others are tested against.

pub(super) type Floats = [f64; 2];
pub(super) type Ints = [i64; 2];
pub(super) type Words = [u32; 4];

macro_rules! binary {
    ($($name:ident($type:ident) -> $out:ident = $each:expr;)*) => {$(
        #[inline(always)]
        pub(super) fn $name(a: $type, b: $type) -> $out {
            core::array::from_fn(|lane| $each(a[lane], b[lane]))
        }
    )*};
}

binary! {
    add(Floats) -> Floats = |a, b| a + b;
    sub(Floats) -> Floats = |a, b| a - b;
    mul(Floats) -> Floats = |a, b| a * b;
    div(Floats) -> Floats = |a, b| a / b;
    min(Floats) -> Floats = |a, b| if b < a { b } else { a };
    max(Floats) -> Floats = |a, b| if a < b { b } else { a };
    at_most(Floats) -> Ints = |a, b| -i64::from(a <= b);
    below(Floats) -> Ints = |a, b| -i64::from(a < b);
    ints_add(Ints) -> Ints = i64::wrapping_add;
    ints_sub(Ints) -> Ints = i64::wrapping_sub;
    and(Ints) -> Ints = |a, b| a & b;
    or(Ints) -> Ints = |a, b| a | b;
    xor(Ints) -> Ints = |a, b| a ^ b;
    words_xor(Words) -> Words = |a, b| a ^ b;
}

#[inline(always)]
pub(super) fn floats(values: [f64; 2]) -> Floats {
    values
}

#[inline(always)]
pub(super) fn floats_array(floats: Floats) -> [f64; 2] {
    floats
}

#[inline(always)]
pub(super) fn sqrt(floats: Floats) -> Floats {
    floats.map(f64::sqrt)
}

#[inline(always)]
pub(super) fn bits(floats: Floats) -> Ints {
    floats.map(|float| float.to_bits().cast_signed())
}

#[inline(always)]
pub(super) fn from_bits(bits: Ints) -> Floats {
    bits.map(|bits| f64::from_bits(bits.cast_unsigned()))
}

#[inline(always)]
pub(super) fn ints(values: [i64; 2]) -> Ints {
    values
}

#[inline(always)]
pub(super) fn ints_array(ints: Ints) -> [i64; 2] {
    ints
}

#[inline(always)]
pub(super) fn any(mask: Ints) -> bool {
    mask != [0; 2]
}

#[inline(always)]
pub(super) fn shift_left<const BITS: u32>(ints: Ints) -> Ints {
    ints.map(|int| int << BITS)
}

#[inline(always)]
pub(super) fn shift_right<const BITS: u32>(ints: Ints) -> Ints {
    ints.map(|int| (int.cast_unsigned() >> BITS).cast_signed())
}

#[inline(always)]
pub(super) fn words(values: [u32; 4]) -> Words {
    values
}

#[inline(always)]
pub(super) fn load(values: &[u32; 4]) -> Words {
    *values
}

#[inline(always)]
pub(super) fn products(a: Words, b: Words) -> (Ints, Ints) {
    let product = |lane: usize| (u64::from(a[lane]) * u64::from(b[lane])).cast_signed();
    ([product(0), product(1)], [product(2), product(3)])
}

#[inline(always)]
pub(super) fn low_halves(first: Ints, second: Ints) -> Words {
    [first[0], first[1], second[0], second[1]].map(|int| int as u32)
}

#[inline(always)]
pub(super) fn high_halves(first: Ints, second: Ints) -> Words {
    [first[0], first[1], second[0], second[1]].map(|int| (int >> 32) as u32)
}

#[inline(always)]
pub(super) fn joined(low: Words, high: Words) -> (Ints, Ints) {
    let joined = |lane: usize| ((u64::from(high[lane]) << 32) | u64::from(low[lane])).cast_signed();
    ([joined(0), joined(1)], [joined(2), joined(3)])
}
