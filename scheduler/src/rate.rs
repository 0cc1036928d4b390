//! Measured rates: moving averages that forget, and one that warms up at once.

/// An exponentially weighted average whose first samples count fully.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Average {
    value: f64,
    weight: f64,
}

/// How much of the past one full sample replaces.
const KEEP: f64 = 0.8;

impl Average {
    /// Adds a sample.
    pub(crate) fn add(&mut self, sample: f64) {
        self.weight = self.weight * KEEP + 1.0;
        self.value += (sample - self.value) / self.weight;
    }

    /// The average; `None` before the first sample.
    pub(crate) fn get(&self) -> Option<f64> {
        (self.weight > 0.0).then_some(self.value)
    }
}

/// Things a second over the last seconds: counts fall into a window that decays by half every
/// [`HALF_LIFE_MS`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PerSecond {
    count: f64,
    span_ms: f64,
    last_ms: u64,
}

const HALF_LIFE_MS: f64 = 4_000.0;
/// A rate over less time than this is luck.
const SPAN_MS_MIN: f64 = 100.0;

impl PerSecond {
    /// Begins to measure.
    pub(crate) fn starting(now_ms: u64) -> Self {
        Self {
            last_ms: now_ms,
            ..Self::default()
        }
    }

    fn pass(&self, now_ms: u64) -> Self {
        let passed = now_ms.saturating_sub(self.last_ms) as f64;
        let keep = (-passed / HALF_LIFE_MS).exp2();
        Self {
            count: self.count * keep,
            span_ms: (self.span_ms + passed) * keep,
            last_ms: now_ms.max(self.last_ms),
        }
    }

    /// Counts `n` things.
    pub(crate) fn add(&mut self, now_ms: u64, n: u64) {
        if now_ms > self.last_ms {
            *self = self.pass(now_ms);
        }
        self.count += n as f64;
    }

    /// Things a second.
    pub(crate) fn get(&self, now_ms: u64) -> f64 {
        let now = self.pass(now_ms);
        now.count * 1_000.0 / now.span_ms.max(SPAN_MS_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_told_as_it_is() {
        let mut rate = PerSecond::starting(0);
        for ms in 1..=20_000 {
            rate.add(ms, 5);
        }
        assert!((rate.get(20_000) - 5_000.0).abs() < 50.0, "{}", rate.get(20_000));
        assert!(rate.get(60_000) < 500.0, "a stream that ended fades");
    }

    #[test]
    fn the_first_sample_counts_fully() {
        let mut average = Average::default();
        assert_eq!(average.get(), None);
        average.add(8.0);
        assert_eq!(average.get(), Some(8.0));
    }
}
