//! What a module may be: every cap of admission, with its reason.
//!
//! The structural caps keep compile bombs out: 2,000 nested loops in 13 KiB take Cranelift 11 s,
//! one body of 1 MiB more than 2 minutes, while everything under these caps compiles in well under
//! a second a function. Ordinary toolchains stay far below them.
use wasmparser::WasmFeatures;

/// A module's size, names and description included.
pub const MODULE_BYTES_MAX: usize = protocol::limits::PROGRAM_BYTES_MAX;
/// What `memory` may grow to: 1 GiB. Ordinary toolchains declare no maximum or a larger one; admission
/// sets this one then, so that growing fails at the same size everywhere (a job's own limit may be lower).
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a WebAssembly page, the unit of a memory's size.
pub(crate) const WASM_PAGE_BYTES: u64 = 64 << 10;
/// One function's body.
pub const BODY_BYTES_MAX: usize = 128 << 10;
/// The same after its NaNs were made canonical, which takes some 20 bytes where it is needed.
pub const REWRITTEN_BODY_BYTES_MAX: usize = 256 << 10;
/// Values on the operand stack of one function: a frame's size is bounded by them and the locals.
pub const OPERANDS_MAX: u32 = 1_000;
/// Parameters and locals of one function.
pub const LOCALS_MAX: u32 = 2_000;
/// Loops inside loops: what makes register allocation explode.
pub const LOOP_NEST_MAX: u32 = 128;
/// Blocks, ifs and loops inside each other. A `match` with many arms needs one block for each.
pub const BLOCK_NEST_MAX: u32 = 2_000;
/// Targets of one branch table.
pub const BRANCH_TARGETS_MAX: u32 = 4_096;
/// Functions of its own.
pub const FUNCTIONS_MAX: u32 = 20_000;
/// Function types.
pub const TYPES_MAX: u32 = 10_000;
/// Globals.
pub const GLOBALS_MAX: u32 = 1_000;
/// Exports.
pub const EXPORTS_MAX: u32 = 1_000;
/// Tables.
pub const TABLES_MAX: u32 = 1;
/// Elements the one table may hold; the native sandbox reserves as many for each slot.
pub const TABLE_ELEMENTS_MAX: u64 = 20_000;
/// Element segments.
pub const ELEMENT_SEGMENTS_MAX: u32 = 20_000;
/// Data segments: what browsers allow. Go writes one for every run of bytes that are not zero, 63,000
/// in a program with `net/http`.
pub const DATA_SEGMENTS_MAX: u32 = 100_000;
/// The description section, all its pieces together.
pub const DESCRIPTION_BYTES_MAX: usize = 256 << 10;
/// A name that an error repeats is cut to this many characters.
pub const SHOWN_NAME_CHARS_MAX: usize = 120;

/// The only features a module may use: what every browser and the native sandbox compute alike.
pub const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS);
