//! Commands: programs of any language that read standard input and write standard output, through a
//! deterministic subset of WASI preview 1. Written once, over the guest's memory as a trait, and used by both
//! sandboxes, so that a command writes the same bytes in a tab and on a server.
//!
//! | what | how it is here |
//! |---|---|
//! | arguments | `args` of the job's parameters behind the name [`PROGRAM_NAME`] |
//! | environment | `env` of the parameters, in the order of the names, and nothing else |
//! | standard input | the shard's items, each ended by a line feed; a JSON text is what it says, other JSON values are as written |
//! | standard output | the shard's output; see [`Shard`] for how it becomes outputs of items |
//! | standard error | its last [`STDERR_BYTES_KEPT`] bytes are kept, for the log and for failures |
//! | files | `files` of the parameters, read-only, in a directory `/` that is open as descriptor 3 |
//! | clocks | begin at [`EPOCH_NS`] (2020-01-01 00:00 UTC; the monotonic one at 0) in every process and move on by [`CLOCK_STEP_NS`] each time they are read, and by the length of every sleep, which takes no time |
//! | random | a stream made of `seed` and the process's standard input |
//! | writing files, links, sockets, signals | refused: `EROFS`, `ENOTSUP`, `ENOSYS` |
//!
//! With `each` every item has a process of its own, so neither the answer nor the random numbers depend on how
//! items were grouped into shards. A process ends by returning or by `proc_exit`; an exit code other than 0 is a
//! failure. Nothing a guest asks for can panic here or take more memory than its limits: addresses outside its
//! memory answer `EFAULT`, and every count has a bound.
#![forbid(unsafe_code)]

mod abi;
mod descriptors;
mod files;
mod functions;
mod memory;
mod params;
mod paths;
mod poll;
mod process;
mod random;
mod shard;

pub use functions::calls;
pub use memory::{Fault, GuestMemory, SliceMemory};
pub use params::BadParams;
pub use process::{
    CLOCK_STEP_NS, EPOCH_NS, Ended, PROGRAM_NAME, Process, STDERR_BYTES_KEPT, STDERR_BYTES_SHOWN,
};
pub use shard::{BadInput, Failed, ITEMS_MAX, Shard};

/// The module that a command's imports name.
pub const IMPORT_MODULE: &str = "wasi_snapshot_preview1";
/// The export that runs a command.
pub const START: &str = "_start";
/// The one entry that a command has for its callers.
pub const ENTRY: &str = "main";
