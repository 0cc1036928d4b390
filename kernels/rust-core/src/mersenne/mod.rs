//! The Lucas-Lehmer test: is 2^p - 1 prime?
//!
//! With s = 4 at first and s → s² - 2 (mod 2^p - 1), p - 2 times, the Mersenne number is prime
//! exactly when the last s is 0, for any p above 2, prime or not. The residue is the low 64 bits of
//! the last s, by which others who ran the same test can compare (GIMPS publishes the same number).
mod square;

use elytra_kernel::kernel;
use serde::Serialize;
use square::{LIMB_BITS, LIMB_MASK, Squarer, TURN};

/// A test of the largest exponent takes minutes; beyond it a transform would be the right tool.
const EXPONENT_MAX: i64 = 100_000;

/// What the test found.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Answer {
    /// p.
    pub exponent: i64,
    /// Whether 2^p - 1 is prime.
    pub prime: bool,
    /// The low 64 bits of the last s, as 16 hexadecimal digits; zeros for a prime.
    pub residue: String,
}

/// Whether 2 to the power of the item, minus 1, is prime, by the Lucas-Lehmer test.
#[kernel(
    title = "Mersenne prime test",
    item = "exponent",
    item_min = 1,
    item_max = 100000
)]
pub fn mersenne(item: i64) -> Result<Answer, String> {
    if !(1..=EXPONENT_MAX).contains(&item) {
        return Err(format!("exponent {item} is not between 1 and {EXPONENT_MAX}"));
    }
    let residue = match item {
        // 2^1 - 1 = 1 is not prime, and everything is 0 modulo 1; 2^2 - 1 = 3 is, and needs no step.
        1 | 2 => vec![0],
        _ => last_residue(usize::try_from(item).unwrap_or(usize::MAX)),
    };
    let prime = item > 1 && residue.iter().all(|&limb| limb == 0);
    Ok(Answer {
        exponent: item,
        prime,
        residue: format!("{:016x}", low_64_bits(&residue)),
    })
}

fn low_64_bits(limbs: &[u32]) -> u64 {
    let places = (0..).map(|at| at * LIMB_BITS).take_while(|&shift| shift < 64);
    limbs
        .iter()
        .zip(places)
        .fold(0, |sum, (&limb, shift)| sum | u64::from(limb) << shift)
}

/// s after `exponent - 2` steps, as limbs from the lowest; `exponent` is at least 3.
fn last_residue(exponent: usize) -> Vec<u32> {
    let mut modulus = Modulus::new(exponent);
    let mut s = vec![0; modulus.limbs];
    s[0] = 4;
    modulus.fold_into(&mut s);
    for _ in 0..exponent - 2 {
        modulus.square(&mut s);
        modulus.subtract_two(&mut s);
    }
    modulus.fold_into(&mut s);
    s
}

/// Arithmetic modulo 2^p - 1, where what overflows at the top is added at the bottom.
struct Modulus {
    limbs: usize,
    /// How many bits of the top limb belong to the number: 1 to `LIMB_BITS`.
    top_bits: u32,
    squarer: Squarer,
    product: Vec<u32>,
}

impl Modulus {
    fn new(exponent: usize) -> Self {
        let limbs = exponent.div_ceil(LIMB_BITS as usize);
        let above = u32::try_from(limbs * LIMB_BITS as usize - exponent).unwrap_or(0);
        // One more limb than the square has, so that the high half can be read shifted.
        Self {
            limbs,
            top_bits: LIMB_BITS - above,
            squarer: Squarer::new(limbs),
            product: vec![0; 2 * limbs + 1],
        }
    }

    fn top_mask(&self) -> u32 {
        LIMB_MASK >> (LIMB_BITS - self.top_bits)
    }

    /// s² modulo 2^p - 1, where 2^p - 1 itself may stand for 0.
    fn square(&mut self, s: &mut [u32]) {
        self.squarer.square(s, &mut self.product[..2 * self.limbs]);
        let (bits, top) = (self.top_bits, self.limbs - 1);
        let (low, high) = self.product.split_at(top);
        // The low half's limb, the high half's shifted down, and the carry.
        let mut carry = 0;
        let mut step = |s: &mut u32, low: u32, high: [u32; 2]| {
            let high = (high[0] >> bits) | (high[1] << (LIMB_BITS - bits) & LIMB_MASK);
            let sum = low + high + carry;
            (*s, carry) = (sum & LIMB_MASK, sum >> LIMB_BITS);
        };
        let (turns, rest) = s[..top].as_chunks_mut::<TURN>();
        let whole = turns.len() * TURN;
        let highs = high.windows(TURN + 1).step_by(TURN);
        for ((s, low), high) in turns.iter_mut().zip(low.as_chunks::<TURN>().0).zip(highs) {
            for (at, s) in s.iter_mut().enumerate() {
                step(s, low[at], [high[at], high[at + 1]]);
            }
        }
        for (at, s) in (whole..).zip(rest) {
            step(s, low[at], [high[at], high[at + 1]]);
        }
        step(&mut s[top], high[0] & self.top_mask(), [high[top], high[top + 1]]);
        // The top limb holds `top_bits` bits and what went over them.
        s[top] += carry << LIMB_BITS;
        self.carry_round(s);
    }

    /// Brings the top limb back to its bits by adding what is above them at the bottom.
    fn carry_round(&self, s: &mut [u32]) {
        let top = self.limbs - 1;
        while s[top] > self.top_mask() {
            let mut carry = s[top] >> self.top_bits;
            s[top] &= self.top_mask();
            for limb in s.iter_mut() {
                let sum = *limb + carry;
                (*limb, carry) = (sum & LIMB_MASK, sum >> LIMB_BITS);
                if carry == 0 {
                    break;
                }
            }
            s[top] += carry << LIMB_BITS;
        }
    }

    /// s - 2 = s + (2^p - 1) - 2, without borrowing below zero.
    fn subtract_two(&self, s: &mut [u32]) {
        let mut borrow = 2;
        for limb in s.iter_mut() {
            if *limb >= borrow {
                *limb -= borrow;
                return;
            }
            *limb = (*limb + (LIMB_MASK + 1)) - borrow;
            borrow = 1;
        }
        // s was 0 or 1: it is now s - 2 + 2^(all limbs); wrapping round takes one more away.
        self.wrap_below_zero(s);
    }

    /// s was 0 or 1, so s - 2 is 2^p - 3 or 2^p - 2.
    fn wrap_below_zero(&self, s: &mut [u32]) {
        s[0] -= 1;
        s[self.limbs - 1] &= self.top_mask();
    }

    /// Makes 2^p - 1 the 0 that it stands for, and takes small values below the modulus.
    fn fold_into(&self, s: &mut [u32]) {
        self.carry_round(s);
        let top = self.limbs - 1;
        let full = s[top] == self.top_mask() && s[..top].iter().all(|&limb| limb == LIMB_MASK);
        if full {
            s.fill(0);
        }
    }
}
