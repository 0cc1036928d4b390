//! The door to everything durable: one contract, two stores behind it.
//!
//! [`Store`] is owned by one writer thread, which gathers what is waiting into one [`commit`]
//! (group commit, no timer). [`Reader`] serves the HTTP routes beside it. No code outside this
//! module knows which store runs.
//!
//! The unit is a run of shards. A coordinator *claims* runs of a job's stage: a run is cut off the
//! uncut items, or taken from what a dead coordinator left. Outputs come back under their claim,
//! which is the fence: a claim that was taken away from its coordinator can acknowledge nothing.
//! The embedded store has one coordinator, so there a claim is arithmetic on the job's row.
//!
//! [`commit`]: Store::commit
mod ledger;
mod life;
mod pool;
mod redis;
mod shards;
mod sqlite;
mod text;

pub use ledger::{AccountRecord, BOOKINGS_PAGE_MAX, Credit, Entry, LEADERS_MAX, Standing};
pub use redis::{RedisOptions, RedisStore};
pub use sqlite::{SqliteOptions, SqliteStore, Synchronous, copy_database, restore_database};

use protocol::api::{ErrorGroup, TokenInfo};
use protocol::credit::{Booking, Leader};
use protocol::cut::{Cut, ShardRun};
use protocol::ids::{AccountId, BlobHash, ClaimId, JobId, ProgramHash, ReceiptId, ShardIndex, Stage};
use protocol::job::{Encoding, JobSpec, JobState};
use protocol::run::Outputs;
pub use protocol::totals::Totals;
use protocol::trust::TrustReport;
use protocol::wire::Failure;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the store cannot do at the moment, or at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It can be tried again: the server is away, the disk failed. Nothing of the batch is stored.
    #[error("{0}")]
    Unavailable(String),
    /// It can be tried again when somebody made room. Nothing of the batch is stored.
    #[error("{0}")]
    Full(String),
    /// It will not get better by itself: what is stored cannot be read.
    #[error("the stored data cannot be read: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether trying again may help.
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Corrupt(_))
    }
}

/// What is kept of a job for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// As submitted, defaults filled in; a list of items became a blob and is emptied here.
    pub spec: JobSpec,
    /// The program.
    pub program: ProgramHash,
    /// For whom: the name of the token that submitted it.
    pub owner: String,
    /// When it was submitted, in milliseconds since 1970.
    pub submitted_ms: u64,
    /// The epoch of the coordinator that took the submission. One never gives an id twice, so two submissions differ in
    /// their id or in this.
    #[serde(default)]
    pub taken_by: u32,
    /// Where its items come from.
    pub source: Source,
    /// Whether its outputs are tiles of a picture.
    pub picture: bool,
    /// The job whose reduction this is a stage of, and which. Such a job is not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_of: Option<(JobId, Stage)>,
}

/// Where a job's items come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Computed.
    Range {
        /// Item 0.
        start: i64,
        /// Distance between neighbours.
        step: i64,
    },
    /// Lines of its chunks.
    Lines(Encoding),
    /// Records of this many bytes of its chunks.
    Records {
        /// Length of a record.
        bytes: u32,
    },
}

/// Items of a job that lie in one blob; a job has none (range), one (list, blob) or many (open).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Its first item.
    pub first_item: u64,
    /// How many items.
    pub items: u64,
    /// The blob that is nothing but these items.
    pub blob: BlobHash,
}

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredJob {
    /// What never changes.
    pub record: JobRecord,
    /// How it stands.
    pub state: JobState,
    /// Why it failed or was cancelled.
    pub reason: Option<String>,
    /// When the first shard was handed out, in milliseconds since 1970.
    pub started_ms: Option<u64>,
    /// When it was over.
    pub ended_ms: Option<u64>,
    /// How its shards were cut.
    pub cut: Cut,
    /// Counts.
    pub totals: Totals,
}

