//! What each level asks for: how often, how many, how long.
use protocol::trust::{LIARS_SHARE_MAX, Trust};

/// Every level's numbers. See the module's documentation for where they come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// The promised share of wrong shards among the accepted ones.
    pub(crate) wrong_share_max: f64,
    /// Passed checks that let a batch go; a batch with fewer shards has all of them checked.
    pub(crate) checks_min: u32,
    /// Share of a batch that is checked while it grows, so that plain liars are found early.
    pub(crate) check_rate: f64,
    /// Most shards after which a batch ends although its worker stays.
    pub(crate) batch_shards_max: u32,
}

/// Checks times bound at the worst rate of lying, while liars do [`LIARS_SHARE_MAX`] of the work
/// (a test finds it again), and a little more so that a measurement stays below the bound too.
const CHECKS_TIMES_BOUND: f64 = 0.1676 * 1.05;
/// Batches end at so many times the checks they need, or at down to half of that: of a worker that never leaves 2.2
/// to 3.1 % is checked at `standard`.
const BATCH_TIMES_CHECKS: u32 = 128;

impl Level {
    /// `None` for a job whose workers are trusted.
    pub(crate) fn of(trust: Trust) -> Option<Self> {
        let wrong_share_max = trust.wrong_share_max()?;
        let check_rate = match trust {
            Trust::Private => return None,
            Trust::Fast => 0.02,
            Trust::Standard => 0.05,
            Trust::Strict => 0.25,
            Trust::Verified => 1.0,
        };
        let checks_min = (CHECKS_TIMES_BOUND / wrong_share_max.max(1e-9)).ceil();
        let checks_min = checks_min.min(f64::from(u32::MAX / BATCH_TIMES_CHECKS)) as u32;
        Some(Self {
            wrong_share_max,
            checks_min,
            check_rate,
            batch_shards_max: checks_min * BATCH_TIMES_CHECKS,
        })
    }

    /// With which probability a shard is checked before which a batch has so many: as often as a batch that
    /// ends with it needs, and early ones more often than that, so that plain liars are found early.
    pub(crate) fn rate_after(&self, shards: u32) -> f64 {
        self.check_rate.min(self.least_rate(shards.saturating_add(1)))
    }

    /// Share of a batch of so many shards that has to be checked.
    fn least_rate(&self, shards: u32) -> f64 {
        f64::from(self.checks_min) / f64::from(shards.max(1))
    }

    /// Whether the shards of a batch that is so long were not all drawn with the same probability.
    pub(crate) fn is_uneven(&self, shards: u32) -> bool {
        self.least_rate(shards) < self.check_rate
    }

    /// Whether every shard is computed again by a trusted worker.
    pub(crate) fn is_verified(&self) -> bool {
        self.check_rate >= 1.0
    }
}

/// What a check by somebody who is not trusted is worth: he colludes with the first as often as liars
/// do the work.
pub(crate) const STRANGERS_CHECK_WEIGHT: f64 = 1.0 - LIARS_SHARE_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of wrong shards among the accepted ones when liars do `f` of the work and lie in a
    /// share `x` of their shards, with `k` checks for each batch.
    fn wrong_share(f: f64, x: f64, k: f64) -> f64 {
        let passes = (1.0 - x).powf(k);
        f * x * passes / (1.0 - f + f * passes)
    }

    #[test]
    fn no_rate_of_lying_exceeds_the_bound() {
        for trust in [Trust::Fast, Trust::Standard, Trust::Strict] {
            let level = Level::of(trust).unwrap();
            let k = f64::from(level.checks_min);
            let rates = (1..200_000).map(|i| f64::from(i) / 200_000.0);
            let worst = rates
                .map(|x| wrong_share(LIARS_SHARE_MAX, x, k))
                .fold(0.0, f64::max);
            assert!(worst <= level.wrong_share_max, "{trust}: {worst:e} of {k} checks");
            assert!(
                worst >= 0.85 * level.wrong_share_max,
                "{trust}: {k} checks are too many"
            );
        }
    }

    #[test]
    fn every_shard_is_drawn_as_often_as_its_batch_needs_wherever_that_ends() {
        for trust in [Trust::Fast, Trust::Standard, Trust::Strict] {
            let level = Level::of(trust).unwrap();
            for end in 1..=level.batch_shards_max {
                let (least, last) = (
                    level.least_rate(end).min(level.check_rate),
                    level.rate_after(end - 1),
                );
                // Rates only fall, so the last one is the least.
                assert!(last >= least && level.rate_after(end) <= last, "{trust}: {end}");
            }
        }
    }

    #[test]
    fn fewer_checks_break_the_promise() {
        let k = f64::from(Level::of(Trust::Standard).unwrap().checks_min) / 2.0;
        assert!(wrong_share(LIARS_SHARE_MAX, 1.0 / k, k) > 1e-3);
    }
}
