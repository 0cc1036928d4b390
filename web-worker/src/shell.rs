//! One turn of the worker: hand in what happened, perform every output, set the timer. Everything that comes from
//! outside (socket, slots, page, timers, fetches) ends up in [`Shell::turn`]; nothing in here waits.
mod remote;
mod work;

use crate::hub::{Outside, Report};
use crate::link::Link;
use crate::options::{Options, OptionsError};
use crate::programs::Programs;
use crate::shown::Shown;
use crate::slots::Slots;
use gloo::timers::callback::{Interval, Timeout};
use protocol::frame::encode_from_worker;
use protocol::wire::{FromWorker, PauseReason};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast as _;
use worker::{Input, Output, Person, Worker};

/// How often the watchdog looks and the status goes to the page.
const LOOK_MS: u32 = 200;
/// Soonest a changed activity goes to the page after the last status.
const STATUS_MS_MIN: f64 = 40.0;
/// A longer gap between two looks is not the programs' fault.
const LOOK_CHARGED_MS_MAX: f64 = 3.0 * LOOK_MS as f64;

/// The shell round the heart.
pub struct Shell {
    options: Options,
    outside: Outside,
    state: RefCell<State>,
}

struct State {
    worker: Worker,
    link: Option<Link>,
    /// For the hello of the connection: a token stays with the requests.
    ticket: Option<String>,
    /// Counts connections: what an older one still says is not heard.
    link_number: u32,
    slots: Slots,
    programs: Programs,
    shown: Shown,
    /// Rings at the heart's next time.
    timer: Option<(u64, Timeout)>,
    look: Option<Interval>,
    /// A look before the next one's time.
    soon: Option<Timeout>,
    /// Until when what runs is charged.
    passed_ms: f64,
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
            ticket: None,
            link_number: 0,
            slots: Slots::default(),
            programs: Programs::default(),
            shown: Shown::new(js_sys::Date::now()),
            timer: None,
            look: None,
            soon: None,
            passed_ms: now_ms,
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
        self.turn(hash.map(|program| remote::program_failed(program, detail)));
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

    /// A blob worker's script failed: its shard is blamed only if it fails again elsewhere. Until the slot has its
    /// next worker the heart takes it for busy.
    pub fn slot_died(self: &Rc<Self>, worker: u32, detail: &str) {
        let slot = self.state.borrow().slots.slot_of(worker);
        let Some(slot) = slot else { return };
        gloo::console::warn!(format!("slot {slot} ended: {detail}"));
        let wait_ms = self.state.borrow_mut().slots.died(slot, now_ms());
        if wait_ms == 0 {
            return self.turn(self.reset(slot));
        }
        let workers = self.state.borrow_mut().slots.replace(slot);
        let Some((old, new)) = workers else { return };
        self.outside.kill(old);
        let shell = Rc::clone(self);
        Timeout::new(wait_ms, move || shell.respawn(slot, new)).forget();
    }

    fn respawn(self: &Rc<Self>, slot: u16, worker: u32) {
        // Fewer slots may be wanted by now.
        if self.state.borrow().slots.slot_of(worker) == Some(slot) {
            self.outside.spawn(worker, false);
        }
        self.turn([Input::SlotReset { slot }]);
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
            Output::Disconnect { .. } => state.hang_up(),
            Output::Send(mut message) => {
                if let FromWorker::Hello(hello) = &mut message {
                    hello.token = state.ticket.take();
                }
                state.send(&encode_from_worker(&message));
            }
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
        state.soon = None;
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
        self.look_in_time(&mut self.state.borrow_mut());
    }
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
