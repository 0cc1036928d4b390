//! Compiled code for guest processes: what the process that owns them has of programs. It compiles in
//! children and checks MACs; it never loads code into itself.
use crate::cache::Code;
use crate::config::RuntimeConfig;
use crate::programs::Programs;
use crate::{PrepareError, RuntimeError, engine};
use protocol::ids::ProgramHash;

/// Compiled code by program, as [`crate::Runtime`] has modules. Share it in an `Arc`.
pub struct Codes(Programs<Code>);

impl Codes {
    /// Opens the cache. No memory for programs is reserved.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let engine = engine::for_compiling().map_err(|error| RuntimeError::unfit(&config, &error))?;
        Ok(Self(Programs::new(config, engine, Box::new(Ok))?))
    }

    /// A program's code, if it was prepared and is still kept.
    pub fn ready(&self, program: ProgramHash) -> Option<Code> {
        self.0.ready(program)
    }

    /// A program's code: from memory, from the cache on disk, or by compiling its admitted bytes.
    pub fn prepare(&self, program: ProgramHash, module: &[u8]) -> Result<Code, PrepareError> {
        self.0.prepare(program, module)
    }

    /// A program's code without its bytes, if it is in the cache.
    pub fn prepare_cached(&self, program: ProgramHash) -> Option<Code> {
        self.0.prepare_cached(program)
    }

    /// See [`crate::Runtime::prepare_ahead`].
    pub fn prepare_ahead(&self, program: ProgramHash, module: &[u8]) -> Result<(), PrepareError> {
        self.0.prepare_ahead(program, module)
    }

    /// See [`crate::Runtime::stop_preparing_ahead`].
    pub fn stop_preparing_ahead(&self) {
        self.0.stop_preparing_ahead();
    }
}
