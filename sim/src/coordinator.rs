//! A coordinator around the real scheduler: sessions, frames, commits, being killed and starting again.
use crate::checker::Checker;
use crate::network::ConnId;
use crate::plan::Fault;
use crate::store::{Commit, Op, StoredJob};
use crate::task;
use crate::twin::Sabotage;
use crate::world::{Event, World};
use bytes::Bytes;
use protocol::frame::{decode_from_worker, encode_to_worker};
use protocol::ids::{AccountId, BlobHash, JobId, LeaseId, ProgramHash, SessionId};
use protocol::job::{JobState, Limits, Needs};
use protocol::limits::HEARTBEAT_MS;
use protocol::trust::NetworkPrefix;
use protocol::wire::{
    FromWorker, Hello, ItemSource, JobHandle, Lease, LeaseInput, OpenJob, RefusalCode, ToWorker,
};
use scheduler::{Effect, Grant, Input, JobSeed, Output, Scheduler, SchedulerConfig, WorkerSeed};
use std::collections::{BTreeMap, VecDeque};

/// The scheduler's tables are derived afresh after so many inputs: it costs more than all the rest.
const CHECK_EVERY: u64 = 4;

/// How soon whoever added items looks whether they are stored.
const APPEND_AGAIN_US: u64 = 3_000_000;

/// How long a coordinator that was told to stop still runs.
const DRAIN_US: u64 = 2_000_000;

/// A coordinator process, or the lack of one.
#[derive(Default)]
pub(crate) struct Coordinator {
    scheduler: Option<Scheduler>,
    epoch: u32,
    sessions: BTreeMap<SessionId, ConnId>,
    conns: BTreeMap<ConnId, SessionId>,
    sessions_made: u64,
    /// Which job a handle stands for.
    handles: BTreeMap<JobHandle, usize>,
    handles_made: u32,
    /// What waits for the next commit, and what is being committed.
    waiting: Vec<(usize, Op)>,
    committing: Vec<(usize, Op)>,
    inputs: VecDeque<Input>,
    inputs_taken: u64,
    leases_sent: Vec<LeaseId>,
    /// Told to stop: takes no new connections.
    pub(crate) draining: bool,
}

/// The program of a job.
pub(crate) fn program(job: usize) -> ProgramHash {
    ProgramHash::of(&job.to_le_bytes())
}

/// The job of an id.
pub(crate) fn job_of(id: JobId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}

pub(crate) fn id_of(job: usize) -> JobId {
    JobId(job as u64)
}

impl Coordinator {
    pub(crate) fn is_up(&self) -> bool {
        self.scheduler.is_some()
    }

    pub(crate) fn conn_of(&self, session: SessionId) -> Option<ConnId> {
        self.sessions.get(&session).copied()
    }

    pub(crate) fn timer_us(&self) -> Option<u64> {
        self.scheduler
            .as_ref()?
            .next_timer_ms()
            .map(|at_ms| at_ms * 1_000)
    }
}

impl World {
    /// A coordinator starts on what is stored.
    pub(crate) fn restart(&mut self) {
        if self.coordinator.is_up() {
            return;
        }
        self.line("coordinator starts");
        self.disturbed_us = self.disturbed_us.max(self.now_us);
        let epoch = self.coordinator.epoch + 1;
        let scheduler = Some(Scheduler::new(SchedulerConfig {
            epoch,
            seed: u64::from(epoch),
            same_network: false,
            shared: false,
        }));
        let leases_sent = std::mem::take(&mut self.coordinator.leases_sent);
        self.coordinator = Coordinator {
            scheduler,
            epoch,
            leases_sent,
            ..Coordinator::default()
        };
        let jobs: Vec<usize> = self.store.jobs.keys().copied().collect();
        for job in jobs {
            let over = self
                .store
                .jobs
                .get(&job)
                .is_none_or(|stored| stored.state.is_over());
            if !over {
                let claimed = self.store.restore(job).filter(|(_, runs)| !runs.is_empty());
                self.add_job(job, claimed);
            }
        }
        self.submit_unstored();
    }

    /// Submissions that were not durable are made again by those who made them.
    fn submit_unstored(&mut self) {
        for job in 0..self.plan.jobs.len() {
            if self.plan.jobs[job].submitted_us <= self.now_us {
                self.submit(job);
            }
        }
    }

    /// The process is told to stop: it tells its workers, and then goes like any other.
    pub(crate) fn drain_coordinator(&mut self, down_us: u64) {
        if self.coordinator.is_up() && !self.coordinator.draining {
            self.coordinator.draining = true;
            self.scheduler(Input::Drain);
            self.after(DRAIN_US, Event::Fault(Fault::Crash { down_us }));
        }
    }

