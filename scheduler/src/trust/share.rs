//! How much of a job newcomers and crowds get: one shard until a newcomer's answer was checked, a bounded share
//! to each network that is crowded or new, and nothing for a while to one where somebody was just caught.
//!
//! The trust levels' bounds hold while liars do at most [`LIARS_SHARE_MAX`] of the work. Names cost nothing, and
//! addresses of one network little, so a network with many names gets no more than [`NETWORK_SHARE_MAX`], and
//! all such networks together no more than liars may do, however good they were before. Where nobody else
//! takes work this would stop the job: then they get it all the same, except at the levels that would rather wait.
use crate::executor::Executor;
use crate::job::Job;
use crate::place::fits;
use crate::scheduler::Scheduler;
use protocol::ids::SessionId;
use protocol::trust::{LIARS_SHARE_MAX, NetworkPrefix, Trust};
use protocol::wire::JobHandle;
use std::collections::{BTreeMap, BTreeSet};

/// Share of a job that one network may get, if it is crowded or its workers are new: 5 % with some slack.
const NETWORK_SHARE_MAX: f64 = 0.049;
/// Share of a job that all crowded networks may get together.
const CROWDS_SHARE_MAX: f64 = LIARS_SHARE_MAX - 0.01;
/// A network with more sessions is crowded: more than the devices of a household.
const CROWD_SESSIONS_MIN: u32 = 5;
/// Networks that must take work before shares are looked at: with fewer, many have more than their share.
const NETWORKS_MIN: usize = 40;
/// Shards that are handed out whatever the shares are.
const SHARE_SLACK: f64 = 16.0;
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
    by_network: BTreeMap<NetworkPrefix, u64>,
    crowds: u64,
    all: u64,
    /// Whether everybody who takes work has had his share, as of the last sweep.
    alone: bool,
}

impl Shares {
    /// Shards are handed to somebody who is not trusted.
    pub(crate) fn add(&mut self, (network, is_crowd): (NetworkPrefix, bool), shards: u32) {
        self.all += u64::from(shards);
        self.crowds += if is_crowd { u64::from(shards) } else { 0 };
        if self.by_network.len() < NETWORKS_COUNTED_MAX || self.by_network.contains_key(&network) {
            *self.by_network.entry(network).or_default() += u64::from(shards);
        }
    }

    /// Shards that were handed to somebody were not executed there.
    pub(crate) fn take_back(&mut self, (network, is_crowd): (NetworkPrefix, bool), shards: u32) {
        let shards = u64::from(shards);
        self.all = self.all.saturating_sub(shards);
        self.crowds = self.crowds.saturating_sub(if is_crowd { shards } else { 0 });
        if let Some(theirs) = self.by_network.get_mut(&network) {
            *theirs = theirs.saturating_sub(shards);
        }
    }

