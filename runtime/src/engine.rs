//! The native profile: which parts of Wasmtime are on, and the pool that slots take their memory from.
use crate::config::RuntimeConfig;
use std::num::NonZeroUsize;
use wasmtime::{
    Config, Engine, OptLevel, PoolingAllocationConfig, Strategy, WasmBacktraceDetails, WasmFeatures,
};

/// The stack of a program; a slot's thread must have more than this.
const STACK_BYTES_MAX: usize = 512 << 10;
/// Frames in a backtrace.
const BACKTRACE_FRAMES_MAX: usize = 32;
/// The same as admission allows.
const TABLE_ELEMENTS_MAX: usize = 20_000;

/// How much of a slot's memory is written back to its first state by hand instead of being given back
/// to the system: page faults cost a small kernel more than that (32 against 20 µs of CPU a run of `null`, measured).
/// The engine's page-map scan costs the same there, and misses pages that were swapped out,
/// and then one shard would see another's memory.
const KEPT_MEMORY_BYTES: usize = 512 << 10;
/// The same for its table.
const KEPT_TABLE_BYTES: usize = 64 << 10;

/// The engine that runs programs.
pub(crate) fn for_running(config: &RuntimeConfig) -> wasmtime::Result<Engine> {
    let mut profile = profile();
    profile.allocation_strategy(pool(config));
    Engine::new(&profile)
}

/// An engine that only compiles: the same settings, and no pool.
pub(crate) fn for_compiling() -> wasmtime::Result<Engine> {
    Engine::new(&profile())
}

/// Everything that decides which code is made. NaN bits are made equal in the module at admission,
/// not here: engines that do it disagree with engines that do not.
fn profile() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(false)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .native_unwind_info(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        // Debug information comes from strangers; reading it would be one more thing to attack.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(features(), true);
    config
}

/// What admission lets through.
fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::SIMD
        | WasmFeatures::FLOATS
}

fn pool(config: &RuntimeConfig) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(config.slots)
        .total_memories(config.slots)
        .total_tables(config.slots)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(config.memory_bytes_max)
        .linear_memory_keep_resident(KEPT_MEMORY_BYTES)
        .table_keep_resident(KEPT_TABLE_BYTES);
    pool
}
