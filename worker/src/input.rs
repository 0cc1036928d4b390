//! Everything that can happen to a worker.
use bytes::Bytes;
use protocol::ids::{BlobHash, LeaseId, ProgramHash};
use protocol::wire::{Failure, PauseReason, ToWorker};

/// Everything that can happen to a worker.
///
/// After [`Output::Disconnect`](crate::Output::Disconnect) nothing more of that connection may be
/// handed in, not even its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The connection asked for is open.
    Connected,
    /// The connection could not be opened, or has ended.
    Disconnected {
        /// For people: what was in the way.
        reason: String,
    },
    /// A message of the coordinator.
    Message(ToWorker),
    /// A frame that is no message; the session ends.
    FrameMalformed {
        /// For people: what is wrong with it.
        reason: String,
    },
    /// A program asked for is compiled and stays ready until it is forgotten.
    ProgramReady {
        /// The program.
        program: ProgramHash,
    },
    /// A program asked for could not be fetched or compiled.
    ProgramFailed {
        /// The program.
        program: ProgramHash,
        /// Why.
        failure: Failure,
    },
    /// The input asked for.
    InputFetched {
        /// The lease it belongs to.
        lease: LeaseId,
        /// Exactly the bytes asked for.
        bytes: Bytes,
    },
    /// The input asked for cannot be had.
    InputMissing {
        /// The lease it belongs to.
        lease: LeaseId,
        /// For people: why.
        reason: String,
    },
    /// A shard finished.
    SlotFinished {
        /// Where.
        slot: u16,
        /// Its lease.
        lease: LeaseId,
        /// The shard.
        shard: u32,
        /// What it wrote.
        output: Bytes,
        /// Execution time, measured in the slot.
        busy_us: u64,
    },
    /// A shard ended without an output.
    SlotFailed {
        /// Where.
        slot: u16,
        /// Its lease.
        lease: LeaseId,
        /// The shard.
        shard: u32,
        /// Why.
        failure: Failure,
        /// Execution time, measured in the slot.
        busy_us: u64,
    },
    /// A shard that was to be stopped did stop, or was never begun.
    SlotStopped {
        /// Where.
        slot: u16,
        /// Its lease.
        lease: LeaseId,
        /// The shard.
        shard: u32,
    },
    /// The slot was ended and is fresh again: nothing it still had was executed. What was not to be
    /// stopped is handed out again.
    SlotReset {
        /// Which.
        slot: u16,
    },
    /// An output asked for is stored at the coordinator.
    BlobUploaded {
        /// Its lease.
        lease: LeaseId,
        /// The shard.
        shard: u32,
        /// The SHA-256 of its bytes.
        blob: BlobHash,
    },
    /// An output could not be uploaded (the shell has tried again where that helps).
    UploadFailed {
        /// Its lease.
        lease: LeaseId,
        /// The shard.
        shard: u32,
        /// For people: why.
        reason: String,
    },
    /// The contributor, or whoever starts the native worker, wants something.
    Person(Person),
    /// The device gives a reason to pause, or takes it back: battery, hidden, schedule.
    Condition {
        /// The reason.
        reason: PauseReason,
        /// Whether it holds from now on.
        holds: bool,
    },
    /// The time of [`next_timer_ms`](crate::Worker::next_timer_ms) has come.
    TimerRang,
    /// The process or the page ends.
    Shutdown {
        /// Whether shards that run are finished first.
        drain: bool,
    },
}

/// What a person can want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// Begin, or go on after a pause. Nothing happens before the first start.
    Start,
    /// Stop at once what runs, give everything back, stay connected.
    Pause,
    /// Finish what runs, give back the rest, leave.
    Finish,
    /// Use this many slots (at least 1).
    SetSlots(u16),
    /// Work this share of the time, in percent (1 to 100).
    SetIntensity(u8),
}
