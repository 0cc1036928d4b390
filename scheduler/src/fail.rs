//! Attempts that end without an output: failed, lost, returned, refused; and shards that are poison.
use crate::job::{Job, Retry};
use crate::output::{Effect, Output};
use crate::scheduler::Scheduler;
use crate::timer::Timer;
use crate::trust::{Answer, one};
use protocol::cut::ShardRun;
use protocol::ids::{BlobHash, LeaseId, SessionId, WorkerId};
use protocol::job::{JobState, OnFailure};
use protocol::trust::NetworkPrefix;
use protocol::wire::{Cause, Failure, JobHandle};

/// How long a failed shard waits for a worker that has not tried it, in milliseconds.
pub(crate) const OTHERS_FIRST_MS: u64 = 1_000;
/// How long it waits for one on another network, when nothing else is lacking for its end.
const ELSEWHERE_MS: u64 = 10_000;
/// Workers that vanish over a shard with nothing else in hand, before it is taken for the reason; fewer attempts
/// of a job count for nothing here, because tabs close all the time.
const LOSSES_MIN: u8 = 5;
/// Workers that may have vanished over a shard before it goes to workers that have nothing else.
const ISOLATED_FROM: u8 = 2;
/// Where other shards may have been the reason each time, so many have to vanish.
const LOSSES_MAX: u8 = 25;
/// On so many networks a shard is tried before it fails for good, where that many are there or were lately.
pub(crate) const NETWORKS_MIN: usize = 3;
/// Where they do not come to try it, it fails after so many times its attempts.
const PATIENCE: u8 = 2;

impl Scheduler {
    pub(crate) fn on_failed(&mut self, session: SessionId, id: LeaseId, shard: u32, failure: Failure) {
        let one = ShardRun {
            first: shard,
            count: 1,
        };
        let Some(lease) = self.leases.get_mut(&id).filter(|l| l.session == session) else {
            return;
        };
        if lease.left.remove(one).is_empty() {
            return;
        }
        lease.moved_ms = self.now_ms;
        let (handle, first, shard_ms) = (lease.job, lease.is_first(), lease.shard_ms);
        let is_check = lease.is_check();
        let (twin_has_it, is_done) = (
            self.twin_has(id, shard),
            self.leases.get(&id).is_some_and(|l| l.left.is_empty()),
        );
        let Some(worker) = self.workers.get_mut(&session) else {
            return;
        };
        worker.relieved(1, shard_ms);
        worker.record.failed += 1;
        let (voter, trusted) = (worker.voter(), worker.seed.trusted);
        self.failed += 1;
        if let Some(job) = self.jobs.get_mut(&handle).filter(|_| first) {
            job.leased -= 1;
        }
        if is_done {
            self.drop_lease(id);
        }
        self.store(
            handle,
            Effect::NoteFailure {
                shard,
                failure: failure.clone(),
            },
        );
        let says = crate::trust::is_answer(failure.cause);
        let checked = self.jobs.get(&handle).is_some_and(|j| j.checks.is_some());
        match (is_check, says) {
            (true, true) => self.judge(session, handle, id, shard, Answer::Trap(failure.cause)),
            (true, false) => self.check_failed(session, handle, id, shard, failure),
            (false, true) if checked && !trusted && !twin_has_it => {
                self.look_at_trap(handle, shard, voter, failure);
            }
            _ => self.count_failure(handle, shard, voter.worker, failure, twin_has_it),
        }
    }

    fn twin_has(&self, id: LeaseId, shard: u32) -> bool {
        let Some(lease) = self.leases.get(&id) else {
            return false;
        };
        let single = crate::lease::Lease {
            left: crate::runs::RunSet::of(ShardRun {
                first: shard,
                count: 1,
            }),
            ..lease.clone()
        };
        self.orphans(&single).is_empty()
    }

