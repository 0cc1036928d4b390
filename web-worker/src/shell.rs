//! One turn of the worker: hand in what happened, perform every output, set the timer. Everything that comes from
//! outside (socket, slots, page, timers, fetches) ends up in [`Shell::turn`]; nothing in here waits.
use crate::fetch::{self, FetchError};
use crate::hub::{Outside, Report};
use crate::link::{Link, LinkEvent};
use crate::options::{Options, OptionsError};
use crate::programs::{Programs, pages};
use crate::shown::{self, Shown};
use crate::slots::{Alarm, Slots};
use bytes::Bytes;
use gloo::timers::callback::{Interval, Timeout};
use kernel_abi::split_framed;
use protocol::frame::encode_from_worker;
use protocol::ids::{BlobHash, LeaseId, ProgramHash};
use protocol::limits::{DETAIL_BYTES_MAX, MEMORY_MIB_DEFAULT, OUTPUT_BYTES_MAX};
use protocol::wire::{Cause, Failure, PauseReason};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use worker::{Batch, Input, Output, Person, ShardInput, Worker};

/// How often the watchdog looks and the status goes to the page.
const LOOK_MS: u32 = 200;
/// Soonest a changed activity goes to the page after the last status.
const STATUS_MS_MIN: f64 = 40.0;
/// A longer gap between two looks is not the programs' fault.
const LOOK_CHARGED_MS_MAX: f64 = 3.0 * LOOK_MS as f64;
/// How soon the watchdog looks when something is to be stopped.
const STOP_LOOK_MS: u32 = 70;

/// The shell round the heart.
pub struct Shell {
    options: Options,
    outside: Outside,
    state: RefCell<State>,
}

struct State {
    worker: Worker,
    link: Option<Link>,
    /// Counts connections: what an older one still says is not heard.
    link_number: u32,
    slots: Slots,
    programs: Programs,
    shown: Shown,
    /// Rings at the heart's next time.
    timer: Option<(u64, Timeout)>,
    look: Option<Interval>,
    stop_look: Option<Timeout>,
    looked_ms: f64,
    status_ms: f64,
}

impl Shell {
    /// Starts the worker; the blob workers of its first slots are on their way already.
    pub fn start(options: Options, outside: Outside) -> Result<Rc<Self>, OptionsError> {
        let now_ms = now_ms();
        let config = options.config()?;
        let (slots, intensity_percent) = (config.slots, options.intensity_percent);
        let state = State {
            worker: Worker::new(config, whole(now_ms)),
            link: None,
            link_number: 0,
            slots: Slots::default(),
            programs: Programs::default(),
            shown: Shown::new(js_sys::Date::now()),
            timer: None,
            look: None,
            stop_look: None,
            looked_ms: now_ms,
            status_ms: 0.0,
        };
        let shell = Rc::new(Self {
            options,
            outside,
            state: RefCell::new(state),
        });
        shell.adopt_slots(slots);
        shell.begin_looking();
        shell.turn([
            Input::Person(Person::SetIntensity(intensity_percent.clamp(1, 100))),
            Input::Person(Person::Start),
        ]);
        Ok(shell)
    }

    /// The frame begins the blob workers 0, 1, … of the first slots by itself.
    fn adopt_slots(&self, slots: u16) {
        let mut state = self.state.borrow_mut();
        for slot in 0..slots {
            let (worker, _) = state.slots.worker(slot);
            self.outside.spawn(worker, true);
        }
    }

    fn begin_looking(self: &Rc<Self>) {
        let shell = Rc::clone(self);
        self.state.borrow_mut().look = Some(Interval::new(LOOK_MS, move || shell.look()));
    }

    /// Something happened.
    pub fn happened(self: &Rc<Self>, input: Input) {
        self.turn([input]);
    }

    /// A reason to pause holds from now on, or no longer.
    pub fn condition(self: &Rc<Self>, reason: PauseReason, holds: bool) {
        self.turn([Input::Condition { reason, holds }]);
    }

    /// So many slots are wanted.
    pub fn set_slots(self: &Rc<Self>, slots: u16) {
        self.turn([Input::Person(Person::SetSlots(slots.max(1)))]);
    }

