//! Messages between a coordinator and a worker, over one WebSocket.
//!
//! Order of a session: the worker says [`FromWorker::Hello`]; where that names an account the coordinator answers
//! [`ToWorker::Challenge`] and the worker [`FromWorker::Proof`]. Then the coordinator says
//! [`ToWorker::Welcome`] or [`ToWorker::Refused`] (and closes). Then, in any order: a job is made
//! known once with [`ToWorker::Open`] before its first [`ToWorker::Lease`]; the worker returns
//! outputs as they come. A result frees its place in the window at once: the next lease rides back
//! without waiting for the commit, which only [`accepted`](crate::api::JobCounts) has to wait for.
use crate::account::{Nonce, Signature};
use crate::ids::{BlobHash, JobId, LeaseId, ProgramHash, PublicKey, SessionId, Stage, WorkerId};
use crate::job::{Encoding, Limits};
use crate::run::Outputs;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A job's short name within one coordinator process; never used for a second job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobHandle(pub u32);

/// What kind of executor a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WorkerKind {
    /// A browser tab.
    Tab,
    /// A headless native process.
    Native,
}

/// What a worker says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Chosen by the worker at its first start and kept.
    pub worker: WorkerId,
    /// A bearer token, where the operator asks for one. Never logged.
    pub token: Option<String>,
    /// Tab or native.
    pub kind: WorkerKind,
    /// A name for people, such as a host name; may be empty.
    pub name: String,
    /// Software and version, such as `elytra 0.1.0`.
    pub agent: String,
    /// How many shards it executes at a time.
    pub slots: u16,
    /// Most shards it wants in flight; the coordinator may use fewer.
    pub window_max: u32,
    /// Memory it gives to one instance, in MiB.
    pub memory_mib: u32,
    /// Whether fixed-width SIMD runs here.
    pub simd: bool,
    /// Programs whose compiled code it already has, most recent first.
    pub cached: Vec<ProgramHash>,
    /// The key of the account its answers are to be counted for. It is asked to prove that it has it.
    pub account: Option<PublicKey>,
}

/// From a worker to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// First message of a session.
    Hello(Hello),
    /// Outputs of neighbouring shards of one lease.
    Finished {
        /// The lease they were executed under.
        lease: LeaseId,
        /// The outputs.
        outputs: Outputs,
        /// Execution time of all of them together, in microseconds, measured in the slot.
        busy_us: u64,
    },
    /// An output too long for a frame: uploaded as a blob before this message.
    FinishedBlob {
        /// The lease it was executed under.
        lease: LeaseId,
        /// The shard.
        shard: u32,
        /// The output's bytes.
        blob: BlobHash,
        /// Their length.
        length: u64,
        /// Execution time in microseconds.
        busy_us: u64,
    },
    /// An attempt that ended without an output.
    Failed {
        /// The lease it was executed under.
        lease: LeaseId,
        /// The shard.
        shard: u32,
        /// Why.
        failure: Failure,
        /// Execution time in microseconds.
        busy_us: u64,
    },
    /// Shards given back unexecuted: pausing, leaving, or out of room.
    Returned {
        /// The lease.
        lease: LeaseId,
    },
    /// "I live and still work on these": at least every [`crate::limits::HEARTBEAT_MS`].
    Heartbeat {
        /// Leases still held; each is renewed.
        leases: Vec<LeaseId>,
    },
    /// The worker wants more, fewer or no shards from now on.
    Availability {
        /// Slots in use from now on; 0 while paused.
        slots: u16,
        /// Why, when it is 0.
        pause: Option<PauseReason>,
    },
    /// A program could not be made ready here (fetch or compile failed).
    ProgramRefused {
        /// The job.
        job: JobHandle,
        /// Why.
        failure: Failure,
    },
    /// The worker leaves and has returned all it held.
    Goodbye,
    /// The answer to [`ToWorker::Challenge`].
    Proof {
        /// The server it believes to talk to ([`crate::account::audience`]).
        audience: String,
        /// By the key of the hello.
        signature: Signature,
        /// The name under which the account wants to be listed, if it wants to; at most
        /// [`crate::limits::DISPLAY_NAME_CHARS_MAX`] characters.
        display_name: Option<String>,
    },
}

/// From a coordinator to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The hello was good.
    Welcome {
        /// This connection.
        session: SessionId,
        /// How often the coordinator wants a heartbeat, in milliseconds.
        heartbeat_ms: u32,
    },
    /// The session ends; trying again may or may not help.
    Refused {
        /// For programs: a stable word such as `token_wrong`.
        code: RefusalCode,
        /// For people: what is wrong and what to do.
        detail: String,
    },
    /// Makes a job known to this session.
    Open(OpenJob),
    /// The job needs nothing more from this session; what is known of it can be forgotten.
    Close {
        /// The job.
        job: JobHandle,
    },
    /// Shards to execute.
    Lease(Lease),
    /// Shards of a lease are no longer wanted: stop them where they run.
    Cancel {
        /// The lease.
        lease: LeaseId,
        /// Which of its shards; empty means all.
        shards: Vec<u32>,
    },
    /// Finish what runs, return the rest, and close: the coordinator is going away.
    Drain,
    /// The worker is to prove that it has the key it named.
    Challenge {
        /// To be signed.
        nonce: Nonce,
    },
}

