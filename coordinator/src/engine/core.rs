//! The core: the one task that owns the scheduler.
use super::handle::{Engine, EngineError, Message, SessionOut, WorkerHello};
use super::job::JobInfo;
use super::ledger::{Names, standings};
use super::reports::Reports;
use super::stats::Stats;
use super::writer::{Told, Writer};
use crate::store::{
    COORDINATOR_HEARTBEAT_MS, Chunk, Done, Op, Restored, RestoredClaim, StoreError, StoredJob,
};
use protocol::api::Worker;
use protocol::ids::{ClaimId, JobId, SessionId};
use protocol::limits::{COMMIT_BACKLOG_BYTES_MAX, JOBS_OPEN_MAX, WORKERS_MAX};
use protocol::trust::TrustReport;
use protocol::wire::JobHandle;
use scheduler::{Input, JobSeed, Scheduler, SchedulerConfig, WorkerSeed};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};

/// Messages handled before the writer and the clock are looked at again.
const MESSAGES_AT_ONCE: usize = 64;
/// How often watchers are told of what moved.
const TICK: Duration = Duration::from_millis(250);
/// How long a shutdown waits for workers to return what they have.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Workers that left and are still listed.
pub(super) const GONE_WORKERS_MAX: usize = 100;

/// Who waits for what became of an operation.
pub(super) enum Waiter {
    /// Nobody.
    Nobody,
    /// The scheduler, for shards.
    Claim(JobHandle),
    /// The scheduler, for counts.
    Count(JobHandle, Option<(ClaimId, u32)>),
    /// A request.
    Request(Then),
}

/// What a request does when its operation is durable.
pub(super) type Then = Box<dyn FnOnce(&mut Core, Done) + Send>;

/// What the store said of itself at start.
pub(super) struct Facts {
    pub(super) epoch: u32,
    pub(super) shared: bool,
    pub(super) durability: String,
    /// From where it is drawn which shards are checked; never shown.
    pub(super) seed: u64,
}

/// Operations on their way to the disk: those of the batch the writer has, and those behind it.
#[derive(Default)]
pub(super) struct Commits {
    pub(super) waiting: Vec<Op>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) bytes: usize,
    committing: Option<(Vec<Waiter>, Vec<oneshot::Sender<()>>)>,
    /// Told when everything asked for so far is durable.
    barriers: Vec<oneshot::Sender<()>>,
    pub(super) problem: Option<StoreError>,
}

/// The state behind [`Engine`].
pub(crate) struct Core {
    pub(super) engine: Engine,
    pub(super) scheduler: Scheduler,
    pub(super) facts: Facts,
    pub(super) sessions: BTreeMap<SessionId, mpsc::Sender<SessionOut>>,
    pub(super) jobs: BTreeMap<JobHandle, Arc<JobInfo>>,
    pub(super) gone: VecDeque<Worker>,
    pub(super) commits: Commits,
    pub(super) stats: Stats,
    pub(super) changed_jobs: BTreeSet<JobHandle>,
    /// What was done for the answers of jobs lately over.
    pub(super) reports: Reports,
    /// The names of accounts lately here.
    pub(super) names: Names,
    /// Jobs whose outputs are all there and are to be reduced.
    pub(super) reductions: mpsc::Sender<JobId>,
    writer: Writer,
    clock: Clock,
    /// Given to the last submission.
    pub(super) last_id: JobId,
    handles_made: u32,
    sessions_made: u64,
    broken: bool,
}

/// Milliseconds since 1970 that never go back, whatever happens to the system's clock.
struct Clock {
    start: Instant,
    start_ms: u64,
}

impl Clock {
    fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            start: Instant::now(),
            start_ms: u64::try_from(since.as_millis()).unwrap_or_default(),
        }
    }

    fn now_ms(&self) -> u64 {
        self.start_ms + u64::try_from(self.start.elapsed().as_millis()).unwrap_or_default()
    }

    fn instant_of(&self, time_ms: u64) -> Instant {
        self.start + Duration::from_millis(time_ms.saturating_sub(self.start_ms))
    }
}

impl Core {
    pub(super) fn new(engine: Engine, writer: Writer, facts: Facts, reductions: mpsc::Sender<JobId>) -> Self {
        let clock = Clock::new();
        Self {
            engine,
            scheduler: Scheduler::new(SchedulerConfig {
                epoch: facts.epoch,
                seed: facts.seed,
                same_network: false,
                shared: facts.shared,
            }),
            stats: Stats::new(clock.now_ms()),
            facts,
            sessions: BTreeMap::new(),
            jobs: BTreeMap::new(),
            gone: VecDeque::new(),
            commits: Commits::default(),
            changed_jobs: BTreeSet::new(),
            reports: Reports::default(),
            names: Names::default(),
            reductions,
            writer,
            clock,
            last_id: JobId(0),
            handles_made: 0,
            sessions_made: 0,
            broken: false,
        }
    }