/// One thing to store. A batch is stored whole or not at all, in order, and what is told after it
/// is durable.
#[derive(Clone, Debug)]
pub enum Op {
    /// A new job in state queued. `key` is its idempotency key, unique for its owner; when the key is
    /// taken the job is not stored, and [`Done::JobAdded`] names the older one. When another submission has
    /// the id, nothing is stored: [`Done::JobIdTaken`]. A later stage has the id that it must have; whoever adds it
    /// again finds it there.
    AddJob {
        /// The job.
        record: Box<JobRecord>,
        /// Items known now.
        items: u64,
        /// Whether no more come.
        closed: bool,
        /// The items' blob, where they are not computed.
        chunk: Option<Chunk>,
        /// The idempotency key.
        key: Option<String>,
    },
    /// More items of an open job. Refused (no effect) when the job is closed or over.
    AppendItems {
        /// The job.
        job: JobId,
        /// The new items' blob.
        blob: BlobHash,
        /// How many items it has.
        items: u64,
    },
    /// No more items come.
    CloseItems {
        /// The job.
        job: JobId,
    },
    /// A right to a run of shards: first what a dead coordinator left, then fresh ones, cut with
    /// `grain`. Gives nothing when nothing is left at the moment or the job is over.
    Claim {
        /// The job.
        job: JobId,
        /// The stage.
        stage: Stage,
        /// Most shards wanted.
        shards_max: u32,
        /// Items in each, where they are cut afresh.
        grain: u32,
    },
    /// Outputs accepted under a claim. Shards that are accepted already, or whose claim was taken
    /// away, are not counted again and not overwritten.
    Accept {
        /// The job.
        job: JobId,
        /// The stage.
        stage: Stage,
        /// The claim that covers the run.
        claim: ClaimId,
        /// The outputs.
        outputs: Outputs,
        /// How many items the run has.
        items: u64,
        /// Execution time of the run, in microseconds.
        busy_us: u64,
    },
    /// One output accepted under a claim that lies in a blob.
    AcceptBlob {
        /// The job.
        job: JobId,
        /// The stage.
        stage: Stage,
        /// The claim that covers the shard.
        claim: ClaimId,
        /// The shard.
        shard: ShardIndex,
        /// The output.
        blob: BlobHash,
        /// How many items the shard has.
        items: u64,
        /// Execution time, in microseconds.
        busy_us: u64,
    },
    /// A shard failed for good, under a claim.
    Fail {
        /// The job.
        job: JobId,
        /// The stage.
        stage: Stage,
        /// The claim that covers the shard.
        claim: ClaimId,
        /// The shard.
        shard: ShardIndex,
        /// The items `[first, end)` it would have had.
        items: (u64, u64),
        /// Why.
        failure: Failure,
        /// Whether the job goes on without it.
        skipped: bool,
    },
    /// An attempt failed: kept for [`Reader::errors`], grouped by cause and first line of detail.
    NoteFailure {
        /// The job.
        job: JobId,
        /// The shard.
        shard: ShardIndex,
        /// Why.
        failure: Failure,
        /// When, in milliseconds since 1970.
        time_ms: u64,
    },
    /// The job changes its state. Only the changes that a job's life allows have an effect:
    /// a job that is over stays so, except that retrying brings a failed one back to running.
    SetState {
        /// The job.
        job: JobId,
        /// The new state.
        state: JobState,
        /// Why, for failed and canceled.
        reason: Option<String>,
        /// When, in milliseconds since 1970.
        time_ms: u64,
    },
    /// Every shard that is cut and not accepted waits again, as if left by a dead coordinator: the failed,
    /// the skipped, and those still claimed when the job failed. All claims on the job are void, and a
    /// failed (or succeeded with skipped shards) job is running again.
    RetryFailed {
        /// The job.
        job: JobId,
        /// When, in milliseconds since 1970.
        time_ms: u64,
    },
    /// This coordinator lives. In a shared store: renews its claims, puts back those of coordinators
    /// that were silent for [`COORDINATOR_SILENCE_MS_MAX`], and tells what others changed.
    Heartbeat {
        /// Now, in milliseconds since 1970.
        time_ms: u64,
    },
    /// A token.
    AddToken {
        /// What is kept of it.
        info: TokenInfo,
        /// The SHA-256 of its secret part.
        secret: [u8; 32],
    },
    /// The token is worth nothing from now on.
    RevokeToken {
        /// Its public part.
        id: String,
    },
    /// A program that was uploaded; its bytes lie in the blobs under the same hash.
    AddProgram {
        /// Its hash.
        hash: ProgramHash,
        /// Its length in bytes.
        length: u64,
        /// Its description.
        description: Box<protocol::description::Description>,
    },
    /// Something of accounts and trust to remember.
    Remember(Box<Entry>),
}

