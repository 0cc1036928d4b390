//! The struct that owns all state, its door, and what people and the coordinator can want of it.
use crate::config::WorkerConfig;
use crate::input::{Input, Person};
use crate::lease::HeldLease;
use crate::link::{Backoff, Link};
use crate::output::Output;
use crate::programs::Program;
use crate::results::{Kept, Pending, Uploading};
use crate::slots::Slot;
use crate::status::{Activity, Counts, CurrentJob};
use protocol::frame;
use protocol::ids::{JobId, LeaseId, ProgramHash, SessionId};
use protocol::wire::{JobHandle, OpenJob, PauseReason, RefusalCode, ToWorker};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// One connected executor, without its connection and without its slots.
///
/// Hand in what happened ([`handle`](Self::handle)), then drain
/// [`poll_output`](Self::poll_output), then sleep until [`next_timer_ms`](Self::next_timer_ms) or
/// the next thing that happens; the crate's first page says it in full. Times are milliseconds of
/// any clock that never goes back.
#[derive(Debug)]
pub struct Worker {
    pub(crate) config: WorkerConfig,
    pub(crate) now_ms: u64,
    pub(crate) mode: Mode,
    pub(crate) finish_reason: PauseReason,
    pauses: Vec<PauseReason>,

    pub(crate) link: Link,
    pub(crate) link_reason: String,
    pub(crate) backoff: Backoff,

    pub(crate) jobs: BTreeMap<JobHandle, Arc<OpenJob>>,
    /// Jobs of this session whose program cannot run here.
    pub(crate) refused: BTreeSet<JobHandle>,
    pub(crate) params_bytes_held: usize,
    pub(crate) programs: BTreeMap<ProgramHash, Program>,
    pub(crate) program_use: u64,
    /// Nanoseconds an item takes, by job, measured.
    pub(crate) speeds: BTreeMap<JobId, u64>,

    pub(crate) leases: BTreeMap<LeaseId, HeldLease>,
    /// Leases with shards to start, in the order in which they came.
    pub(crate) order: VecDeque<LeaseId>,
    /// Shards of this session's leases that have not ended.
    pub(crate) shards_current: u32,
    pub(crate) input_bytes_held: u64,
    /// No lease and nothing kept ends before this time.
    pub(crate) expiry_earliest_ms: u64,

    pub(crate) slots: Vec<Slot>,
    pub(crate) slots_used: u16,
    pub(crate) idle: BTreeSet<u16>,
    pub(crate) resting: u32,
    pub(crate) intensity_percent: u8,
    pub(crate) current: Option<CurrentJob>,

    pub(crate) pending: Vec<Pending>,
    pub(crate) kept: VecDeque<Kept>,
    pub(crate) uploading: BTreeMap<(LeaseId, u32), Uploading>,
    pub(crate) output_bytes_held: usize,

    pub(crate) counts: Counts,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) told: Option<(Activity, Option<JobId>)>,
}

/// What the worker is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    NotStarted,
    Running,
    Finishing(AfterFinish),
    Refused { code: RefusalCode, detail: String },
    Ended,
}

/// What comes when all that ran has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterFinish {
    Leave,
    Reconnect,
}

impl Worker {
    /// A worker that does nothing until somebody presses Start.
    pub fn new(config: WorkerConfig, now_ms: u64) -> Self {
        let slots = config.slots;
        let backoff = Backoff::new(config.seed);
        let mut worker = Self {
            config,
            now_ms,
            mode: Mode::NotStarted,
            finish_reason: PauseReason::Finishing,
            pauses: Vec::new(),
            link: Link::Off,
            link_reason: String::new(),
            backoff,
            jobs: BTreeMap::new(),
            refused: BTreeSet::new(),
            params_bytes_held: 0,
            programs: BTreeMap::new(),
            program_use: 0,
            speeds: BTreeMap::new(),
            leases: BTreeMap::new(),
            order: VecDeque::new(),
            shards_current: 0,
            input_bytes_held: 0,
            expiry_earliest_ms: u64::MAX,
            slots: Vec::new(),
            slots_used: 1,
            idle: BTreeSet::new(),
            resting: 0,
            intensity_percent: 100,
            current: None,
            pending: Vec::new(),
            kept: VecDeque::new(),
            uploading: BTreeMap::new(),
            output_bytes_held: 0,
            counts: Counts::default(),
            outputs: VecDeque::new(),
            told: None,
        };
        worker.use_slots(slots);
        worker
    }

