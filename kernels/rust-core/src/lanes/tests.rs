//! The machine's lanes against plain numbers, bit by bit.
use super::{F64x4, FloatSum, I64x4, Sum, U32x4, plain};

const FLOATS: [[f64; 2]; 6] = [
    [0.0, -0.0],
    [1.5, -2.25],
    [1e300, 1e-300],
    [f64::MIN_POSITIVE, 4.0],
    [0.1, 0.2],
    [-7.0, 1e17],
];
const INTS: [[i64; 2]; 4] = [
    [0, -1],
    [1, i64::MIN],
    [0x0123_4567_89ab_cdef, -2],
    [1 << 52, 1023],
];
const WORDS: [[u32; 4]; 3] = [
    [0, 1, 2, 3],
    [u32::MAX, u32::MAX - 1, 1 << 31, 7],
    [0xD251_1F53, 0xCD9E_8D57, 9, 1 << 28],
];

/// The same operation on two pairs of plain numbers.
fn twice<A: Copy, B, const N: usize>(
    a: [A; 4],
    b: [A; 4],
    each: impl Fn([A; 2], [A; 2]) -> [B; N],
) -> Vec<B> {
    let low = each([a[0], a[1]], [b[0], b[1]]);
    low.into_iter().chain(each([a[2], a[3]], [b[2], b[3]])).collect()
}

fn fours<A: Copy>(pairs: &[[A; 2]]) -> Vec<[A; 4]> {
    let turned = pairs.iter().cycle().skip(1);
    pairs
        .iter()
        .zip(turned)
        .map(|(a, b)| [a[0], a[1], b[0], b[1]])
        .collect()
}

fn bits(floats: impl IntoIterator<Item = f64>) -> Vec<u64> {
    floats.into_iter().map(f64::to_bits).collect()
}

#[test]
fn floats_are_ieee_754s() {
    for a in fours(&FLOATS) {
        let x = F64x4::new(a);
        assert_eq!(bits(F64x4::from_bits(x.to_bits()).to_array()), bits(a));
        let positive = a.map(f64::abs);
        assert_eq!(
            bits(F64x4::new(positive).sqrt().to_array()),
            bits(positive.map(f64::sqrt))
        );
        for b in fours(&FLOATS) {
            let y = F64x4::new(b);
            assert_eq!(bits((x + y).to_array()), bits(twice(a, b, plain::add)));
            assert_eq!(bits((x - y).to_array()), bits(twice(a, b, plain::sub)));
            assert_eq!(bits((x * y).to_array()), bits(twice(a, b, plain::mul)));
            assert_eq!(x.at_most(y).to_array().to_vec(), twice(a, b, plain::at_most));
            assert_eq!(x.below(y).to_array().to_vec(), twice(a, b, plain::below));
            let clamped = twice(a, b, |a, b| plain::max(b, plain::min([0.0; 2], a)));
            assert_eq!(bits(x.clamp(y, F64x4::splat(0.0)).to_array()), bits(clamped));
            let [first, second] = [a, b].map(|four| plain::add([four[0], four[1]], [four[2], four[3]]));
            let sum = plain::add(first, second);
            assert_eq!(FloatSum::zero().plus([x, y]).total(), sum[0] + sum[1]);
            if b.iter().all(|&b| b != 0.0) {
                assert_eq!(bits((x / y).to_array()), bits(twice(a, b, plain::div)));
            }
        }
    }
    let nan = F64x4::splat(f64::NAN);
    assert!(!nan.at_most(nan).any() && !nan.below(nan).any());
}

fn integers(values: [i64; 4]) -> I64x4 {
    F64x4::new(values.map(|value| f64::from_bits(value.cast_unsigned()))).to_bits()
}

#[test]
fn integers_wrap() {
    for a in fours(&INTS) {
        let x = integers(a);
        assert_eq!(x.any(), a != [0; 4]);
        let shifted = twice(a, a, |a, _| plain::shift_left::<52>(a));
        assert_eq!(x.shift_left::<52>().to_array().to_vec(), shifted);
        let shifted = twice(a, a, |a, _| plain::shift_right::<12>(a));
        assert_eq!(x.shift_right::<12>().to_array().to_vec(), shifted);
        for b in fours(&INTS) {
            let y = integers(b);
            assert_eq!((x + y).to_array().to_vec(), twice(a, b, plain::ints_add));
            assert_eq!((x - y).to_array().to_vec(), twice(a, b, plain::ints_sub));
            assert_eq!(x.and(y).to_array().to_vec(), twice(a, b, plain::and));
            assert_eq!(x.or(y).to_array().to_vec(), twice(a, b, plain::or));
            assert_eq!(x.xor(y).to_array().to_vec(), twice(a, b, plain::xor));
        }
    }
}

/// With 32 zeros before each.
fn wide(words: U32x4) -> I64x4 {
    words.behind(U32x4::splat(0))
}

#[test]
fn words_are_multiplied_to_64_bits() {
    for a in WORDS {
        let x = U32x4::new(a);
        assert_eq!(wide(U32x4::load(&a)).to_array(), a.map(i64::from));
        assert_eq!(wide(x).to_array(), a.map(i64::from));
        for b in WORDS {
            let y = U32x4::new(b);
            let (low, high) = plain::products(a, b);
            let (first, second) = plain::joined(a, b);
            let joined = [first[0], first[1], second[0], second[1]];
            assert_eq!(x.behind(y).to_array(), joined);
            let products = x.products(y);
            assert_eq!(products.to_array(), [low[0], low[1], high[0], high[1]]);
            assert_eq!(wide(x.xor(y)).to_array(), plain::words_xor(a, b).map(i64::from));
            let low_halves = wide(U32x4::low_halves(products)).to_array();
            assert_eq!(low_halves, plain::low_halves(low, high).map(i64::from));
            let high_halves = wide(U32x4::high_halves(products)).to_array();
            assert_eq!(high_halves, plain::high_halves(low, high).map(i64::from));
            let sum = products.to_array().into_iter().fold(0, i64::wrapping_add);
            assert_eq!(Sum::zero().plus_products(x, y).total(), sum.cast_unsigned());
        }
    }
    assert_eq!(wide(U32x4::splat(7)).to_array(), [7; 4]);
    assert!(I64x4::splat(1).any());
}
