//! Checks are handed out, and what they say is drawn up against what was said before.
use super::answer::{Answer, Voter, one};
use super::book::{BatchId, Check, Checks};
use super::level::STRANGERS_CHECK_WEIGHT;
use super::vote::{Vote, leading};
use crate::executor::Executor;
use crate::fail::OTHERS_FIRST_MS;
use crate::job::Job;
use crate::output::Output;
use crate::place::fits;
use crate::scheduler::Scheduler;
use crate::timer::Timer;
use protocol::cut::{Piece, ShardRun};
use protocol::ids::{AccountId, ClaimId, LeaseId, SessionId};
use protocol::wire::{Cause, Failure, JobHandle};

/// Idle workers that are offered a check at once.
const CHECKERS_WOKEN_MAX: usize = 64;

/// Whether a failure says something of the program: then it is an answer.
pub(crate) fn is_answer(cause: Cause) -> bool {
    matches!(cause, Cause::Trapped | Cause::ItemFailed)
}

impl Scheduler {
    pub(crate) fn checks_mut(&mut self, handle: JobHandle) -> Option<&mut Checks> {
        self.jobs.get_mut(&handle)?.checks.as_deref_mut()
    }

    /// Whether a trusted worker is there that can compute a job's shards.
    pub(crate) fn has_trusted(&self, handle: JobHandle) -> bool {
        let Some(job) = self.jobs.get(&handle) else {
            return false;
        };
        let able = |session: &SessionId| {
            self.workers
                .get(session)
                .is_some_and(|w| w.takes_work() && fits(job, w).is_ok())
        };
        self.trusted.iter().any(able)
    }

    /// Offers checks to those who wait for work.
    pub(crate) fn wake_checkers(&mut self, handle: JobHandle) {
        let Some(job) = self.jobs.get(&handle) else { return };
        if job.checks.as_ref().is_none_or(|c| c.waiting.is_empty()) {
            return;
        }
        let all = if self.has_trusted(handle) {
            &self.trusted
        } else {
            &self.hungry
        };
        let idle = all.iter().filter(|s| self.hungry.contains(s));
        let idle: Vec<SessionId> = idle.take(CHECKERS_WOKEN_MAX).copied().collect();
        for session in idle {
            self.feed(session);
        }
    }

    /// A shard under check for this worker: strangers check only where nobody better is there.
    pub(crate) fn check_for(&self, handle: JobHandle, job: &Job, worker: &Executor) -> Option<u32> {
        let checks = job.checks.as_deref()?;
        if checks.waiting.is_empty() {
            return None;
        }
        let trusted = worker.seed.trusted;
        if !trusted && (checks.level.is_verified() || self.has_trusted(handle)) {
            return None;
        }
        checks.waiting_for(self.now_ms, worker, self.config.same_network)
    }

    /// Whether a worker may compute any shard under check.
    pub(crate) fn check_for_anyone(&self, job: &Job, worker: &Executor) -> bool {
        let checks = job.checks.as_deref();
        let verified = checks.is_some_and(|c| c.level.is_verified());
        let may = checks.and_then(|c| c.waiting_for(u64::MAX, worker, self.config.same_network));
        may.is_some() && (worker.seed.trusted || !verified)
    }

    /// A trap that a stranger tells of is looked at again.
    pub(crate) fn look_at_trap(&mut self, handle: JobHandle, shard: u32, voter: Voter, failure: Failure) {
        let Some(job) = self.jobs.get_mut(&handle).filter(|j| !j.ending) else {
            return;
        };
        job.leave_waiting(one(shard));
        if let Some(checks) = job.checks.as_deref_mut() {
            checks.ask_trap(shard, voter, failure);
        }
        self.wake_checkers(handle);
    }

    /// Takes shards under check for a lease: neighbours together, where a trusted worker takes them.
    pub(crate) fn take_checks(&mut self, session: SessionId, handle: JobHandle) -> Option<(Piece, ClaimId)> {
        let worker = self.workers.get(&session)?;
        let job = self.jobs.get(&handle)?;
        let first = self.check_for(handle, job, worker)?;
        let (claim, claim_end) = job.claims.over(first)?;
        let grain = job.cut.piece(one(first))?.grain;
        let room = self.lease_shards(job, worker, grain)?;
        let room = if worker.seed.trusted { room } else { 1 };
        let checks = job.checks.as_deref()?;
        let end = first.saturating_add(room).min(claim_end);
        let together = (first..end)
            .take_while(|shard| checks.waiting.contains(shard))
            .count();
        let count = u32::try_from(together).unwrap_or(1).max(1);
        let piece = job.cut.piece(ShardRun { first, count })?;
        let lease = self.next_lease_id();
        let checks = self.checks_mut(handle)?;
        for shard in piece.run.first..piece.run.end() {
            checks.waiting.remove(&shard);
            if let Some(check) = checks.checks.get_mut(&shard) {
                check.lease = Some(lease);
            }
        }
        Some((piece, claim))
    }