    /// A blob worker has compiled a program.
    pub fn compiled(self: &Rc<Self>, program: u32) {
        let hash = self.state.borrow_mut().programs.compiled(program);
        self.turn(hash.map(|program| Input::ProgramReady { program }));
    }

    /// A blob worker cannot compile a program.
    pub fn refused(self: &Rc<Self>, program: u32, detail: String) {
        let hash = self.state.borrow_mut().programs.refused(program);
        self.turn(hash.map(|program| program_failed(program, detail)));
    }

    /// A blob worker reports.
    pub fn report(self: &Rc<Self>, worker: u32, report: Report) {
        let inputs = self.state.borrow_mut().report(worker, report, &self.outside);
        self.turn(inputs);
    }

    /// A blob worker is through with a batch.
    pub fn batch_ended(&self, worker: u32, batch: u32) {
        let slots = &mut self.state.borrow_mut().slots;
        if let Some(slot) = slots.slot_of(worker) {
            slots.end(slot, batch);
        }
    }

    /// A blob worker's script failed: its shard is blamed only if it fails again elsewhere.
    pub fn slot_died(self: &Rc<Self>, worker: u32, detail: &str) {
        let slot = self.state.borrow().slots.slot_of(worker);
        if let Some(slot) = slot {
            gloo::console::warn!(format!("slot {slot} ended: {detail}"));
            self.turn(self.reset(slot));
        }
    }

    /// The one place where the heart is called.
    fn turn(self: &Rc<Self>, inputs: impl IntoIterator<Item = Input>) {
        let mut state = self.state.borrow_mut();
        let now_ms = whole(now_ms());
        for input in inputs {
            state.worker.handle(now_ms, input);
        }
        while let Some(output) = state.worker.poll_output() {
            self.perform(&mut state, output);
        }
        self.set_timer(&mut state);
    }

    fn set_timer(self: &Rc<Self>, state: &mut State) {
        let next_ms = state.worker.next_timer_ms();
        if state.timer.as_ref().map(|&(at_ms, _)| at_ms) == next_ms {
            return;
        }
        state.timer = next_ms.map(|at_ms| {
            let wait_ms = u32::try_from(at_ms.saturating_sub(whole(now_ms()))).unwrap_or(u32::MAX);
            let shell = Rc::clone(self);
            (
                at_ms,
                Timeout::new(wait_ms.min(i32::MAX.unsigned_abs()), move || shell.rang()),
            )
        });
    }

    fn rang(self: &Rc<Self>) {
        self.state.borrow_mut().timer = None;
        self.turn([Input::TimerRang]);
    }

    fn perform(self: &Rc<Self>, state: &mut State, output: Output) {
        match output {
            Output::Connect => self.connect(state),
            Output::Disconnect { .. } => state.link = None,
            Output::Send(message) => state.send(&encode_from_worker(&message)),
            Output::FetchProgram { program } => self.fetch_program(program),
            Output::ForgetProgram { program } => self.forget_program(state, program),
            Output::FetchInput {
                lease,
                blob,
                offset,
                length,
            } => self.fetch_input(lease, blob, offset, length),
            Output::UploadBlob { lease, shard, bytes } => self.upload(lease, shard, bytes),
            Output::Execute { slot, batch } => self.execute(state, slot, batch),
            Output::StopSlot { slot, .. } => self.stop_slot(state, slot),
            Output::StatusChanged => self.tell_status(state, STATUS_MS_MIN),
            Output::Ended(_) => self.ended(state),
        }
    }

    fn ended(&self, state: &mut State) {
        state.look = None;
        state.timer = None;
        state.stop_look = None;
        self.tell_status(state, 0.0);
        self.outside.ended();
    }

    fn tell_status(&self, state: &mut State, ms_min: f64) {
        let now_ms = now_ms();
        if now_ms - state.status_ms < ms_min {
            return;
        }
        state.status_ms = now_ms;
        let view = state.shown.look(&state.worker.status(), now_ms);
        match serde_json::to_string(&view) {
            Ok(json) => self.outside.status(&json),
            Err(error) => gloo::console::error!(error.to_string()),
        }
    }

    /// A few times a second: the watchdog, slots that are not wanted any more, the status.
    fn look(self: &Rc<Self>) {
        let alarms = {
            let mut state = self.state.borrow_mut();
            self.end_idle_slots(&mut state);
            self.tell_status(&mut state, 0.0);
            state.watch()
        };
        for alarm in alarms {
            self.answer(&alarm);
        }
    }

