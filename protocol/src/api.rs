//! HTTP bodies under `/api/v1`, for people, the command line, SDKs and the dashboard.
//!
//! | method and path | body → answer | scope |
//! |---|---|---|
//! | `POST /jobs` (`Idempotency-Key`) | [`JobSpec`] → 201 [`Job`] | submit |
//! | `GET /jobs?state=&label=&cursor=&limit=` | [`JobPage`], newest first | read |
//! | `GET /jobs/{id}` | [`Job`] | read |
//! | `POST /jobs/{id}/cancel` `/pause` `/resume` `/retry` | [`Job`] | submit |
//! | `POST /jobs/{id}/items` | lines → [`ItemsAdded`]; 429 with `Retry-After` when too many wait | submit |
//! | `POST /jobs/{id}/close` | [`Job`] | submit |
//! | `GET /jobs/{id}/results?order=index\|completed&cursor=&limit=&follow=` | NDJSON of [`ResultLine`] | read |
//! | `GET /jobs/{id}/errors` | [`ErrorGroups`] | read |
//! | `GET /jobs/{id}/explain` | [`Explanation`] | read |
//! | `GET /jobs/{id}/shards/{shard}` | [`Shard`] | read |
//! | `GET /workers` | [`WorkerList`] | read |
//! | `GET /workers/{id}/explain` | [`Explanation`] | read |
//! | `GET /programs` · `GET /programs/{hash}` | [`ProgramList`] · [`Program`] | read |
//! | `POST /programs` | module bytes → [`Program`] | submit |
//! | `GET /programs/{hash}/module` | module bytes, immutable | none |
//! | `POST /blobs` · `GET /blobs/{hash}` (ranges) | bytes → [`Blob`] · bytes | submit or work · read; own uploads: submit; leased: none |
//! | `GET /overview` | [`Overview`] | read |
//! | `GET /events?job=` (`Last-Event-ID`) | server-sent [`Event`]s | read |
//! | `POST /tokens` · `GET /tokens` · `DELETE /tokens/{id}` | [`TokenRequest`] → [`TokenMade`] · [`TokenList`] | admin |
//! | `GET /whoami` | [`WhoAmI`] | any |
//! | `GET /accounts/{id}` | [`Account`](crate::credit::Account) | none: who knows its name |
//! | `GET /accounts/{id}/receipts?before=&limit=` | [`ReceiptPage`](crate::credit::ReceiptPage) | none |
//! | `GET /receipts/{id}` | [`Receipt`](crate::credit::Receipt) | none |
//! | `GET /receipts/{id}/digests` | [`ReceiptDigests`](crate::credit::ReceiptDigests) | read |
//! | `GET /leaders` | [`LeaderList`](crate::credit::LeaderList) | none |
//! | `POST /tickets` | [`Ticket`], for a page that is to be a worker | work, where the operator asks |
//! | `GET /work` | WebSocket of [`crate::wire`] | work, where the operator asks |
//! | `GET /openapi.json` | this table for programs | none |
//!
//! A token with `submit` and without `read` reads its own jobs and hears of those; what belongs to others is answered
//! like what does not exist. Only a job's owner changes it, and `admin`.
use crate::description::Description;
use crate::ids::{BlobHash, JobId, ProgramHash, WorkerId};
use crate::job::{JobSpec, JobState};
use crate::wire::{Cause, PauseReason, WorkerKind};
use serde::{Deserialize, Serialize};

/// A job as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its state.
    pub state: JobState,
    /// Why it failed or was cancelled, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was asked for, with defaults filled in; a list of items is not repeated.
    pub spec: JobSpec,
    /// The program it uses.
    pub program: ProgramHash,
    /// For whom: the name of the token that submitted it.
    pub owner: String,
    /// Items and shards by state.
    pub counts: JobCounts,
    /// When it was submitted, in milliseconds since 1970.
    pub submitted_ms: u64,
    /// When its first shard was handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<u64>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// Items accepted a second, lately.
    #[serde(default)]
    pub items_per_second: f64,
    /// Predicted milliseconds to the end, when it can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_ms: Option<u64>,
    /// Execution time of accepted outputs, in milliseconds.
    #[serde(default)]
    pub busy_ms: u64,
    /// How far its reduction is, once its map is complete; only where a single job is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduction: Option<Reduction>,
    /// What was done so that its answers can be trusted; absent at `private`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<crate::trust::TrustReport>,
}

/// How far a reduction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reduction {
    /// The stage that runs, or ran last; the map is stage 0.
    pub stage: crate::ids::Stage,
    /// Its items: lists of outputs of the stage before.
    pub items: u64,
    /// Those that are reduced.
    pub items_accepted: u64,
}

