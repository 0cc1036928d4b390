//! How many requests a token or an address may send: so many a second, and a second's worth at once.
//!
//! Of each sender only one time is kept: when all that it has sent would be paid off (the generic cell rate
//! algorithm). A time that is over is as good as none, so the table is cleared of those when it is full.
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Parts of the table, each with a lock of its own.
const SHARDS: usize = 16;
/// Most senders that are kept in a part: 16 parts with 2^15 take about 12 MiB.
const SENDERS_PER_SHARD_MAX: usize = 1 << 15;
/// A full part is not cleared more often than this.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

/// Who sends: a number that hardly any two share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sender(pub(crate) u64);

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Rates {
    /// What one request costs, in nanoseconds.
    cost_ns: u64,
    /// How far ahead a sender may be.
    ahead_ns_max: u64,
    since: Instant,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    paid_ns: HashMap<u64, u64>,
    swept_ns: u64,
    /// All those together that found no room.
    others_ns: u64,
}

impl Rates {
    /// So many a second.
    pub(crate) fn new(per_second_max: u32) -> Self {
        let cost_ns = 1_000_000_000 / u64::from(per_second_max.max(1));
        Self {
            cost_ns,
            ahead_ns_max: 1_000_000_000,
            since: Instant::now(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Counts a request; otherwise says how long to wait.
    pub(crate) fn count(&self, sender: Sender) -> Result<(), Duration> {
        let now_ns = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.count_at(sender, now_ns)
    }

    fn count_at(&self, sender: Sender, now_ns: u64) -> Result<(), Duration> {
        // The parts are chosen by mixed bits: neighbours in the network differ in the low ones only.
        let mixed = sender.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let shard = &self.shards[(mixed >> 60) as usize % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let paid_ns = shard.paid(sender.0, now_ns);
        let after_ns = (*paid_ns).max(now_ns) + self.cost_ns;
        let limit_ns = now_ns + self.ahead_ns_max;
        if after_ns > limit_ns {
            return Err(Duration::from_nanos(after_ns - limit_ns));
        }
        *paid_ns = after_ns;
        Ok(())
    }

    /// How many senders are kept.
    #[cfg(test)]
    fn kept(&self) -> usize {
        let kept = |shard: &Mutex<Shard>| shard.lock().unwrap().paid_ns.len();
        self.shards.iter().map(kept).sum()
    }
}

impl Shard {
    fn paid(&mut self, sender: u64, now_ns: u64) -> &mut u64 {
        let full = self.paid_ns.len() >= SENDERS_PER_SHARD_MAX && !self.paid_ns.contains_key(&sender);
        if full
            && now_ns
                >= self
                    .swept_ns
                    .saturating_add(u64::try_from(SWEEP_PAUSE.as_nanos()).unwrap_or(0))
        {
            self.swept_ns = now_ns;
            self.paid_ns.retain(|_, paid_ns| *paid_ns > now_ns);
        }
        if full && self.paid_ns.len() >= SENDERS_PER_SHARD_MAX {
            return &mut self.others_ns;
        }
        self.paid_ns.entry(sender).or_insert(now_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    /// Asks every 100 µs for `seconds`; tells how often it may.
    fn flood(rates: &Rates, sender: u64, from_ns: u64, seconds: u64) -> u64 {
        let steps = seconds * 10_000;
        let asked = (0..steps).map(|step| rates.count_at(Sender(sender), from_ns + step * 100_000));
        asked.filter(Result::is_ok).count() as u64
    }

    /// Clients that flood, in virtual time and over the real table; the same over HTTP stands in tests/api.
    #[test]
    fn a_flood_gets_what_it_may_and_the_others_are_not_touched() {
        let rates = Rates::new(500);
        let got = flood(&rates, 1, 0, 20);
        let may = 500 * 20 + 500;
        assert!(got.abs_diff(may) <= may / 20, "{got} of {may}");
        assert!(rates.count_at(Sender(2), SECOND_NS).is_ok());
        let wait = (0..3)
            .find_map(|_| rates.count_at(Sender(1), 20 * SECOND_NS).err())
            .unwrap();
        assert!(wait <= Duration::from_millis(2), "{wait:?}");
        let rested = flood(&rates, 1, 30 * SECOND_NS, 1);
        assert!(
            rested.abs_diff(1_000) <= 1,
            "a pause gives a second's worth back: {rested}"
        );
    }

    #[test]
    fn a_million_senders_take_no_more_room_than_the_table_has() {
        let rates = Rates::new(1);
        for sender in 0..1_000_000 {
            // All at the same time: nothing can be cleared. Those without room share one place.
            let _ = rates.count_at(Sender(sender), SECOND_NS);
        }
        assert!(rates.kept() <= SHARDS * SENDERS_PER_SHARD_MAX);
        let newcomer = rates.count_at(Sender(5_000_000), 10 * SECOND_NS);
        assert!(newcomer.is_ok(), "what is paid off makes room");
        assert!(rates.kept() < SHARDS * SENDERS_PER_SHARD_MAX);
    }
}
