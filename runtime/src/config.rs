//! What a runtime is told at its start, and what a run is told at its own.
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The settings of a [`crate::Runtime`].
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// Where compiled code is kept between processes; nowhere without it.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of compiled code kept there; the longest unused goes first.
    pub cache_bytes_max: u64,
    /// Runs at the same time. One more waits until one ends.
    pub slots: u32,
    /// The most memory any run can have; address space is reserved for each slot.
    pub memory_bytes_max: usize,
    /// Programs kept ready in memory; the longest unused goes first.
    pub programs_max: usize,
    /// Where compilation happens.
    pub compiler: Compiler,
    /// What one compilation may take.
    pub compile_limits: CompileLimits,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            cache_bytes_max: 512 << 20,
            slots: 1,
            memory_bytes_max: 1 << 30,
            programs_max: 32,
            compiler: Compiler::InProcess,
            compile_limits: CompileLimits::default(),
        }
    }
}

/// Where compilation happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// In this process, without limits: for programs of one's own and for tests.
    InProcess,
    /// In a child process that can be killed: this executable, started with [`crate::COMPILE_ARGUMENT`].
    /// Its `main` must call [`crate::child`] first.
    Child {
        /// The executable, usually `std::env::current_exe()`.
        program: PathBuf,
    },
}

/// What a child that compiles may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// CPU time in whole seconds.
    pub cpu_s: u32,
    /// Wall time in whole seconds.
    pub wall_s: u32,
    /// Address space, the executable itself included.
    pub memory_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            cpu_s: 10,
            wall_s: 60,
            memory_bytes: 512 << 20,
        }
    }
}

/// What one run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Linear memory.
    pub memory_bytes: usize,
    /// CPU time of the thread that runs it.
    pub time_ms: u64,
    /// Wall time: larger than `time_ms`, for a machine that is busy with other things.
    pub wall_ms: u64,
    /// Output.
    pub output_bytes: usize,
    /// Log; what is over it is dropped.
    pub log_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let time_ms = u64::from(protocol::limits::SHARD_TIME_MS_DEFAULT);
        Self {
            memory_bytes: (protocol::limits::MEMORY_MIB_DEFAULT as usize) << 20,
            time_ms,
            wall_ms: time_ms * 4,
            output_bytes: protocol::limits::OUTPUT_BYTES_MAX,
            log_bytes: 64 << 10,
        }
    }
}

/// Stops a run from another thread, within one tick (5 ms). Copies stop the same run.
#[derive(Clone, Debug, Default)]
pub struct StopHandle(Arc<AtomicBool>);

impl StopHandle {
    /// A handle that has not stopped anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the run. A handle stays stopped.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`StopHandle::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
