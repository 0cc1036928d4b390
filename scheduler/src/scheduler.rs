//! The struct that owns all state, and what each input does to it.
use crate::executor::{Executor, Record, SpeedKey};
use crate::input::{Input, JobSeed, Steer};
use crate::job::{ClaimState, Job};
use crate::lease::Lease;
use crate::output::{Effect, Output};
use crate::timer::{Timer, TimerTable};
use crate::trust::{Standings, Suspects};
use protocol::cut::{Cut, ShardRun};
use protocol::ids::{ClaimId, JobId, LeaseId, ProgramHash, SessionId, WorkerId};
use protocol::job::JobState;
use protocol::totals::Totals;
use protocol::trust::NetworkPrefix;
use protocol::wire::{FromWorker, JobHandle, RefusalCode};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How often silent workers and leases that ran out are looked for.
pub(crate) const SWEEP_MS: u64 = 1_000;
/// How often idle workers are offered stragglers.
pub(crate) const TAIL_MS: u64 = 250;
/// How soon the store is asked again when it had nothing left.
const CLAIM_AGAIN_MS: u64 = 500;

/// What the scheduler is told once.
#[derive(Clone, Copy, Debug)]
pub struct SchedulerConfig {
    /// High 24 bits of every lease id; never used before.
    pub epoch: u32,
    /// From where it is drawn which shards are checked; secret.
    pub seed: u64,
    /// Whether strangers on one network may check each other: for a pool whose workers are all in one
    /// place, and are known.
    pub same_network: bool,
    /// Whether other coordinators may leave shards behind: then an empty answer is asked again.
    pub shared: bool,
}

/// The heart. See the crate's documentation for the contract.
#[derive(Debug)]
pub struct Scheduler {
    pub(crate) config: SchedulerConfig,
    pub(crate) now_ms: u64,
    pub(crate) jobs: BTreeMap<JobHandle, Job>,
    pub(crate) job_ids: BTreeMap<JobId, JobHandle>,
    pub(crate) workers: BTreeMap<SessionId, Executor>,
    pub(crate) sessions: BTreeMap<WorkerId, SessionId>,
    /// Sessions of trusted workers.
    pub(crate) trusted: BTreeSet<SessionId>,
    pub(crate) standings: Standings,
    pub(crate) suspects: Suspects,
    /// Sessions on each network.
    pub(crate) networks: BTreeMap<NetworkPrefix, u32>,
    /// Networks whose last session ended lately.
    pub(crate) networks_left: crate::roster::NetworksLeft,
    /// Networks from which strangers take work, as of the last sweep.
    pub(crate) networks_working: usize,
    pub(crate) records: BTreeMap<WorkerId, Record>,
    pub(crate) record_order: VecDeque<WorkerId>,
    pub(crate) leases: BTreeMap<LeaseId, Lease>,
    /// Workers with room in their window and nothing to fill it.
    pub(crate) hungry: BTreeSet<SessionId>,
    /// Who of them was offered work last.
    pub(crate) hungry_asked: SessionId,
    pub(crate) timers: TimerTable,
    pub(crate) outputs: VecDeque<Output>,
    /// Execution time of an item, in milliseconds, over all workers and jobs of an entry.
    pub(crate) typical: BTreeMap<SpeedKey, crate::rate::Average>,
    speed_keys: BTreeMap<(ProgramHash, String), SpeedKey>,
    pub(crate) leases_made: u64,
    pub(crate) ended: crate::finish::Ended,
    pub(crate) draining: bool,
    pub(crate) accepted: u64,
    pub(crate) items_accepted: u64,
    pub(crate) failed: u64,
}

impl Scheduler {
    /// A scheduler without jobs and workers.
    pub fn new(config: SchedulerConfig) -> Self {
        Self {
            config,
            now_ms: 0,
            jobs: BTreeMap::new(),
            job_ids: BTreeMap::new(),
            workers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            trusted: BTreeSet::new(),
            standings: Standings::default(),
            suspects: Suspects::default(),
            networks: BTreeMap::new(),
            networks_left: crate::roster::NetworksLeft::default(),
            networks_working: 0,
            records: BTreeMap::new(),
            record_order: VecDeque::new(),
            leases: BTreeMap::new(),
            hungry: BTreeSet::new(),
            hungry_asked: SessionId(0),
            timers: TimerTable::default(),
            outputs: VecDeque::new(),
            typical: BTreeMap::new(),
            speed_keys: BTreeMap::new(),
            leases_made: 0,
            ended: crate::finish::Ended::default(),
            draining: false,
            accepted: 0,
            items_accepted: 0,
            failed: 0,
        }
    }

