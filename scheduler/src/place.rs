//! Who gets what: priority, fairness, capability, and how long a lease is.
use crate::executor::Executor;
use crate::grain;
use crate::job::{ClaimState, Job, Retry};
use crate::lease::{Lease, Twin};
use crate::output::{Effect, Grant, Output};
use crate::runs::RunSet;
use crate::scheduler::{Scheduler, TAIL_MS};
use crate::timer::Timer;
use protocol::cut::{Piece, ShardRun};
use protocol::ids::{ClaimId, SessionId};
use protocol::job::JobState;
use protocol::limits::{HELD_BYTES_MAX, LEASE_MS_MIN, LEASE_SHARDS_MAX, LEASE_TARGET_MS};
use protocol::wire::JobHandle;

/// What a job is charged for a shard that nobody measured, until it is, in milliseconds.
const UNMEASURED_CHARGE_MS: f64 = protocol::limits::SHARD_TARGET_MS as f64;
/// A lease lasts so many times the work predicted for it and for what is before it.
const LEASE_SLACK: f64 = 4.0;
/// Predicted execution time of a shard that nobody measured, in milliseconds: a window then holds two
/// shards for each slot.
const UNMEASURED_SHARD_MS: f64 = LEASE_TARGET_MS as f64;
/// More pending shards than this are never asked for in advance: at two million a second they last longer than the
/// longest commit.
const LOW_WATER_MAX: f64 = 131_072.0;
/// Idle workers offered work in vain before the rest waits for its own next word.
const IN_VAIN_MAX: usize = 256;
/// Fewer idle workers than this are always offered work in order of speed.
const SORTED_HUNGRY_MAX: usize = 64;

/// Why a job's shards do not fit a worker; the order is the order of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    NeedsNative,
    NeedsTrusted,
    NeedsSimd,
    NeedsMemory,
    ProgramRefused,
    Withdrawn,
}

/// Whether a worker can execute a job's shards at all.
pub(crate) fn fits(job: &Job, worker: &Executor) -> Result<(), Unfit> {
    let (needs, seed) = (&job.seed.needs, &worker.seed);
    match () {
        () if needs.native && seed.kind != protocol::wire::WorkerKind::Native => Err(Unfit::NeedsNative),
        () if needs.trusted && !seed.trusted => Err(Unfit::NeedsTrusted),
        () if needs.simd && !seed.simd => Err(Unfit::NeedsSimd),
        () if job.seed.memory_mib > seed.memory_mib => Err(Unfit::NeedsMemory),
        () if job.refused_by.contains_key(&seed.id) => Err(Unfit::ProgramRefused),
        () if is_withdrawn(job, worker) => Err(Unfit::Withdrawn),
        () => Ok(()),
    }
}

/// Whether a worker was caught with wrong answers, and the job's answers must be right.
fn is_withdrawn(job: &Job, worker: &Executor) -> bool {
    let shut_out = |checks: &crate::trust::Checks| checks.shut_out.contains(&worker.seed.account);
    job.checks
        .as_deref()
        .is_some_and(|checks| !worker.seed.trusted && (worker.caught || shut_out(checks)))
}

/// Whether so much of a job is held back that only trusted workers may add to it.
fn is_crowded(job: &Job, worker: &Executor) -> bool {
    let full = job.checks.as_ref().is_some_and(|c| c.held_bytes > HELD_BYTES_MAX);
    full && !worker.seed.trusted
}

impl Scheduler {
    /// Fills the window of one worker, as far as there is work.
    pub(crate) fn feed(&mut self, session: SessionId) {
        if !self.workers.get(&session).is_some_and(Executor::takes_work) || self.draining {
            return;
        }
        while !self.is_alone(session) && self.feed_once(session) {}
        self.refresh_hunger(session);
        if self.hungry.contains(&session) && !self.is_alone(session) {
            self.offer_backup(session);
        }
        if self.hungry.contains(&session) {
            self.close_idle(session);
        }
    }

    /// Fills the windows of all idle workers: the fast ones and those that have the program first,
    /// when they are few enough to be put in order.
    pub(crate) fn feed_hungry(&mut self) {
        let mut in_vain = 0;
        let mut sessions: Vec<SessionId> = self.hungry.iter().copied().collect();
        if sessions.len() <= SORTED_HUNGRY_MAX {
            sessions.sort_by(|a, b| self.eagerness(*b).total_cmp(&self.eagerness(*a)));
        } else {
            // Who was asked last time comes last, so that many who may take nothing hide nobody.
            let behind = sessions.partition_point(|session| *session <= self.hungry_asked);
            sessions.rotate_left(behind);
        }
        for session in sessions {
            let before = self.leases_made;
            self.hungry_asked = session;
            self.feed(session);
            in_vain += usize::from(self.leases_made == before);
            if in_vain > IN_VAIN_MAX {
                return;
            }
        }
    }