    pub(crate) fn count_failure(
        &mut self,
        handle: JobHandle,
        shard: u32,
        worker: WorkerId,
        failure: Failure,
        twin_has_it: bool,
    ) {
        let now_ms = self.now_ms;
        let (network, wanted) = (self.network_of(worker), self.networks_wanted());
        // Where nobody else is connected, or was lately, the same worker is asked again at once.
        let alone = self.workers.len() == 1 && wanted == 1 && failure.cause.repeats();
        let Some(job) = self.jobs.get_mut(&handle).filter(|j| !j.ending) else {
            return;
        };
        let max = job.seed.attempts_max;
        let retry = job.retries.entry(shard).or_default();
        retry.failed = retry.failed.saturating_add(1);
        retry.leased = twin_has_it;
        retry.tried_by(worker, network);
        let is_enough = retry.networks.len() >= wanted.min(usize::from(max))
            || retry.failed >= max.saturating_mul(PATIENCE);
        let wait_ms = if alone { 0 } else { wait_ms(retry.failed >= max) };
        let anyone_ms = now_ms + wait_ms;
        retry.anyone_ms = anyone_ms;
        // Two strangers who say the same may be friends.
        let again = job.checks.is_none() && failure.cause.repeats() && retry.told_again(&failure);
        if again || (retry.failed >= max && is_enough) {
            let how = how_often(retry.failed, again);
            self.give_up(handle, shard, failure, &how);
        } else {
            self.timers.set(anyone_ms, Timer::Retry(handle));
            self.feed_hungry();
        }
    }

    /// The shard failed for good: the job goes on without it, or fails with the real cause.
    pub(crate) fn give_up(&mut self, handle: JobHandle, shard: u32, failure: Failure, how: &str) {
        let one = one(shard);
        self.stop_attempts(handle, one);
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        let Some((claim, _)) = job.claims.over(shard) else {
            return;
        };
        job.retries.remove(&shard);
        job.losses.remove(&shard);
        job.pending.remove(one);
        job.claims.settle(one);
        job.storing += 1;
        let skipped = job.seed.on_failure == OnFailure::Skip;
        let (stage, items) = (job.seed.stage, job.items_of(shard));
        let reason = failed_reason(shard, items, how, &failure);
        self.store(
            handle,
            Effect::Fail {
                stage,
                claim,
                shard,
                items,
                failure,
                skipped,
            },
        );
        if !skipped {
            self.request_state(handle, JobState::Failed, Some(reason));
            self.stop_job(handle);
        }
    }

    /// Other attempts of shards that are settled are worth nothing any more.
    fn stop_attempts(&mut self, handle: JobHandle, run: ShardRun) {
        let leases: Vec<LeaseId> = self
            .jobs
            .get(&handle)
            .map(|job| job.leases.iter().copied().collect())
            .unwrap_or_default();
        for id in leases {
            self.take_from(id, run);
        }
    }

    fn network_of(&self, worker: WorkerId) -> Option<NetworkPrefix> {
        let session = self.sessions.get(&worker)?;
        Some(self.workers.get(session)?.seed.network)
    }

    /// On how many networks a shard is tried before it fails for good: as many as are there, or were a moment ago,
    /// because who vanished over a shard is on the way back.
    pub(crate) fn networks_wanted(&self) -> usize {
        NETWORKS_MIN.min(self.networks.len() + self.networks_left.count(self.now_ms))
    }

    /// A lease's worker vanished or let it run out: its shards wait again at once. Its next `begun_max` shards may be
    /// the reason; returns how many of them it owed.
    pub(crate) fn lose_lease(
        &mut self,
        id: LeaseId,
        (worker, network): (WorkerId, NetworkPrefix),
        begun_max: usize,
        only_lease: bool,
    ) -> usize {
        let Some(lease) = self.drop_lease(id) else {
            return 0;
        };
        self.ended.keep(id, lease.job, worker);
        let orphans = self.orphans(&lease);
        // A slot executes neighbours in order: what it has begun is the first of a run that is left.
        let begun: Vec<u32> = lease.left.iter().take(begun_max).map(|run| run.first).collect();
        for run in orphans.iter() {
            self.give_back(lease.job, run);
        }
        let is_alone = only_lease && lease.left.count() == 1;
        for shard in begun.iter().filter(|shard| orphans.contains(**shard)) {
            self.count_loss(lease.job, *shard, (worker, network), is_alone);
        }
        begun.len()
    }

