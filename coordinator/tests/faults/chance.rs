//! Chance that can be played again.
use std::time::{SystemTime, UNIX_EPOCH};

/// Chance from a seed (splitmix64), so that a failure can be played again.
pub(crate) struct Chance(u64);

impl Chance {
    /// From `ELYTRA_SEED`, or from the clock; printed.
    pub(crate) fn new() -> Self {
        let clock = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(since.subsec_nanos())
        };
        let given = std::env::var("ELYTRA_SEED").ok();
        let seed = given.map_or_else(clock, |text| text.parse().unwrap());
        println!("ELYTRA_SEED={seed}");
        Self(seed)
    }

    /// From a seed.
    pub(crate) fn from(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