    /// How well a worker is placed for what waits: its speed against other workers, cached programs.
    fn eagerness(&self, session: SessionId) -> f64 {
        let Some(worker) = self.workers.get(&session) else {
            return 0.0;
        };
        let Some(job) = self.jobs.values().find(|j| j.is_live() && j.has_waiting()) else {
            return 0.0;
        };
        let speed = worker
            .shard_ms(job.speed_key, 1)
            .map_or(1.0, |ms| job.item_ms.get().unwrap_or(ms) / ms.max(1e-6));
        let cached = worker.seed.cached.contains(&job.seed.program);
        speed * if cached { 1.5 } else { 1.0 } * worker.record.reliability()
    }

    /// Whether a worker waits for work; keeps the tail timer alive while one does.
    pub(crate) fn refresh_hunger(&mut self, session: SessionId) {
        let Some(worker) = self.workers.get(&session) else {
            return;
        };
        let hungry =
            worker.takes_work() && worker.in_flight < u32::from(worker.slots).min(worker.seed.window_max);
        if !hungry {
            self.hungry.remove(&session);
            return;
        }
        self.hungry.insert(session);
        if !self.leases.is_empty() {
            self.timers.set(self.now_ms + TAIL_MS, Timer::Tail);
        }
    }

    /// Grants one lease to a worker if some job has shards for it and its window has room.
    fn feed_once(&mut self, session: SessionId) -> bool {
        let Some(handle) = self.choose_job(session) else {
            return false;
        };
        // Checks come first: what waits for them waits longest.
        if let Some((piece, claim)) = self.take_checks(session, handle) {
            self.grant(session, handle, piece, claim, Twin::Check);
            return true;
        }
        let Some((piece, claim)) = self.choose_shards(session, handle) else {
            return false;
        };
        self.grant(session, handle, piece, claim, Twin::First(Vec::new()));
        true
    }

    /// The job to serve next: highest priority, then the one served least for its weight. On the way,
    /// jobs that run short ask the store for more.
    fn choose_job(&mut self, session: SessionId) -> Option<JobHandle> {
        let worker = self.workers.get(&session)?;
        let mut best: Option<(i8, f64, JobHandle)> = None;
        let mut short = Vec::new();
        for (handle, job) in &self.jobs {
            if !job.is_live() || fits(job, worker).is_err() {
                continue;
            }
            if job.may_claim() && job.pending.count() < self.low_water(job) {
                short.push(*handle);
            }
            let fresh = !job.pending.is_empty() || self.retry_for(job, worker).is_some();
            let fresh = fresh && !is_crowded(job, worker) && self.fresh_room(*handle, job, worker) > 0;
            let ready = fresh || self.check_for(*handle, job, worker).is_some();
            let key = (job.seed.priority, -job.served);
            if ready && best.is_none_or(|(p, s, _)| key > (p, -s)) {
                best = Some((job.seed.priority, job.served, *handle));
            }
        }
        for handle in short {
            self.ask_claim(handle);
        }
        best.map(|(_, _, handle)| handle)
    }

    /// Below this many pending shards more are asked for, so that the answer comes before the last is out.
    fn low_water(&self, job: &Job) -> u32 {
        let by_rate = job.executed_rate.get(self.now_ms).min(LOW_WATER_MAX) as u32;
        by_rate.max(1)
    }

    fn ask_claim(&mut self, handle: JobHandle) {
        let Some(job) = self.jobs.get(&handle) else { return };
        let able = || {
            self.workers
                .values()
                .filter(|w| w.takes_work() && fits(job, w).is_ok())
        };
        let slots = able().map(|w| u32::from(w.slots)).sum();
        let grain = grain::grain(job, slots);
        let shards_max = grain::claim_shards(job, self.now_ms, grain, able());
        let stage = job.seed.stage;
        if let Some(job) = self.jobs.get_mut(&handle) {
            job.claim = ClaimState::Asked;
        }
        self.store(
            handle,
            Effect::Claim {
                stage,
                shards_max,
                grain,
            },
        );
    }

    /// A shard that failed elsewhere and may be tried by this worker now.
    fn retry_for(&self, job: &Job, worker: &Executor) -> Option<u32> {
        let (id, network, wanted) = (worker.seed.id, worker.seed.network, self.networks_wanted());
        let may = |retry: &Retry| {
            !retry.leased && (retry.is_news(id, network, wanted) || retry.anyone_ms <= self.now_ms)
        };
        job.retries
            .iter()
            .find(|(shard, retry)| may(retry) && (worker.in_flight == 0 || !Self::is_isolated(job, **shard)))
            .map(|(shard, _)| *shard)
    }

    /// Which shards of a job, and how many: retries first and one by one, then from the front.
    fn choose_shards(&mut self, session: SessionId, handle: JobHandle) -> Option<(Piece, ClaimId)> {
        let worker = self.workers.get(&session)?;
        let job = self.jobs.get(&handle).filter(|job| !is_crowded(job, worker))?;
        let fresh_room = self.fresh_room(handle, job, worker);
        if fresh_room == 0 {
            return None;
        }
        let retry = self.retry_for(job, worker);
        let first = retry.or_else(|| job.pending.first().map(|r| r.first))?;
        let (claim, claim_end) = job.claims.over(first)?;
        let run = match retry {
            Some(shard) => ShardRun {
                first: shard,
                count: 1,
            },
            None => job.pending.first().map(|r| ShardRun {
                first,
                count: r.end().min(claim_end) - first,
            })?,
        };
        let piece = job.cut.piece(run)?;
        let room = self.lease_shards(job, worker, piece.grain)?;
        let piece = job.cut.piece(ShardRun {
            first,
            count: piece.run.count.min(room).min(fresh_room),
        })?;
        self.take_waiting(handle, piece.run);
        Some((piece, claim))
    }

