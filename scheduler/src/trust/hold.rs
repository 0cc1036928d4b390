//! Outputs are held back, let go and thrown away.
use super::answer::{Finished, Held};
use super::book::BatchId;
use crate::job::{ClaimState, Job};
use crate::output::Output;
use crate::scheduler::Scheduler;
use protocol::cut::ShardRun;
use protocol::ids::{AccountId, ClaimId, LeaseId, ProgramHash, SessionId, WorkerId};
use protocol::limits::{HELD_BYTES_MAX, HELD_MS_MAX};
use protocol::wire::JobHandle;

impl Scheduler {
    /// Holds back what a worker computed that is not trusted.
    pub(crate) fn hold(
        &mut self,
        session: SessionId,
        handle: JobHandle,
        claim: ClaimId,
        finished: Finished,
        busy_us: u64,
    ) {
        let part = finished.run();
        let Some(worker) = self.workers.get(&session) else {
            return;
        };
        let (voter, caught) = (worker.voter(), worker.caught);
        let Some(job) = self.jobs.get_mut(&handle).filter(|j| !j.ending) else {
            return;
        };
        job.leave_waiting(part);
        let program = job.seed.program;
        let Some(checks) = job.checks.as_mut() else { return };
        if caught || checks.shut_out.contains(&voter.account) {
            return self.give_back(handle, part);
        }
        let is_new = self.standings.get(voter.account, program).passed == 0;
        let held = Held {
            claim,
            voter,
            finished,
            busy_us,
        };
        let asked = checks.waiting.len();
        let id = checks.hold(self.now_ms, part, held, is_new);
        let large = checks
            .batches
            .get(&id)
            .is_some_and(|b| b.shards.count() >= b.shards_max);
        let (asked, crowded) = (checks.waiting.len() > asked, checks.held_bytes > HELD_BYTES_MAX);
        if large || checks.level.is_verified() {
            self.close_batch(handle, id);
        } else if crowded {
            self.close_batches(handle, |_| true);
        } else if asked {
            self.wake_checkers(handle);
        }
    }

    /// A batch takes nothing more; what it lacks for a verdict is asked for.
    pub(crate) fn close_batch(&mut self, handle: JobHandle, id: BatchId) {
        if let Some(checks) = self.checks_mut(handle) {
            checks.close(id);
        }
        self.advance(handle, id);
    }

    fn close_batches(&mut self, handle: JobHandle, which: impl Fn(AccountId) -> bool) {
        let Some(checks) = self.checks_mut(handle) else {
            return;
        };
        let open: Vec<BatchId> = checks
            .open
            .iter()
            .filter(|(account, _)| which(**account))
            .map(|(_, id)| *id)
            .collect();
        for id in open {
            self.close_batch(handle, id);
        }
    }

    /// The last session of an account left.
    pub(crate) fn close_account(&mut self, account: AccountId) {
        let checked = |(handle, job): (&JobHandle, &Job)| job.checks.is_some().then_some(*handle);
        let jobs: Vec<JobHandle> = self.jobs.iter().filter_map(checked).collect();
        for handle in jobs {
            self.close_batches(handle, |of| of == account);
        }
    }

    /// Where nothing is left to hand out, a worker without work has its batches checked to the end.
    pub(crate) fn close_idle(&mut self, session: SessionId) {
        let Some(worker) = self.workers.get(&session) else {
            return;
        };
        let account = worker.seed.account;
        let is_open = |job: &Job| {
            let open = job
                .checks
                .as_deref()
                .is_some_and(|c| c.open.contains_key(&account));
            open && is_at_tail(job)
        };
        let open = self.jobs.iter().filter(|(_, job)| is_open(job));
        let idle = open.filter(|(_, job)| !self.is_busy(job, account));
        let idle: Vec<JobHandle> = idle.map(|(handle, _)| *handle).collect();
        for handle in idle {
            self.close_batches(handle, |of| of == account);
        }
    }

    /// Whether an account executes fresh shards of a job.
    fn is_busy(&self, job: &Job, account: AccountId) -> bool {
        let fresh = |id: &LeaseId| self.leases.get(id).filter(|lease| !lease.is_check());
        let owner = |session| self.workers.get(&session).map(|worker| worker.seed.account);
        job.leases
            .iter()
            .filter_map(fresh)
            .any(|lease| owner(lease.session) == Some(account))
    }

    /// Once a second: batches that have become old, and at a job's tail those of workers without work.
    pub(crate) fn close_due(&mut self) {
        let checked = |(handle, job): (&JobHandle, &Job)| {
            let due = job.checks.as_ref().is_some_and(|c| !c.open.is_empty()) && job.is_live();
            due.then_some(*handle)
        };
        let jobs: Vec<JobHandle> = self.jobs.iter().filter_map(checked).collect();
        for handle in jobs {
            for id in self.due(handle) {
                self.close_batch(handle, id);
            }
        }
    }

