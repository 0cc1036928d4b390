//! How a run ended, and what it took; both travel from a guest process to its parent.
use serde::{Deserialize, Serialize};

/// What a run gave and what it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// How it ended.
    pub outcome: RunOutcome,
    /// The log, cut to its limit.
    #[serde(with = "as_bytes")]
    pub log: Vec<u8>,
    /// CPU time of the thread, instantiation included.
    pub cpu_us: u64,
    /// Wall time, without waiting for a slot.
    pub wall_us: u64,
    /// The most linear memory it had.
    pub memory_bytes_peak: usize,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunOutcome {
    /// The entry returned; the output.
    Finished(#[serde(with = "as_bytes")] Vec<u8>),
    /// The program says that an item failed, or what was asked for cannot be run.
    Failed {
        /// The item's index in the shard.
        item: Option<u64>,
        /// The cause in the program's words.
        message: String,
    },
    /// The program did what WebAssembly does not allow.
    Trapped {
        /// What it did.
        message: String,
        /// The functions it was in, innermost first, one a line.
        backtrace: String,
    },
    /// It asked for more memory than its limit and could not go on without.
    OutOfMemory,
    /// It took more CPU time, or more wall time, than its limits.
    OutOfTime,
    /// It wrote more output than its limit.
    OutputTooLarge,
    /// [`crate::StopHandle::stop`] was called.
    Stopped,
}

/// As one run of bytes, not as a list of numbers.
mod as_bytes {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        Bytes::deserialize(from).map(Into::into)
    }
}