    /// Length of the next lease in shards; `None` while the window is full enough.
    pub(crate) fn lease_shards(&self, job: &Job, worker: &Executor, grain: u32) -> Option<u32> {
        let shard_ms = predicted_ms(job, worker, grain);
        let window = worker.window(job.speed_key, shard_ms);
        let slots = u32::from(worker.slots);
        let low = if window <= 2 * slots {
            window
        } else {
            window / 2 + 1
        };
        let budget_ms = 2.0 * f64::from(LEASE_TARGET_MS) * f64::from(slots);
        let busy_enough = worker.ahead_ms >= budget_ms && worker.in_flight >= slots;
        if worker.in_flight >= low.min(worker.seed.window_max) || busy_enough {
            return None;
        }
        let by_time = (f64::from(LEASE_TARGET_MS) * f64::from(slots) / shard_ms.max(1e-3)).ceil();
        let by_time = by_time.min(f64::from(LEASE_SHARDS_MAX)) as u32;
        let share = job
            .shards_ahead(grain)
            .div_ceil(2 * self.workers.len().max(1) as u64);
        let share = u32::try_from(share).unwrap_or(u32::MAX).max(1);
        let room = (window - worker.in_flight).min(share);
        Some(room.clamp(1, by_time.max(1)))
    }

    fn take_waiting(&mut self, handle: JobHandle, run: ShardRun) {
        let Some(job) = self.jobs.get_mut(&handle) else {
            return;
        };
        job.pending.remove(run);
        for (_, retry) in job.retries.range_mut(run.first..run.end()) {
            retry.leased = true;
        }
    }

    /// Makes the lease and everything that goes with it.
    pub(crate) fn grant(
        &mut self,
        session: SessionId,
        handle: JobHandle,
        piece: Piece,
        claim: ClaimId,
        twin: Twin,
    ) {
        let id = self.next_lease_id();
        let share = self.share_of(session, handle);
        let (Some(worker), Some(job)) = (self.workers.get_mut(&session), self.jobs.get_mut(&handle)) else {
            return;
        };
        self.leases_made += 1;
        let shard_ms = predicted_ms(job, worker, piece.grain);
        worker.in_flight += piece.run.count;
        worker.ahead_ms += shard_ms * f64::from(piece.run.count);
        worker.leases.insert(id);
        let length_ms = lease_ms(worker);
        job.attempts += u64::from(piece.run.count);
        if let (Some(checks), Some(share)) = (job.checks.as_deref_mut(), share) {
            checks.shares.add(share, piece.run.count);
        }
        job.leases.insert(id);
        if twin == Twin::First(Vec::new()) {
            job.leased += piece.run.count;
        }
        let charged_ms = if job.item_ms.get().is_some() {
            shard_ms
        } else {
            UNMEASURED_CHARGE_MS
        };
        job.charge(charged_ms * f64::from(piece.run.count));
        let (first_time, stage) = (job.opened.insert(session), job.seed.stage);
        let starts = job.state == JobState::Queued;
        let (now_ms, left) = (self.now_ms, RunSet::of(piece.run));
        let ends_ms = now_ms + u64::from(length_ms);
        let lease = Lease {
            job: handle,
            session,
            claim,
            left,
            shard_ms,
            charged_ms,
            moved_ms: now_ms,
            ends_ms,
            length_ms,
            twin,
            share,
        };
        self.leases.insert(id, lease);
        if starts {
            self.request_state(handle, JobState::Running, None);
        }
        if first_time {
            self.emit(Output::Open { session, job: handle });
        }
        let grant = Grant {
            lease: id,
            job: handle,
            stage,
            piece,
            lease_ms: length_ms,
        };
        self.emit(Output::Lease { session, grant });
    }
}

/// Predicted execution time of a shard on a worker, in milliseconds.
pub(crate) fn predicted_ms(job: &Job, worker: &Executor, grain: u32) -> f64 {
    let measured = worker.shard_ms(job.speed_key, grain);
    let typical = || job.item_ms.get().map(|ms| ms * f64::from(grain));
    measured.or_else(typical).unwrap_or(UNMEASURED_SHARD_MS)
}

/// How long a lease lasts: from measured speed, and never too short for a tab that sleeps.
fn lease_ms(worker: &Executor) -> u32 {
    let work_ms = worker.ahead_ms / f64::from(worker.slots.max(1));
    let floor = f64::from(LEASE_MS_MIN.max(protocol::limits::SILENCE_MS_MAX));
    (work_ms * LEASE_SLACK).clamp(floor, 3_600_000.0) as u32
}