    /// A check came back with an answer.
    pub(crate) fn judge(
        &mut self,
        session: SessionId,
        handle: JobHandle,
        lease: LeaseId,
        shard: u32,
        answer: Answer,
    ) {
        let Some(worker) = self.workers.get(&session) else {
            return;
        };
        let (trusted, voter) = (worker.seed.trusted, worker.voter());
        let job = self.jobs.get_mut(&handle).filter(|j| !j.ending);
        let Some(checks) = job.and_then(|j| j.checks.as_deref_mut()) else {
            return;
        };
        let Some(check) = checks.checks.get_mut(&shard) else {
            return self.judge_unasked(handle, shard, &answer, trusted);
        };
        // A stranger's word counts where he was asked for it, or he could check himself.
        if !trusted && check.lease != Some(lease) {
            return;
        }
        check.lease = None;
        if trusted {
            return self.decide(handle, shard, &answer, true);
        }
        check.votes.push(Vote { voter, answer });
        self.count_votes(handle, shard);
    }

    /// The batch that wanted a check is gone; a trusted worker's answer is good all the same.
    fn judge_unasked(&mut self, handle: JobHandle, shard: u32, answer: &Answer, trusted: bool) {
        let (Some(finished), true) = (answer.finished(shard), trusted) else {
            return;
        };
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        let Some((claim, _)) = job.claims.over(shard) else {
            return;
        };
        if !job.pending.remove(one(shard)).is_empty() {
            let items = job.items_in(one(shard));
            self.accept(handle, claim, &finished, (one(shard), items), 0);
        }
    }

    /// Strangers have answered: agreed, or one answer is credible enough, or somebody more is asked.
    fn count_votes(&mut self, handle: JobHandle, shard: u32) {
        let trusted_there = self.has_trusted(handle);
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        let (program, Some(checks)) = (job.seed.program, job.checks.as_deref_mut()) else {
            return;
        };
        let Some(check) = checks.checks.get_mut(&shard) else {
            return;
        };
        let first = &check.votes[0].answer;
        let agreed = check.votes.iter().all(|v| v.answer.says(first));
        if !agreed && !check.disputed {
            check.disputed = true;
            checks.report.conflicts += 1;
        }
        let (standings, needed) = (&self.standings, 1.0 - checks.level.wrong_share_max);
        let best = leading(&check.votes, |v| standings.get(v.account, program).passed);
        let sure = best.filter(|(_, credible)| *credible >= needed && !trusted_there);
        let settled = if agreed && check.batch.is_some() {
            Some(0)
        } else {
            sure.map(|(k, _)| k)
        };
        match settled.map(|k| check.votes[k].answer.clone()) {
            Some(answer) => self.decide(handle, shard, &answer, false),
            None => {
                checks.waiting.insert(shard);
                self.wake_checkers(handle);
            }
        }
    }

    /// What is right is known: those who said so have passed, the others have not.
    fn decide(&mut self, handle: JobHandle, shard: u32, truth: &Answer, by_trusted: bool) {
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        let (program, Some(checks)) = (job.seed.program, job.checks.as_deref_mut()) else {
            return;
        };
        let Some(check) = checks.settle(shard) else { return };
        let (right, wrong): (Vec<&Vote>, Vec<&Vote>) = check.votes.iter().partition(|v| v.answer.says(truth));
        if !wrong.is_empty() && !check.disputed {
            checks.report.conflicts += 1;
        }
        let newcomers: Vec<Voter> = right
            .iter()
            .map(|vote| vote.voter)
            .filter(|voter| self.standings.passed(voter.account, program) == 1)
            .collect();
        let weight = if by_trusted { 1.0 } else { STRANGERS_CHECK_WEIGHT };
        let weight = if check.pilot { 0.0 } else { weight };
        match check.batch.filter(|_| check.votes[0].answer.says(truth)) {
            Some(id) => self.pass(handle, id, shard, weight),
            None => self.settle(handle, shard, &check, truth),
        }
        for vote in wrong {
            self.refute(handle, shard, vote, by_trusted);
        }
        for voter in &newcomers {
            self.remember(voter.account, program);
        }
        // They waited for this one.
        for session in newcomers
            .iter()
            .filter_map(|v| self.sessions.get(&v.worker).copied())
            .collect::<Vec<_>>()
        {
            self.feed(session);
        }
    }

    fn pass(&mut self, handle: JobHandle, id: BatchId, shard: u32, weight: f64) {
        let Some(checks) = self.checks_mut(handle) else {
            return;
        };
        let Some(batch) = checks.batches.get_mut(&id) else {
            return;
        };
        batch.pass(shard, weight);
        if batch.closing && batch.owed.is_empty() {
            self.advance(handle, id);
        }
    }

