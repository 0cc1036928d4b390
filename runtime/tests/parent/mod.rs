//! A parent of guest processes that does no more than its tests need: it blocks, and panics where something is wrong.
#![allow(dead_code, reason = "each test takes what it needs")]
use bytes::Bytes;
use protocol::ids::ProgramHash;
use runtime::guest::wire::{self, FromGuest, LENGTH_BYTES, Run, ToGuest};
use runtime::guest::{GuestOptions, GuestProgram};
use runtime::{Code, Codes, Compiler, Limits, RunReport, RuntimeConfig};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::time::Duration;

/// No answer of a guest process takes longer on any machine that can build this.
const ANSWER_MAX: Duration = Duration::from_secs(120);

pub(crate) const IMPORTS: &str = r#"
    (import "elytra" "input_len" (func $input_len (result i32)))
    (import "elytra" "input_read" (func $input_read (param i32 i32 i32)))
    (import "elytra" "output_write" (func $output_write (param i32 i32)))
    (import "elytra" "log" (func $log (param i32 i32)))"#;

/// Limits under which everything ends soon.
pub(crate) const LIMITS: Limits = Limits {
    memory_bytes: 64 << 20,
    time_ms: 2_000,
    wall_ms: 60_000,
    output_bytes: 1 << 20,
    log_bytes: 64,
};

/// The tests' executable; what is no test is its own.
pub(crate) fn program() -> GuestProgram {
    let own = || std::env::current_exe().unwrap();
    GuestProgram {
        program: option_env!("CARGO_BIN_EXE_sandbox-child").map_or_else(own, Into::into),
        required: false,
    }
}

pub(crate) struct Guest {
    pub(crate) child: Child,
    socket: UnixStream,
    pub(crate) missing: Vec<String>,
}

impl Guest {
    pub(crate) fn start(slots: u32) -> Self {
        let options = GuestOptions {
            program: program(),
            slots,
            memory_bytes_max: 256 << 20,
        };
        let (socket, theirs) = UnixStream::pair().unwrap();
        socket.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        let child = options.command(OwnedFd::from(theirs)).spawn().unwrap();
        let mut guest = Self {
            child,
            socket,
            missing: Vec::new(),
        };
        match guest.next() {
            FromGuest::Ready { missing } => guest.missing = missing,
            other => panic!("not ready: {other:?}"),
        }
        guest
    }

    pub(crate) fn send(&mut self, message: &ToGuest) {
        let mut frame = Vec::new();
        wire::encode(message, &mut frame);
        self.socket.write_all(&frame).unwrap();
    }

    pub(crate) fn load(&mut self, program: ProgramHash, code: &Code) {
        let bytes = u32::try_from(code.bytes().len()).unwrap();
        self.send(&ToGuest::Load { program, bytes });
        self.socket.write_all(code.bytes()).unwrap();
    }

    /// Compiles a program, loads it and tells its name.
    pub(crate) fn load_text(&mut self, text: &str) -> ProgramHash {
        let (program, code) = compiled(&wat::parse_str(text).unwrap());
        self.load(program, &code);
        program
    }

    /// Asks for shards with these inputs, numbered from zero.
    pub(crate) fn ask(
        &mut self,
        slot: u16,
        program: ProgramHash,
        entry: &str,
        limits: Limits,
        inputs: Vec<Bytes>,
    ) {
        let shards = (0..).zip(inputs).collect();
        self.send(&ToGuest::Run(Run {
            slot,
            program,
            entry: entry.into(),
            limits,
            carefully: false,
            shards,
        }));
    }

    pub(crate) fn next(&mut self) -> FromGuest {
        self.try_next().expect("a message")
    }

    pub(crate) fn try_next(&mut self) -> std::io::Result<FromGuest> {
        let mut length = [0; LENGTH_BYTES];
        self.socket.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_le_bytes(length) as usize];
        self.socket.read_exact(&mut frame)?;
        Ok(wire::decode(&frame).unwrap())
    }

    /// The next report, of whatever slot.
    pub(crate) fn report(&mut self) -> (u16, RunReport) {
        match self.next() {
            FromGuest::Ended { slot, result, .. } => (slot, result.expect("it ran")),
            other => panic!("not a report: {other:?}"),
        }
    }

    /// Runs one shard of the only slot.
    pub(crate) fn run(&mut self, program: ProgramHash, entry: &str, limits: Limits) -> RunReport {
        self.ask(0, program, entry, limits, vec![Bytes::new()]);
        self.report().1
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A module and its code, without a cache.
pub(crate) fn compiled(module: &[u8]) -> (ProgramHash, Code) {
    let config = RuntimeConfig {
        compiler: Compiler::InProcess,
        ..RuntimeConfig::default()
    };
    let program = ProgramHash::of(module);
    (
        program,
        Codes::new(config).unwrap().prepare(program, module).unwrap(),
    )
}
