//! One process: what it was given, what it wrote, and the calls that concern no file.
use crate::abi::{CLOCK_LAST, CLOCK_REALTIME, Errno};
use crate::descriptors::Descriptors;
use crate::memory::{Fault, GuestMemory, check, write_u32, write_u64};
use crate::params::Params;
use crate::random::Random;
use std::sync::Arc;

/// A program's name among its arguments.
pub const PROGRAM_NAME: &str = "command";
/// What the clock shows when a process begins, in nanoseconds since 1970: 2020-01-01 00:00 UTC.
pub const EPOCH_NS: u64 = 1_577_836_800_000_000_000;
/// How far the clocks move on each time one is read, so that a program that waits in a loop comes to an end.
pub const CLOCK_STEP_NS: u64 = 1_000;
/// The end of standard error that is kept.
pub const STDERR_BYTES_KEPT: usize = 4096;
/// The end of standard error that a failure repeats; a failure's detail has room for it.
pub const STDERR_BYTES_SHOWN: usize = 2048;
/// Random bytes are written in pieces of this size.
const RANDOM_BYTES_A_TURN: usize = 4096;

/// A process from its start to its end. Its instance belongs to the sandbox.
#[derive(Debug)]
pub struct Process {
    pub(crate) params: Arc<Params>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stdout_bytes_max: usize,
    pub(crate) stderr: Tail,
    pub(crate) descriptors: Descriptors,
    clock_ns: u64,
    /// Made when it is first asked for: most programs never do.
    random: Option<Random>,
    ended: Option<Ended>,
}

/// How a process ended by its own doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// `proc_exit` with this code.
    #[error("exit code {0}")]
    Exit(u32),
    /// It wrote more than its limit.
    #[error("the output is over its limit")]
    OutputTooLarge,
}

/// Why a call did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Errno(Errno),
    Ended(Ended),
}

pub(crate) type Answer = Result<(), Stop>;

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Fault> for Stop {
    fn from(_: Fault) -> Self {
        Self::Errno(Errno::Fault)
    }
}

impl Process {
    pub(crate) fn new(params: Arc<Params>, stdin: Vec<u8>, stdout_bytes_max: usize) -> Self {
        Self {
            params,
            stdin,
            stdout: Vec::new(),
            stdout_bytes_max,
            stderr: Tail::default(),
            descriptors: Descriptors::new(),
            clock_ns: 0,
            random: None,
            ended: None,
        }
    }

    /// How it ended, if it said so itself; a process whose entry returns says nothing.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// The end of its standard error, at most [`STDERR_BYTES_KEPT`].
    pub fn stderr(&self) -> &[u8] {
        self.stderr.last(STDERR_BYTES_KEPT)
    }

    /// The end of its standard error as text, at most [`STDERR_BYTES_SHOWN`] of it, for people.
    pub fn stderr_shown(&self) -> String {
        let last = self.stderr.last(STDERR_BYTES_SHOWN);
        let cut = if self.stderr.is_longer_than(STDERR_BYTES_SHOWN) {
            "…"
        } else {
            ""
        };
        format!("{cut}{}", String::from_utf8_lossy(last).trim_end())
    }

    pub(crate) fn still_running(&self) -> Result<(), Ended> {
        self.ended.map_or(Ok(()), Err)
    }

    pub(crate) fn exit(&mut self, code: u32) -> Ended {
        *self.ended.get_or_insert(Ended::Exit(code))
    }

    /// The answer as the guest hears it.
    pub(crate) fn told(&mut self, answer: Answer) -> Result<u32, Ended> {
        match answer {
            Ok(()) => Ok(0),
            Err(Stop::Errno(errno)) => Ok(errno as u32),
            Err(Stop::Ended(ended)) => {
                self.ended = Some(ended);
                Err(ended)
            }
        }
    }

    pub(crate) fn args_sizes_get(&self, memory: &mut dyn GuestMemory, count: u32, length: u32) -> Answer {
        write_sizes(memory, &self.params.args, count, length)
    }

    pub(crate) fn args_get(&self, memory: &mut dyn GuestMemory, pointers: u32, strings: u32) -> Answer {
        write_strings(memory, &self.params.args, pointers, strings)
    }