    fn end_idle_slots(&self, state: &mut State) {
        let wanted = state.worker.status().slots;
        for worker in state.slots.take_idle_beyond(wanted) {
            self.outside.kill(worker);
        }
    }

    fn answer(self: &Rc<Self>, alarm: &Alarm) {
        match *alarm {
            Alarm::Stop(slot) => self.turn(self.reset(slot)),
            Alarm::OutOfTime(slot) => {
                let late = self.state.borrow().out_of_time(slot);
                let reset = self.reset(slot);
                self.turn(late.into_iter().chain(reset));
            }
            Alarm::Doubtful(slot) => {
                let mut state = self.state.borrow_mut();
                let workers = state.slots.replace_carefully(slot);
                self.exchange(workers);
                self.hand_out(&mut state, slot);
            }
        }
    }

    /// Ends a slot's blob worker and puts a fresh one in its place.
    fn reset(&self, slot: u16) -> Option<Input> {
        let workers = self.state.borrow_mut().slots.replace(slot);
        self.exchange(workers);
        workers.map(|_| Input::SlotReset { slot })
    }

    fn exchange(&self, workers: Option<(u32, u32)>) {
        if let Some((old, new)) = workers {
            self.outside.kill(old);
            self.outside.spawn(new, false);
        }
    }

    // ── the connection ──

    fn connect(self: &Rc<Self>, state: &mut State) {
        state.link_number += 1;
        let (shell, number) = (Rc::clone(self), state.link_number);
        let opened = Link::open(&self.options.socket_url(), move |event| {
            shell.heard(number, event)
        });
        match opened {
            Ok(link) => state.link = Some(link),
            // An address that is none: heard like a connection that could not be opened, in a turn of its own.
            Err(reason) => {
                let (shell, number) = (Rc::clone(self), state.link_number);
                Timeout::new(0, move || shell.closed(number, reason)).forget();
            }
        }
    }

    fn heard(self: &Rc<Self>, number: u32, event: LinkEvent) {
        if self.state.borrow().link_number != number {
            return;
        }
        match event {
            LinkEvent::Open => self.turn([Input::Connected]),
            LinkEvent::Frame(bytes) => {
                self.state
                    .borrow_mut()
                    .worker
                    .handle_frame(whole(now_ms()), &bytes);
                self.turn([]);
            }
            LinkEvent::Malformed(reason) => self.turn([Input::FrameMalformed { reason }]),
            LinkEvent::Closed(reason) => self.closed(number, reason),
        }
    }

    fn closed(self: &Rc<Self>, number: u32, reason: String) {
        {
            let mut state = self.state.borrow_mut();
            if state.link_number != number {
                return;
            }
            state.link = None;
            state.shown.connection_errors += 1;
        }
        self.turn([Input::Disconnected { reason }]);
    }

    // ── what is fetched and stored ──

    fn fetch_program(self: &Rc<Self>, program: ProgramHash) {
        let shell = Rc::clone(self);
        spawn_local(async move {
            match fetch::program(&shell.options, program).await {
                Ok(bytes) => shell.distribute(program, bytes),
                Err(error) => shell.turn([program_failed(program, error.to_string())]),
            }
        });
    }