/// What became of an [`Op`], in the same order.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// It is stored; nothing more to tell.
    Stored,
    /// The job is stored (`older` is `None`), or its idempotency key belongs to an older job.
    JobAdded {
        /// The job that has the key.
        older: Option<JobId>,
    },
    /// A job that another coordinator took in the same millisecond drew the same id.
    JobIdTaken,
    /// Items were added; `None` when the job takes no more.
    ItemsAppended {
        /// The new chunk.
        chunk: Option<Chunk>,
        /// Counts.
        totals: Totals,
    },
    /// What was claimed: empty when nothing is left at the moment.
    Claimed {
        /// The right to these runs.
        claim: ClaimId,
        /// The runs.
        runs: Vec<ShardRun>,
        /// The stage's cut, with these runs in it.
        cut: Cut,
        /// Counts.
        totals: Totals,
    },
    /// Counts after an [`Op::Accept`], [`Op::AcceptBlob`], [`Op::Fail`], [`Op::CloseItems`],
    /// [`Op::RetryFailed`] or [`Op::SetState`], and the state that holds now. In a batch they may be
    /// those after its last operation.
    Counted {
        /// Shards that this operation counted.
        shards: u32,
        /// Counts.
        totals: Totals,
        /// The job's state.
        state: JobState,
    },
    /// What other coordinators changed since the last heartbeat; each job once.
    Changes {
        /// Jobs added, steered, appended to or finished by others.
        jobs: Vec<JobId>,
    },
}

/// How long a coordinator may be silent before its claims pass to the others, in milliseconds.
pub const COORDINATOR_SILENCE_MS_MAX: u64 = 5_000;
/// How often a coordinator says that it lives, in milliseconds.
pub const COORDINATOR_HEARTBEAT_MS: u64 = 250;

/// Most groups of failed attempts kept of a job; what comes later is counted in one group a cause.
pub const ERROR_GROUPS_PER_JOB_MAX: u32 = 256;
/// Most queries that a reader serves at a time; more wait.
pub const READERS_MAX: usize = 8;

/// A claim that this coordinator holds from the start.
pub type RestoredClaim = (ClaimId, Vec<ShardRun>);
/// A job that is not over, with what this coordinator has a claim on.
pub type Restored = (StoredJob, Option<RestoredClaim>);

/// The writing side: owned by one thread.
pub trait Store: Send {
    /// A number that was never given before and never will be: the high half of session and lease ids.
    fn epoch(&self) -> u32;
    /// Jobs that are not over, with the runs this coordinator has a claim on from now on: in the
    /// embedded store everything cut and not yet settled, in a shared one nothing.
    fn restore(&mut self) -> Result<Vec<Restored>, StoreError>;
    /// Stores a batch whole and durably.
    fn commit(&mut self, ops: &[Op]) -> Result<Vec<Done>, StoreError>;
    /// The coordinator stops, and nothing is committed any more: what it has claims on is for the others at
    /// once. Without it they take it back after [`COORDINATOR_SILENCE_MS_MAX`].
    fn leave(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Whether other coordinators may work on the same jobs.
    fn is_shared(&self) -> bool;
    /// Which promise holds, for people: said at start and shown on the overview.
    fn durability(&self) -> String;
    /// The reading side.
    fn reader(&self) -> Arc<dyn Reader>;
}

/// Which jobs a page is to show.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only this state.
    pub state: Option<JobState>,
    /// Only jobs with this label.
    pub label: Option<(String, String)>,
    /// Only jobs older than this one.
    pub before: Option<JobId>,
    /// Most jobs.
    pub limit: usize,
}