    pub(crate) fn environ_sizes_get(&self, memory: &mut dyn GuestMemory, count: u32, length: u32) -> Answer {
        write_sizes(memory, &self.params.env, count, length)
    }

    pub(crate) fn environ_get(&self, memory: &mut dyn GuestMemory, pointers: u32, strings: u32) -> Answer {
        write_strings(memory, &self.params.env, pointers, strings)
    }

    pub(crate) fn clock_res_get(&self, memory: &mut dyn GuestMemory, clock: u32, resolution: u32) -> Answer {
        if clock > CLOCK_LAST {
            return Err(Errno::Inval.into());
        }
        Ok(write_u64(memory, resolution, CLOCK_STEP_NS)?)
    }

    pub(crate) fn clock_time_get(
        &mut self,
        memory: &mut dyn GuestMemory,
        clock: u32,
        _precision: u64,
        time: u32,
    ) -> Answer {
        if clock > CLOCK_LAST {
            return Err(Errno::Inval.into());
        }
        self.sleep(CLOCK_STEP_NS);
        Ok(write_u64(memory, time, self.now_ns(clock))?)
    }

    /// What a clock shows.
    pub(crate) fn now_ns(&self, clock: u32) -> u64 {
        let start_ns = if clock == CLOCK_REALTIME { EPOCH_NS } else { 0 };
        start_ns.saturating_add(self.clock_ns)
    }

    /// Moves the clocks on.
    pub(crate) fn sleep(&mut self, ns: u64) {
        self.clock_ns = self.clock_ns.saturating_add(ns);
    }

    pub(crate) fn sched_yield(&self, _memory: &mut dyn GuestMemory) -> Answer {
        Ok(())
    }

    pub(crate) fn random_get(&mut self, memory: &mut dyn GuestMemory, buffer: u32, length: u32) -> Answer {
        check(memory, buffer, length)?;
        let (seed, stdin) = (self.params.seed, &self.stdin);
        let random = self.random.get_or_insert_with(|| Random::new(seed, stdin));
        let mut piece = [0; RANDOM_BYTES_A_TURN];
        for start in (0..length).step_by(RANDOM_BYTES_A_TURN) {
            let bytes = RANDOM_BYTES_A_TURN.min((length - start) as usize);
            random.fill(&mut piece[..bytes]);
            memory.write(buffer + start, &piece[..bytes])?;
        }
        Ok(())
    }
}

fn write_sizes(memory: &mut dyn GuestMemory, strings: &[Vec<u8>], count: u32, length: u32) -> Answer {
    let bytes: usize = strings.iter().map(Vec::len).sum();
    write_u32(memory, count, clamped(strings.len()))?;
    Ok(write_u32(memory, length, clamped(bytes))?)
}

/// Writes the strings one behind the other, and the address of each.
fn write_strings(memory: &mut dyn GuestMemory, strings: &[Vec<u8>], pointers: u32, at: u32) -> Answer {
    let joined = strings.concat();
    check(memory, at, clamped(joined.len()))?;
    let mut address = at;
    let mut addresses = Vec::with_capacity(strings.len() * 4);
    for string in strings {
        addresses.extend_from_slice(&address.to_le_bytes());
        address = address.wrapping_add(clamped(string.len()));
    }
    memory.write(pointers, &addresses)?;
    Ok(memory.write(at, &joined)?)
}

/// A length for the guest. Parameters and files are far shorter than 4 GiB.
pub(crate) fn clamped(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The end of a stream.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// At most twice what is kept, so that moving it costs little a byte.
    bytes: Vec<u8>,
    forgotten: bool,
}

impl Tail {
    /// Notes that bytes went by unseen.
    pub(crate) fn skip(&mut self) {
        self.forgotten = true;
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * STDERR_BYTES_KEPT {
            self.bytes.drain(..self.bytes.len() - STDERR_BYTES_KEPT);
            self.forgotten = true;
        }
    }

    fn last(&self, bytes: usize) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(bytes)..]
    }

    fn is_longer_than(&self, bytes: usize) -> bool {
        self.forgotten || self.bytes.len() > bytes
    }
}
