//! The native sandbox: Wasmtime with limits and a cache of compiled code.
//!
//! A [`Runtime`] is made once in a process. [`Runtime::prepare`] turns an admitted program's bytes
//! into a [`Prepared`], out of memory, out of the cache on disk, or by compiling. [`Prepared::run`]
//! runs one shard on a fresh instance on the calling thread (a WASI command's on one for every
//! process) and tells in its [`RunReport`] how it ended and what it took. Everything blocks; nothing here knows
//! the network or the scheduler.
//!
//! Round it stands a second wall: [`guest`] is a process in which a `Runtime` runs programs for another process
//! and can do nothing else. That other process has [`Codes`] instead of a `Runtime`.

mod ahead;
mod alarm;
mod cache;
mod clock;
mod codes;
mod command;
mod compile;
mod config;
mod engine;
pub mod guest;
mod host;
mod programs;
mod report;
mod run;
mod slots;

pub use cache::{CacheError, Code};
pub use codes::Codes;
pub use compile::{COMPILE_ARGUMENT, CompileError};
pub use config::{CompileLimits, Compiler, Limits, RuntimeConfig, StopHandle};
pub use report::{RunOutcome, RunReport};
pub use run::Prepared;

use clock::Ticker;
use host::State;
use programs::Programs;
use protocol::ids::ProgramHash;
use slots::Slots;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::{Engine, Linker, Module};

/// Why a runtime could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engine refuses the settings, or the machine lacks what they ask for.
    #[error(
        "the sandbox cannot be set up with {slots} slots of {memory_bytes} bytes: {message}; ask for fewer slots or \
         less memory"
    )]
    Engine {
        /// Slots asked for.
        slots: u32,
        /// Memory asked for, each.
        memory_bytes: usize,
        /// What the engine says.
        message: String,
    },
    /// The cache's folder cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// No thread for the ticks.
    #[error("the sandbox cannot start its clock: {0}")]
    Clock(std::io::Error),
}

impl RuntimeError {
    fn unfit(config: &RuntimeConfig, error: &wasmtime::Error) -> Self {
        Self::Engine {
            slots: config.slots,
            memory_bytes: config.memory_bytes_max,
            message: format!("{error:#}"),
        }
    }
}

/// Why a program could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The bytes are not the program's.
    #[error("the bytes are not those of program {0}: they were damaged on their way; fetch them again")]
    WrongBytes(ProgramHash),
    /// It could not be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Its code does not fit this sandbox.
    #[error("the program does not fit the sandbox: {0}")]
    Unfit(String),
}

/// Does what this process was started for, and ends, if it is a child that compiles or runs programs. The first
/// thing in `main` of every executable that starts such children of itself:
/// ```ignore
/// if let Some(code) = runtime::child() {
///     return code;
/// }
/// ```
/// `None` when this process is no such child.
pub fn child() -> Option<ExitCode> {
    compile::compile_child().or_else(guest::serve)
}

/// This executable, for children of it. Where the system has such a name, it is the one that runs also after its
/// file was replaced: another version speaks otherwise.
pub fn own_executable() -> io::Result<PathBuf> {
    let same = Path::new("/proc/self/exe");
    match same.exists() {
        true => Ok(same.to_owned()),
        false => std::env::current_exe(),
    }
}

/// What all runs share.
pub(crate) struct Shared {
    engine: Engine,
    ticker: Ticker,
    slots: Slots,
}

/// The sandbox of one process. Share it by reference or in an `Arc`.
pub struct Runtime {
    programs: Programs<Prepared>,
    loader: Arc<Loader>,
}

/// Makes of code what can run.
struct Loader {
    shared: Arc<Shared>,
    linker: Linker<State>,
}

impl Runtime {
    /// Sets up the sandbox: reserves address space for all slots and opens the cache.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let unfit = |error: wasmtime::Error| RuntimeError::unfit(&config, &error);
        let engine = engine::for_running(&config).map_err(unfit)?;
        let linker = host::linker(&engine).map_err(unfit)?;
        let ticker = Ticker::start(engine.clone()).map_err(RuntimeError::Clock)?;
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            ticker,
            slots: Slots::new(config.slots),
        });
        let loader = Arc::new(Loader { shared, linker });
        let load = Arc::clone(&loader);
        let programs = Programs::new(config, engine, Box::new(move |code| load.load(&code)))?;
        Ok(Self { programs, loader })
    }

    /// A program ready to run, if it was prepared and is still kept.
    pub fn ready(&self, program: ProgramHash) -> Option<Prepared> {
        self.programs.ready(program)
    }

    /// Makes a program ready: from memory, from the cache on disk, or by compiling its admitted bytes.
    pub fn prepare(&self, program: ProgramHash, module: &[u8]) -> Result<Prepared, PrepareError> {
        self.programs.prepare(program, module)
    }

    /// Makes a program ready without its bytes, if its compiled code is in the cache.
    pub fn prepare_cached(&self, program: ProgramHash) -> Option<Prepared> {
        self.programs.prepare_cached(program)
    }

    /// Compiles a program for which nobody waits yet, if that can be done in a child of low priority. Whoever
    /// prepares the same program meanwhile gets what is there first; other programs are compiled beside it.
    pub fn prepare_ahead(&self, program: ProgramHash, module: &[u8]) -> Result<(), PrepareError> {
        self.programs.prepare_ahead(program, module)
    }

    /// Ends what is compiled ahead, now and later: the process ends.
    pub fn stop_preparing_ahead(&self) {
        self.programs.stop_preparing_ahead();
    }

    /// Makes code ready that another process has checked.
    pub(crate) fn load(&self, code: &Code) -> Result<Prepared, PrepareError> {
        self.loader.load(code)
    }
}

impl Loader {
    fn load(&self, code: &Code) -> Result<Prepared, PrepareError> {
        let unfit = |error: wasmtime::Error| PrepareError::Unfit(format!("{error:#}"));
        // SAFETY: `deserialize` asks that the bytes come from `Engine::precompile_module` unchanged.
        // A `Code` is made in three places only: from the compiler's result on this machine (in this
        // process, or in a child of the same executable over a pipe of our own); by
        // `Cache::authentic`, which checked an HMAC over exactly these bytes with a key that only
        // this user can read and that signs only the first kind; and in a guest process, from what
        // its parent, which has a `Code` of one of these kinds, sent over a socket that nobody else
        // holds. The bytes are in our memory since then, so nobody can change them in between.
        // Settings of another engine, which the type cannot show, make `deserialize` return an error.
        let module = unsafe { Module::deserialize(&self.shared.engine, code.bytes()) }.map_err(unfit)?;
        let instance = self.linker.instantiate_pre(&module).map_err(unfit)?;
        Ok(Prepared::new(Arc::clone(&self.shared), instance))
    }
}

/// A panic while one of these locks is held leaves no half-done change behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