/// Accepted outputs as they are stored.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredOutputs {
    /// The bytes.
    Inline(Outputs),
    /// One output in a blob.
    Blob {
        /// The shard.
        shard: ShardIndex,
        /// Its output.
        blob: BlobHash,
    },
}

impl StoredOutputs {
    /// Which shards.
    pub fn run(&self) -> ShardRun {
        match self {
            Self::Inline(outputs) => outputs.run,
            Self::Blob { shard, .. } => ShardRun {
                first: *shard,
                count: 1,
            },
        }
    }

    /// How many bytes it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Inline(outputs) => outputs.data.len() + 64,
            Self::Blob { .. } => 64,
        }
    }
}

/// A shard that failed for good.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedShard {
    /// The shard.
    pub shard: ShardIndex,
    /// Its items `[first, end)`.
    pub items: (u64, u64),
    /// Why.
    pub failure: Failure,
}

/// The reading side: any thread, many at a time, blocking (call it off the async threads). It sees
/// what is committed, and nothing else.
pub trait Reader: Send + Sync {
    /// A job.
    fn job(&self, id: JobId) -> Result<Option<StoredJob>, StoreError>;
    /// Jobs, newest first.
    fn jobs(&self, filter: &JobFilter) -> Result<Vec<StoredJob>, StoreError>;
    /// A job's chunks from `first_item` on, in order (the one that holds `first_item` included).
    fn chunks(&self, job: JobId, first_item: u64) -> Result<Vec<Chunk>, StoreError>;
    /// Outputs in shard order: stored runs that overlap `[from, …)`, up to about `bytes_max` (at least one
    /// run). A gap means that a shard is not accepted yet.
    fn outputs(
        &self,
        job: JobId,
        stage: Stage,
        from: ShardIndex,
        bytes_max: usize,
    ) -> Result<Vec<StoredOutputs>, StoreError>;
    /// Outputs in the order they were accepted, behind sequence number `after`, each with its own.
    fn outputs_as_accepted(
        &self,
        job: JobId,
        stage: Stage,
        after: u64,
        bytes_max: usize,
    ) -> Result<Vec<(u64, StoredOutputs)>, StoreError>;
    /// Shards that failed for good, in order.
    fn failed_shards(&self, job: JobId, stage: Stage) -> Result<Vec<FailedShard>, StoreError>;
    /// Failed attempts, grouped by cause and first line of detail, most frequent first.
    fn errors(&self, job: JobId) -> Result<Vec<ErrorGroup>, StoreError>;
    /// Tokens that are not revoked.
    fn tokens(&self) -> Result<Vec<TokenInfo>, StoreError>;
    /// A token and the SHA-256 of its secret part.
    fn token(&self, id: &str) -> Result<Option<(TokenInfo, [u8; 32])>, StoreError>;
    /// What is remembered of an account; `None` when that is nothing.
    fn account(&self, id: AccountId) -> Result<Option<AccountRecord>, StoreError>;
    /// A booking.
    fn booking(&self, id: ReceiptId) -> Result<Option<Booking>, StoreError>;
    /// Bookings of an account, newest first, each with its place in the order: those before a place, at most
    /// `limit` and [`BOOKINGS_PAGE_MAX`].
    fn bookings(
        &self,
        account: AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Booking)>, StoreError>;
    /// The accounts that chose a name and were never caught, those that gave most first, at most [`LEADERS_MAX`].
    fn leaders(&self) -> Result<Vec<Leader>, StoreError>;
    /// What was done for the trust in the answers of these jobs.
    fn reports(&self, jobs: &[JobId]) -> Result<Vec<Option<TrustReport>>, StoreError>;
    /// Programs that were uploaded.
    fn programs(&self) -> Result<Vec<(ProgramHash, u64, protocol::description::Description)>, StoreError>;
}
