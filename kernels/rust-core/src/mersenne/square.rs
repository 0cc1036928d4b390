//! Squares of long numbers: limbs of 28 bits, so that 256 products fit into a u64 before anything
//! has to be carried. WebAssembly multiplies 32 by 32 bits in pairs and has no carry flag.
//!
//! Above [`KARATSUBA_LIMBS`] a square is three squares of half the length (Karatsuba):
//! (a + bX)² = a² + ((a + b)² - a² - b²) X + b² X².

/// Bits in a limb.
pub(super) const LIMB_BITS: u32 = 28;
/// A limb with all bits set.
pub(super) const LIMB_MASK: u32 = (1 << LIMB_BITS) - 1;
/// Products of two limbs that a u64 can hold: 2^8 · 2^28 · 2^28.
const PRODUCTS_PER_SUM: usize = 256;
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
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn square_by_columns(a: &[u32], out: &mut [u32], room: &mut [u32]) {
    let n = a.len();
    let backwards = &mut room[..n];
    for (to, from) in backwards.iter_mut().zip(a.iter().rev()) {
        *to = *from;
    }
    let mut carry: u128 = 0;
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
        carry += 2 * sum + u128::from(middle);
        *out = carry as u32 & LIMB_MASK;
        carry >>= LIMB_BITS;
    }
}

#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
#[inline]
fn dot(a: &[u32], b: &[u32]) -> u128 {
    let chunks = a.chunks(PRODUCTS_PER_SUM).zip(b.chunks(PRODUCTS_PER_SUM));
    chunks.map(|(a, b)| u128::from(dot_short(a, b))).sum()
}

#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
#[inline]
fn dot_short(a: &[u32], b: &[u32]) -> u64 {
    a.iter().zip(b).map(|(&a, &b)| u64::from(a) * u64::from(b)).sum()
}
