//! The functions of `wasi` as a module of their own, for a tab: it stands beside a command's instance in the
//! slot, and the command's imports are its exports. `ts/slot/commands.ts` is the other side of everything here.
//!
//! One shard at a time: [`input`] makes room for its input, [`begin`] reads it, [`next`] starts a process, the
//! command runs and calls the functions, [`finish`] takes the process back; then the next one. What is told in
//! words or bytes lies at [`told_address`].
//!
//! It reaches two memories: its own, and the command's through three imports of the slot.
#![cfg(target_arch = "wasm32")]

mod exports;

use std::cell::RefCell;
use wasi::{Failed, Fault, GuestMemory, Process, Shard};

#[link(wasm_import_module = "guest")]
unsafe extern "C" {
    /// Length of the command's memory in bytes, as a float: it can be 2^32.
    safe fn memory_bytes() -> f64;
    /// Copies from the command's memory into this one; whether the range was inside.
    fn memory_read(address: u32, into: *mut u8, length: usize) -> u32;
    /// Copies from this memory into the command's; whether the range was inside.
    fn memory_write(address: u32, from: *const u8, length: usize) -> u32;
}

/// The command's memory.
struct Guest;

impl GuestMemory for Guest {
    fn len(&mut self) -> u64 {
        // Whole numbers up to 2^32 are exact.
        memory_bytes() as u64
    }

    fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), Fault> {
        // SAFETY: pointer and length are those of a live, exclusive slice; the slot writes that many bytes
        // there or none.
        let inside = unsafe { memory_read(address, into.as_mut_ptr(), into.len()) };
        if inside == 1 { Ok(()) } else { Err(Fault) }
    }

    fn write(&mut self, address: u32, from: &[u8]) -> Result<(), Fault> {
        // SAFETY: pointer and length are those of a live slice, which the slot only reads.
        let inside = unsafe { memory_write(address, from.as_ptr(), from.len()) };
        if inside == 1 { Ok(()) } else { Err(Fault) }
    }
}

/// What one shard is made of.
#[derive(Default)]
struct State {
    input: Vec<u8>,
    shard: Option<Shard>,
    process: Option<Process>,
    /// The bytes that the last answer speaks of.
    told: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = const { RefCell::new(State {
        input: Vec::new(),
        shard: None,
        process: None,
        told: Vec::new(),
    }) };
}

/// How the steps of a shard answer.
#[repr(u32)]
enum Step {
    /// A process is to be run, or the process is over and the next step can be taken.
    Go = 0,
    /// All processes are over: the shard's output was told.
    Done = 1,
    /// The input is none for a command: the reason was told.
    Refused = 2,
    /// A process failed: its message was told.
    Failed = 3,
    /// The output is over its limit.
    OutputTooLarge = 4,
}

/// Forgets the last shard and makes room for the input of the next; where it goes.
#[unsafe(no_mangle)]
extern "C" fn input(length: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        *state = State::default();
        state.input = vec![0; length];
        state.input.as_mut_ptr()
    })
}

/// Reads the input.
#[unsafe(no_mangle)]
extern "C" fn begin(output_bytes_max: usize) -> Step {
    STATE.with_borrow_mut(|state| {
        let input = std::mem::take(&mut state.input);
        match Shard::new(&input, output_bytes_max) {
            Ok(shard) => {
                state.shard = Some(shard);
                Step::Go
            }
            Err(error) => state.tell(error.to_string().into_bytes(), Step::Refused),
        }
    })
}

/// Starts the next process, or tells the output.
#[unsafe(no_mangle)]
extern "C" fn next() -> Step {
    STATE.with_borrow_mut(|state| {
        state.process = state.shard.as_mut().and_then(Shard::next_process);
        if state.process.is_some() {
            return Step::Go;
        }
        let output = state.shard.take().map(Shard::into_output).unwrap_or_default();
        state.tell(output, Step::Done)
    })
}

/// Takes back the process, which ended by itself.
#[unsafe(no_mangle)]
extern "C" fn finish() -> Step {
    STATE.with_borrow_mut(|state| {
        let (Some(shard), Some(process)) = (&mut state.shard, state.process.take()) else {
            return Step::Go;
        };
        match shard.finished(process) {
            Ok(()) => Step::Go,
            Err(Failed::OutputTooLarge) => Step::OutputTooLarge,
            Err(failed @ Failed::Exit { .. }) => state.tell(failed.to_string().into_bytes(), Step::Failed),
        }
    })
}

/// Tells the end of the process's standard error, of a process that trapped; its length.
#[unsafe(no_mangle)]
extern "C" fn stderr() -> usize {
    STATE.with_borrow_mut(|state| {
        state.told = state
            .process
            .as_ref()
            .map(Process::stderr_shown)
            .unwrap_or_default()
            .into_bytes();
        state.told.len()
    })
}

/// The item whose process runs or ran last; -1 when all items went to one process.
#[unsafe(no_mangle)]
extern "C" fn item() -> i32 {
    STATE.with_borrow(|state| {
        let item = state.shard.as_ref().and_then(Shard::item);
        item.and_then(|item| i32::try_from(item).ok()).unwrap_or(-1)
    })
}

/// Where the told bytes lie.
#[unsafe(no_mangle)]
extern "C" fn told_address() -> *const u8 {
    STATE.with_borrow(|state| state.told.as_ptr())
}

/// How many they are.
#[unsafe(no_mangle)]
extern "C" fn told_length() -> usize {
    STATE.with_borrow(|state| state.told.len())
}

impl State {
    fn tell(&mut self, bytes: Vec<u8>, step: Step) -> Step {
        self.told = bytes;
        step
    }
}
