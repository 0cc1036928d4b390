//! Commands: WASI programs whose functions come from the crate `wasi`. A shard is one process, or one for each
//! item; every process is a fresh instance, and the limits are those of the whole shard.
use crate::clock::Meter;
use crate::config::{Limits, StopHandle};
use crate::host::{self, Ended, State, Ticked};
use crate::report::{RunOutcome, RunReport};
use crate::run::{self, Prepared};
use bytes::Bytes;
use wasi::{Failed, Process, Shard, SliceMemory, calls};
use wasmtime::{Caller, Linker, Module};

const _: () = assert!(wasi::ITEMS_MAX == protocol::limits::GRAIN_MAX);

/// Random bytes that are made at a time: a multiple of 8, so that they are those of one request.
const RANDOM_BYTES_MAX: u32 = 1 << 20;

/// Thrown through a command that ended its process.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct ProcessEnded(wasi::Ended);

#[derive(Debug, thiserror::Error)]
#[error("{0} was called before there was a process")]
struct NoProcess(&'static str);

macro_rules! link_all {
    ($($name:ident($($arg:ident: $ty:ty),* $(,)?) $(= $errno:ident)?;)*) => {
        fn link_calls(linker: &mut Linker<State>) -> wasmtime::Result<()> {
            $(linker.func_wrap(
                wasi::IMPORT_MODULE,
                stringify!($name),
                |mut caller: Caller<'_, State>, $($arg: $ty),*| -> wasmtime::Result<u32> {
                    let (memory, process) = split(&mut caller, stringify!($name))?;
                    let answer = calls::$name(process, &mut SliceMemory(memory), $($arg),*);
                    answer.map_err(|ended| wasmtime::Error::new(ProcessEnded(ended)))
                },
            )?;)*
            Ok(())
        }
    };
}

wasi::each_function!(link_all);

/// Offers the functions to modules that import them.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_calls(linker)?;
    linker.func_wrap(wasi::IMPORT_MODULE, "proc_exit", proc_exit)?;
    // The one function whose work has no bound but the memory; the others move no more than input and output have.
    linker.allow_shadowing(true);
    linker.func_wrap(wasi::IMPORT_MODULE, "random_get", random_get)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The same bytes in pieces; between them it is seen whether the run's time is over.
fn random_get(mut caller: Caller<'_, State>, buffer: u32, length: u32) -> wasmtime::Result<u32> {
    let (memory, _) = split(&mut caller, "random_get")?;
    let is_there = u64::from(buffer) + u64::from(length) <= memory.len() as u64;
    let piece_max = if is_there { RANDOM_BYTES_MAX } else { u32::MAX };
    let mut done = 0;
    loop {
        let piece = piece_max.min(length - done);
        let (memory, process) = split(&mut caller, "random_get")?;
        let answer = calls::random_get(process, &mut SliceMemory(memory), buffer + done, piece);
        let errno = answer.map_err(|ended| wasmtime::Error::new(ProcessEnded(ended)))?;
        done += piece;
        if errno != 0 || done == length {
            return Ok(errno);
        }
        let _ = caller.data_mut().tick()?;
    }
}

fn proc_exit(mut caller: Caller<'_, State>, code: u32) -> wasmtime::Result<()> {
    let (_, process) = split(&mut caller, "proc_exit")?;
    Err(wasmtime::Error::new(ProcessEnded(calls::proc_exit(
        process, code,
    ))))
}

fn split<'a>(
    caller: &'a mut Caller<'_, State>,
    function: &'static str,
) -> wasmtime::Result<(&'a mut [u8], &'a mut Process)> {
    let (memory, state) = host::split(caller, function)?;
    let process = state.process.as_mut();
    let process = process.ok_or_else(|| wasmtime::Error::new(NoProcess(function)))?;
    Ok((memory, process))
}

/// Whether a module is a command rather than a kernel.
pub(crate) fn is_command(module: &Module) -> bool {
    let imports_wasi = module
        .imports()
        .any(|import| import.module() == wasi::IMPORT_MODULE);
    imports_wasi || (module.get_export(wasi::START).is_some() && module.imports().len() == 0)
}

