//! One run: a new store, a fresh instance, the entry, and the true cause of how it ended.
use crate::Shared;
use crate::alarm::{self, Alarm};
use crate::clock::Meter;
use crate::command;
use crate::config::{Limits, StopHandle};
use crate::host::{Ended, State, Ticked};
use crate::report::{RunOutcome, RunReport};
use bytes::Bytes;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{InstancePre, Store, Trap, WasmBacktrace};

/// Characters of a function's name in a backtrace.
const NAME_CHARS_MAX: usize = 160;

/// A program ready to run, any number of times and from any thread.
#[derive(Clone)]
pub struct Prepared {
    shared: Arc<Shared>,
    instance: Arc<InstancePre<State>>,
    is_command: bool,
}

impl Prepared {
    pub(crate) fn new(shared: Arc<Shared>, instance: InstancePre<State>) -> Self {
        Self {
            shared,
            is_command: command::is_command(instance.module()),
            instance: Arc::new(instance),
        }
    }

    /// Runs one entry, on the calling thread: on a fresh instance, or for a command on one for every process.
    /// Waits for a slot when all are taken.
    ///
    /// The thread needs a stack of at least 1 MiB.
    pub fn run(&self, entry: &str, input: Bytes, limits: &Limits, stop: &StopHandle) -> RunReport {
        self.run_ticked(entry, input, limits, stop, None)
    }

    /// The same, and tells somebody of every tick.
    pub(crate) fn run_ticked(
        &self,
        entry: &str,
        input: Bytes,
        limits: &Limits,
        stop: &StopHandle,
        ticked: Option<Ticked>,
    ) -> RunReport {
        let _slot = self.shared.slots.take();
        let _running = self.shared.ticker.run();
        let _alarm = Alarm::of(&self.shared.engine);
        let time = Duration::from_millis(limits.time_ms);
        if time < alarm::EARLY {
            alarm::set(time);
        }
        if self.is_command {
            return command::run(self, entry, &input, limits, stop, ticked.as_ref());
        }
        let meter = Meter::start();
        let mut state = State::new(input, *limits, stop.clone(), meter);
        state.ticked = ticked;
        let (state, result) = self.execute(state, entry);
        report(state, result, meter)
    }

    /// One instance from its making to its end.
    pub(crate) fn execute(&self, state: State, entry: &str) -> (State, wasmtime::Result<()>) {
        let mut store = Store::new(&self.shared.engine, state);
        let result = if store.data().is_stopped() {
            store.data_mut().ended = Some(Ended::Stopped);
            Ok(())
        } else {
            self.call(&mut store, entry)
        };
        (store.into_data(), result)
    }

    fn call(&self, store: &mut Store<State>, entry: &str) -> wasmtime::Result<()> {
        store.limiter(|state| state);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| context.data_mut().tick());
        let instance = self.instance.instantiate(&mut *store)?;
        store.data_mut().memory = instance.get_memory(&mut *store, "memory");
        match instance.get_typed_func::<(), ()>(&mut *store, entry) {
            Ok(function) => function.call(&mut *store, ()),
            Err(_) => Err(wasmtime::Error::new(NoEntry(entry.to_owned()))),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the program has no entry '{0}'")]
struct NoEntry(String);

/// What is asked for is not there.
pub(crate) fn no_entry(entry: &str) -> RunOutcome {
    RunOutcome::Failed {
        item: None,
        message: NoEntry(entry.to_owned()).to_string(),
    }
}

fn report(mut state: State, result: wasmtime::Result<()>, meter: Meter) -> RunReport {
    let (cpu_us, wall_us) = (meter.cpu_us(), meter.wall_us());
    let outcome = outcome(&mut state, result);
    RunReport {
        outcome,
        log: state.log,
        cpu_us,
        wall_us,
        memory_bytes_peak: state.memory_bytes_peak,
    }
}

/// The order is the order of certainty: what this side did, what the program said, what it must have
/// been, what it was.
fn outcome(state: &mut State, result: wasmtime::Result<()>) -> RunOutcome {
    match (state.ended, result) {
        (Some(why), _) => why.into(),
        (None, Ok(())) => RunOutcome::Finished(std::mem::take(&mut state.output)),
        (None, Err(error)) if error.is::<NoEntry>() => RunOutcome::Failed {
            item: None,
            message: error.to_string(),
        },
        (None, Err(error)) => match &state.failure {
            Some(words) => failed(words),
            None if state.memory_refused => RunOutcome::OutOfMemory,
            None => trapped(&error),
        },
    }
}

/// `words` are what follows [`kernel_abi::FAILURE_PREFIX`]: `index: cause`.
fn failed(words: &[u8]) -> RunOutcome {
    let words = String::from_utf8_lossy(words);
    let (item, message) = match words.split_once(':') {
        Some((index, cause)) => match index.trim().parse() {
            Ok(index) => (Some(index), cause),
            Err(_) => (None, words.as_ref()),
        },
        None => (None, words.as_ref()),
    };
    RunOutcome::Failed {
        item,
        message: message.trim().to_owned(),
    }
}

pub(crate) fn trapped(error: &wasmtime::Error) -> RunOutcome {
    let message = match error.downcast_ref::<Trap>() {
        Some(_) if too_deep(error) => "recursion without end, or deeper than the stack allows".to_owned(),
        Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
        None => error.root_cause().to_string(),
    };
    let backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .map(backtrace)
        .unwrap_or_default();
    RunOutcome::Trapped { message, backtrace }
}

/// Whether the trap is that of the function that admission has called when the stack is used up.
fn too_deep(error: &wasmtime::Error) -> bool {
    let trace = error.downcast_ref::<WasmBacktrace>();
    let top = trace.and_then(|trace| trace.frames().first());
    top.and_then(|frame| frame.func_name()) == Some(kernel_abi::DEPTH_EXCEEDED)
}

fn backtrace(trace: &WasmBacktrace) -> String {
    let mut text = String::new();
    for frame in trace.frames() {
        let name = match frame.func_name() {
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("function {}", frame.func_index()),
        };
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        // Writing to a string cannot fail.
        let _ = match frame.module_offset() {
            Some(offset) => writeln!(text, "{name} (at byte {offset:#x})"),
            None => writeln!(text, "{name}"),
        };
    }
    text
}
