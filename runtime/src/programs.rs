//! Programs made ready: out of memory, out of the cache on disk, or by compiling.
//!
//! What "ready" means is told by whoever owns this: a module that runs in this process
//! ([`crate::Runtime`]), or compiled code that a guest process will load ([`crate::Codes`]).
use crate::ahead::Ahead;
use crate::cache::{Cache, Code};
use crate::compile::{self, CompileError, Haste};
use crate::config::{Compiler, RuntimeConfig};
use crate::{PrepareError, RuntimeError, lock};
use protocol::ids::ProgramHash;
use std::sync::{Arc, Mutex};
use wasmtime::Engine;

/// Programs, as `T` when they are ready.
pub(crate) struct Programs<T> {
    /// Its settings are those of the code.
    engine: Engine,
    cache: Option<Cache>,
    config: RuntimeConfig,
    /// The last used program comes last.
    ready: Mutex<Vec<(ProgramHash, T)>>,
    /// One compilation at a time: two of the same program would be wasted, and memory is bounded.
    compiling: Mutex<()>,
    ahead: Ahead,
    load: Load<T>,
}

/// Makes of code what is ready.
pub(crate) type Load<T> = Box<dyn Fn(Code) -> Result<T, PrepareError> + Send + Sync>;

impl<T: Clone> Programs<T> {
    pub(crate) fn new(config: RuntimeConfig, engine: Engine, load: Load<T>) -> Result<Self, RuntimeError> {
        let cache = match &config.cache_dir {
            Some(folder) => Some(Cache::open(folder, config.cache_bytes_max, &engine)?),
            None => None,
        };
        Ok(Self {
            engine,
            cache,
            config,
            ready: Mutex::default(),
            compiling: Mutex::default(),
            ahead: Ahead::default(),
            load,
        })
    }

    pub(crate) fn ready(&self, program: ProgramHash) -> Option<T> {
        let mut ready = lock(&self.ready);
        let at = ready.iter().position(|(hash, _)| *hash == program)?;
        let found = ready.remove(at);
        let made = found.1.clone();
        ready.push(found);
        Some(made)
    }

    pub(crate) fn prepare(&self, program: ProgramHash, module: &[u8]) -> Result<T, PrepareError> {
        if let Some(made) = self.ready(program) {
            return Ok(made);
        }
        if ProgramHash::of(module) != program {
            return Err(PrepareError::WrongBytes(program));
        }
        match self.prepare_cached(program) {
            Some(made) => Ok(made),
            None => self.compile(program, module),
        }
    }

    pub(crate) fn prepare_cached(&self, program: ProgramHash) -> Option<T> {
        if let Some(made) = self.ready(program) {
            return Some(made);
        }
        let cache = self.cache.as_ref()?;
        let code = cache.load(program)?;
        match self.take_up(program, code) {
            Ok(made) => Some(made),
            Err(error) => {
                tracing::warn!(%program, %error, "cached code does not load; compiling again");
                cache.discard(program);
                None
            }
        }
    }

    pub(crate) fn prepare_ahead(&self, program: ProgramHash, module: &[u8]) -> Result<(), PrepareError> {
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
        self.take_in(program, Code::just_compiled(code))?;
        turn.won();
        Ok(())
    }

    pub(crate) fn stop_preparing_ahead(&self) {
        self.ahead.stop();
    }

    fn compile(&self, program: ProgramHash, module: &[u8]) -> Result<T, PrepareError> {
        let _one_at_a_time = lock(&self.compiling);
        let stop = Arc::new(compile::Stop::default());
        self.ahead.race(program, &stop);
        // Another thread may have compiled it while this one waited.
        if let Some(made) = self.ready(program) {
            return Ok(made);
        }
        let (compiler, limits) = (&self.config.compiler, &self.config.compile_limits);
        match compile::compile(compiler, limits, &self.engine, module, &stop) {
            Err(CompileError::Stopped) => self.ready(program).ok_or(CompileError::Stopped.into()),
            code => {
                self.ahead.lost(program);
                self.take_in(program, Code::just_compiled(code?))
            }
        }
    }

    /// Makes compiled code ready and keeps it.
    fn take_in(&self, program: ProgramHash, code: Code) -> Result<T, PrepareError> {
        let made = self.take_up(program, code.clone())?;
        if let Some(cache) = &self.cache {
            cache.store(program, &code);
        }
        Ok(made)
    }

    fn take_up(&self, program: ProgramHash, code: Code) -> Result<T, PrepareError> {
        let made = (self.load)(code)?;
        let mut ready = lock(&self.ready);
        ready.retain(|(hash, _)| *hash != program);
        ready.push((program, made.clone()));
        let over = ready.len().saturating_sub(self.config.programs_max.max(1));
        ready.drain(..over);
        Ok(made)
    }
}
