//! The shards of a lease that wait for a slot: a place in a run, and the few exceptions.
use protocol::cut::ShardRun;
use std::collections::BTreeSet;

/// Shards of a lease that no slot has had yet, or that came back from one unexecuted.
#[derive(Debug)]
pub(crate) struct Unstarted {
    /// The first shard that was never handed to a slot, and the one behind the last.
    next: u32,
    end: u32,
    /// Shards that came back, the next one last.
    again: Vec<u32>,
    /// Shards from `next` on that are not wanted.
    unwanted: BTreeSet<u32>,
}

impl Unstarted {
    /// All shards of a run.
    pub(crate) fn new(run: ShardRun) -> Self {
        Self {
            next: run.first,
            end: run.end(),
            again: Vec::new(),
            unwanted: BTreeSet::new(),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        // Each is at most LEASE_SHARDS_MAX.
        self.end - self.next + self.again.len() as u32 - self.unwanted.len() as u32
    }

    /// Takes the next one.
    pub(crate) fn take(&mut self) -> Option<u32> {
        if let Some(shard) = self.again.pop() {
            return Some(shard);
        }
        while self.next < self.end {
            let shard = self.next;
            self.next += 1;
            if !self.unwanted.remove(&shard) {
                return Some(shard);
            }
        }
        None
    }

    /// A shard came back.
    pub(crate) fn put_back(&mut self, shard: u32) {
        self.again.push(shard);
    }

    /// Cancels a shard; says whether it was one of these.
    pub(crate) fn cancel(&mut self, shard: u32) -> bool {
        if let Some(at) = self.again.iter().position(|&s| s == shard) {
            self.again.remove(at);
            return true;
        }
        (self.next..self.end).contains(&shard) && self.unwanted.insert(shard)
    }
}