    /// How many more shards a network may get.
    fn room(&self, network: NetworkPrefix, is_crowd: bool) -> u32 {
        let theirs = self.by_network.get(&network).copied().unwrap_or(0);
        let left = |share: f64, had: u64| share * self.all as f64 + SHARE_SLACK - had as f64;
        let own = left(NETWORK_SHARE_MAX, theirs);
        let room = if is_crowd {
            own.min(left(CROWDS_SHARE_MAX, self.crowds))
        } else {
            own
        };
        room.clamp(0.0, f64::from(u32::MAX)) as u32
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
    /// Whether more connect from there than a household has devices.
    pub(crate) fn is_crowd(&self, network: NetworkPrefix) -> bool {
        self.networks
            .get(&network)
            .is_some_and(|sessions| *sessions >= CROWD_SESSIONS_MIN)
    }

    /// Whose share a lease is counted in; none for a job or a worker whose shares do not count.
    pub(crate) fn share_of(&self, session: SessionId, handle: JobHandle) -> Option<(NetworkPrefix, bool)> {
        self.jobs.get(&handle)?.checks.as_ref()?;
        let seed = &self.workers.get(&session).filter(|w| !w.seed.trusted)?.seed;
        Some((seed.network, self.is_crowd(seed.network)))
    }

    /// A lease lost shards that its worker need not execute any more.
    pub(crate) fn unshare(&mut self, handle: JobHandle, share: Option<(NetworkPrefix, bool)>, shards: u32) {
        if let (Some(share), Some(checks)) = (share, self.checks_mut(handle)) {
            checks.shares.take_back(share, shards);
        }
    }

    /// Counts the networks from which strangers take work.
    pub(crate) fn count_networks(&mut self) {
        let strangers = self
            .workers
            .values()
            .filter(|w| w.takes_work() && !w.seed.trusted);
        let networks: BTreeSet<NetworkPrefix> = strangers.map(|w| w.seed.network).collect();
        self.networks_working = networks.len();
    }

    /// Looks for jobs that nobody may go on with.
    pub(crate) fn look_for_stalls(&mut self) {
        let able = |job: &Job, w: &Executor| w.takes_work() && fits(job, w).is_ok();
        let is_alone = |job: &Job| {
            let mut able = self.workers.values().filter(|w| able(job, w));
            able.all(|worker| self.own_share(job, worker) == 0)
        };
        let waiting = self
            .jobs
            .iter()
            .filter(|(_, job)| job.checks.is_some() && job.has_waiting());
        let alone: Vec<(JobHandle, bool)> = waiting.map(|(handle, job)| (*handle, is_alone(job))).collect();
        for (handle, alone) in &alone {
            if let Some(checks) = self.checks_mut(*handle) {
                checks.shares.alone = *alone;
            }
        }
        if !alone.is_empty() {
            self.feed_hungry();
        }
    }

    /// How many shards of a job a worker may still get, as far as its network goes.
    pub(crate) fn share_room(&self, job: &Job, worker: &Executor) -> u32 {
        let room = self.own_share(job, worker);
        let alone = job.checks.as_deref().is_some_and(|checks| checks.shares.alone);
        if room == 0 && alone && job.seed.trust < Trust::Strict {
            return u32::from(worker.slots).saturating_sub(worker.in_flight);
        }
        room
    }

    /// What is left of a network's share; all, where shares do not count.
    fn own_share(&self, job: &Job, worker: &Executor) -> u32 {
        let Some(checks) = job.checks.as_deref().filter(|_| !worker.seed.trusted) else {
            return u32::MAX;
        };
        let network = worker.seed.network;
        let is_new = self.standings.get(worker.seed.account, job.seed.program).batches == 0;
        let is_crowd = self.is_crowd(network);
        if self.config.same_network || self.networks_working < NETWORKS_MIN || !(is_new || is_crowd) {
            return u32::MAX;
        }
        checks.shares.room(network, is_crowd)
    }

    /// Most fresh shards of a job that may be in flight to a worker, as far as its standing goes.
    pub(crate) fn fresh_room(&self, handle: JobHandle, job: &Job, worker: &Executor) -> u32 {
        let Some(checks) = job.checks.as_deref().filter(|_| !worker.seed.trusted) else {
            return u32::MAX;
        };
        let share = self.share_room(job, worker);
        let standing = self.standings.get(worker.seed.account, job.seed.program);
        if share == 0 || standing.passed > 0 {
            return share;
        }
        let pilot_is_out = checks.open.contains_key(&worker.seed.account);
        match () {
            () if self.suspects.waits(self.now_ms, worker.seed.network) => 0,
            () if !self.has_trusted(handle) => share,
            () if pilot_is_out => 0,
            () => u32::from(worker.slots)
                .saturating_sub(worker.in_flight)
                .min(share),
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
    fn a_network_gets_its_share_and_no_more() {
        let mut shares = Shares::default();
        for k in 0..100 {
            shares.add((NetworkPrefix(k), false), 100);
        }
        let one = NetworkPrefix(5);
        let room = shares.room(one, false);
        assert_eq!(room, 406);
        shares.add((one, false), room);
        assert!(shares.room(one, false) < 25 && shares.room(NetworkPrefix(6), false) > 400);
    }

    #[test]
    fn crowds_together_get_what_liars_may_do() {
        let mut shares = Shares::default();
        for k in 0..100 {
            shares.add((NetworkPrefix(k), false), 100);
        }
        for _ in 0..10_000 {
            for k in 1_000..1_010 {
                let room = shares.room(NetworkPrefix(k), true).min(3);
                if room > 0 {
                    shares.add((NetworkPrefix(k), true), room);
                }
            }
        }
        let share = shares.crowds as f64 / shares.all as f64;
        assert!((0.33..LIARS_SHARE_MAX).contains(&share), "{share}");
        assert_eq!(shares.room(NetworkPrefix(1_000), true), 0);
        shares.take_back((NetworkPrefix(1_000), true), 50);
        assert!(
            shares.room(NetworkPrefix(1_000), true) > 0,
            "what was not executed counts for nobody"
        );
    }
}
