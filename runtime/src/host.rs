//! The four functions a kernel can call, and what one run knows while they are called.
use crate::alarm;
use crate::clock::Meter;
use crate::command;
use crate::config::{Limits, StopHandle};
use bytes::Bytes;
use kernel_abi::{FAILURE_PREFIX, IMPORT_MODULE};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Caller, Engine, Linker, Memory, ResourceLimiter, UpdateDeadline};

/// The words of a failed item that are kept.
const FAILURE_BYTES_MAX: usize = protocol::limits::DETAIL_BYTES_MAX;

/// One run, as the functions see it.
pub(crate) struct State {
    input: Bytes,
    pub(crate) limits: Limits,
    stop: StopHandle,
    meter: Meter,
    /// Set as soon as the instance exists; nothing of the program runs before.
    pub(crate) memory: Option<Memory>,
    /// What runs, if the program is a command.
    pub(crate) process: Option<wasi::Process>,
    pub(crate) output: Vec<u8>,
    pub(crate) log: Vec<u8>,
    /// The last line of the log, if it says that an item failed.
    pub(crate) failure: Option<Vec<u8>>,
    pub(crate) memory_bytes_peak: usize,
    pub(crate) memory_refused: bool,
    /// Why this side ended the run, if it did.
    pub(crate) ended: Option<Ended>,
    /// Whoever waits for ticks of the run.
    pub(crate) ticked: Option<Ticked>,
}

/// Called at every tick of a run, on the run's own thread.
pub(crate) type Ticked = Arc<dyn Fn() + Send + Sync>;

/// Why the run was ended from outside of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    #[error("stopped")]
    Stopped,
    #[error("out of time")]
    OutOfTime,
    #[error("the output is over its limit")]
    OutputTooLarge,
}

/// What a program asked of a function and cannot have.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Misuse {
    #[error("input_read of {length} bytes at {offset}, but the input has {input}")]
    InputRange { offset: u32, length: u32, input: usize },
    #[error("{function} of {length} bytes at address {pointer}, but the memory has {memory}")]
    MemoryRange {
        function: &'static str,
        pointer: u32,
        length: u32,
        memory: usize,
    },
    #[error("{function} was called without an exported memory")]
    NoMemory { function: &'static str },
}

/// The functions of the kernel ABI, see `kernel_abi` for what each promises; and those of commands.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(IMPORT_MODULE, "input_len", input_len)?;
    linker.func_wrap(IMPORT_MODULE, "input_read", input_read)?;
    linker.func_wrap(IMPORT_MODULE, "output_write", output_write)?;
    linker.func_wrap(IMPORT_MODULE, "log", log)?;
    command::link(&mut linker)?;
    Ok(linker)
}

fn input_len(caller: Caller<'_, State>) -> u32 {
    u32::try_from(caller.data().input.len()).unwrap_or(u32::MAX)
}

fn input_read(mut caller: Caller<'_, State>, pointer: u32, offset: u32, length: u32) -> wasmtime::Result<()> {
    let (memory, state) = split(&mut caller, "input_read")?;
    let (memory_len, input) = (memory.len(), state.input.len());
    let from = range(&state.input, offset, length);
    let from = from.ok_or_else(|| {
        wasmtime::Error::new(Misuse::InputRange {
            offset,
            length,
            input,
        })
    })?;
    let to = memory
        .get_mut(pointer as usize..)
        .and_then(|rest| rest.get_mut(..length as usize));
    let to = to.ok_or_else(|| out_of_memory_range("input_read", pointer, length, memory_len))?;
    to.copy_from_slice(from);
    Ok(())
}

fn output_write(mut caller: Caller<'_, State>, pointer: u32, length: u32) -> wasmtime::Result<()> {
    let (memory, state) = split(&mut caller, "output_write")?;
    let bytes = range(memory, pointer, length);
    let bytes = bytes.ok_or_else(|| out_of_memory_range("output_write", pointer, length, memory.len()))?;
    if state.output.len() + bytes.len() > state.limits.output_bytes {
        return Err(state.end(Ended::OutputTooLarge));
    }
    state.output.extend_from_slice(bytes);
    Ok(())
}

fn log(mut caller: Caller<'_, State>, pointer: u32, length: u32) -> wasmtime::Result<()> {
    let (memory, state) = split(&mut caller, "log")?;
    let bytes = range(memory, pointer, length);
    let bytes = bytes.ok_or_else(|| out_of_memory_range("log", pointer, length, memory.len()))?;
    // A failure counts also when the log is full; a later line takes it back.
    let failure = bytes.strip_prefix(FAILURE_PREFIX.as_bytes());
    state.failure = failure.map(|words| words[..words.len().min(FAILURE_BYTES_MAX)].to_vec());
    let room = state.limits.log_bytes.saturating_sub(state.log.len());
    state.log.extend_from_slice(&bytes[..bytes.len().min(room)]);
    Ok(())
}

pub(crate) fn split<'a>(
    caller: &'a mut Caller<'_, State>,
    function: &'static str,
) -> wasmtime::Result<(&'a mut [u8], &'a mut State)> {
    let memory = caller
        .data()
        .memory
        .ok_or_else(|| wasmtime::Error::new(Misuse::NoMemory { function }))?;
    Ok(memory.data_and_store_mut(caller))
}

fn range(bytes: &[u8], start: u32, length: u32) -> Option<&[u8]> {
    bytes.get(start as usize..)?.get(..length as usize)
}

fn out_of_memory_range(function: &'static str, pointer: u32, length: u32, memory: usize) -> wasmtime::Error {
    wasmtime::Error::new(Misuse::MemoryRange {
        function,
        pointer,
        length,
        memory,
    })
}

impl State {
    pub(crate) fn new(input: Bytes, limits: Limits, stop: StopHandle, meter: Meter) -> Self {
        Self {
            input,
            limits,
            stop,
            meter,
            memory: None,
            process: None,
            output: Vec::new(),
            log: Vec::new(),
            failure: None,
            memory_bytes_peak: 0,
            memory_refused: false,
            ended: None,
            ticked: None,
        }
    }

    /// Called at every tick, on the run's own thread, so its CPU time is the run's.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if let Some(ticked) = &self.ticked {
            ticked();
        }
        match self.must_end() {
            Some(why) => Err(self.end(why)),
            None => {
                alarm::set(self.time_left());
                Ok(UpdateDeadline::Continue(1))
            }
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    /// Whether it was stopped or took too long.
    pub(crate) fn must_end(&self) -> Option<Ended> {
        if self.is_stopped() {
            return Some(Ended::Stopped);
        }
        let over_cpu = self.time_left().is_zero();
        let over_wall = self.meter.wall_us() > self.limits.wall_ms.saturating_mul(1_000);
        (over_cpu || over_wall).then_some(Ended::OutOfTime)
    }

    /// CPU time that is left of its limit.
    fn time_left(&self) -> Duration {
        Duration::from_millis(self.limits.time_ms).saturating_sub(Duration::from_micros(self.meter.cpu_us()))
    }

    fn end(&mut self, why: Ended) -> wasmtime::Error {
        self.ended = Some(why);
        wasmtime::Error::new(why)
    }
}

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = desired <= self.limits.memory_bytes && maximum.is_none_or(|maximum| desired <= maximum);
        if allowed {
            self.memory_bytes_peak = self.memory_bytes_peak.max(desired);
        } else {
            self.memory_refused = true;
        }
        Ok(allowed)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_refused = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }
}