/// All a worker has to know of a job, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenJob {
    /// Its short name in this session.
    pub job: JobHandle,
    /// Its name.
    pub id: JobId,
    /// What people call it; shown to the contributor.
    pub name: String,
    /// For whom it is done; shown to the contributor.
    pub owner: String,
    /// The program; fetched by hash where it is not cached.
    pub program: ProgramHash,
    /// The entry function.
    pub entry: String,
    /// Parameters as JSON, the same for every shard.
    pub params: Bytes,
    /// How the items of a shard are found.
    pub source: ItemSource,
    /// Limits of every shard.
    pub limits: Limits,
    /// Whether outputs are tiles of a picture that may be shown.
    pub picture: bool,
}

/// How the items of a lease are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemSource {
    /// Item `k` is `start + k * step`.
    Range {
        /// Item 0.
        start: i64,
        /// Distance between neighbours.
        step: i64,
    },
    /// Items are lines: a lease's input is its lines, each ended by a line feed (the last may lack it).
    Lines(Encoding),
    /// Items are records of this many bytes (the last may be shorter).
    Records {
        /// Length of a record.
        bytes: u32,
    },
}

/// A worker's right to a run of shards until `lease_ms` after it arrived, or after its last renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its name and fencing epoch.
    pub lease: LeaseId,
    /// The job.
    pub job: JobHandle,
    /// The stage.
    pub stage: Stage,
    /// First shard.
    pub first_shard: u32,
    /// How many shards.
    pub shards: u32,
    /// First item of the first shard.
    pub first_item: u64,
    /// Items in every shard but the last.
    pub grain: u32,
    /// The item behind the last.
    pub end_item: u64,
    /// The bytes of the items.
    pub input: LeaseInput,
    /// How long the lease lasts, in milliseconds.
    pub lease_ms: u32,
}

/// The bytes of a lease's items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseInput {
    /// Nothing travels: the items are computed.
    Computed,
    /// Here they are.
    Inline(Bytes),
    /// To be fetched: `length` bytes of a blob from `offset` on.
    Blob {
        /// The blob.
        blob: BlobHash,
        /// First byte.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
}

/// Why a session was refused or ended by the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The frame's version is not ours: update one of the two.
    VersionWrong,
    /// A frame was cut off, too long, or not understood.
    FrameMalformed,
    /// The operator asks for a token.
    TokenMissing,
    /// The token is unknown, expired or revoked.
    TokenWrong,
    /// The token lacks the scope `work`.
    ScopeMissing,
    /// Too many workers are connected; later may be better.
    Full,
    /// The same worker connected again; the older session ends.
    Replaced,
    /// The worker reads too slowly.
    TooSlow,
    /// The worker was silent for too long.
    Silent,
    /// The worker sent what the protocol does not allow at that point.
    OutOfTurn,
    /// The coordinator goes away; connect again.
    GoingAway,
    /// The worker does not have the key it named, or signed for another server.
    AccountWrong,
}

impl RefusalCode {
    /// Whether connecting again, unchanged, can help.
    pub fn retry_helps(self) -> bool {
        matches!(
            self,
            Self::Full | Self::TooSlow | Self::Silent | Self::GoingAway | Self::FrameMalformed
        )
    }
}

/// Why a worker takes no shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PauseReason {
    /// The contributor pressed Pause.
    Person,
    /// The contributor pressed Finish: what runs is finished, nothing new is taken.
    Finishing,
    /// The device runs on battery and the contributor asked not to.
    Battery,
    /// The tab is hidden and the contributor asked not to.
    Hidden,
    /// Outside the hours the contributor chose.
    Schedule,
    /// The worker was told to stop.
    Stopping,
}

/// An attempt that ended without an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// Which of the closed set of causes.
    pub cause: Cause,
    /// What the sandbox said: message, backtrace, end of the log. At most
    /// [`crate::limits::DETAIL_BYTES_MAX`] bytes.
    pub detail: String,
}

/// The closed set of causes of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Cause {
    /// The program said that an item cannot be computed.
    ItemFailed,
    /// The program trapped.
    Trapped,
    /// The program asked for more memory than its limit.
    OutOfMemory,
    /// The program ran longer than its limit.
    OutOfTime,
    /// The output was longer than its limit.
    OutputTooLong,
    /// The program could not be fetched or compiled on this worker.
    Refused,
    /// The input could not be fetched.
    InputMissing,
    /// The worker vanished or let the lease run out. Never the program's fault.
    Lost,
}

impl Cause {
    /// Every cause, in the order they are shown.
    pub const ALL: [Cause; 8] = [
        Cause::ItemFailed,
        Cause::Trapped,
        Cause::OutOfMemory,
        Cause::OutOfTime,
        Cause::OutputTooLong,
        Cause::Refused,
        Cause::InputMissing,
        Cause::Lost,
    ];
    /// Whether the same shard ends in the same way on every machine: what the program does by itself, and
    /// limits that are counted alike everywhere. Time is not.
    pub fn repeats(self) -> bool {
        matches!(
            self,
            Self::ItemFailed | Self::Trapped | Self::OutOfMemory | Self::OutputTooLong
        )
    }
    /// Whether the program (rather than the worker or the network) is the likely reason.
    pub fn blames_program(self) -> bool {
        !matches!(self, Self::Refused | Self::InputMissing | Self::Lost)
    }
}