    /// Something happened at `now_ms`. A time before the last one counts as the last one.
    pub fn handle(&mut self, now_ms: u64, input: Input) {
        self.now_ms = self.now_ms.max(now_ms);
        // What happened comes before what the clock says: a connection that has just been lost must not
        // be written to because a heartbeat was due as well.
        self.on_input(input);
        self.expire_leases();
        self.link_due();
        self.wake_slots();
        self.dispatch();
        self.finish_step();
    }

    /// A frame of the coordinator: like [`Input::Message`], decoded here.
    pub fn handle_frame(&mut self, now_ms: u64, bytes: &[u8]) {
        let input = match frame::decode_to_worker(bytes) {
            Ok(message) => Input::Message(message),
            Err(error) => Input::FrameMalformed {
                reason: error.to_string(),
            },
        };
        self.handle(now_ms, input);
    }

    /// The next thing the shell must do; `None` ends the turn.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.flush_results();
        }
        self.outputs.pop_front().or_else(|| self.status_change())
    }

    /// When [`Input::TimerRang`] is due.
    pub fn next_timer_ms(&self) -> Option<u64> {
        let expiry_ms = Some(self.expiry_earliest_ms).filter(|&at_ms| at_ms < u64::MAX);
        [self.link.timer_ms(), self.next_wake_ms(), expiry_ms]
            .into_iter()
            .flatten()
            .min()
    }

    /// The session that runs, if any.
    pub fn session(&self) -> Option<SessionId> {
        match self.link {
            Link::Up { session, .. } => Some(session),
            _ => None,
        }
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Connected => self.on_connected(),
            Input::Disconnected { reason } => self.on_disconnected(reason),
            Input::Message(message) => self.on_message(message),
            Input::FrameMalformed { reason } => self.protocol_broken(&reason),
            Input::ProgramReady { program } => self.on_program_ready(program),
            Input::ProgramFailed { program, failure } => self.on_program_failed(program, failure),
            Input::InputFetched { lease, bytes } => self.on_input_fetched(lease, bytes),
            Input::InputMissing { lease, reason } => self.on_input_missing(lease, reason),
            Input::BlobUploaded { lease, shard, blob } => self.on_blob_uploaded(lease, shard, blob),
            Input::UploadFailed { lease, shard, reason } => self.on_upload_failed(lease, shard, &reason),
            Input::Person(person) => self.on_person(person),
            Input::Condition { reason, holds } => self.set_pause(reason, holds),
            Input::TimerRang => {}
            Input::Shutdown { drain } => self.on_shutdown(drain),
            answer => self.on_slot(answer),
        }
    }

    fn on_slot(&mut self, answer: Input) {
        match answer {
            Input::SlotFinished {
                slot,
                lease,
                shard,
                output,
                busy_us,
            } => {
                let Some(answered) = self.slot_answered(slot, lease, shard, busy_us) else {
                    return;
                };
                self.measure(lease, answered.items, busy_us);
                if answered.wanted {
                    self.counts.shards += 1;
                    self.counts.items += u64::from(answered.items);
                    self.shard_finished(lease, shard, output, busy_us);
                }
            }
            Input::SlotFailed {
                slot,
                lease,
                shard,
                failure,
                busy_us,
            } => {
                let answered = self.slot_answered(slot, lease, shard, busy_us);
                if answered.is_some_and(|answered| answered.wanted) {
                    self.shard_failed(lease, shard, failure, busy_us);
                }
            }
            Input::SlotStopped { slot, lease, shard } => {
                let answered = self.slot_answered(slot, lease, shard, 0);
                if answered.is_some_and(|answered| answered.wanted) {
                    self.start_again(lease, shard);
                }
            }
            Input::SlotReset { slot } => self.on_slot_reset(slot),
            _ => {}
        }
    }

    fn on_message(&mut self, message: ToWorker) {
        let greeted = match (&message, self.link) {
            (
                ToWorker::Welcome { .. } | ToWorker::Challenge { .. } | ToWorker::Refused { .. },
                Link::Greeting { .. },
            ) => true,
            (_, Link::Up { .. }) => true,
            // What arrives after we hung up belongs to nothing.
            (_, Link::Off | Link::Waiting { .. } | Link::Connecting { .. }) => return,
            _ => false,
        };
        if !greeted {
            return self.protocol_broken("a message before the welcome");
        }
        let result = match message {
            ToWorker::Welcome {
                session,
                heartbeat_ms,
            } => self.on_welcome(session, heartbeat_ms),
            ToWorker::Challenge { nonce } => self.on_challenge(&nonce),
            ToWorker::Open(job) => self.on_open(job),
            ToWorker::Lease(lease) => self.on_lease(lease),
            ToWorker::Refused { code, detail } => return self.on_refused(code, detail),
            ToWorker::Close { job } => return self.on_close(job),
            ToWorker::Cancel { lease, shards } => return self.on_cancel(lease, &shards),
            ToWorker::Drain => return self.on_drain(),
        };
        if let Err(what) = result {
            self.protocol_broken(&what);
        }
    }

    fn protocol_broken(&mut self, what: &str) {
        if !matches!(self.link, Link::Off | Link::Waiting { .. }) {
            self.hang_up(format!("the coordinator broke the protocol: {what}"));
        }
    }

    fn on_drain(&mut self) {
        if self.mode == Mode::Running {
            self.mode = Mode::Finishing(AfterFinish::Reconnect);
        }
    }

    fn on_person(&mut self, person: Person) {
        match person {
            Person::Start => self.start(),
            Person::Pause => self.set_pause(PauseReason::Person, true),
            Person::Finish => self.finish(PauseReason::Finishing),
            Person::SetSlots(slots) => {
                self.use_slots(slots);
                self.tell_availability();
            }
            Person::SetIntensity(percent) => self.intensity_percent = percent.clamp(1, 100),
        }
    }

    fn start(&mut self) {
        self.set_pause(PauseReason::Person, false);
        match self.mode {
            Mode::Running => {}
            // Leaving is taken back as long as we have not left.
            Mode::Finishing(_) => {
                self.mode = Mode::Running;
                self.tell_availability();
            }
            Mode::NotStarted | Mode::Refused { .. } | Mode::Ended => {
                self.mode = Mode::Running;
                self.backoff.failures = 0;
                self.link_reason.clear();
                self.connect();
            }
        }
    }

    fn set_pause(&mut self, reason: PauseReason, holds: bool) {
        let before = self.pause();
        self.pauses.retain(|&known| known != reason);
        if holds {
            self.pauses.push(reason);
        }
        if self.pause() == before {
            return;
        }
        self.tell_availability();
        if self.pause().is_some() {
            self.return_everything();
        }
    }

    fn finish(&mut self, reason: PauseReason) {
        match self.mode {
            Mode::NotStarted => self.mode = Mode::Ended,
            Mode::Running | Mode::Finishing(_) => self.begin_finish(AfterFinish::Leave, reason),
            Mode::Refused { .. } | Mode::Ended => {}
        }
    }

    fn on_shutdown(&mut self, drain: bool) {
        match (drain, &self.mode) {
            (true, _) => self.finish(PauseReason::Stopping),
            (false, Mode::Running | Mode::Finishing(_)) => self.leave_now(),
            (false, _) => self.mode = Mode::Ended,
        }
    }

    /// Why it takes nothing, if so: the first of the reasons that hold.
    pub(crate) fn pause(&self) -> Option<PauseReason> {
        match self.mode {
            Mode::Finishing(_) => Some(self.finish_reason),
            _ => self.pauses.first().copied(),
        }
    }

    pub(crate) fn takes_work(&self) -> bool {
        self.mode == Mode::Running && self.pauses.is_empty()
    }

    /// Whether a lease of this job is given back at once.
    pub(crate) fn gives_back(&self, job: JobHandle) -> bool {
        !self.takes_work() || self.refused.contains(&job)
    }
}