    /// A shard over which workers may have vanished is tried by itself: whoever takes it then vanishes over nothing
    /// else, and only that counts as a try.
    fn count_loss(
        &mut self,
        handle: JobHandle,
        shard: u32,
        (worker, network): (WorkerId, NetworkPrefix),
        is_alone: bool,
    ) {
        let (now_ms, wanted) = (self.now_ms, self.networks_wanted());
        let Some(job) = self.jobs.get_mut(&handle).filter(|j| !j.ending) else {
            return;
        };
        let tries_min = job.seed.attempts_max.max(LOSSES_MIN);
        let losses = job.losses.entry(shard).or_default();
        losses.all = losses.all.saturating_add(1);
        losses.alone = losses.alone.saturating_add(u8::from(is_alone));
        let (all, alone) = (losses.all, losses.alone);
        if all < ISOLATED_FROM {
            return;
        }
        job.pending.remove(one(shard));
        let retry = job.retries.entry(shard).or_default();
        retry.leased = false;
        retry.tried_by(worker, is_alone.then_some(network));
        let everywhere = retry.networks.len() >= wanted || alone >= tries_min.saturating_mul(PATIENCE);
        let anyone_ms = now_ms + wait_ms(alone >= tries_min);
        retry.anyone_ms = anyone_ms;
        if (alone >= tries_min && everywhere) || all >= LOSSES_MAX {
            let detail =
                format!("{all} workers vanished while they computed this shard, the last was {worker}");
            let cause = Cause::Lost;
            return self.give_up(handle, shard, Failure { cause, detail }, "failed");
        }
        self.timers.set(anyone_ms, Timer::Retry(handle));
    }

    /// Whether a shard goes only to a worker that has nothing else, which then gets nothing else.
    pub(crate) fn is_isolated(job: &Job, shard: u32) -> bool {
        let losses = job.losses.get(&shard);
        losses.is_some_and(|losses| losses.all >= ISOLATED_FROM)
    }

    /// Whether a worker is alone with a shard over which others vanished.
    pub(crate) fn is_alone(&self, session: SessionId) -> bool {
        let leases = self.workers.get(&session).map(|worker| &worker.leases);
        let Some(id) = leases
            .filter(|leases| leases.len() == 1)
            .and_then(|leases| leases.first())
        else {
            return false;
        };
        let Some(lease) = self.leases.get(id) else {
            return false;
        };
        let Some(job) = self.jobs.get(&lease.job).filter(|job| !job.losses.is_empty()) else {
            return false;
        };
        let first = lease.left.first();
        first.is_some_and(|run| lease.left.count() == 1 && Self::is_isolated(job, run.first))
    }

    /// Shards wait again: among the pending, or with those that some workers tried.
    pub(crate) fn give_back(&mut self, handle: JobHandle, run: ShardRun) {
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        job.pending.insert(run);
        let tried: Vec<u32> = job
            .retries
            .range(run.first..run.end())
            .map(|(shard, _)| *shard)
            .collect();
        for shard in tried {
            job.pending.remove(ShardRun {
                first: shard,
                count: 1,
            });
            if let Some(retry) = job.retries.get_mut(&shard) {
                retry.leased = false;
            }
        }
    }

    pub(crate) fn on_returned(&mut self, session: SessionId, id: LeaseId) {
        if self.leases.get(&id).is_none_or(|l| l.session != session) {
            return;
        }
        self.release_lease(id);
        self.feed_hungry();
    }

    /// Ends a lease; what it owed waits again.
    pub(crate) fn release_lease(&mut self, id: LeaseId) {
        let Some(lease) = self.drop_lease(id) else { return };
        for run in self.orphans(&lease).iter() {
            self.give_back(lease.job, run);
        }
    }

