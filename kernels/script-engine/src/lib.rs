//! The engine that runs scripts: QuickJS-NG as a kernel program named `script-engine`, as bytes.
//!
//! Its one entry, [`ENTRY`], takes a script and a shard's items and calls one of the script's exports for
//! each item. A worker sees a kernel like any other, so every script shares one compiled program.
//! `build.sh` makes the bytes from `guest/`; they are checked in, so an ordinary build needs no C compiler.
#![no_std]
#![forbid(unsafe_code)]

/// The module, as the build wrote it.
pub static WASM: &[u8] = include_bytes!("../engine.wasm");
/// The SHA-256 of [`WASM`], in hexadecimal.
pub const SHA256: &str = "127c4355ce5a54e314c9649a38177b0c5d9f406b914cd909966a995b73d5cf68";
/// The name under which the coordinator carries it.
pub const NAME: &str = "script-engine";
/// Its one entry.
pub const ENTRY: &str = "run";
