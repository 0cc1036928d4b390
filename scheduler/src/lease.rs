//! A lease as the scheduler keeps it.
use crate::runs::RunSet;
use protocol::ids::{ClaimId, LeaseId, SessionId};
use protocol::trust::NetworkPrefix;
use protocol::wire::JobHandle;

/// A worker's right to a run of shards.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) job: JobHandle,
    pub(crate) session: SessionId,
    /// The claim that covers all of its shards.
    pub(crate) claim: ClaimId,
    /// Shards not returned yet.
    pub(crate) left: RunSet,
    /// Predicted execution time of one of its shards, in milliseconds.
    pub(crate) shard_ms: f64,
    /// What its job was charged for one of its shards, in milliseconds of predicted work.
    pub(crate) charged_ms: f64,
    /// When the last of its shards was returned (or it was granted): what makes it a straggler.
    pub(crate) moved_ms: u64,
    pub(crate) ends_ms: u64,
    pub(crate) length_ms: u32,
    pub(crate) twin: Twin,
    /// Whose share of the job it is counted in: the network, and whether that is a crowd.
    pub(crate) share: Option<(NetworkPrefix, bool)>,
}

/// Which other leases hold the same shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Twin {
    /// The first hand-out, with its backup attempts.
    First(Vec<LeaseId>),
    /// A backup attempt of that lease.
    BackupOf(LeaseId),
    /// Shards whose output is known and computed once more to check it: nobody's to take over.
    Check,
}

impl Lease {
    pub(crate) fn is_check(&self) -> bool {
        self.twin == Twin::Check
    }

    /// Whether its shards are in no other place.
    pub(crate) fn is_first(&self) -> bool {
        matches!(self.twin, Twin::First(_))
    }
}
