//! What must hold, whatever goes wrong: the checkers and what they have seen.
use protocol::ids::LeaseId;
use std::collections::{BTreeMap, BTreeSet};

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checker {
    /// A job succeeded, and one of its shards is neither accepted nor skipped.
    ShardLost,
    /// A shard was sent to the store although it was settled.
    CountedOnce,
    /// An accepted output is not what it was.
    AcceptedChanged,
    /// An accepted output is not that of the shard's items.
    WrongOutput,
    /// Counts that do not add up.
    Books,
    /// Faults stopped, and a job does not end.
    Progress,
    /// A cancelled job stays in between for too long.
    CancelBounded,
    /// Work that nobody wants is still executed by a worker that could know.
    StoppedMeansStopped,
    /// A lease id was given twice.
    LeaseTwice,
    /// A table of the scheduler contradicts another one.
    Invariant,
    /// One heart says that the other one broke the protocol, or a frame does not read.
    Protocol,
}

impl Checker {
    /// Whether it says that something good happens in the end, rather than that nothing bad ever does.
    pub fn is_liveness(self) -> bool {
        matches!(
            self,
            Self::Progress | Self::CancelBounded | Self::StoppedMeansStopped
        )
    }
}

/// A broken promise, and when.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub checker: Checker,
    /// When, in microseconds of virtual time.
    pub at_us: u64,
    /// What exactly.
    pub what: String,
}

/// What the checkers remember.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) violations: Vec<Violation>,
    leases: BTreeSet<LeaseId>,
    /// The digest of every output ever accepted, kept apart from the store.
    pub(crate) accepted: BTreeMap<(usize, u32), u64>,
    pub(crate) attempts: u64,
}

/// Enough to see what is wrong; a broken scheduler would fill memory with more.
const VIOLATIONS_MAX: usize = 20;

impl Ledger {
    pub(crate) fn broken(&mut self, checker: Checker, at_us: u64, what: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation { checker, at_us, what });
        }
    }

    /// A lease leaves the coordinator.
    pub(crate) fn granted(&mut self, at_us: u64, lease: LeaseId) {
        if !self.leases.insert(lease) {
            self.broken(
                Checker::LeaseTwice,
                at_us,
                format!("lease {lease} was given twice"),
            );
        }
    }
}
