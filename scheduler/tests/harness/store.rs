//! The store of a scenario: one job, committed at once, with claims that can be taken back.
use protocol::cut::{Cut, ShardRun};
use protocol::ids::ClaimId;
use protocol::job::JobState;
use protocol::totals::Totals;
use protocol::wire::JobHandle;
use scheduler::{Effect, Input};
use std::collections::BTreeSet;

pub(super) struct Stored {
    state: JobState,
    cut: Cut,
    totals: Totals,
    left_over: Vec<ShardRun>,
    settled: BTreeSet<u32>,
    /// Claims before this one are void.
    claims_from: u64,
}

impl Stored {
    pub(super) fn new(totals: Totals) -> Self {
        Self {
            state: JobState::Queued,
            cut: Cut::default(),
            totals,
            left_over: Vec::new(),
            settled: BTreeSet::new(),
            claims_from: 0,
        }
    }

    /// Ends every claim up to the last one; what they cover is left over.
    pub(super) fn take_back(&mut self, last: ClaimId) {
        self.claims_from = last.0 + 1;
        let unsettled = (0..self.cut.next_shard).filter(|shard| !self.settled.contains(shard));
        self.left_over = unsettled.map(|first| ShardRun { first, count: 1 }).collect();
    }

    /// Carries out one effect; `fresh` is the name of the claim, where one is asked for.
    pub(super) fn commit(&mut self, job: JobHandle, fresh: ClaimId, effect: Effect) -> Option<Input> {
        let (claim, shards) = match effect {
            Effect::Claim {
                shards_max, grain, ..
            } => return Some(self.claim(job, fresh, shards_max, grain)),
            Effect::Accept {
                claim,
                outputs,
                items,
                ..
            } => (
                Some((claim, outputs.run.count)),
                self.accept(claim, outputs.run, items),
            ),
            Effect::AcceptBlob {
                claim, shard, items, ..
            } => (Some((claim, 1)), self.accept(claim, one(shard), items)),
            Effect::Fail {
                claim,
                shard,
                skipped,
                ..
            } => (Some((claim, 1)), self.fail(claim, shard, skipped)),
            Effect::NoteFailure { .. } => return None,
            Effect::SetState { state, .. } => {
                self.state = state;
                (None, 0)
            }
        };
        Some(Input::Counted {
            job,
            claim,
            shards,
            totals: self.totals,
            state: self.state,
        })
    }

    fn claim(&mut self, job: JobHandle, claim: ClaimId, shards_max: u32, grain: u32) -> Input {
        let mut runs = std::mem::take(&mut self.left_over);
        if runs.is_empty() {
            let piece = self.cut.take(shards_max, grain, self.totals.items);
            runs.extend(piece.map(|piece| piece.run));
        }
        self.totals.items_cut = self.cut.next_item;
        self.totals.shards_cut = self.cut.next_shard;
        Input::Claimed {
            job,
            claim,
            runs,
            cut: self.cut.clone(),
            totals: self.totals,
        }
    }

    fn accept(&mut self, claim: ClaimId, run: ShardRun, items: u64) -> u32 {
        let shards = self.settle(claim, run);
        self.totals.shards_accepted += shards;
        self.totals.items_accepted += if shards > 0 { items } else { 0 };
        shards
    }

    fn fail(&mut self, claim: ClaimId, shard: u32, skipped: bool) -> u32 {
        let shards = self.settle(claim, one(shard));
        if skipped {
            self.totals.shards_skipped += shards;
        } else {
            self.totals.shards_failed += shards;
        }
        shards
    }

    /// How many shards count under a claim.
    fn settle(&mut self, claim: ClaimId, run: ShardRun) -> u32 {
        if claim.0 < self.claims_from {
            return 0;
        }
        self.settled.extend(run.first..run.end());
        run.count
    }
}

fn one(first: u32) -> ShardRun {
    ShardRun { first, count: 1 }
}