    /// The heart, to look at.
    pub(super) fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Takes over the jobs that were not over when the coordinator stopped.
    pub(super) fn restore(&mut self, jobs: Vec<Restored>) {
        for (job, claimed) in jobs {
            let chunks = self
                .engine
                .reader()
                .chunks(job.record.id, 0)
                .unwrap_or_else(|error| {
                    tracing::error!(job = %job.record.id, %error, "the items of a job cannot be read");
                    Vec::new()
                });
            let report = self.engine.reader().reports(&[job.record.id]);
            let report = report.ok().and_then(|mut reports| reports.pop().flatten());
            self.add_job(job, chunks, report, claimed);
        }
    }

    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>, mut told: mpsc::Receiver<Told>) {
        let mut taken = Vec::with_capacity(MESSAGES_AT_ONCE);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let heartbeat = Duration::from_millis(COORDINATOR_HEARTBEAT_MS);
        let mut heartbeat = tokio::time::interval(heartbeat);
        let mut stop = None;
        while stop.is_none() && !self.broken {
            let alarm = self.scheduler.next_timer_ms().map(|ms| self.clock.instant_of(ms));
            let room = self.commits.bytes < COMMIT_BACKLOG_BYTES_MAX;
            tokio::select! {
                biased;
                Some(told) = told.recv() => self.on_told(told),
                _ = messages.recv_many(&mut taken, MESSAGES_AT_ONCE), if room => {
                    for message in taken.drain(..) {
                        if let Some(done) = self.on_message(message) {
                            stop = Some(done);
                        }
                    }
                }
                () = sleep_until(alarm), if alarm.is_some() => self.input(Input::TimerRang),
                _ = tick.tick() => self.on_tick(),
                _ = heartbeat.tick(), if self.facts.shared => self.on_heartbeat(),
            }
            self.flush();
        }
        self.drain(&mut messages, &mut told).await;
        self.writer.stop();
        if let Some(done) = stop {
            let _ = done.send(());
        }
    }

    /// Lets workers return what they have, within bounds, and waits for the last commit.
    async fn drain(&mut self, messages: &mut mpsc::Receiver<Message>, told: &mut mpsc::Receiver<Told>) {
        self.input(Input::Drain);
        let until = tokio::time::Instant::now() + DRAIN_MAX;
        loop {
            self.flush();
            let idle = self.commits.waiting.is_empty() && self.commits.committing.is_none();
            if self.broken || (idle && self.sessions.is_empty()) {
                return;
            }
            tokio::select! {
                biased;
                Some(told) = told.recv() => self.on_told(told),
                Some(message) = messages.recv() => drop(self.on_message(message)),
                () = tokio::time::sleep_until(until) => return,
            }
        }
    }

    fn on_message(&mut self, message: Message) -> Option<oneshot::Sender<()>> {
        match message {
            Message::Worker(session, mut message) => {
                self.locate(&mut message);
                self.input(Input::FromWorker { session, message });
            }
            Message::Left(session) => self.on_left(session),
            Message::Do(ask) => ask(self),
            Message::Stop(done) => return Some(done),
        }
        None
    }

    fn on_left(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        if let Some(worker) = self.scheduler.worker_of(session) {
            self.keep_gone(worker);
        }
        self.input(Input::WorkerLeft { session });
    }

    /// One input, and then every output of it.
    pub(super) fn input(&mut self, input: Input) {
        self.scheduler.handle(self.clock.now_ms(), input);
        self.carry_out();
    }

    fn on_told(&mut self, told: Told) {
        match told {
            Told::Committed(done) => self.on_committed(done),
            Told::Problem(problem) => {
                match &problem {
                    Some(why) if self.commits.problem.is_none() => {
                        tracing::error!(%why, "nothing can be stored; it is tried again");
                    }
                    None => tracing::info!("the store takes what it is given again"),
                    Some(_) => {}
                }
                self.commits.problem = problem;
            }
            Told::Broken(why) => {
                tracing::error!(%why, "the store is broken; the coordinator stops");
                self.broken = true;
            }
        }
    }

    fn on_committed(&mut self, done: Vec<Done>) {
        let Some((waiters, barriers)) = self.commits.committing.take() else {
            return;
        };
        for (waiter, done) in waiters.into_iter().zip(done) {
            self.on_done(waiter, done);
        }
        for barrier in barriers {
            let _ = barrier.send(());
        }
    }

    /// Adds an operation to the next batch.
    pub(super) fn push(&mut self, op: Op, waiter: Waiter) {
        if let Op::Accept { outputs, .. } = &op {
            self.commits.bytes += outputs.data.len();
        }
        self.commits.waiting.push(op);
        self.commits.waiters.push(waiter);
    }

    /// Runs `then` when everything asked for so far is durable.
    pub(super) fn when_durable(&mut self, then: impl FnOnce() + Send + 'static) {
        if self.commits.waiting.is_empty() && self.commits.committing.is_none() {
            return then();
        }
        let (barrier, passed) = oneshot::channel();
        self.commits.barriers.push(barrier);
        tokio::spawn(async move {
            if passed.await.is_ok() {
                then();
            }
        });
    }

    /// Gives the writer what waits, when it is free.
    fn flush(&mut self) {
        let commits = &mut self.commits;
        if commits.committing.is_some() || (commits.waiting.is_empty() && commits.barriers.is_empty()) {
            return;
        }
        let batch = std::mem::take(&mut commits.waiting);
        ::metrics::histogram!(crate::metrics::COMMIT_OPS).record(batch.len() as f64);
        commits.committing = Some((
            std::mem::take(&mut commits.waiters),
            std::mem::take(&mut commits.barriers),
        ));
        commits.bytes = 0;
        self.writer.send(batch);
    }

    /// Makes a stored job known to the scheduler and to sessions.
    pub(super) fn add_job(
        &mut self,
        job: StoredJob,
        chunks: Vec<Chunk>,
        report: Option<TrustReport>,
        claimed: Option<RestoredClaim>,
    ) {
        if self.scheduler.handle_of(job.record.id).is_some() {
            return;
        }
        let handle = JobHandle(self.handles_made);
        self.handles_made += 1;
        let spec = &job.record.spec;
        let seed = JobSeed {
            id: job.record.id,
            handle,
            program: job.record.program,
            entry: spec.entry.clone(),
            grain: spec.grain,
            priority: spec.priority,
            weight: spec.weight,
            on_failure: spec.on_failure,
            attempts_max: spec.attempts_max,
            memory_mib: spec.limits.memory_mib,
            needs: spec.needs,
            trust: spec.trust,
            reduces: spec.reduce.is_some(),
            state: job.state,
            stage: 0,
            cut: job.cut,
            totals: job.totals,
            report,
            claimed,
        };
        self.jobs
            .insert(handle, Arc::new(JobInfo::new(handle, job.record, chunks)));
        self.input(Input::JobAdded(Box::new(seed)));
    }

    /// Whether another job may be opened.
    pub(super) fn check_room(&self) -> Result<(), EngineError> {
        if let Some(problem) = &self.commits.problem {
            return Err(problem.clone().into());
        }
        if self.jobs.len() >= JOBS_OPEN_MAX {
            let why = format!("{JOBS_OPEN_MAX} jobs are open; wait until one is over, or cancel one");
            return Err(EngineError::Full(why));
        }
        Ok(())
    }

    pub(super) fn info_of(&self, id: JobId) -> Option<&Arc<JobInfo>> {
        self.jobs.get(&self.scheduler.handle_of(id)?)
    }

    /// A worker with a good token said hello.
    pub(super) fn join(
        &mut self,
        hello: WorkerHello,
        outputs: mpsc::Sender<SessionOut>,
    ) -> Result<SessionId, EngineError> {
        if self.sessions.len() >= WORKERS_MAX {
            return Err(EngineError::Full(format!(
                "{WORKERS_MAX} workers are connected; try again later"
            )));
        }
        let session = SessionId(u64::from(self.facts.epoch) << 40 | self.sessions_made);
        self.sessions_made += 1;
        self.sessions.insert(session, outputs);
        let WorkerHello {
            hello,
            member,
            trusted,
            network,
        } = hello;
        self.greet(&member);
        self.gone.retain(|worker| worker.id != hello.worker);
        let seed = WorkerSeed {
            id: hello.worker,
            session,
            kind: hello.kind,
            name: hello.name,
            agent: hello.agent,
            slots: hello.slots.min(protocol::limits::SLOTS_MAX),
            window_max: hello.window_max,
            memory_mib: hello.memory_mib,
            simd: hello.simd,
            trusted,
            account: member.account,
            network,
            caught: member.record.caught,
            standings: standings(&member),
            cached: hello.cached,
        };
        self.input(Input::WorkerJoined(Box::new(seed)));
        Ok(session)
    }
}

async fn sleep_until(alarm: Option<Instant>) {
    if let Some(alarm) = alarm {
        tokio::time::sleep_until(alarm.into()).await;
    }
}
