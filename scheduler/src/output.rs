//! Everything the scheduler can ask for.
use crate::trust::{Finished, Standing};
use protocol::cut::Piece;
use protocol::ids::{AccountId, BlobHash, ClaimId, JobId, LeaseId, ProgramHash, SessionId, Stage, WorkerId};
use protocol::job::JobState;
use protocol::run::Outputs;
use protocol::trust::TrustReport;
use protocol::wire::{Failure, JobHandle, RefusalCode};

/// Everything the scheduler can ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Make a job known to a session; always before its first [`Output::Lease`] there.
    Open {
        /// The session.
        session: SessionId,
        /// The job.
        job: JobHandle,
    },
    /// The session needs to know nothing more of a job.
    Close {
        /// The session.
        session: SessionId,
        /// The job.
        job: JobHandle,
    },
    /// Hand shards to a worker.
    Lease {
        /// The session.
        session: SessionId,
        /// The shards.
        grant: Grant,
    },
    /// Shards of a lease are not wanted any more; empty means all of it.
    Cancel {
        /// The session.
        session: SessionId,
        /// The lease.
        lease: LeaseId,
        /// Its shards.
        shards: Vec<u32>,
    },
    /// Tell a worker that the coordinator goes away.
    Drain {
        /// The session.
        session: SessionId,
    },
    /// End a session. [`crate::Input::WorkerLeft`] need not follow.
    End {
        /// The session.
        session: SessionId,
        /// Why, for programs.
        code: RefusalCode,
        /// Why, for people, and what to do.
        detail: String,
    },
    /// Store something durably.
    Store {
        /// The job it is about.
        job: JobHandle,
        /// What.
        effect: Effect,
    },
    /// Every output of a job that reduces is there: its further stages can begin. Told once; the job runs on
    /// until [`crate::Input::Reduced`].
    Reduce(JobId),
    /// An account gave a wrong answer, as a trusted worker found: it gets no more work that is checked, and
    /// what it returned and nobody has seen is thrown away. To be remembered for
    /// [`crate::WorkerSeed::caught`].
    Caught {
        /// Whose answer it was.
        account: AccountId,
        /// The job.
        job: JobId,
        /// The shard.
        shard: u32,
    },
    /// A batch of an account's outputs was verified: they are being accepted, by what was asked for before this.
    Verified {
        /// Whose they are.
        account: AccountId,
        /// The job.
        job: JobId,
        /// The batch's number in the job, at this coordinator.
        batch: u32,
        /// The outputs.
        outputs: Vec<Finished>,
        /// How many shards they are of.
        shards: u32,
        /// How many items those have.
        items: u64,
    },
    /// An account's standing changed in a way that is worth remembering ([`crate::WorkerSeed::standings`]).
    Stands {
        /// The account.
        account: AccountId,
        /// With which program.
        program: ProgramHash,
        /// How.
        standing: Standing,
    },
    /// A job looks different now.
    JobChanged(JobHandle),
    /// A worker looks different now.
    WorkerChanged(WorkerId),
    /// The job is over and forgotten here; the store has it.
    JobOver {
        /// Its short name.
        job: JobHandle,
        /// Its id.
        id: JobId,
        /// What was done so that its answers can be trusted; absent at `private`.
        trust: Option<TrustReport>,
    },
}

/// Shards handed to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Name and fencing epoch.
    pub lease: LeaseId,
    /// The job.
    pub job: JobHandle,
    /// The stage.
    pub stage: Stage,
    /// Shards and items.
    pub piece: Piece,
    /// How long it lasts, in milliseconds.
    pub lease_ms: u32,
}

/// Something to store.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A right to more shards. Answered by [`crate::Input::Claimed`].
    Claim {
        /// The stage.
        stage: Stage,
        /// Most shards.
        shards_max: u32,
        /// Items in each.
        grain: u32,
    },
    /// Outputs. Answered by [`crate::Input::Counted`].
    Accept {
        /// The stage.
        stage: Stage,
        /// The claim that covers the run.
        claim: ClaimId,
        /// The outputs.
        outputs: Outputs,
        /// How many items the run has.
        items: u64,
        /// Execution time in microseconds.
        busy_us: u64,
    },
    /// One output that lies in a blob. Answered by [`crate::Input::Counted`].
    AcceptBlob {
        /// The stage.
        stage: Stage,
        /// The claim that covers the shard.
        claim: ClaimId,
        /// The shard.
        shard: u32,
        /// The output.
        blob: BlobHash,
        /// How many items the shard has.
        items: u64,
        /// Execution time in microseconds.
        busy_us: u64,
    },
    /// A shard failed for good. Answered by [`crate::Input::Counted`].
    Fail {
        /// The stage.
        stage: Stage,
        /// The claim that covers the shard.
        claim: ClaimId,
        /// The shard.
        shard: u32,
        /// Its items `[first, end)`.
        items: (u64, u64),
        /// Why.
        failure: Failure,
        /// Whether the job goes on.
        skipped: bool,
    },
    /// An attempt failed. Not answered.
    NoteFailure {
        /// The shard.
        shard: u32,
        /// Why.
        failure: Failure,
    },
    /// The job's state. Answered by [`crate::Input::Counted`].
    SetState {
        /// The state.
        state: JobState,
        /// Why.
        reason: Option<String>,
    },
}