/// Items and shards of a job by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobCounts {
    /// Items known so far.
    pub items: u64,
    /// Whether more items may come.
    pub items_open: bool,
    /// Items whose shard is accepted.
    pub items_accepted: u64,
    /// Shards cut so far; more may be cut.
    pub shards: u64,
    /// Items not cut into shards yet.
    pub items_uncut: u64,
    /// Cut and waiting.
    pub pending: u64,
    /// With a worker.
    pub leased: u64,
    /// Output known, not yet settled or durable.
    pub verifying: u64,
    /// Done.
    pub accepted: u64,
    /// Failed for good.
    pub failed: u64,
    /// Failed for good and skipped, as the job asked.
    pub skipped: u64,
    /// Not wanted any more.
    pub canceled: u64,
    /// Attempts that were handed out, all in all.
    pub attempts: u64,
}

/// A page of jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobPage {
    /// Newest first.
    pub jobs: Vec<Job>,
    /// Where the next page begins, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What became of items that were added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemsAdded {
    /// How many were in the request.
    pub added: u64,
    /// How many the job has now.
    pub items: u64,
    /// How many of them are not accepted yet: the sender keeps this bounded.
    pub waiting: u64,
}

/// One line of a result stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ResultLine {
    /// An item's output.
    Item {
        /// Which item.
        item: u64,
        /// Its output, where the entry's output is JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
        output: Option<serde_json::Value>,
        /// Its output in base64 (RFC 4648), where the entry's output is bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<String>,
    },
    /// Items that have no output, because their shard failed for good.
    Failed {
        /// First item.
        first_item: u64,
        /// The item behind the last.
        end_item: u64,
        /// Why.
        cause: Cause,
        /// What the sandbox said.
        detail: String,
    },
    /// Where to go on; always the last line of a page, and now and then in between.
    Cursor {
        /// For the next request.
        cursor: String,
        /// Whether the job is over and this is the end.
        end: bool,
        /// The job's state.
        state: JobState,
    },
}

/// A shard as a worker gets it, to be run again elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Shard {
    /// The job.
    pub job: JobId,
    /// Its place.
    pub shard: u32,
    /// First item.
    pub first_item: u64,
    /// The item behind the last.
    pub end_item: u64,
    /// The program that is executed; for a script that is the script engine.
    pub program: ProgramHash,
    /// The entry that is called.
    pub entry: String,
    /// Its limits.
    pub limits: crate::job::Limits,
    /// What the program reads, in base64 (RFC 4648): parameters and items in the kernel's encoding.
    pub input: String,
}

/// A job's failed attempts by cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorGroups {
    /// Most frequent first.
    pub groups: Vec<ErrorGroup>,
}

/// Failed attempts with the same cause and the same first line of detail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorGroup {
    /// The cause.
    pub cause: Cause,
    /// The latest detail.
    pub detail: String,
    /// How many attempts.
    pub count: u64,
    /// One of the shards.
    pub shard: u32,
    /// When it was seen last, in milliseconds since 1970.
    pub last_ms: u64,
}

/// Why something does not move, and what would change it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// In order of weight; never empty.
    pub reasons: Vec<Reason>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reason {
    /// A stable word for programs, such as `no_worker`.
    pub code: String,
    /// For people.
    pub text: String,
    /// What to do about it; empty when there is nothing to do.
    #[serde(default)]
    pub remedy: String,
}

/// A worker as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Worker {
    /// Its id.
    pub id: WorkerId,
    /// Its name for people; may be empty.
    pub name: String,
    /// Tab or native.
    pub kind: WorkerKind,
    /// Software and version.
    pub agent: String,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether its token carries the `trusted` scope.
    pub trusted: bool,
    /// Slots in use; 0 while paused.
    pub slots: u16,
    /// Why it takes nothing, when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<PauseReason>,
    /// Shards it holds now.
    pub leased: u32,
    /// Its window now: shards that may be in flight to it.
    pub window: u32,
    /// Shards accepted from it.
    pub accepted: u64,
    /// Attempts of it that failed.
    pub failed: u64,
    /// Attempts of it that were lost.
    pub lost: u64,
    /// Accepted divided by accepted and lost; 1 at the beginning.
    pub reliability: f64,
    /// Its measured speed for each program entry.
    pub speeds: Vec<Speed>,
    /// When it connected, in milliseconds since 1970.
    pub connected_ms: u64,
    /// When it was last heard, in milliseconds since 1970.
    pub seen_ms: u64,
}