    /// Every slot compiles at once; the first that has done so makes the program ready.
    fn distribute(&self, program: ProgramHash, bytes: Vec<u8>) {
        let mut state = self.state.borrow_mut();
        let number = state.programs.insert(program, bytes);
        let slots: Vec<u16> = state.slots.workers().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.give_program(&mut state, slot, number, MEMORY_MIB_DEFAULT);
        }
    }

    fn give_program(&self, state: &mut State, slot: u16, number: u32, memory_mib: u32) {
        if state.slots.needs_program(slot, number) {
            let (worker, _) = state.slots.worker(slot);
            let bytes = state.programs.bytes(number).unwrap_or_default().to_vec();
            self.outside.program(worker, number, bytes, pages(memory_mib));
        }
    }

    fn forget_program(&self, state: &mut State, program: ProgramHash) {
        if let Some(number) = state.programs.forget(program) {
            for worker in state.slots.forget_program(number) {
                self.outside.forget(worker, number);
            }
        }
    }

    fn fetch_input(self: &Rc<Self>, lease: LeaseId, blob: BlobHash, offset: u64, length: u64) {
        let shell = Rc::clone(self);
        spawn_local(async move {
            let input = match fetch::input(&shell.options, blob, offset, length).await {
                Ok(bytes) => Input::InputFetched {
                    lease,
                    bytes: bytes.into(),
                },
                Err(error) => Input::InputMissing {
                    lease,
                    reason: reason(&error),
                },
            };
            shell.turn([input]);
        });
    }

    fn upload(self: &Rc<Self>, lease: LeaseId, shard: u32, bytes: Bytes) {
        let shell = Rc::clone(self);
        spawn_local(async move {
            let input = match fetch::upload(&shell.options, &bytes).await {
                Ok(blob) => Input::BlobUploaded { lease, shard, blob },
                Err(error) => Input::UploadFailed {
                    lease,
                    shard,
                    reason: reason(&error),
                },
            };
            shell.turn([input]);
        });
    }

    // ── the slots ──

    fn execute(&self, state: &mut State, slot: u16, batch: Batch) {
        let (worker, is_new) = state.slots.worker(slot);
        if is_new {
            self.outside.spawn(worker, false);
        }
        state.slots.begin(slot, batch);
        self.hand_out(state, slot);
    }

    fn hand_out(&self, state: &mut State, slot: u16) {
        let Some((job, number)) = state.slots.handout(slot).and_then(|handout| {
            let job = handout.batch.job.clone();
            Some((job.clone(), state.programs.number(job.program)?))
        }) else {
            return;
        };
        self.give_program(state, slot, number, job.limits.memory_mib);
        state.shown.saw(slot, &job, now_ms());
        let Some(handout) = state.slots.handout(slot) else {
            return;
        };
        let (prefix, inputs, ends) = flatten(handout.shards, 4 + job.params.len());
        let (memory_pages_max, output_bytes_max) = (pages(job.limits.memory_mib), OUTPUT_BYTES_MAX);
        let output_bytes_max = u32::try_from(output_bytes_max).unwrap_or(u32::MAX);
        let (worker, id, careful) = (handout.worker, handout.id, handout.careful);
        let entry = &job.entry;
        let run = |this: &Outside| {
            this.run(
                worker,
                id,
                number,
                entry,
                prefix,
                inputs,
                ends,
                memory_pages_max,
                output_bytes_max,
                careful,
            );
        };
        run(&self.outside);
    }

    fn stop_slot(self: &Rc<Self>, state: &mut State, slot: u16) {
        if state.slots.stop(slot) {
            let shell = Rc::clone(self);
            state.stop_look = Some(Timeout::new(STOP_LOOK_MS, move || shell.look()));
        }
    }
}

impl State {
    /// Writes a frame; where there is no connection any more the heart hears of it by itself.
    fn send(&mut self, frame: &[u8]) {
        if let Some(Err(error)) = self.link.as_ref().map(|link| link.send(frame)) {
            gloo::console::warn!(format!("a message could not be sent: {error}"));
        }
    }

    fn watch(&mut self) -> Vec<Alarm> {
        let now_ms = now_ms();
        let passed_ms = (now_ms - self.looked_ms).min(LOOK_CHARGED_MS_MAX);
        self.looked_ms = now_ms;
        for (slot, batch) in self.slots.running() {
            self.shown.saw(slot, &batch.job, now_ms);
        }
        self.slots.watch(passed_ms)
    }

    fn out_of_time(&self, slot: u16) -> Option<Input> {
        let (batch, shard) = self.slots.current(slot)?;
        let limit_ms = batch.job.limits.shard_time_ms;
        let detail = format!("the shard ran longer than its limit of {limit_ms} ms");
        let failure = Failure {
            cause: Cause::OutOfTime,
            detail,
        };
        let busy_us = u64::from(limit_ms) * 1_000;
        Some(Input::SlotFailed {
            slot,
            lease: batch.lease,
            shard: shard.shard,
            failure,
            busy_us,
        })
    }

