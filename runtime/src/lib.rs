//! The native sandbox: Wasmtime with limits and a cache of compiled code.
//!
//! A [`Runtime`] is made once in a process. [`Runtime::prepare`] turns an admitted program's bytes
//! into a [`Prepared`], out of memory, out of the cache on disk, or by compiling. [`Prepared::run`]
//! runs one shard on a fresh instance on the calling thread (a WASI command's on one for every
//! process) and tells in its [`RunReport`] how it ended and what it took. Everything blocks; nothing here knows the network or the scheduler.

mod ahead;
mod cache;
mod clock;
mod command;
mod compile;
mod config;
mod engine;
mod host;
mod report;
mod run;
mod slots;

pub use cache::CacheError;
pub use compile::{COMPILE_ARGUMENT, CompileError, compile_child};
pub use config::{CompileLimits, Compiler, Limits, RuntimeConfig, StopHandle};
pub use report::{RunOutcome, RunReport};
pub use run::Prepared;

use ahead::Ahead;
use cache::{Cache, Code};
use clock::Ticker;
use compile::Haste;
use host::State;
use protocol::ids::ProgramHash;
use slots::Slots;
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

/// What all runs share.
pub(crate) struct Shared {
    engine: Engine,
    ticker: Ticker,
    slots: Slots,
}

/// The sandbox of one process. Share it by reference or in an `Arc`.
pub struct Runtime {
    shared: Arc<Shared>,
    linker: Linker<State>,
    cache: Option<Cache>,
    config: RuntimeConfig,
    /// The last used program comes last.
    ready: Mutex<Vec<(ProgramHash, Prepared)>>,
    /// One compilation at a time: two of the same program would be wasted, and memory is bounded.
    compiling: Mutex<()>,
    ahead: Ahead,
}

