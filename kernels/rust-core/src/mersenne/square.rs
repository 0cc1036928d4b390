//! Squares of long numbers: limbs of 28 bits, so that a column of products fits into a u64 before
//! anything has to be carried. WebAssembly multiplies 32 by 32 bits in pairs and has no carry flag.
//!
//! Above [`KARATSUBA_LIMBS`] a square is three squares of half the length (Karatsuba):
//! (a + bX)² = a² + ((a + b)² - a² - b²) X + b² X².

/// Bits in a limb.
pub(super) const LIMB_BITS: u32 = 28;
/// A limb with all bits set.
pub(super) const LIMB_MASK: u32 = (1 << LIMB_BITS) - 1;
/// From this length on three half squares are cheaper than a whole one (measured).
const KARATSUBA_LIMBS: usize = 128;

/// Squares numbers of one length, with its own room for what lies between.
pub(super) struct Squarer {
    room: Vec<u32>,
}

impl Squarer {
    pub(super) fn new(limbs: usize) -> Self {
        Self {
            room: vec![0; room_limbs(limbs)],
        }
    }

    /// The square of `a` into `out`, which is twice as long.
    pub(super) fn square(&mut self, a: &[u32], out: &mut [u32]) {
        square(a, out, &mut self.room);
    }
}

/// Room for a number's square and all that it splits into.
fn room_limbs(limbs: usize) -> usize {
    if limbs < KARATSUBA_LIMBS {
        return limbs;
    }
    let half = limbs.div_ceil(2) + 1;
    3 * half + room_limbs(half)
}

fn square(a: &[u32], out: &mut [u32], room: &mut [u32]) {
    if a.len() < KARATSUBA_LIMBS {
        square_by_columns(a, out, room);
        return;
    }
    let half = a.len().div_ceil(2);
    let (low, high) = a.split_at(half);
    let (sum, room) = room.split_at_mut(half + 1);
    let (middle, room) = room.split_at_mut(2 * (half + 1));
    add(low, high, sum);
    square(sum, middle, room);
    let (out_low, out_high) = out.split_at_mut(2 * half);
    square(low, out_low, room);
    square(high, out_high, room);
    subtract(middle, out_low);
    subtract(middle, out_high);
    add_to(&mut out[half..], middle);
}

/// `sum` = `a` + `b`, where `b` is not longer than `a` and `sum` is one limb longer.
fn add(a: &[u32], b: &[u32], sum: &mut [u32]) {
    let mut carry = 0;
    let b = b.iter().copied().chain(std::iter::repeat(0));
    for ((a, b), sum) in a.iter().zip(b).zip(sum.iter_mut()) {
        let total = a + b + carry;
        (*sum, carry) = (total & LIMB_MASK, total >> LIMB_BITS);
    }
    sum[a.len()] = carry;
}

/// `a` -= `b`; the result is not negative.
fn subtract(a: &mut [u32], b: &[u32]) {
    let mut borrow = 0;
    let b = b.iter().copied().chain(std::iter::repeat(0));
    for (a, b) in a.iter_mut().zip(b) {
        let difference = a.wrapping_sub(b).wrapping_sub(borrow);
        (*a, borrow) = (difference & LIMB_MASK, difference >> 31);
    }
}

/// `a` += `b`, where the sum fits into `a`; what of `b` lies beyond `a` is zero.
fn add_to(a: &mut [u32], b: &[u32]) {
    let mut carry = 0;
    let b = b.iter().copied().chain(std::iter::repeat(0));
    for (a, b) in a.iter_mut().zip(b) {
        let total = *a + b + carry;
        (*a, carry) = (total & LIMB_MASK, total >> LIMB_BITS);
    }
}

/// Column k of the square is the sum of `a[i] · a[k - i]`: each pair twice, and the middle once. With
/// `a` also written backwards, both factors are read forwards, as SIMD wants them.
///
/// A u64 holds a column: at most 64 products of 56 bits twice, one more, and a carry of 36 bits.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn square_by_columns(a: &[u32], out: &mut [u32], room: &mut [u32]) {
    const { assert!(KARATSUBA_LIMBS <= 128) };
    let n = a.len();
    let backwards = &mut room[..n];
    for (to, from) in backwards.iter_mut().zip(a.iter().rev()) {
        *to = *from;
    }
    let mut carry: u64 = 0;
    for (k, out) in out.iter_mut().enumerate() {
        let first = (k + 1).saturating_sub(n);
        let end = k.div_ceil(2);
        let start = n - 1 + first - k;
        let sum = dot(&a[first..end], &backwards[start..start + (end - first)]);
        let middle = if k % 2 == 0 && k / 2 < n {
            u64::from(a[k / 2]).pow(2)
        } else {
            0
        };
        carry += 2 * sum + middle;
        *out = carry as u32 & LIMB_MASK;
        carry >>= LIMB_BITS;
    }
}

/// Limbs multiplied in one turn of the loop: a sandbox looks at its clock at every turn, so turns are long.
const TURN: usize = 8;

/// The sum of the products of two equally long slices.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
#[inline]
fn dot(a: &[u32], b: &[u32]) -> u64 {
    let (turns_a, rest_a) = a.as_chunks::<TURN>();
    let (turns_b, rest_b) = b.as_chunks::<TURN>();
    let turns = dot_turns(turns_a, turns_b);
    let rest: u64 = rest_a
        .iter()
        .zip(rest_b)
        .map(|(&a, &b)| u64::from(a) * u64::from(b))
        .sum();
    turns + rest
}

#[cfg(not(target_family = "wasm"))]
#[inline]
fn dot_turns(a: &[[u32; TURN]], b: &[[u32; TURN]]) -> u64 {
    let products = a.as_flattened().iter().zip(b.as_flattened());
    products.map(|(&a, &b)| u64::from(a) * u64::from(b)).sum()
}

#[cfg(target_family = "wasm")]
#[target_feature(enable = "simd128")]
#[inline]
fn dot_turns(a: &[[u32; TURN]], b: &[[u32; TURN]]) -> u64 {
    use core::arch::wasm32::{
        i64x2_add, u32x4, u64x2_extmul_high_u32x4, u64x2_extmul_low_u32x4, u64x2_extract_lane, u64x2_splat,
    };
    let mut sums = [u64x2_splat(0); 4];
    for (a, b) in a.iter().zip(b) {
        let (a_low, b_low) = (u32x4(a[0], a[1], a[2], a[3]), u32x4(b[0], b[1], b[2], b[3]));
        let (a_high, b_high) = (u32x4(a[4], a[5], a[6], a[7]), u32x4(b[4], b[5], b[6], b[7]));
        sums[0] = i64x2_add(sums[0], u64x2_extmul_low_u32x4(a_low, b_low));
        sums[1] = i64x2_add(sums[1], u64x2_extmul_high_u32x4(a_low, b_low));
        sums[2] = i64x2_add(sums[2], u64x2_extmul_low_u32x4(a_high, b_high));
        sums[3] = i64x2_add(sums[3], u64x2_extmul_high_u32x4(a_high, b_high));
    }
    let sum = i64x2_add(i64x2_add(sums[0], sums[1]), i64x2_add(sums[2], sums[3]));
    u64x2_extract_lane::<0>(sum) + u64x2_extract_lane::<1>(sum)
}