    fn due(&self, handle: JobHandle) -> Vec<BatchId> {
        let Some(job) = self.jobs.get(&handle) else {
            return Vec::new();
        };
        let Some(checks) = &job.checks else {
            return Vec::new();
        };
        let account = |id: &LeaseId| {
            let lease = self.leases.get(id).filter(|l| !l.is_check())?;
            Some(self.workers.get(&lease.session)?.seed.account)
        };
        let tail = is_at_tail(job);
        let busy: std::collections::BTreeSet<AccountId> = if tail {
            job.leases.iter().filter_map(account).collect()
        } else {
            Default::default()
        };
        let is_due = |owner: &AccountId, id: &BatchId| {
            let opened_ms = checks.batches.get(id).map_or(0, |b| b.opened_ms);
            let old = self.now_ms.saturating_sub(opened_ms) >= HELD_MS_MAX;
            old || (tail && !busy.contains(owner))
        };
        let due = checks.open.iter().filter(|(owner, id)| is_due(owner, id));
        due.map(|(_, id)| *id).collect()
    }

    /// A closing batch moved on: it is let go, or lacks something still.
    pub(crate) fn advance(&mut self, handle: JobHandle, id: BatchId) {
        let by_trusted = self.has_trusted(handle);
        let Some(checks) = self.checks_mut(handle) else {
            return;
        };
        if checks.advance(id, by_trusted) {
            self.let_go(handle, id);
        } else {
            self.wake_checkers(handle);
        }
    }

    /// A batch is good: everything in it counts from now on.
    fn let_go(&mut self, handle: JobHandle, id: BatchId) {
        let Some(checks) = self.checks_mut(handle) else {
            return;
        };
        let Some(mut batch) = checks.take(id) else { return };
        let Some((job, program)) = self.jobs.get(&handle).map(|j| (j.seed.id, j.seed.program)) else {
            return;
        };
        self.standings.let_go(batch.owner, program);
        self.remember(batch.owner, program);
        let (mut outputs, mut items) = (Vec::with_capacity(batch.held.len()), 0);
        let shards = batch.shards.count();
        for held in batch.held.values() {
            for part in batch.shards.remove(held.finished.run()) {
                items += self.accept_held(handle, held, part);
                outputs.push(held.finished.part(part));
            }
        }
        self.emit(Output::Verified {
            account: batch.owner,
            job,
            batch: id.0,
            outputs,
            shards,
            items,
        });
        self.emit(Output::JobChanged(handle));
    }

    /// Says how many items were accepted.
    fn accept_held(&mut self, handle: JobHandle, held: &Held, part: ShardRun) -> u64 {
        let busy_us = held.busy_us * u64::from(part.count) / u64::from(held.finished.run().count.max(1));
        let items = self.jobs.get(&handle).map_or(0, |job| job.items_in(part));
        self.count_for(held.voter.worker, part.count);
        self.accept(handle, held.claim, &held.finished, (part, items), busy_us);
        items
    }

    /// Outputs of a worker were verified.
    fn count_for(&mut self, worker: WorkerId, shards: u32) {
        let session = self.sessions.get(&worker).copied();
        if let Some(worker) = session.and_then(|s| self.workers.get_mut(&s)) {
            worker.record.accepted += u64::from(shards);
        } else if let Some(record) = self.records.get_mut(&worker) {
            record.accepted += u64::from(shards);
        }
    }

    /// An account's standing changed in a way that outlives a restart.
    pub(crate) fn remember(&mut self, account: AccountId, program: ProgramHash) {
        let standing = self.standings.get(account, program);
        self.emit(Output::Stands {
            account,
            program,
            standing,
        });
    }

    /// A batch is thrown away; only what was checked one by one stands, and nobody is credited with it.
    pub(crate) fn withdraw(&mut self, handle: JobHandle, id: BatchId) {
        let Some(checks) = self.checks_mut(handle) else {
            return;
        };
        let Some(mut batch) = checks.take(id) else { return };
        checks.report.shards_withdrawn += u64::from(batch.shards.count() - batch.passed.count());
        for held in batch.held.values() {
            for part in batch.passed.remove(held.finished.run()) {
                batch.shards.remove(part);
                let items = self.jobs.get(&handle).map_or(0, |job| job.items_in(part));
                self.accept(handle, held.claim, &held.finished, (part, items), 0);
            }
        }
        for run in batch.shards.iter() {
            self.give_back(handle, run);
        }
    }
}

/// Whether nothing is left to hand out, as far as can be known here.
fn is_at_tail(job: &Job) -> bool {
    let all_cut = job.totals.items_cut >= job.totals.items || job.claim == ClaimState::Dry;
    all_cut && !job.has_waiting() && job.claim != ClaimState::Asked
}
