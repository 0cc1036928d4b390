//! What somebody says a shard's output is, and outputs that are held back.
use bytes::Bytes;
use protocol::cut::ShardRun;
use protocol::ids::{AccountId, BlobHash, ClaimId, WorkerId};
use protocol::run::Outputs;
use protocol::trust::NetworkPrefix;
use protocol::wire::Cause;

/// What was executed: bytes at hand, or in a blob.
#[derive(Clone, Debug, PartialEq)]
pub enum Finished {
    /// The outputs of neighbouring shards.
    Inline(Outputs),
    /// One output that lies in a blob.
    Blob {
        /// The shard.
        shard: u32,
        /// Its output.
        blob: BlobHash,
    },
}

impl Finished {
    /// Which shards.
    pub fn run(&self) -> ShardRun {
        match self {
            Self::Inline(outputs) => outputs.run,
            Self::Blob { shard, .. } => one(*shard),
        }
    }

    /// The part of it that lies in `part`; bytes are shared.
    pub(crate) fn part(&self, part: ShardRun) -> Self {
        match self {
            Self::Inline(outputs) if outputs.run == part => self.clone(),
            Self::Inline(outputs) => Self::Inline(outputs.slice(part)),
            Self::Blob { .. } => self.clone(),
        }
    }

    /// What it says of one of its shards.
    pub(crate) fn answer(&self, shard: u32) -> Answer {
        match self {
            Self::Inline(outputs) => Answer::Bytes(outputs.slice(one(shard)).data),
            Self::Blob { blob, .. } => Answer::Blob(*blob),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Inline(outputs) => outputs.data.len(),
            Self::Blob { .. } => 0,
        }
    }
}

/// The run of one shard.
pub(crate) fn one(shard: u32) -> ShardRun {
    ShardRun {
        first: shard,
        count: 1,
    }
}

/// What somebody says of a shard. A trap is an answer like any other.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Bytes(Bytes),
    Blob(BlobHash),
    Trap(Cause),
}

impl Answer {
    /// Whether two say the same; the way an output travelled makes no difference.
    pub(crate) fn says(&self, other: &Answer) -> bool {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Blob(a), Self::Blob(b)) => a == b,
            (Self::Bytes(bytes), Self::Blob(blob)) | (Self::Blob(blob), Self::Bytes(bytes)) => {
                BlobHash::of(bytes) == *blob
            }
            (Self::Trap(a), Self::Trap(b)) => a == b,
            (Self::Trap(_), _) | (_, Self::Trap(_)) => false,
        }
    }

    /// As an output of its shard; `None` for a trap.
    pub(crate) fn finished(&self, shard: u32) -> Option<Finished> {
        match self {
            Self::Bytes(bytes) => Some(Finished::Inline(Outputs::single(shard, bytes.clone()))),
            Self::Blob(blob) => Some(Finished::Blob { shard, blob: *blob }),
            Self::Trap(_) => None,
        }
    }
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Voter {
    pub(crate) account: AccountId,
    pub(crate) network: NetworkPrefix,
    pub(crate) worker: WorkerId,
}

/// Outputs that nobody sees before their batch is let go.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) claim: ClaimId,
    pub(crate) voter: Voter,
    pub(crate) finished: Finished,
    pub(crate) busy_us: u64,
}

/// Memory of a held run besides its bytes, about.
const HELD_OVERHEAD_BYTES: usize = 192;

impl Held {
    pub(crate) fn bytes(&self) -> usize {
        self.finished.bytes() + HELD_OVERHEAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_the_same_however_it_travelled() {
        let bytes = Answer::Bytes(Bytes::from_static(b"42"));
        let blob = Answer::Blob(BlobHash::of(b"42"));
        let trap = Answer::Trap(Cause::Trapped);
        assert!(bytes.says(&blob) && blob.says(&bytes));
        assert!(!bytes.says(&Answer::Blob(BlobHash::of(b"43"))));
        assert!(!bytes.says(&trap) && trap.says(&trap));
    }
}
