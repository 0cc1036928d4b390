//! Outputs: from a live lease, from a backup attempt, or late.
//!
//! A shard is counted once because it is in exactly one place until it is settled: pending, or in the
//! `left` of a first lease (and perhaps of a backup of that lease, which is emptied together with it).
use crate::lease::{Lease, Twin};
use crate::output::{Effect, Output};
use crate::runs::RunSet;
use crate::scheduler::Scheduler;
use crate::trust::Finished;
use protocol::cut::ShardRun;
use protocol::ids::{BlobHash, ClaimId, LeaseId, SessionId, WorkerId};
use protocol::run::Outputs;
use protocol::wire::JobHandle;
use std::collections::{BTreeMap, VecDeque};

/// Leases that ended without all their outputs, kept for those that still come.
pub(crate) const ENDED_MAX: usize = 4_096;

/// The jobs of leases that were lost or ran out, so that a late output can still be of use.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    jobs: BTreeMap<LeaseId, (JobHandle, WorkerId)>,
    order: VecDeque<LeaseId>,
}

impl Ended {
    pub(crate) fn keep(&mut self, lease: LeaseId, job: JobHandle, worker: WorkerId) {
        if self.jobs.insert(lease, (job, worker)).is_none() {
            self.order.push_back(lease);
        }
        while self.order.len() > ENDED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.jobs.remove(&oldest);
            }
        }
    }

    /// The job of a lease that this worker had.
    fn job_of(&self, lease: LeaseId, worker: WorkerId) -> Option<JobHandle> {
        self.jobs
            .get(&lease)
            .filter(|(_, had)| *had == worker)
            .map(|(job, _)| *job)
    }
}

/// Shards that were executed.
#[derive(Clone, Copy)]
struct Measured {
    part: ShardRun,
    items: u64,
    /// Whether the output counts as it is.
    stands: bool,
}

impl Scheduler {
    pub(crate) fn on_finished(&mut self, session: SessionId, lease: LeaseId, outputs: Outputs, busy_us: u64) {
        self.on_output(session, lease, &Finished::Inline(outputs), busy_us);
    }

    pub(crate) fn on_finished_blob(
        &mut self,
        session: SessionId,
        lease: LeaseId,
        shard: u32,
        blob: BlobHash,
        busy_us: u64,
    ) {
        self.on_output(session, lease, &Finished::Blob { shard, blob }, busy_us);
    }

    fn on_output(&mut self, session: SessionId, id: LeaseId, finished: &Finished, busy_us: u64) {
        let run = finished.run();
        let live = self.leases.get_mut(&id).filter(|l| l.session == session);
        let Some(lease) = live else {
            return self.on_late(session, id, finished, busy_us);
        };
        let fresh = lease.left.remove(run);
        let (job, claim, shard_ms, first) = (lease.job, lease.claim, lease.shard_ms, lease.is_first());
        let charged_ms = lease.charged_ms;
        lease.moved_ms = self.now_ms;
        let (twin, is_done) = (lease.twin.clone(), lease.left.is_empty());
        let count: u32 = fresh.iter().map(|r| r.count).sum();
        if let Some(worker) = self.workers.get_mut(&session) {
            worker.relieved(count, shard_ms);
        }
        if let Some(job) = self.jobs.get_mut(&job) {
            job.leased -= if first { count } else { 0 };
            job.charge((busy_us as f64 / 1_000.0 / f64::from(run.count) - charged_ms) * f64::from(count));
        }
        for part in fresh {
            self.take_from_twins(&twin, part);
            let busy_us = busy_us * u64::from(part.count) / u64::from(run.count);
            let measured = self.measure(session, job, part, busy_us);
            if twin == Twin::Check {
                for shard in part.first..part.end() {
                    self.judge(session, job, id, shard, finished.answer(shard));
                }
            } else {
                self.take_output(session, job, claim, finished, measured, busy_us);
            }
        }
        if is_done {
            self.drop_lease(id);
        }
    }

    /// The first output of these shards: it counts at once, or is held back until its worker was checked.
    fn take_output(
        &mut self,
        session: SessionId,
        handle: JobHandle,
        claim: ClaimId,
        finished: &Finished,
        measured: Measured,
        busy_us: u64,
    ) {
        let Measured { part, items, stands } = measured;
        if !stands {
            return self.hold(session, handle, claim, finished.part(part), busy_us);
        }
        if let Some(worker) = self.workers.get_mut(&session) {
            worker.record.accepted += u64::from(part.count);
        }
        self.accept(handle, claim, finished, (part, items), busy_us);
    }

    /// Shards were executed: how long that took.
    fn measure(&mut self, session: SessionId, handle: JobHandle, part: ShardRun, busy_us: u64) -> Measured {
        let mut measured = Measured {
            part,
            items: 0,
            stands: true,
        };
        let Some(job) = self.jobs.get_mut(&handle).filter(|j| !j.ending) else {
            return measured;
        };
        if let Some(checks) = &mut job.checks {
            checks.report.executions += u64::from(part.count);
        }
        job.executed_rate.add(self.now_ms, u64::from(part.count));
        let (key, items) = (job.speed_key, job.items_in(part));
        if let Some(worker) = self.workers.get_mut(&session) {
            let item_ms = worker.measured(key, part.count, items, busy_us);
            job.item_ms.add(item_ms);
            self.typical.entry(key).or_default().add(item_ms);
            measured.stands = job.checks.is_none() || worker.seed.trusted;
        }
        measured.items = items;
        measured
    }

