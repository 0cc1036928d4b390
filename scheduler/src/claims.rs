//! Which claim covers which shard, for as long as any of its shards is not settled.
use protocol::cut::ShardRun;
use protocol::ids::ClaimId;
use std::collections::BTreeMap;

/// The claimed runs of one stage, by first shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    held: BTreeMap<u32, Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    run: ShardRun,
    claim: ClaimId,
    unsettled: u32,
}

impl Claims {
    /// The claims that cover any shard of a run. Claims never overlap.
    pub(crate) fn across(&self, run: ShardRun) -> Vec<ClaimId> {
        let before_end = self.held.range(..run.end()).rev();
        before_end
            .take_while(|(_, held)| held.run.end() > run.first)
            .map(|(_, held)| held.claim)
            .collect()
    }

    pub(crate) fn add(&mut self, claim: ClaimId, run: ShardRun) {
        self.held.insert(
            run.first,
            Held {
                run,
                claim,
                unsettled: run.count,
            },
        );
    }

    /// Whether every shard is under one claim at most.
    pub(crate) fn are_apart(&self) -> bool {
        let held = || self.held.values().map(|held| held.run);
        held().zip(held().skip(1)).all(|(a, b)| a.end() <= b.first)
    }

    /// The claim over a shard, and the shard behind the last that it covers in one run.
    pub(crate) fn over(&self, shard: u32) -> Option<(ClaimId, u32)> {
        let (_, held) = self.held.range(..=shard).next_back()?;
        (shard < held.run.end()).then_some((held.claim, held.run.end()))
    }

    /// Shards of one run are accepted, failed or skipped: nothing more comes for them.
    pub(crate) fn settle(&mut self, run: ShardRun) {
        let Some((&first, held)) = self.held.range_mut(..=run.first).next_back() else {
            return;
        };
        held.unsettled = held.unsettled.saturating_sub(run.count);
        if held.unsettled == 0 {
            self.held.remove(&first);
        }
    }

    /// The claim was taken away: its runs, no longer ours.
    pub(crate) fn drop_claim(&mut self, claim: ClaimId) -> Vec<ShardRun> {
        let lost: Vec<ShardRun> = self
            .held
            .values()
            .filter(|h| h.claim == claim)
            .map(|h| h.run)
            .collect();
        self.held.retain(|_, h| h.claim != claim);
        lost
    }
}
