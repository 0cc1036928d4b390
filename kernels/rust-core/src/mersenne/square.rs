//! Squares of long numbers: limbs of 28 bits, so that a column of products fits into a u64 before
//! anything has to be carried. WebAssembly multiplies 32 by 32 bits in pairs and has no carry flag.
//! A sandbox looks at its clock at every turn of a loop, so turns are long.
//!
//! Above [`KARATSUBA_LIMBS`] a square is three squares of half the length (Karatsuba):
//! (a + bX)² = a² + ((a + b)² - a² - b²) X + b² X².

use crate::lanes::{Sum, U32x4};

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
        return 2 * limbs + 3 * MARGIN;
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
    sum[..a.len()].copy_from_slice(a);
    sum[a.len()] = 0;
    add_to(sum, b);
}

/// Limbs of a turn.
pub(super) const TURN: usize = 8;

/// `a` -= `b`, which is not longer; the result is not negative.
fn subtract(a: &mut [u32], b: &[u32]) {
    let mut borrow = 0;
    let mut step = |a: &mut u32, b: u32| {
        let difference = a.wrapping_sub(b).wrapping_sub(borrow);
        (*a, borrow) = (difference & LIMB_MASK, difference >> 31);
    };
    let (low, high) = a.split_at_mut(b.len());
    each_limb(low, b, &mut step);
    high.iter_mut().for_each(|limb| step(limb, 0));
}

/// `a` += `b`, where the sum fits into `a`; what of `b` lies beyond `a` is zero.
fn add_to(a: &mut [u32], b: &[u32]) {
    let mut carry = 0;
    let mut step = |a: &mut u32, b: u32| {
        let total = *a + b + carry;
        (*a, carry) = (total & LIMB_MASK, total >> LIMB_BITS);
    };
    let common = a.len().min(b.len());
    let (low, high) = a.split_at_mut(common);
    each_limb(low, &b[..common], &mut step);
    high.iter_mut().for_each(|limb| step(limb, 0));
}

/// Calls `step` with the limbs of two equally long numbers, from the lowest.
#[inline(always)]
fn each_limb(a: &mut [u32], b: &[u32], mut step: impl FnMut(&mut u32, u32)) {
    let (turns_a, rest_a) = a.as_chunks_mut::<TURN>();
    let (turns_b, rest_b) = b.as_chunks::<TURN>();
    for (a, b) in turns_a.iter_mut().zip(turns_b) {
        for (a, b) in a.iter_mut().zip(b) {
            step(a, *b);
        }
    }
    for (a, b) in rest_a.iter_mut().zip(rest_b) {
        step(a, *b);
    }
}

/// Columns that are summed up together.
const COLUMNS: usize = 8;
/// Limbs multiplied at once.
const LANES: usize = 4;
/// Zeros beyond the ends of a number, so that eight columns can begin and end at the same limbs.
const MARGIN: usize = 12;

/// Column k of the square is the sum of `a[i] · a[k - i]`: each pair twice, and the middle once. With
/// `a` also written backwards, both factors are read forwards, as lanes want them.
///
/// A u64 holds a column: at most 64 products of 56 bits twice, one more, and a carry of 36 bits.
fn square_by_columns(a: &[u32], out: &mut [u32], room: &mut [u32]) {
    const { assert!(KARATSUBA_LIMBS <= 128) };
    let n = a.len();
    let (forwards, room) = room.split_at_mut(n + MARGIN);
    let backwards = &mut room[..n + 2 * MARGIN];
    forwards[..n].copy_from_slice(a);
    forwards[n..].fill(0);
    backwards[..MARGIN].fill(0);
    backwards[MARGIN + n..].fill(0);
    for (to, from) in backwards[MARGIN..].iter_mut().zip(a.iter().rev()) {
        *to = *from;
    }
    let mut carry = 0;
    for (k, out) in (0_usize..).step_by(COLUMNS).zip(out.chunks_mut(COLUMNS)) {
        // Limbs below `start` meet only zeros; from k / 2 on a limb meets itself or a lower one.
        let start = (k + 1).saturating_sub(n) / LANES * LANES;
        let outer = &forwards[start..k / 2];
        let inner = &backwards[MARGIN + n - COLUMNS + start - k..][..outer.len() + COLUMNS - 1];
        let sums = column_sums(outer, inner);
        let middle: &[u32; COLUMNS] = forwards[k / 2..].first_chunk().unwrap_or(&[0; COLUMNS]);
        for ((out, sum), middle) in out.iter_mut().zip(sums).zip(middle_sums(middle)) {
            carry += 2 * sum + middle;
            *out = carry as u32 & LIMB_MASK;
            carry >>= LIMB_BITS;
        }
    }
}

/// Of eight columns the products of `outer` with `inner`, where column c begins at the c-th limb from
/// `inner`'s last but six backwards; `outer` is as long as a number of lanes.
#[inline(always)]
fn column_sums(outer: &[u32], inner: &[u32]) -> [u64; COLUMNS] {
    const WINDOW: usize = LANES + COLUMNS - 1;
    const WIDE: usize = LANES + WINDOW;
    let mut sums = [Sum::zero(); COLUMNS];
    let (turns, rest) = outer.as_chunks::<{ 2 * LANES }>();
    let windows = inner.windows(WIDE).step_by(2 * LANES);
    for (outer, window) in turns.iter().zip(windows) {
        add_products(&mut sums, outer, window);
        add_products(&mut sums, &outer[LANES..], &window[LANES..]);
    }
    if !rest.is_empty() {
        add_products(&mut sums, rest, &inner[inner.len() - WINDOW..]);
    }
    sums.map(Sum::total)
}

/// Adds four products to each column's sum; the last column's begin with `inner`'s first limb.
#[inline(always)]
fn add_products(sums: &mut [Sum; COLUMNS], outer: &[u32], inner: &[u32]) {
    let Some(outer) = outer.first_chunk().map(U32x4::load) else {
        return;
    };
    for (sum, at) in sums.iter_mut().rev().zip(0..) {
        if let Some(inner) = inner[at..].first_chunk() {
            *sum = sum.plus_products(outer, U32x4::load(inner));
        }
    }
}

/// Of eight columns from an even k on what the limbs from k / 2 on have among themselves: each pair
/// twice, and the middle once.
#[inline(always)]
fn middle_sums(a: &[u32; COLUMNS]) -> [u64; COLUMNS] {
    let pair = |i: usize, j: usize| u64::from(a[i]) * u64::from(a[j]);
    [
        pair(0, 0),
        2 * pair(0, 1),
        2 * pair(0, 2) + pair(1, 1),
        2 * (pair(0, 3) + pair(1, 2)),
        2 * (pair(0, 4) + pair(1, 3)) + pair(2, 2),
        2 * (pair(0, 5) + pair(1, 4) + pair(2, 3)),
        2 * (pair(0, 6) + pair(1, 5) + pair(2, 4)) + pair(3, 3),
        2 * (pair(0, 7) + pair(1, 6) + pair(2, 5) + pair(3, 4)),
    ]
}
