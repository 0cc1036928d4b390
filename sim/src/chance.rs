//! Chance from a seed: the only one there is in here.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The same seed gives the same sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to below `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.any() % (high - low).max(1)
    }

    /// From `low` to below `high`, small numbers as likely as large ones: uniform in the exponent.
    pub fn magnitude(&mut self, low: u64, high: u64) -> u64 {
        let (low_bits, high_bits) = (u64::from(low.max(1).ilog2()), u64::from(high.ilog2()));
        let top = 1u64 << self.between(low_bits, high_bits + 1);
        self.between(top, top * 2).clamp(low, high - 1)
    }

    /// True so many times out of a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.between(0, 100) < percent
    }

    /// One of them.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        // The remainder is less than the length, which is a usize.
        all[(self.any() % all.len() as u64) as usize]
    }
}
