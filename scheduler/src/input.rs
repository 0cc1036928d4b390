//! Everything that can happen to the scheduler.
use crate::executor::WorkerSeed;
use protocol::cut::{Cut, ShardRun};
use protocol::ids::{ClaimId, JobId, ProgramHash, SessionId, Stage};
use protocol::job::{Grain, JobState, Needs, OnFailure};
use protocol::totals::Totals;
use protocol::trust::{Trust, TrustReport};
use protocol::wire::{FromWorker, JobHandle};

/// Everything that can happen to the scheduler.
#[derive(Clone, Debug)]
pub enum Input {
    /// A job is known and durable: new, found at start, or told by another coordinator.
    JobAdded(Box<JobSeed>),
    /// Items were added, or no more come; or another coordinator moved the job on.
    JobMoved {
        /// The job.
        job: JobId,
        /// Counts.
        totals: Totals,
        /// Its state.
        state: JobState,
    },
    /// A person steers a job.
    Steer {
        /// The job.
        job: JobId,
        /// How.
        steer: Steer,
    },
    /// Answers [`crate::Effect::Claim`]; `runs` is empty when nothing is left at the moment.
    Claimed {
        /// The job.
        job: JobHandle,
        /// The right to the runs.
        claim: ClaimId,
        /// The runs.
        runs: Vec<ShardRun>,
        /// The stage's cut, with the runs in it.
        cut: Cut,
        /// Counts.
        totals: Totals,
    },
    /// Answers [`crate::Effect::Accept`], [`crate::Effect::AcceptBlob`], [`crate::Effect::Fail`] and
    /// [`crate::Effect::SetState`].
    Counted {
        /// The job.
        job: JobHandle,
        /// The claim it was stored under and the shards it asked to count (0 for a state).
        claim: Option<(ClaimId, u32)>,
        /// Shards that were counted: fewer when the claim had been taken away.
        shards: u32,
        /// Counts.
        totals: Totals,
        /// The job's state.
        state: JobState,
    },
    /// Answers [`crate::Output::Reduce`]: the stages behind the map are over.
    Reduced {
        /// The job.
        job: JobId,
        /// Why there is no result, when there is none.
        failed: Option<String>,
    },
    /// A worker said a good hello.
    WorkerJoined(Box<WorkerSeed>),
    /// A worker said something else.
    FromWorker {
        /// Its session.
        session: SessionId,
        /// What. Outputs are checked ([`protocol::frame`]).
        message: FromWorker,
    },
    /// A session ended, however.
    WorkerLeft {
        /// The session.
        session: SessionId,
    },
    /// The time of [`crate::Scheduler::next_timer_ms`] has come (too early does no harm).
    TimerRang,
    /// The coordinator goes away: nothing new is handed out, workers are told.
    Drain,
}

/// How a person steers a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steer {
    /// Hand out nothing new.
    Pause,
    /// Hand out again.
    Resume,
    /// Stop for good.
    Cancel {
        /// Why, for people.
        reason: Option<String>,
    },
}

/// What the scheduler has to know of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSeed {
    /// Its id.
    pub id: JobId,
    /// Its short name; never used before in this process.
    pub handle: JobHandle,
    /// The program.
    pub program: ProgramHash,
    /// The entry.
    pub entry: String,
    /// Items in a shard.
    pub grain: Grain,
    /// Higher goes first.
    pub priority: i8,
    /// Share within a priority.
    pub weight: u16,
    /// What a shard that fails for good does.
    pub on_failure: OnFailure,
    /// Failed attempts after which a shard fails for good.
    pub attempts_max: u8,
    /// Memory of one instance, in MiB.
    pub memory_mib: u32,
    /// What a worker must be.
    pub needs: Needs,
    /// How far workers are trusted.
    pub trust: Trust,
    /// Whether its outputs are reduced when all are there.
    pub reduces: bool,
    /// Its state.
    pub state: JobState,
    /// The stage that runs.
    pub stage: Stage,
    /// How it is cut so far.
    pub cut: Cut,
    /// Counts.
    pub totals: Totals,
    /// What was done so far for the trust in its answers, at a coordinator that had it before.
    pub report: Option<TrustReport>,
    /// Runs this coordinator has a claim on already.
    pub claimed: Option<(ClaimId, Vec<ShardRun>)>,
}
