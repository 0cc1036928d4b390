//! The counts of a job's stage, as they are stored: what decides that a job is complete.
use serde::{Deserialize, Serialize};

/// A stage's counts, always those after the last commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Items known.
    pub items: u64,
    /// Whether no more items come.
    pub items_closed: bool,
    /// Items cut into shards.
    pub items_cut: u64,
    /// Shards cut.
    pub shards_cut: u32,
    /// Shards accepted.
    pub shards_accepted: u32,
    /// Items of accepted shards.
    pub items_accepted: u64,
    /// Shards failed for good (the job failed).
    pub shards_failed: u32,
    /// Shards failed for good and skipped.
    pub shards_skipped: u32,
    /// Execution time of accepted outputs, in microseconds.
    pub busy_us: u64,
}

impl Totals {
    /// Whether every item is in a shard that is accepted or skipped, and no more come.
    pub fn is_complete(&self) -> bool {
        self.items_closed
            && self.items_cut == self.items
            && self.shards_accepted + self.shards_skipped == self.shards_cut
    }
}