    /// The shard's own worker was wrong (or told of a trap): what was found instead counts.
    fn settle(&mut self, handle: JobHandle, shard: u32, check: &Check, truth: &Answer) {
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        if let (Some(id), Some(checks)) = (check.batch, job.checks.as_deref_mut()) {
            checks.forget(id, shard);
        }
        let Some((claim, _)) = job.claims.over(shard) else {
            return;
        };
        match truth.finished(shard) {
            Some(finished) => {
                let items = job.items_in(one(shard));
                self.accept(handle, claim, &finished, (one(shard), items), 0);
            }
            None => {
                let failure = check.failure.clone().unwrap_or_else(|| trap(truth));
                self.give_up(
                    handle,
                    shard,
                    failure,
                    "failed, as two found that are no friends:",
                );
            }
        }
    }

    /// Somebody said something else than what is right.
    fn refute(&mut self, handle: JobHandle, shard: u32, vote: &Vote, by_trusted: bool) {
        let account = vote.voter.account;
        if matches!(vote.answer, Answer::Trap(_)) {
            if self.checks_mut(handle).is_some_and(|c| c.trap_refuted(account)) {
                self.shut_out(handle, account);
            }
            return;
        }
        if let Some(checks) = self.checks_mut(handle) {
            checks.report.workers_withdrawn += 1;
        }
        if !by_trusted {
            return self.shut_out(handle, account);
        }
        if self.standings.catch(account) {
            self.suspects.add(self.now_ms, vote.voter.network);
            for worker in self.workers.values_mut().filter(|w| w.seed.account == account) {
                worker.caught = true;
            }
            if let Some(job) = self.jobs.get(&handle).map(|j| j.seed.id) {
                self.emit(Output::Caught { account, job, shard });
            }
        }
        let checked = |(handle, job): (&JobHandle, &Job)| job.checks.is_some().then_some(*handle);
        let jobs: Vec<JobHandle> = self.jobs.iter().filter_map(checked).collect();
        for handle in jobs {
            self.shut_out(handle, account);
        }
    }

    /// An account gets nothing more of a job, and what it returned and nobody has seen is thrown away.
    fn shut_out(&mut self, handle: JobHandle, account: AccountId) {
        let Some(checks) = self.checks_mut(handle) else {
            return;
        };
        if !checks.shut_out.insert(account) {
            return;
        }
        for check in checks.checks.values_mut() {
            let mut place = 0;
            check.votes.retain(|vote| {
                place += 1;
                place == 1 || vote.voter.account != account
            });
        }
        for id in checks.batches_of(account) {
            self.withdraw(handle, id);
        }
        self.take_back(handle, account);
        self.feed_hungry();
    }

    /// Ends an account's leases of a job.
    fn take_back(&mut self, handle: JobHandle, account: AccountId) {
        let Some(job) = self.jobs.get(&handle) else { return };
        let theirs = |id: &&LeaseId| {
            let lease = self.leases.get(id);
            let worker = lease.and_then(|l| self.workers.get(&l.session));
            worker.is_some_and(|w| w.seed.account == account)
        };
        let leases: Vec<LeaseId> = job.leases.iter().filter(theirs).copied().collect();
        for lease in leases {
            let Some(session) = self.leases.get(&lease).map(|l| l.session) else {
                continue;
            };
            let shards = Vec::new();
            self.emit(Output::Cancel {
                session,
                lease,
                shards,
            });
            self.release_lease(lease);
        }
    }

    /// A check came to no answer: others try; a shard that nobody can check is tried from the beginning.
    pub(crate) fn check_failed(
        &mut self,
        session: SessionId,
        handle: JobHandle,
        lease: LeaseId,
        shard: u32,
        failure: Failure,
    ) {
        let Some(worker) = self.workers.get(&session).map(|w| w.seed.id) else {
            return;
        };
        let anyone_ms = self.now_ms + OTHERS_FIRST_MS;
        let Some(job) = self.jobs.get_mut(&handle).filter(|j| !j.ending) else {
            return;
        };
        let (attempts_max, Some(checks)) = (job.seed.attempts_max, job.checks.as_deref_mut()) else {
            return;
        };
        let mine = |check: &&mut Check| check.lease == Some(lease);
        let Some(check) = checks.checks.get_mut(&shard).filter(mine) else {
            return;
        };
        check.lease = None;
        check.failed = check.failed.saturating_add(1);
        if !check.tried.contains(&worker) {
            check.tried.push(worker);
        }
        check.anyone_ms = anyone_ms;
        if check.failed < attempts_max {
            checks.waiting.insert(shard);
            self.timers.set(anyone_ms, Timer::Retry(handle));
            return self.wake_checkers(handle);
        }
        let batch = check.batch;
        checks.settle(shard);
        if let Some(id) = batch {
            checks.forget(id, shard);
        }
        self.count_failure(handle, shard, worker, failure, false);
        if let Some(id) = batch {
            self.advance(handle, id);
        }
    }
}

fn trap(answer: &Answer) -> Failure {
    let cause = match answer {
        Answer::Trap(cause) => *cause,
        Answer::Bytes(_) | Answer::Blob(_) => Cause::Trapped,
    };
    Failure {
        cause,
        detail: "a trusted worker found that it fails".into(),
    }
}