/// What the processes of a shard took together.
struct Totals {
    log: Vec<u8>,
    log_bytes_max: usize,
    memory_bytes_peak: usize,
    meter: Meter,
}

/// Runs the processes of a shard one after the other. The caller holds a slot and the ticks.
pub(crate) fn run(
    program: &Prepared,
    entry: &str,
    input: &Bytes,
    limits: &Limits,
    stop: &StopHandle,
    ticked: Option<&Ticked>,
) -> RunReport {
    let mut totals = Totals {
        log: Vec::new(),
        log_bytes_max: limits.log_bytes,
        memory_bytes_peak: 0,
        meter: Meter::start(),
    };
    if entry != wasi::ENTRY {
        return totals.report(run::no_entry(entry));
    }
    let mut shard = match Shard::new(input, limits.output_bytes) {
        Ok(shard) => shard,
        Err(error) => return totals.report(failed(None, error.to_string())),
    };
    while let Some(process) = shard.next_process() {
        let mut state = State::new(Bytes::new(), *limits, stop.clone(), totals.meter);
        state.process = Some(process);
        state.ticked = ticked.cloned();
        let (state, result) = program.execute(state, wasi::START);
        if let Err(outcome) = totals.settle(&mut shard, state, result) {
            return totals.report(outcome);
        }
    }
    totals.report(RunOutcome::Finished(shard.into_output()))
}

impl Totals {
    /// Takes a process that is over into the shard; an error is the end of the shard.
    fn settle(
        &mut self,
        shard: &mut Shard,
        mut state: State,
        result: wasmtime::Result<()>,
    ) -> Result<(), RunOutcome> {
        self.memory_bytes_peak = self.memory_bytes_peak.max(state.memory_bytes_peak);
        // It was put there before the instance was made, and nobody takes it out.
        let Some(process) = state.process.take() else {
            return Err(failed(shard.item(), "the process was lost".to_owned()));
        };
        self.note(process.stderr());
        // A process that is shorter than a tick has not been looked at yet.
        if let Some(why) = state.ended.or_else(|| state.must_end()) {
            return Err(why.into());
        }
        match result {
            Err(error) if process.ended().is_none() => Err(trapped(shard.item(), &state, &error)),
            _ => shard.finished(process).map_err(RunOutcome::from),
        }
    }

    /// The log is the end of what all of them wrote: the last words are the ones that explain.
    fn note(&mut self, stderr: &[u8]) {
        self.log.extend_from_slice(stderr);
        // Not at every process: a shard can have a million.
        if self.log.len() > 2 * self.log_bytes_max {
            self.cut_log();
        }
    }

    fn cut_log(&mut self) {
        let over = self.log.len().saturating_sub(self.log_bytes_max);
        self.log.drain(..over);
    }

    fn report(mut self, outcome: RunOutcome) -> RunReport {
        self.cut_log();
        RunReport {
            outcome,
            cpu_us: self.meter.cpu_us(),
            wall_us: self.meter.wall_us(),
            log: self.log,
            memory_bytes_peak: self.memory_bytes_peak,
        }
    }
}

impl From<Ended> for RunOutcome {
    fn from(why: Ended) -> Self {
        match why {
            Ended::Stopped => Self::Stopped,
            Ended::OutOfTime => Self::OutOfTime,
            Ended::OutputTooLarge => Self::OutputTooLarge,
        }
    }
}

impl From<Failed> for RunOutcome {
    fn from(why: Failed) -> Self {
        match why {
            Failed::OutputTooLarge => Self::OutputTooLarge,
            Failed::Exit { item, .. } => failed(item, why.to_string()),
        }
    }
}

fn failed(item: Option<u64>, message: String) -> RunOutcome {
    RunOutcome::Failed { item, message }
}

/// A trap. What the process said before it is in the log: languages write why they panic to standard error.
fn trapped(item: Option<u64>, state: &State, error: &wasmtime::Error) -> RunOutcome {
    match (run::trapped(error), item) {
        _ if state.memory_refused => RunOutcome::OutOfMemory,
        (RunOutcome::Trapped { message, backtrace }, Some(item)) => RunOutcome::Trapped {
            message: format!("item {item}: {message}"),
            backtrace,
        },
        (outcome, _) => outcome,
    }
}