    /// The process is gone: what it knew, what was not committed, and all its connections.
    pub(crate) fn crash(&mut self, down_us: u64) {
        if !self.coordinator.is_up() {
            return;
        }
        self.coordinator.scheduler = None;
        let committing = std::mem::take(&mut self.coordinator.committing);
        // Whether the last commit reached the disk is known to nobody.
        if self.chance.percent(50) {
            for (job, op) in committing {
                self.apply(job, op);
            }
        }
        for node in 0..self.nodes.len() {
            let learns_us = self.chance.magnitude(1_000, 2_000_000);
            self.cut(node, learns_us, learns_us);
        }
        self.after(down_us, Event::Restart);
        self.disturbed_us = self.disturbed_us.max(self.now_us + down_us);
        self.store.check(self.now_us, &mut self.ledger);
    }

    fn add_job(
        &mut self,
        job: usize,
        claimed: Option<(protocol::ids::ClaimId, Vec<protocol::cut::ShardRun>)>,
    ) {
        let Some(StoredJob {
            state, cut, totals, ..
        }) = self.store.jobs.get(&job).cloned()
        else {
            return;
        };
        let handle = JobHandle(self.coordinator.handles_made);
        self.coordinator.handles_made += 1;
        self.coordinator.handles.insert(handle, job);
        let plan = &self.plan.jobs[job];
        let seed = JobSeed {
            id: id_of(job),
            handle,
            program: program(job),
            entry: "entry".into(),
            grain: plan.grain,
            priority: plan.priority,
            weight: plan.weight,
            on_failure: plan.on_failure,
            attempts_max: plan.attempts_max,
            memory_mib: 64,
            needs: Needs::default(),
            trust: plan.trust,
            reduces: job.is_multiple_of(2),
            state,
            stage: 0,
            cut,
            totals,
            report: None,
            claimed,
        };
        self.scheduler(Input::JobAdded(Box::new(seed)));
    }