/// A worker's measured speed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Speed {
    /// The entry.
    pub entry: String,
    /// Items a second and slot.
    pub items_per_second: f64,
    /// Against all that was measured for this entry lately; 1 is typical, 2 is twice as fast.
    pub score: f64,
}

/// The workers a coordinator knows: connected ones, and those lately gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerList {
    /// Connected first.
    pub workers: Vec<Worker>,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Program {
    /// Its name.
    pub hash: ProgramHash,
    /// Its length in bytes.
    pub length: u64,
    /// What it says of itself.
    pub description: Description,
    /// Whether the coordinator carries it.
    pub built_in: bool,
}

/// The programs a coordinator knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProgramList {
    /// Built-in ones first.
    pub programs: Vec<Program>,
}

/// An uploaded blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Blob {
    /// Its name.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub length: u64,
}

/// What the overview page shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Overview {
    /// The coordinator's version.
    pub version: String,
    /// Which promise the store holds, for people.
    pub durability: String,
    /// Why nothing can be stored at the moment, when that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_problem: Option<String>,
    /// Workers connected.
    pub workers: u32,
    /// Slots they lend.
    pub slots: u32,
    /// Jobs queued, running or paused.
    pub jobs_open: u32,
    /// Shards waiting.
    pub pending: u64,
    /// Shards with workers.
    pub leased: u64,
    /// Shards accepted since the coordinator started.
    pub accepted: u64,
    /// Attempts failed since the coordinator started.
    pub failed: u64,
    /// Accepted shards and items a second, one sample a second, oldest first, at most 300.
    pub throughput: Vec<Sample>,
    /// Whether contributors need a token.
    pub worker_token_required: bool,
    /// The least level of a job here; a lower one is raised to it.
    #[serde(default)]
    pub trust_min: crate::trust::Trust,
}

/// One second of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sample {
    /// The second, in milliseconds since 1970.
    pub time_ms: u64,
    /// Shards accepted in it.
    pub shards: u64,
    /// Items accepted in it.
    pub items: u64,
    /// Attempts failed in it.
    pub failed: u64,
}

/// Something that happened; the SSE `id` is its number, the SSE `event` its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Event {
    /// A job was submitted or changed its state.
    JobChanged {
        /// The job as it stands.
        job: Box<Job>,
    },
    /// A job moved on; at most four a second and job.
    JobProgress {
        /// The job.
        id: JobId,
        /// How it stands.
        counts: JobCounts,
        /// Items accepted a second, lately.
        items_per_second: f64,
        /// Predicted milliseconds to the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remaining_ms: Option<u64>,
    },
    /// A worker connected, changed or left.
    WorkerChanged {
        /// The worker as it stands.
        worker: Box<Worker>,
    },
    /// The whole picture, once a second.
    OverviewSample {
        /// This second.
        sample: Sample,
        /// Workers connected.
        workers: u32,
        /// Slots they lend.
        slots: u32,
        /// Shards waiting.
        pending: u64,
        /// Shards with workers.
        leased: u64,
    },
    /// Events were dropped because the reader was away for too long: read everything afresh.
    Missed,
}

/// What a bearer of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Scope {
    /// Submit and steer jobs, upload programs and blobs.
    Submit,
    /// Be a worker.
    Work,
    /// Be a worker whose answers stand.
    Trusted,
    /// Read jobs, results and workers.
    Read,
    /// Everything, tokens included.
    Admin,
}

impl Scope {
    /// Every scope, with its word.
    pub const ALL: [(Scope, &'static str); 5] = [
        (Scope::Submit, "submit"),
        (Scope::Work, "work"),
        (Scope::Trusted, "trusted"),
        (Scope::Read, "read"),
        (Scope::Admin, "admin"),
    ];
}

/// Asks for a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenRequest {
    /// For whom; shown as the owner of jobs.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it ends, in milliseconds since 1970; never, when absent.
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

/// A new token: the only time its text is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenMade {
    /// Its text, for the `Authorization: Bearer` header.
    pub token: String,
    /// What is kept of it.
    pub info: TokenInfo,
}

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenInfo {
    /// Its public part.
    pub id: String,
    /// For whom.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends.
    #[serde(default)]
    pub expires_ms: Option<u64>,
}

/// The tokens that are not revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenList {
    /// Oldest first.
    pub tokens: Vec<TokenInfo>,
}

/// What a page's worker shows in place of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ticket {
    /// Its text, for the `token` of the worker's hello. Good once.
    pub ticket: String,
    /// When it is over, in milliseconds since 1970.
    pub expires_ms: u64,
}

/// Who a token makes of its bearer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhoAmI {
    /// The token's name, or `anonymous`.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
}