    /// Turns a report into what the heart wants to hear, and shows tiles on the way.
    fn report(&mut self, worker: u32, report: Report, outside: &Outside) -> Vec<Input> {
        let Some(slot) = self.slots.slot_of(worker) else {
            return Vec::new();
        };
        let Some((batch, from)) = self
            .slots
            .report(slot, report.batch, report.first, report.shards())
        else {
            return Vec::new();
        };
        let shards = &batch.shards[from..];
        let outputs = cut(&report);
        if batch.job.picture {
            for (shard, output) in shards.iter().zip(&outputs) {
                show_tiles(&mut self.shown, batch, shard, output, outside);
            }
        }
        answers(slot, batch, shards, outputs, report)
    }
}

/// Every shard's answer for the heart; the time is shared out evenly among the finished ones.
fn answers(
    slot: u16,
    batch: &Batch,
    shards: &[ShardInput],
    outputs: Vec<Bytes>,
    report: Report,
) -> Vec<Input> {
    let lease = batch.lease;
    let busy_us = report.busy_us / (outputs.len().max(1) as u64);
    let finished = outputs.len();
    let mut inputs: Vec<Input> = shards
        .iter()
        .zip(outputs)
        .map(|(shard, output)| Input::SlotFinished {
            slot,
            lease,
            shard: shard.shard,
            output,
            busy_us,
        })
        .collect();
    if let (Some((failure, busy_us)), Some(shard)) = (report.failure, shards.get(finished)) {
        let failure = clip(failure);
        inputs.push(Input::SlotFailed {
            slot,
            lease,
            shard: shard.shard,
            failure,
            busy_us,
        });
    }
    inputs
}

/// Takes a report's outputs apart; one whose lengths lie has none of what is missing.
fn cut(report: &Report) -> Vec<Bytes> {
    let data = Bytes::copy_from_slice(&report.data);
    let mut at = 0;
    let ends = report.lengths.iter().map_while(|&length| {
        let from = at;
        at += length as usize;
        (at <= data.len()).then(|| data.slice(from..at))
    });
    ends.collect()
}

fn show_tiles(shown: &mut Shown, batch: &Batch, shard: &ShardInput, output: &Bytes, outside: &Outside) {
    let Some(first) = shown::first_item(&batch.job, &shard.input) else {
        return;
    };
    for (item, tile) in (first..).zip(split_framed(output)) {
        let Ok(tile) = tile else { return };
        if shown.admits_tile(tile.len()) {
            outside.tile(&batch.job.id.to_string(), item as f64, tile.to_vec());
        }
    }
}

/// The inputs of a batch: what all begin with, the rests one behind the other, and where each rest ends.
fn flatten(shards: &[ShardInput], prefix_bytes: usize) -> (Vec<u8>, Vec<u8>, Vec<u32>) {
    let prefix = shards
        .first()
        .and_then(|shard| shard.input.get(..prefix_bytes))
        .unwrap_or_default();
    let is_common = shards.iter().all(|shard| shard.input.starts_with(prefix));
    let prefix = if is_common { prefix } else { &[] };
    let mut inputs = Vec::new();
    let mut ends = Vec::with_capacity(shards.len());
    for shard in shards {
        inputs.extend_from_slice(&shard.input[prefix.len()..]);
        ends.push(u32::try_from(inputs.len()).unwrap_or(u32::MAX));
    }
    (prefix.to_vec(), inputs, ends)
}

fn program_failed(program: ProgramHash, detail: String) -> Input {
    let failure = clip(Failure {
        cause: Cause::Refused,
        detail,
    });
    Input::ProgramFailed { program, failure }
}

fn reason(error: &FetchError) -> String {
    error.to_string()
}

fn clip(mut failure: Failure) -> Failure {
    if failure.detail.len() > DETAIL_BYTES_MAX {
        let end = (0..=DETAIL_BYTES_MAX)
            .rev()
            .find(|&at| failure.detail.is_char_boundary(at))
            .unwrap_or(0);
        failure.detail.truncate(end);
    }
    failure
}

/// Milliseconds of a clock that never goes back.
fn now_ms() -> f64 {
    let scope: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
    scope
        .performance()
        .map_or_else(js_sys::Date::now, |performance| performance.now())
}

#[allow(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "a clock that counts up from 0"
)]
fn whole(ms: f64) -> u64 {
    ms as u64
}