    /// Hands one input to the scheduler, and performs everything it asks for.
    pub(crate) fn scheduler(&mut self, input: Input) {
        self.coordinator.inputs.push_back(input);
        while let Some(input) = self.coordinator.inputs.pop_front() {
            let now_ms = self.now_us / 1_000;
            let Some(scheduler) = self.coordinator.scheduler.as_mut() else {
                return;
            };
            // A timer of this very millisecond has come.
            scheduler.handle(now_ms, input);
            let (mut outputs, mut broken) = (Vec::new(), Vec::<String>::new());
            while let Some(output) = scheduler.poll_output() {
                outputs.push(output);
            }
            self.coordinator.inputs_taken += 1;
            if self.coordinator.inputs_taken.is_multiple_of(CHECK_EVERY) {
                broken = scheduler.check();
            }
            for what in broken {
                self.broken(Checker::Invariant, what);
            }
            for output in outputs {
                self.perform(output);
            }
        }
        self.begin_commit();
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Open { session, job } => self.tell_job(session, job),
            Output::Close { session, job } if self.sabotage != Sabotage::NeverTellWorkers => {
                self.tell(session, &ToWorker::Close { job });
            }
            Output::Lease { session, grant } => self.lease(session, grant),
            Output::Cancel {
                session,
                lease,
                shards,
            } if self.sabotage != Sabotage::NeverTellWorkers => {
                self.tell(session, &ToWorker::Cancel { lease, shards });
            }
            // Whoever carries reductions out takes any time; at once is one of them.
            Output::Caught { account, .. } => self.line(&format!("{account} is caught")),
            Output::Verified { .. } | Output::Stands { .. } => {}
            Output::Reduce(job) => self
                .coordinator
                .inputs
                .push_back(Input::Reduced { job, failed: None }),
            Output::Drain { session } => self.tell(session, &ToWorker::Drain),
            Output::End {
                session,
                code,
                detail,
            } => self.end(session, code, detail),
            Output::Store { job, effect } => {
                let Some(&k) = self.coordinator.handles.get(&job) else {
                    return;
                };
                let twice = self.sabotage == Sabotage::CountTwice && matches!(effect, Effect::Accept { .. });
                for _ in 0..=u8::from(twice) {
                    self.coordinator
                        .waiting
                        .push((k, Op::Effect(job, effect.clone())));
                }
            }
            _ => {}
        }
    }

    fn tell(&mut self, session: SessionId, message: &ToWorker) {
        let Some(&conn) = self.coordinator.sessions.get(&session) else {
            return;
        };
        let mut frame = encode_to_worker(message);
        if self.sabotage == Sabotage::DamageFrames && matches!(message, ToWorker::Lease(_)) {
            frame.pop();
        }
        self.send_to_worker(conn, frame);
    }

    fn tell_job(&mut self, session: SessionId, handle: JobHandle) {
        let Some(&job) = self.coordinator.handles.get(&handle) else {
            return;
        };
        let open = OpenJob {
            job: handle,
            id: id_of(job),
            name: format!("job {job}"),
            owner: "sim".into(),
            program: program(job),
            entry: "entry".into(),
            params: Bytes::from_static(b"{}"),
            source: self.plan.jobs[job].source,
            limits: Limits {
                memory_mib: 64,
                shard_time_ms: 600_000,
            },
            picture: false,
        };
        self.tell(session, &ToWorker::Open(open));
    }

    fn lease(&mut self, session: SessionId, grant: Grant) {
        let Some(&job) = self.coordinator.handles.get(&grant.job) else {
            return;
        };
        let lease = match (self.sabotage, self.coordinator.leases_sent.first()) {
            (Sabotage::ReuseLease, Some(&first)) if self.ledger.attempts > 3 => first,
            _ => grant.lease,
        };
        self.coordinator.leases_sent.push(lease);
        self.ledger.attempts += u64::from(grant.piece.run.count);
        self.ledger.granted(self.now_us, lease);
        self.watch_lease(session, job, grant.piece.run);
        let piece = grant.piece;
        let input = self.input_of(job, piece.first_item, piece.end_item);
        let message = ToWorker::Lease(Lease {
            lease,
            job: grant.job,
            stage: grant.stage,
            first_shard: piece.run.first,
            shards: piece.run.count,
            first_item: piece.first_item,
            grain: piece.grain,
            end_item: piece.end_item,
            input,
            lease_ms: grant.lease_ms,
        });
        let (run, items) = (piece.run, (piece.first_item, piece.end_item));
        self.line(&format!(
            "lease {} job {job} shards {}+{} items {items:?} to {session}",
            lease.0, run.first, run.count
        ));
        self.tell(session, &message);
    }

    fn input_of(&self, job: usize, first: u64, end: u64) -> LeaseInput {
        let plan = &self.plan.jobs[job];
        if matches!(plan.source, ItemSource::Range { .. }) {
            return LeaseInput::Computed;
        }
        let bytes = task::input(plan, first, end);
        if bytes.len() <= self.plan.inline_bytes_max {
            return LeaseInput::Inline(bytes);
        }
        // The blob is the whole input, named by its job; only the part is ever made.
        let offset = task::input(plan, 0, first).len() as u64;
        LeaseInput::Blob {
            blob: BlobHash::of(&job.to_le_bytes()),
            offset,
            length: bytes.len() as u64,
        }
    }

    fn end(&mut self, session: SessionId, code: RefusalCode, detail: String) {
        self.line(&format!("session {session} ends: {code:?} {detail}"));
        self.tell(session, &ToWorker::Refused { code, detail });
        if let Some(conn) = self.coordinator.sessions.remove(&session) {
            self.coordinator.conns.remove(&conn);
            self.close_from_coordinator(conn);
        }
    }

    /// A frame arrives.
    pub(crate) fn at_coordinator(&mut self, conn: ConnId, frame: &[u8]) {
        if !self.coordinator.is_up() || !self.network.conns.contains_key(&conn) {
            return;
        }
        let message = match decode_from_worker(frame) {
            Ok(message) => message,
            Err(error) => return self.broken(Checker::Protocol, format!("a worker's frame: {error}")),
        };
        match (message, self.coordinator.conns.get(&conn).copied()) {
            (FromWorker::Hello(hello), None) => self.greet(conn, hello),
            (message, Some(session)) => {
                self.line(&format!("from {session}: {}", words(&message)));
                self.scheduler(Input::FromWorker { session, message });
            }
            // The session was ended by us while this was on its way.
            (_, None) => {}
        }
    }

    fn greet(&mut self, conn: ConnId, hello: Hello) {
        self.coordinator.sessions_made += 1;
        let number = self.coordinator.sessions_made | u64::from(self.coordinator.epoch) << 40;
        let session = SessionId(number);
        self.line(&format!("{} is {session}", hello.worker));
        self.coordinator.sessions.insert(session, conn);
        self.coordinator.conns.insert(conn, session);
        self.tell(
            session,
            &ToWorker::Welcome {
                session,
                heartbeat_ms: HEARTBEAT_MS,
            },
        );
        let seed = WorkerSeed {
            id: hello.worker,
            session,
            kind: hello.kind,
            name: hello.name,
            agent: hello.agent,
            slots: hello.slots,
            window_max: hello.window_max,
            memory_mib: hello.memory_mib,
            simd: hello.simd,
            trusted: self
                .plan
                .workers
                .get(hello.worker.0 as usize)
                .is_some_and(|w| w.trusted),
            account: AccountId(hello.worker.0),
            network: NetworkPrefix(hello.worker.0),
            caught: false,
            standings: Vec::new(),
            cached: hello.cached,
        };
        self.scheduler(Input::WorkerJoined(Box::new(seed)));
    }

    /// The coordinator learns that a connection is over.
    pub(crate) fn coordinator_lost(&mut self, conn: ConnId) {
        if let Some(session) = self.coordinator.conns.remove(&conn) {
            self.line(&format!("{session} is gone"));
            self.coordinator.sessions.remove(&session);
            self.scheduler(Input::WorkerLeft { session });
        }
    }

    pub(crate) fn submit(&mut self, job: usize) {
        let asked = self
            .coordinator
            .waiting
            .iter()
            .chain(&self.coordinator.committing);
        let known = asked.clone().any(|(k, op)| *k == job && matches!(op, Op::Submit));
        if self.coordinator.is_up() && !known && !self.store.jobs.contains_key(&job) {
            self.line(&format!("job {job} is submitted: {:?}", self.plan.jobs[job]));
            self.coordinator.waiting.push((job, Op::Submit));
            self.begin_commit();
        }
    }

    /// Whoever adds items does it until they are stored.
    pub(crate) fn append(&mut self, job: usize, items: u64) {
        let stored = self.store.jobs.get(&job);
        let done = stored.is_some_and(|stored| stored.state.is_over() || stored.totals.items >= items);
        if done {
            return;
        }
        if self.coordinator.is_up() && stored.is_some() {
            self.coordinator.waiting.push((job, Op::Append { items }));
            self.begin_commit();
        }
        self.after(APPEND_AGAIN_US, Event::Append(job, items));
    }

    /// Everything that waits goes into one commit.
    fn begin_commit(&mut self) {
        let coordinator = &mut self.coordinator;
        if coordinator.is_up() && coordinator.committing.is_empty() && !coordinator.waiting.is_empty() {
            coordinator.committing = std::mem::take(&mut coordinator.waiting);
            self.commit_later();
        }
    }

    fn commit_later(&mut self) {
        let (low, high) = self.plan.commit_us;
        let takes_us = self.chance.between(low, high);
        let at_us = self.store_away_until_us.max(self.now_us) + takes_us;
        self.at(
            at_us,
            Event::Commit {
                epoch: self.coordinator.epoch,
            },
        );
    }

    /// A commit is done, or has failed and is tried again.
    pub(crate) fn commit(&mut self, epoch: u32) {
        if !self.coordinator.is_up() || epoch != self.coordinator.epoch {
            return;
        }
        let fails = !self.faults_over && self.chance.percent(self.plan.commits_failing_percent);
        if fails || self.store_away_until_us > self.now_us {
            self.line("a commit fails");
            self.disturbed_us = self.disturbed_us.max(self.now_us);
            return self.commit_later();
        }
        for (job, op) in std::mem::take(&mut self.coordinator.committing) {
            let known = !matches!(op, Op::Submit | Op::Append { .. });
            let (submits, answer) = (matches!(op, Op::Submit), self.apply(job, op));
            // What a broken store answers would only hide what broke.
            if !self.ledger.violations.is_empty() {
                return;
            }
            match answer {
                Some(input) => self.scheduler(input),
                None if submits => self.add_job(job, None),
                None if known => {}
                None => self.moved(job),
            }
        }
        self.begin_commit();
    }

    fn moved(&mut self, job: usize) {
        let Some(stored) = self.store.jobs.get(&job) else {
            return;
        };
        let (totals, state) = (stored.totals, stored.state);
        self.scheduler(Input::JobMoved {
            job: id_of(job),
            totals,
            state,
        });
    }

    fn apply(&mut self, job: usize, op: Op) -> Option<Input> {
        let mut at = Commit {
            now_us: self.now_us,
            job,
            plan: &self.plan.jobs[job],
            ledger: &mut self.ledger,
        };
        let answer = self.store.apply(&mut at, op);
        let state = self.store.jobs.get(&job).map(|stored| stored.state);
        if state.is_some_and(JobState::is_over) && !self.over.contains_key(&job) {
            self.over.insert(job, self.now_us);
            self.line(&format!("job {job} is over: {state:?}"));
        }
        answer
    }
}

fn words(message: &FromWorker) -> String {
    match message {
        FromWorker::Finished {
            lease,
            outputs,
            busy_us,
        } => {
            format!(
                "finished lease {} shards {}+{} in {busy_us} us",
                lease.0, outputs.run.first, outputs.run.count
            )
        }
        other => format!("{other:?}"),
    }
}
