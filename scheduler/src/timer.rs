//! Every deadline in one enum and one table.
use protocol::wire::JobHandle;
use std::collections::BTreeSet;

/// What is to be done at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Look for silent workers and leases that ran out. Rings while workers are connected; late, a lost
    /// worker's shards wait longer.
    Sweep,
    /// Look for stragglers on behalf of idle workers. Rings while some are idle and something is leased.
    Tail,
    /// Ask the store again for shards of a job that had none left. Late, shards of a dead coordinator wait.
    Claim(JobHandle),
    /// Hand out a shard that failed although the same workers tried it. Late, the retry is late.
    Retry(JobHandle),
}

/// When each timer rings. A timer is set at most once; setting it again keeps the earlier time.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimerTable {
    order: BTreeSet<(u64, Timer)>,
}

impl TimerTable {
    pub(crate) fn set(&mut self, at_ms: u64, timer: Timer) {
        let earlier = self.order.iter().find(|(_, t)| *t == timer).copied();
        match earlier {
            Some((ms, _)) if ms <= at_ms => return,
            Some(later) => drop(self.order.remove(&later)),
            None => {}
        }
        self.order.insert((at_ms, timer));
    }

    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.order.first().map(|(ms, _)| *ms)
    }

    pub(crate) fn take_due(&mut self, now_ms: u64) -> Option<Timer> {
        let first = self.order.first().copied().filter(|(ms, _)| *ms <= now_ms)?;
        self.order.remove(&first);
        Some(first.1)
    }

    pub(crate) fn forget_job(&mut self, job: JobHandle) {
        self.order
            .retain(|(_, t)| !matches!(t, Timer::Claim(j) | Timer::Retry(j) if *j == job));
    }
}