    /// An output under a lease that is over: evidence, and of use where its shard still waits. It never
    /// touches a shard that is leased to somebody or settled.
    fn on_late(&mut self, session: SessionId, id: LeaseId, finished: &Finished, busy_us: u64) {
        let worker = self.workers.get(&session).map(|w| w.seed.id);
        let Some(handle) = worker.and_then(|worker| self.ended.job_of(id, worker)) else {
            return;
        };
        let Some(job) = self.jobs.get_mut(&handle).filter(|j| !j.ending) else {
            return;
        };
        let run = finished.run();
        for part in job.pending.remove(run) {
            let mut rest = part;
            while rest.count > 0 {
                let Some((claim, end)) = self.jobs.get(&handle).and_then(|j| j.claims.over(rest.first))
                else {
                    break;
                };
                let piece = ShardRun {
                    first: rest.first,
                    count: end.min(rest.end()) - rest.first,
                };
                let busy_us = busy_us * u64::from(piece.count) / u64::from(run.count);
                let measured = self.measure(session, handle, piece, busy_us);
                self.take_output(session, handle, claim, finished, measured, busy_us);
                rest = ShardRun {
                    first: piece.end(),
                    count: rest.count - piece.count,
                };
            }
        }
    }

    /// Shards of `part` were returned under one lease: whoever else computes them can stop.
    fn take_from_twins(&mut self, twin: &Twin, part: ShardRun) {
        let others = match twin {
            Twin::First(backups) => backups.clone(),
            Twin::BackupOf(first) => vec![*first],
            Twin::Check => return,
        };
        for other in others {
            self.take_from(other, part);
        }
    }

    pub(crate) fn take_from(&mut self, other: LeaseId, part: ShardRun) {
        let Some(lease) = self.leases.get_mut(&other) else {
            return;
        };
        let removed = lease.left.remove(part);
        let count: u32 = removed.iter().map(|r| r.count).sum();
        if count == 0 {
            return;
        }
        let (session, shard_ms, job) = (lease.session, lease.shard_ms, lease.job);
        let (first, is_done, share) = (lease.is_first(), lease.left.is_empty(), lease.share);
        self.unshare(job, share, count);
        if let Some(job) = self.jobs.get_mut(&job).filter(|_| first) {
            job.leased -= count;
        }
        if let Some(worker) = self.workers.get_mut(&session) {
            worker.relieved(count, shard_ms);
        }
        let shards = removed.iter().flat_map(|r| r.first..r.end()).collect();
        self.emit(Output::Cancel {
            session,
            lease: other,
            shards,
        });
        if is_done {
            self.drop_lease(other);
        }
        self.refresh_hunger(session);
    }

    /// An output of these shards that counts: it goes to the store.
    pub(crate) fn accept(
        &mut self,
        handle: JobHandle,
        claim: ClaimId,
        finished: &Finished,
        (part, items): (ShardRun, u64),
        busy_us: u64,
    ) {
        let Some(job) = self.jobs.get_mut(&handle).filter(|j| !j.ending) else {
            return;
        };
        job.claims.settle(part);
        job.leave_waiting(part);
        job.storing += part.count;
        let stage = job.seed.stage;
        let effect = match finished.part(part) {
            Finished::Inline(outputs) => Effect::Accept {
                stage,
                claim,
                outputs,
                items,
                busy_us,
            },
            Finished::Blob { shard, blob } => Effect::AcceptBlob {
                stage,
                claim,
                shard,
                blob,
                items,
                busy_us,
            },
        };
        self.store(handle, effect);
    }

    /// Takes a lease out of every table. What it still owed stays owed by its twins: a backup of a
    /// first lease that ends becomes a first lease itself.
    pub(crate) fn drop_lease(&mut self, id: LeaseId) -> Option<Lease> {
        let lease = self.leases.remove(&id)?;
        self.unshare(lease.job, lease.share, lease.left.count());
        if let Some(worker) = self.workers.get_mut(&lease.session) {
            worker.leases.remove(&id);
            worker.relieved(lease.left.count(), lease.shard_ms);
        }
        if let Some(job) = self.jobs.get_mut(&lease.job) {
            job.leases.remove(&id);
        }
        match &lease.twin {
            Twin::First(backups) => {
                let promoted: u32 = backups.iter().map(|backup| self.promote(*backup)).sum();
                if let Some(job) = self.jobs.get_mut(&lease.job) {
                    job.leased = job.leased - lease.left.count() + promoted;
                }
            }
            Twin::BackupOf(first) => {
                if let Some(Lease {
                    twin: Twin::First(backups),
                    ..
                }) = self.leases.get_mut(first)
                {
                    backups.retain(|backup| *backup != id);
                }
            }
            Twin::Check => {
                if let Some(checks) = self.checks_mut(lease.job) {
                    checks.give_back(id, &lease.left);
                }
            }
        }
        Some(lease)
    }

    fn promote(&mut self, backup: LeaseId) -> u32 {
        let Some(lease) = self.leases.get_mut(&backup) else {
            return 0;
        };
        lease.twin = Twin::First(Vec::new());
        lease.left.count()
    }

    /// Shards that a dropped lease owed and nobody else computes.
    pub(crate) fn orphans(&self, lease: &Lease) -> RunSet {
        let mut orphans = lease.left.clone();
        let others = match &lease.twin {
            Twin::First(backups) => backups.as_slice(),
            Twin::BackupOf(first) => std::slice::from_ref(first),
            // Their first output is known.
            Twin::Check => return RunSet::default(),
        };
        for other in others.iter().filter_map(|id| self.leases.get(id)) {
            for run in other.left.iter() {
                orphans.remove(run);
            }
        }
        orphans
    }
}
