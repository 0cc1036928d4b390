//! How much of a job newcomers get: one shard until its answer was checked, little from a crowded
//! network, and nothing for a while from one where somebody was just caught.
use crate::executor::Executor;
use crate::job::Job;
use crate::scheduler::Scheduler;
use protocol::trust::NetworkPrefix;
use protocol::wire::JobHandle;
use std::collections::BTreeMap;

/// Share of a job that the newcomers of one network may get.
const NETWORK_SHARE_MAX: f64 = 0.05;
/// Networks that must be there before shares are looked at: with fewer, each has more than its share.
const NETWORKS_MIN: usize = 20;
/// Shards that are handed out whatever the shares are.
const SHARE_SLACK: f64 = 64.0;
/// Networks whose share of a job is counted; later ones are not.
const NETWORKS_COUNTED_MAX: usize = 65_536;
/// How long newcomers of a network wait after the first liar there; it doubles with each, up to
/// [`WAIT_MS_MAX`], and is forgotten after [`FORGET_MS`] without one.
const WAIT_MS: u64 = 1_000;
const WAIT_MS_MAX: u64 = 60_000;
const FORGET_MS: u64 = 10 * 60_000;
/// Networks that are remembered for it.
const SUSPECTS_MAX: usize = 10_000;

/// Who got how much of a job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    newcomers: BTreeMap<NetworkPrefix, u64>,
    all: u64,
}

impl Shares {
    /// Shards are handed to somebody who is not trusted.
    pub(crate) fn add(&mut self, network: NetworkPrefix, is_new: bool, shards: u32) {
        self.all += u64::from(shards);
        let counted = self.newcomers.len() < NETWORKS_COUNTED_MAX || self.newcomers.contains_key(&network);
        if is_new && counted {
            *self.newcomers.entry(network).or_default() += u64::from(shards);
        }
    }

    fn is_crowded(&self, network: NetworkPrefix) -> bool {
        let theirs = self.newcomers.get(&network).copied().unwrap_or(0) as f64;
        theirs > NETWORK_SHARE_MAX * self.all as f64 + SHARE_SLACK
    }
}

/// Networks from which liars came lately.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspects {
    known: BTreeMap<NetworkPrefix, Suspect>,
}

#[derive(Clone, Copy, Debug)]
struct Suspect {
    caught: u32,
    last_ms: u64,
}

impl Suspects {
    pub(crate) fn add(&mut self, now_ms: u64, network: NetworkPrefix) {
        self.known
            .retain(|_, s| now_ms.saturating_sub(s.last_ms) < FORGET_MS);
        if self.known.len() < SUSPECTS_MAX || self.known.contains_key(&network) {
            let fresh = Suspect {
                caught: 0,
                last_ms: now_ms,
            };
            let suspect = self.known.entry(network).or_insert(fresh);
            suspect.caught = suspect.caught.saturating_add(1);
            suspect.last_ms = now_ms;
        }
    }

    /// Whether newcomers of a network wait.
    pub(crate) fn waits(&self, now_ms: u64, network: NetworkPrefix) -> bool {
        self.known.get(&network).is_some_and(|suspect| {
            let wait_ms = WAIT_MS << (suspect.caught - 1).min(16);
            now_ms.saturating_sub(suspect.last_ms) < wait_ms.min(WAIT_MS_MAX)
        })
    }
}

impl Scheduler {
    /// Most fresh shards of a job that may be in flight to a worker, as far as its standing goes.
    pub(crate) fn fresh_room(&self, handle: JobHandle, job: &Job, worker: &Executor) -> u32 {
        let Some(checks) = job.checks.as_deref().filter(|_| !worker.seed.trusted) else {
            return u32::MAX;
        };
        let (account, network) = (worker.seed.account, worker.seed.network);
        let standing = self.standings.get(account, job.seed.program);
        if standing.batches > 0 {
            return u32::MAX;
        }
        if self.networks.len() >= NETWORKS_MIN && checks.shares.is_crowded(network) {
            return 0;
        }
        if standing.passed > 0 {
            return u32::MAX;
        }
        let pilot_is_out = checks.open.contains_key(&account);
        match () {
            () if self.suspects.waits(self.now_ms, network) => 0,
            () if !self.has_trusted(handle) => u32::MAX,
            () if pilot_is_out => 0,
            () => u32::from(worker.slots).saturating_sub(worker.in_flight),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_liar_makes_the_next_wait_longer() {
        let (mut suspects, network) = (Suspects::default(), NetworkPrefix(1));
        assert!(!suspects.waits(0, network));
        suspects.add(0, network);
        assert!(suspects.waits(999, network) && !suspects.waits(1_000, network));
        for _ in 0..40 {
            suspects.add(1_000, network);
        }
        assert!(suspects.waits(60_999, network) && !suspects.waits(61_000, network));
        assert!(!suspects.waits(1_000, NetworkPrefix(2)));
    }

    #[test]
    fn a_network_is_crowded_beyond_its_share() {
        let mut shares = Shares::default();
        for k in 0..100 {
            shares.add(NetworkPrefix(k), true, 100);
        }
        assert!(!shares.is_crowded(NetworkPrefix(5)));
        shares.add(NetworkPrefix(5), true, 600);
        assert!(shares.is_crowded(NetworkPrefix(5)) && !shares.is_crowded(NetworkPrefix(6)));
    }
}
