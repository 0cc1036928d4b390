//! Which shards are looked at again: from a seed that nobody outside knows.

/// SplitMix64 (Steele, Lea, Flood 2014). Workers see nothing of what is drawn before they are caught, so
/// there is no stream from which they could guess the next.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        ((u128::from(self.any()) * u128::from(end)) >> 64) as u32
    }

    /// How many come before the next that is chosen, when each is chosen with this probability.
    pub(crate) fn gap(&mut self, rate: f64) -> u32 {
        if rate >= 1.0 {
            return 0;
        }
        // In (0, 1], so that the logarithm is finite.
        let unit = ((self.any() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        let gap = unit.ln() / (-rate).ln_1p();
        gap.min(f64::from(u32::MAX)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_choose_the_share_that_was_asked_for() {
        let mut chance = Chance::new(7);
        let chosen = 20_000;
        let passed: u64 = (0..chosen).map(|_| u64::from(chance.gap(0.05)) + 1).sum();
        let rate = f64::from(chosen) / passed as f64;
        assert!((rate - 0.05).abs() < 0.002, "{rate}");
        assert_eq!(chance.gap(1.0), 0);
    }
}
