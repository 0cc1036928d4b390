//! Everything a worker can ask its shell for.
use bytes::Bytes;
use protocol::ids::{BlobHash, LeaseId, ProgramHash};
use protocol::wire::{FromWorker, OpenJob, RefusalCode};
use std::sync::Arc;

/// Everything a worker can ask its shell for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection now; answered by `Connected` or `Disconnected`.
    Connect,
    /// Write what was sent before, then close the connection (or give up opening it).
    Disconnect {
        /// For people and logs: why.
        reason: String,
    },
    /// Send a message.
    Send(FromWorker),
    /// Make a program ready; answered by `ProgramReady` or `ProgramFailed`.
    FetchProgram {
        /// The program. Its bytes must have this SHA-256.
        program: ProgramHash,
    },
    /// A program is not needed any more; compiled code on disk may stay.
    ForgetProgram {
        /// The program.
        program: ProgramHash,
    },
    /// Fetch a part of a blob; answered by `InputFetched` or `InputMissing`.
    FetchInput {
        /// The lease it is for.
        lease: LeaseId,
        /// The blob.
        blob: BlobHash,
        /// First byte.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// Execute shards in a slot that has nothing to do, in this order. Every one of them is answered
    /// once, as soon as it ends.
    Execute {
        /// Where; slots are made when they are first used.
        slot: u16,
        /// What.
        batch: Batch,
    },
    /// Stop these shards where they run and skip those not begun; the others of the batch go on.
    /// Answered by `SlotStopped` for each (or by its end, when that came first), or by `SlotReset`.
    StopSlot {
        /// Where.
        slot: u16,
        /// The lease they belong to.
        lease: LeaseId,
        /// Which.
        shards: Vec<u32>,
    },
    /// Upload an output; answered by `BlobUploaded` or `UploadFailed`.
    UploadBlob {
        /// Its lease.
        lease: LeaseId,
        /// The shard.
        shard: u32,
        /// Its bytes.
        bytes: Bytes,
    },
    /// What [`Worker::status`](crate::Worker::status) says of the worker's activity has changed.
    /// Counters change with every shard and are read when somebody looks.
    StatusChanged,
    /// The worker has left and does nothing more (until it is started again).
    Ended(EndReason),
}

/// Why a worker left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// It was told to finish or to shut down, and did.
    Finished,
    /// The coordinator does not want it, and trying again unchanged does not help.
    Refused {
        /// For programs.
        code: RefusalCode,
        /// For people: what is wrong and what to do.
        detail: String,
    },
}

/// Shards of one lease for one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The lease.
    pub lease: LeaseId,
    /// The job: program, entry, limits, and whether outputs may be shown as a picture.
    pub job: Arc<OpenJob>,
    /// The shards, in order; at least one.
    pub shards: Vec<ShardInput>,
}

/// One shard and all the bytes its program can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardInput {
    /// The shard.
    pub shard: u32,
    /// How many items it has.
    pub items: u32,
    /// Parameters and items, as the kernel ABI writes them.
    pub input: Bytes,
}