    pub(crate) fn expire_lease(&mut self, id: LeaseId) {
        let Some(lease) = self.leases.get(&id) else { return };
        let (session, left) = (lease.session, lease.left.count());
        let Some(worker) = self.workers.get_mut(&session) else {
            return;
        };
        worker.record.lost += u64::from(left);
        let only_lease = worker.leases.len() == 1;
        let slots = usize::from(worker.seed.slots);
        let worker = (worker.seed.id, worker.seed.network);
        self.emit(Output::Cancel {
            session,
            lease: id,
            shards: Vec::new(),
        });
        self.lose_lease(id, worker, slots, only_lease);
        self.feed_hungry();
    }

    /// A worker cannot run a program: it gets nothing more of the job, and when too many say so the
    /// program is the reason.
    pub(crate) fn on_program_refused(&mut self, session: SessionId, handle: JobHandle, failure: Failure) {
        let Some(worker) = self.workers.get(&session).map(|w| w.seed.id) else {
            return;
        };
        // A session that was never given the job has nothing to refuse.
        let Some(job) = self.jobs.get_mut(&handle).filter(|j| j.opened.contains(&session)) else {
            return;
        };
        job.refused_by.insert(worker, failure.clone());
        let refused = job.refused_by.len();
        let mine: Vec<LeaseId> = job
            .leases
            .iter()
            .copied()
            .filter(|id| self.leases.get(id).is_some_and(|l| l.session == session))
            .collect();
        let too_many = refused >= usize::from(job.seed.attempts_max);
        let shard = mine
            .first()
            .and_then(|id| self.leases.get(id)?.left.first())
            .map_or(0, |run| run.first);
        self.store(
            handle,
            Effect::NoteFailure {
                shard,
                failure: failure.clone(),
            },
        );
        for id in mine {
            self.on_returned(session, id);
        }
        if too_many && self.jobs.get(&handle).is_some_and(|j| !j.ending) {
            let reason = format!(
                "{refused} workers could not run the program; the last said: {}",
                failure.detail
            );
            self.request_state(handle, JobState::Failed, Some(reason));
            self.stop_job(handle);
        }
    }
}

/// How long a shard is for those who bring something new, in milliseconds.
fn wait_ms(only_networks_lack: bool) -> u64 {
    if only_networks_lack {
        ELSEWHERE_MS
    } else {
        OTHERS_FIRST_MS
    }
}

impl Retry {
    /// A worker tried it in vain.
    fn tried_by(&mut self, worker: WorkerId, network: Option<NetworkPrefix>) {
        if !self.tried.contains(&worker) {
            self.tried.push(worker);
        }
        if let Some(network) = network
            && self.networks.len() < NETWORKS_MIN
            && !self.networks.contains(&network)
        {
            self.networks.push(network);
        }
    }

    /// Whether a worker brings something new: it is on another network than those that tried it, as long as so many
    /// are wanted; then, that it did not try it.
    pub(crate) fn is_news(&self, worker: WorkerId, network: NetworkPrefix, wanted: usize) -> bool {
        if self.networks.len() < wanted {
            return !self.networks.contains(&network);
        }
        !self.tried.contains(&worker)
    }

    /// Notes why the program itself failed; says whether it did in the very same way before. Programs are
    /// deterministic: what two attempts say alike, every further one says too.
    fn told_again(&mut self, failure: &Failure) -> bool {
        let reason = (failure.cause, BlobHash::of(failure.detail.as_bytes()));
        let again = self.reasons.contains(&reason);
        self.reasons.push(reason);
        again
    }
}

fn how_often(failed: u8, again: bool) -> String {
    match (failed, again) {
        (..=1, _) => "failed".into(),
        (2, true) => "failed twice in the same way".into(),
        (_, true) => format!("failed {failed} times, twice in the same way"),
        (_, false) => format!("failed {failed} times, the last time"),
    }
}

fn failed_reason(shard: u32, items: (u64, u64), how: &str, failure: &Failure) -> String {
    let (first, last) = (items.0, items.1.saturating_sub(1));
    let which = if first == last {
        format!("item {first}")
    } else {
        format!("items {first} to {last}")
    };
    let line = failure.detail.lines().next().unwrap_or_default();
    format!("shard {shard} ({which}) {how}: {line}")
}