impl Runtime {
    /// Sets up the sandbox: reserves address space for all slots and opens the cache.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let unfit = |error: wasmtime::Error| RuntimeError::Engine {
            slots: config.slots,
            memory_bytes: config.memory_bytes_max,
            message: format!("{error:#}"),
        };
        let engine = engine::for_running(&config).map_err(unfit)?;
        let linker = host::linker(&engine).map_err(unfit)?;
        let cache = match &config.cache_dir {
            Some(folder) => Some(Cache::open(folder, config.cache_bytes_max, &engine)?),
            None => None,
        };
        let ticker = Ticker::start(engine.clone()).map_err(RuntimeError::Clock)?;
        let shared = Arc::new(Shared {
            engine,
            ticker,
            slots: Slots::new(config.slots),
        });
        let (ready, compiling) = (Mutex::default(), Mutex::default());
        Ok(Self {
            shared,
            linker,
            cache,
            config,
            ready,
            compiling,
            ahead: Ahead::default(),
        })
    }

    /// A program ready to run, if it was prepared and is still kept.
    pub fn ready(&self, program: ProgramHash) -> Option<Prepared> {
        let mut ready = lock(&self.ready);
        let at = ready.iter().position(|(hash, _)| *hash == program)?;
        let found = ready.remove(at);
        let prepared = found.1.clone();
        ready.push(found);
        Some(prepared)
    }

    /// Makes a program ready: from memory, from the cache on disk, or by compiling its admitted bytes.
    pub fn prepare(&self, program: ProgramHash, module: &[u8]) -> Result<Prepared, PrepareError> {
        if let Some(prepared) = self.ready(program) {
            return Ok(prepared);
        }
        if ProgramHash::of(module) != program {
            return Err(PrepareError::WrongBytes(program));
        }
        match self.prepare_cached(program) {
            Some(prepared) => Ok(prepared),
            None => self.compile(program, module),
        }
    }

    /// Makes a program ready without its bytes, if its compiled code is in the cache.
    pub fn prepare_cached(&self, program: ProgramHash) -> Option<Prepared> {
        if let Some(prepared) = self.ready(program) {
            return Some(prepared);
        }
        let cache = self.cache.as_ref()?;
        let code = cache.load(program)?;
        match self.load(program, &code) {
            Ok(prepared) => Some(prepared),
            Err(error) => {
                tracing::warn!(%program, %error, "cached code does not load; compiling again");
                cache.discard(program);
                None
            }
        }
    }

    /// Compiles a program for which nobody waits yet, if that can be done in a child of low priority. Whoever
    /// prepares the same program meanwhile gets what is there first; other programs are compiled beside it.
    pub fn prepare_ahead(&self, program: ProgramHash, module: &[u8]) -> Result<(), PrepareError> {
        let Compiler::Child { program: executable } = &self.config.compiler else {
            return Ok(());
        };
        if ProgramHash::of(module) != program {
            return Err(PrepareError::WrongBytes(program));
        }
        if self.prepare_cached(program).is_some() {
            return Ok(());
        }
        let Some(turn) = self.ahead.begin(program) else {
            return Ok(());
        };
        let limits = &self.config.compile_limits;
        let code = compile::in_child(executable, limits, Haste::Ahead, module, turn.stop())?;
        self.take_in(program, &Code::just_compiled(code))?;
        turn.won();
        Ok(())
    }

    /// Ends what is compiled ahead, now and later: the process ends.
    pub fn stop_preparing_ahead(&self) {
        self.ahead.stop();
    }

    fn compile(&self, program: ProgramHash, module: &[u8]) -> Result<Prepared, PrepareError> {
        let _one_at_a_time = lock(&self.compiling);
        let stop = Arc::new(compile::Stop::default());
        self.ahead.race(program, &stop);
        // Another thread may have compiled it while this one waited.
        if let Some(prepared) = self.ready(program) {
            return Ok(prepared);
        }
        let (compiler, limits) = (&self.config.compiler, &self.config.compile_limits);
        match compile::compile(compiler, limits, &self.shared.engine, module, &stop) {
            Err(CompileError::Stopped) => self.ready(program).ok_or(CompileError::Stopped.into()),
            code => {
                self.ahead.lost(program);
                self.take_in(program, &Code::just_compiled(code?))
            }
        }
    }

    /// Makes compiled code ready and keeps it.
    fn take_in(&self, program: ProgramHash, code: &Code) -> Result<Prepared, PrepareError> {
        let prepared = self.load(program, code)?;
        if let Some(cache) = &self.cache {
            cache.store(program, code);
        }
        Ok(prepared)
    }

    fn load(&self, program: ProgramHash, code: &Code) -> Result<Prepared, PrepareError> {
        let unfit = |error: wasmtime::Error| PrepareError::Unfit(format!("{error:#}"));
        // SAFETY: `deserialize` asks that the bytes come from `Engine::precompile_module` unchanged.
        // A `Code` is made in two places only: from the compiler's result on this machine (in this
        // process, or in a child of the same executable over a pipe of our own), and by
        // `Cache::authentic`, which checked an HMAC over exactly these bytes with a key that only
        // this user can read and that signs only the first kind. The bytes are in our memory since
        // then, so nobody can change them in between. Settings of another engine, which the type
        // cannot show, make `deserialize` return an error.
        let module = unsafe { Module::deserialize(&self.shared.engine, code.bytes()) }.map_err(unfit)?;
        let instance = self.linker.instantiate_pre(&module).map_err(unfit)?;
        let prepared = Prepared::new(Arc::clone(&self.shared), instance);
        self.keep(program, prepared.clone());
        Ok(prepared)
    }

    fn keep(&self, program: ProgramHash, prepared: Prepared) {
        let mut ready = lock(&self.ready);
        ready.retain(|(hash, _)| *hash != program);
        ready.push((program, prepared));
        let over = ready.len().saturating_sub(self.config.programs_max.max(1));
        ready.drain(..over);
    }
}

/// A panic while one of these locks is held leaves no half-done change behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