    /// Takes one input; `now_ms` never goes back (a smaller value counts as the last one).
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        self.now_ms = self.now_ms.max(now_ms);
        match input {
            Input::JobAdded(seed) => self.on_job_added(*seed),
            Input::JobMoved { job, totals, state } => self.on_job_moved(job, totals, state),
            Input::Steer { job, steer } => self.on_steer(job, steer),
            Input::Claimed {
                job,
                claim,
                runs,
                cut,
                totals,
            } => self.on_claimed(job, claim, runs, cut, totals),
            Input::Counted {
                job,
                claim,
                shards,
                totals,
                state,
            } => {
                self.on_counted(job, claim, shards, totals, state);
            }
            Input::Reduced { job, failed } => self.on_reduced(job, failed),
            Input::WorkerJoined(seed) => self.on_worker_joined(*seed),
            Input::FromWorker { session, message } => self.on_message(session, message),
            Input::WorkerLeft { session } => self.on_worker_left(session),
            Input::TimerRang => self.on_timer(),
            Input::Drain => self.on_drain(),
        }
    }

    /// The next effect, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::TimerRang`] is wanted.
    pub fn next_timer_ms(&self) -> Option<u64> {
        self.timers.next_ms()
    }

    pub(crate) fn next_lease_id(&self) -> LeaseId {
        LeaseId(u64::from(self.config.epoch) << 40 | self.leases_made)
    }

    pub(crate) fn entry_of(&self, key: SpeedKey) -> Option<&str> {
        self.speed_keys
            .iter()
            .find(|(_, k)| **k == key)
            .map(|((_, entry), _)| entry.as_str())
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn store(&mut self, job: JobHandle, effect: Effect) {
        self.emit(Output::Store { job, effect });
    }

    fn on_job_added(&mut self, seed: JobSeed) {
        if self.job_ids.contains_key(&seed.id) {
            return;
        }
        let handle = seed.handle;
        let next = u32::try_from(self.speed_keys.len()).unwrap_or(u32::MAX);
        let key = *self
            .speed_keys
            .entry((seed.program, seed.entry.clone()))
            .or_insert(SpeedKey(next));
        // Every job its own sequence, so that jobs do not tell of each other.
        let chance = self.config.seed ^ seed.id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut job = Job::new(self.now_ms, seed, key, chance);
        job.served = self.least_served();
        self.job_ids.insert(job.seed.id, handle);
        self.jobs.insert(handle, job);
        self.emit(Output::JobChanged(handle));
        self.settle_state(handle);
        self.feed_hungry();
    }

    /// A new job starts where the least served live job stands, or it would be paid for its absence.
    fn least_served(&self) -> f64 {
        let live = self.jobs.values().filter(|j| j.is_live()).map(|j| j.served);
        live.min_by(f64::total_cmp).unwrap_or(0.0)
    }

    fn on_job_moved(&mut self, id: JobId, totals: Totals, state: JobState) {
        let Some(&handle) = self.job_ids.get(&id) else {
            return;
        };
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        job.totals = totals;
        if job.claim == ClaimState::Dry {
            job.claim = ClaimState::Ready;
        }
        self.adopt_state(handle, state);
        self.emit(Output::JobChanged(handle));
        self.settle_state(handle);
        self.feed_hungry();
    }

    fn on_steer(&mut self, id: JobId, steer: Steer) {
        let Some(&handle) = self.job_ids.get(&id) else {
            return;
        };
        let Some(job) = self.jobs.get(&handle) else { return };
        let started = if job.attempts > 0 || job.totals.shards_cut > 0 {
            JobState::Running
        } else {
            JobState::Queued
        };
        match (steer, job.state) {
            (Steer::Pause, JobState::Queued | JobState::Running) if !job.ending => {
                self.request_state(handle, JobState::Paused, None);
            }
            (Steer::Resume, JobState::Paused) => {
                self.request_state(handle, started, None);
                self.feed_hungry();
            }
            (Steer::Cancel { reason }, state) if !state.is_over() && !job.ending => {
                self.cancel(handle, reason);
            }
            _ => {}
        }
    }

    /// Two steps: canceling at once, canceled when that is durable. Nothing is waited for, because a
    /// late output of a cancelled shard is worth nothing.
    fn cancel(&mut self, handle: JobHandle, reason: Option<String>) {
        self.request_state(handle, JobState::Canceling, reason.clone());
        self.stop_job(handle);
        self.store(
            handle,
            Effect::SetState {
                state: JobState::Canceled,
                reason,
            },
        );
    }

    /// Takes a state at once and has it stored; the store's answer confirms it.
    pub(crate) fn request_state(&mut self, handle: JobHandle, state: JobState, reason: Option<String>) {
        if let Some(job) = self.jobs.get_mut(&handle) {
            job.reason.clone_from(&reason);
            if state.is_over() {
                job.ending = true;
            } else {
                job.state = state;
            }
        }
        self.store(handle, Effect::SetState { state, reason });
        self.emit(Output::JobChanged(handle));
    }

    /// Ends every lease of a job and hands out nothing more of it.
    pub(crate) fn stop_job(&mut self, handle: JobHandle) {
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        job.ending = true;
        if let Some(checks) = &mut job.checks {
            checks.clear();
        }
        let leases: Vec<LeaseId> = job.leases.iter().copied().collect();
        for id in leases {
            self.cancel_lease(id);
        }
    }

    /// Forgets a lease and tells its worker.
    pub(crate) fn cancel_lease(&mut self, id: LeaseId) {
        if let Some(lease) = self.drop_lease(id) {
            self.emit(Output::Cancel {
                session: lease.session,
                lease: id,
                shards: Vec::new(),
            });
            self.refresh_hunger(lease.session);
        }
    }

    fn on_claimed(
        &mut self,
        handle: JobHandle,
        claim: ClaimId,
        runs: Vec<ShardRun>,
        cut: Cut,
        totals: Totals,
    ) {
        let (shared, again_ms) = (self.config.shared, self.now_ms + CLAIM_AGAIN_MS);
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        job.totals = totals;
        job.cut = cut;
        job.claim = if runs.is_empty() {
            ClaimState::Dry
        } else {
            ClaimState::Ready
        };
        if job.claim == ClaimState::Dry && shared {
            self.timers.set(again_ms, Timer::Claim(handle));
        }
        for run in runs {
            self.take_run(handle, claim, run);
        }
        self.settle_state(handle);
        self.feed_hungry();
    }

    /// A shard is under one claim at a time: an older one over any of these was taken away, which is told here
    /// first when the store lost it and gave its shards out again before an output under it came.
    fn take_run(&mut self, handle: JobHandle, claim: ClaimId, run: ShardRun) {
        let older = |job: &Job| job.claims.across(run);
        for lost in self.jobs.get(&handle).map(older).unwrap_or_default() {
            self.on_claim_lost(handle, lost);
        }
        if let Some(job) = self.jobs.get_mut(&handle) {
            job.claims.add(claim, run);
            job.pending.insert(run);
        }
    }

    fn on_counted(
        &mut self,
        handle: JobHandle,
        claim: Option<(ClaimId, u32)>,
        shards: u32,
        totals: Totals,
        state: JobState,
    ) {
        let now_ms = self.now_ms;
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        let items = totals.items_accepted.saturating_sub(job.totals.items_accepted);
        job.totals = totals;
        if let Some((claim, asked)) = claim {
            job.storing -= asked;
            job.shards_rate.add(now_ms, u64::from(shards));
            job.items_rate.add(now_ms, items);
            self.accepted += u64::from(shards);
            self.items_accepted += items;
            if shards < asked {
                self.on_claim_lost(handle, claim);
                self.feed_hungry();
            }
        } else {
            self.adopt_state(handle, state);
        }
        self.emit(Output::JobChanged(handle));
        self.settle_state(handle);
    }

    /// The store says that a claim is no longer ours (we were silent for too long): its shards belong to
    /// another coordinator now.
    fn on_claim_lost(&mut self, handle: JobHandle, claim: ClaimId) {
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        for run in job.claims.drop_claim(claim) {
            job.pending.remove(run);
            job.retries
                .retain(|shard, _| !(run.first..run.end()).contains(shard));
            if let Some(checks) = &mut job.checks {
                checks.drop_run(run);
            }
        }
        let lost: Vec<LeaseId> = job
            .leases
            .iter()
            .copied()
            .filter(|id| self.leases.get(id).is_some_and(|l| l.claim == claim))
            .collect();
        for id in lost {
            self.cancel_lease(id);
        }
    }

    /// Takes over a state that the store told: ours confirmed, or another coordinator's.
    fn adopt_state(&mut self, handle: JobHandle, state: JobState) {
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        if state.is_over() {
            job.state = state;
            self.stop_job(handle);
            self.forget_job(handle);
        } else if !job.ending {
            job.state = state;
        }
    }

    fn forget_job(&mut self, handle: JobHandle) {
        let Some(job) = self.jobs.remove(&handle) else {
            return;
        };
        self.job_ids.remove(&job.seed.id);
        self.timers.forget_job(handle);
        for session in job.opened {
            self.emit(Output::Close { session, job: handle });
        }
        self.emit(Output::JobOver {
            job: handle,
            id: job.seed.id,
            trust: job.checks.map(|checks| checks.report),
        });
    }

    /// A job whose every item is settled has succeeded.
    fn settle_state(&mut self, handle: JobHandle) {
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        let complete = job.totals.is_complete() && job.storing == 0;
        if !complete || job.ending || job.reducing || job.state == JobState::Canceling {
            return;
        }
        if job.seed.reduces {
            job.reducing = true;
            let id = job.seed.id;
            self.emit(Output::Reduce(id));
        } else {
            self.request_state(handle, JobState::Succeeded, None);
        }
    }

    /// A reduction that was not asked for, or of a job that was cancelled meanwhile, has no effect.
    fn on_reduced(&mut self, id: JobId, failed: Option<String>) {
        let Some(&handle) = self.job_ids.get(&id) else {
            return;
        };
        if self.jobs.get(&handle).is_some_and(|j| j.reducing && !j.ending) {
            let state = match failed {
                Some(_) => JobState::Failed,
                None => JobState::Succeeded,
            };
            self.request_state(handle, state, failed);
        }
    }

    fn on_message(&mut self, session: SessionId, message: FromWorker) {
        let now_ms = self.now_ms;
        let Some(worker) = self.workers.get_mut(&session) else {
            return;
        };
        worker.heard_ms = now_ms;
        match message {
            FromWorker::Hello(_) | FromWorker::Proof { .. } => {
                let detail = "a hello and its proof may come only once, before anything else".into();
                self.end_session(session, RefusalCode::OutOfTurn, detail);
            }
            FromWorker::Finished {
                lease,
                outputs,
                busy_us,
            } => self.on_finished(session, lease, outputs, busy_us),
            FromWorker::FinishedBlob {
                lease,
                shard,
                blob,
                length: _,
                busy_us,
            } => {
                self.on_finished_blob(session, lease, shard, blob, busy_us);
            }
            FromWorker::Failed {
                lease,
                shard,
                failure,
                busy_us: _,
            } => self.on_failed(session, lease, shard, failure),
            FromWorker::Returned { lease } => self.on_returned(session, lease),
            FromWorker::Heartbeat { leases } => self.on_heartbeat(session, &leases),
            FromWorker::Availability { slots, pause } => self.on_availability(session, slots, pause),
            FromWorker::ProgramRefused { job, failure } => self.on_program_refused(session, job, failure),
            FromWorker::Goodbye => self.on_worker_left(session),
        }
        self.feed(session);
    }

    fn on_heartbeat(&mut self, session: SessionId, leases: &[LeaseId]) {
        for id in leases {
            if let Some(lease) = self.leases.get_mut(id).filter(|l| l.session == session) {
                lease.ends_ms = self.now_ms + u64::from(lease.length_ms);
            }
        }
    }

    fn on_availability(
        &mut self,
        session: SessionId,
        slots: u16,
        pause: Option<protocol::wire::PauseReason>,
    ) {
        let Some(worker) = self.workers.get_mut(&session) else {
            return;
        };
        worker.slots = slots.min(protocol::limits::SLOTS_MAX);
        worker.pause = pause;
        let id = worker.seed.id;
        self.hungry.remove(&session);
        self.emit(Output::WorkerChanged(id));
    }

    fn on_timer(&mut self) {
        while let Some(timer) = self.timers.take_due(self.now_ms) {
            match timer {
                Timer::Sweep => self.sweep(),
                Timer::Tail => self.feed_hungry(),
                Timer::Claim(job) => {
                    if let Some(job) = self.jobs.get_mut(&job).filter(|j| j.claim == ClaimState::Dry) {
                        job.claim = ClaimState::Ready;
                    }
                    self.feed_hungry();
                }
                Timer::Retry(_) => self.feed_hungry(),
            }
        }
    }

    fn sweep(&mut self) {
        let silence_ms = u64::from(protocol::limits::SILENCE_MS_MAX);
        let silent: Vec<SessionId> = (self.workers.iter())
            .filter(|(_, w)| self.now_ms.saturating_sub(w.heard_ms) > silence_ms)
            .map(|(session, _)| *session)
            .collect();
        for session in silent {
            let detail = format!("nothing was heard for {} s; connect again", silence_ms / 1_000);
            self.end_session(session, RefusalCode::Silent, detail);
        }
        let expired: Vec<LeaseId> = self
            .leases
            .iter()
            .filter(|(_, l)| l.ends_ms <= self.now_ms)
            .map(|(id, _)| *id)
            .collect();
        for id in expired {
            self.expire_lease(id);
        }
        self.close_due();
        self.count_networks();
        self.look_for_stalls();
        if !self.workers.is_empty() {
            self.timers.set(self.now_ms + SWEEP_MS, Timer::Sweep);
        }
    }

    fn on_drain(&mut self) {
        self.draining = true;
        let sessions: Vec<SessionId> = self.workers.keys().copied().collect();
        for session in sessions {
            self.emit(Output::Drain { session });
        }
    }
}
