//! A store as a model: what is durable, and the checks of everything that is committed.
use crate::checker::{Checker, Ledger};
use crate::plan::JobPlan;
use crate::task;
use crate::twin::Sabotage;
use protocol::cut::{Cut, ShardRun};
use protocol::ids::{BlobHash, ClaimId};
use protocol::job::JobState;
use protocol::totals::Totals;
use protocol::wire::JobHandle;
use scheduler::{Effect, Input};
use std::collections::{BTreeMap, BTreeSet};

/// Something to be committed.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A new job.
    Submit,
    /// Items come, up to so many; the last part closes the job.
    Append { items: u64 },
    /// What the scheduler asked for.
    Effect(JobHandle, Effect),
}

/// What became of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The digest of its output.
    Accepted(u64),
    Failed,
    Skipped,
}

/// A job as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredJob {
    pub(crate) state: JobState,
    pub(crate) cut: Cut,
    pub(crate) totals: Totals,
    pub(crate) settled: BTreeMap<u32, Settled>,
    /// Which claim covers a shard that is not settled.
    claimed: BTreeMap<u32, ClaimId>,
}

/// All that survives a crash.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) jobs: BTreeMap<usize, StoredJob>,
    /// Blobs by name, and the digest of their bytes.
    pub(crate) blobs: BTreeMap<BlobHash, u64>,
    claims_made: u64,
    commits: u64,
    sabotage: Sabotage,
}

/// A digest of an output.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Where a commit is checked.
pub(crate) struct Commit<'a> {
    pub(crate) now_us: u64,
    pub(crate) job: usize,
    pub(crate) plan: &'a JobPlan,
    pub(crate) ledger: &'a mut Ledger,
}

impl Store {
    pub(crate) fn new(sabotage: Sabotage) -> Self {
        Self {
            sabotage,
            ..Self::default()
        }
    }

    /// Makes an operation durable; the answer is for the scheduler, if it still runs.
    pub(crate) fn apply(&mut self, at: &mut Commit<'_>, op: Op) -> Option<Input> {
        self.commits += 1;
        match op {
            Op::Submit => {
                let first = if at.plan.open {
                    at.plan.items / 3
                } else {
                    at.plan.items
                };
                let totals = Totals {
                    items: first,
                    items_closed: !at.plan.open,
                    ..Totals::default()
                };
                let (cut, settled, claimed) = (Cut::default(), BTreeMap::new(), BTreeMap::new());
                let stored = StoredJob {
                    state: JobState::Queued,
                    cut,
                    totals,
                    settled,
                    claimed,
                };
                self.jobs.insert(at.job, stored);
                None
            }
            Op::Append { items } => {
                let stored = self.jobs.get_mut(&at.job)?;
                if !stored.state.is_over() {
                    // Whoever adds items does it again after a crash, perhaps all at once.
                    stored.totals.items = stored.totals.items.max(items);
                    stored.totals.items_closed = stored.totals.items == at.plan.items;
                }
                None
            }
            Op::Effect(handle, effect) => self.effect(at, handle, effect),
        }
    }

    fn effect(&mut self, at: &mut Commit<'_>, handle: JobHandle, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Claim {
                shards_max, grain, ..
            } => self.claim(at, handle, shards_max, grain),
            Effect::Accept {
                claim,
                outputs,
                items,
                ..
            } => {
                let each: Vec<(u32, u64)> = outputs
                    .iter()
                    .map(|(shard, bytes)| (shard, digest(&bytes)))
                    .collect();
                self.accept(at, handle, claim, &each, items)
            }
            Effect::AcceptBlob {
                claim,
                shard,
                blob,
                items,
                ..
            } => {
                let Some(&digest) = self.blobs.get(&blob) else {
                    at.ledger.broken(
                        Checker::WrongOutput,
                        at.now_us,
                        format!("blob {blob} is not there"),
                    );
                    return None;
                };
                self.accept(at, handle, claim, &[(shard, digest)], items)
            }
            Effect::Fail {
                claim,
                shard,
                skipped,
                ..
            } => {
                let how = if skipped {
                    Settled::Skipped
                } else {
                    Settled::Failed
                };
                let counted = u32::from(self.settle(at, claim, shard, how));
                self.counted(at, handle, Some((claim, 1)), counted)
            }
            Effect::NoteFailure { .. } => None,
            Effect::SetState { state, .. } => {
                let cancels = state == JobState::Canceled && self.sabotage == Sabotage::IgnoreCancel;
                let stored = self.jobs.get_mut(&at.job)?;
                if !stored.state.is_over() && !cancels {
                    stored.state = state;
                }
                self.counted(at, handle, None, 0)
            }
        }
    }

    fn claim(&mut self, at: &mut Commit<'_>, job: JobHandle, shards_max: u32, grain: u32) -> Option<Input> {
        self.claims_made += 1;
        let claim = ClaimId(self.claims_made);
        let stored = self.jobs.get_mut(&at.job)?;
        let mut runs = Vec::new();
        if !stored.state.is_over() {
            runs.extend(
                stored
                    .cut
                    .take(shards_max, grain, stored.totals.items)
                    .map(|piece| piece.run),
            );
        }
        for run in &runs {
            stored
                .claimed
                .extend((run.first..run.end()).map(|shard| (shard, claim)));
        }
        stored.totals.items_cut = stored.cut.next_item;
        stored.totals.shards_cut = stored.cut.next_shard;
        let (cut, totals) = (stored.cut.clone(), stored.totals);
        if self.sabotage == Sabotage::SwallowClaim && self.claims_made > 1 {
            return None;
        }
        Some(Input::Claimed {
            job,
            claim,
            runs,
            cut,
            totals,
        })
    }

    fn accept(
        &mut self,
        at: &mut Commit<'_>,
        handle: JobHandle,
        claim: ClaimId,
        each: &[(u32, u64)],
        items: u64,
    ) -> Option<Input> {
        let mut counted = 0;
        let mut counted_items = 0;
        let swallows = self.sabotage == Sabotage::SwallowAccept && self.commits.is_multiple_of(3);
        for &(shard, digest) in each {
            let (first, end) = self.items_of(at.job, shard)?;
            if swallows {
                self.jobs.get_mut(&at.job)?.totals.shards_accepted += 1;
                (counted, counted_items) = (counted + 1, counted_items + end - first);
                continue;
            }
            if digest != self::digest(&task::expected(at.plan, first, end)) {
                let what = format!(
                    "job {} shard {shard}: not the output of items {first}..{end}",
                    at.job
                );
                at.ledger.broken(Checker::WrongOutput, at.now_us, what);
            }
            if self.settle(at, claim, shard, Settled::Accepted(digest)) {
                (counted, counted_items) = (counted + 1, counted_items + end - first);
            }
        }
        if counted_items != items && counted as usize == each.len() {
            let what = format!(
                "job {}: {items} items were told, {counted_items} are in the shards",
                at.job
            );
            at.ledger.broken(Checker::Books, at.now_us, what);
        }
        let stored = self.jobs.get_mut(&at.job)?;
        stored.totals.items_accepted += counted_items;
        if self.sabotage == Sabotage::CookTheBooks {
            stored.totals.items_accepted += 1;
        }
        if self.sabotage == Sabotage::ChangeAccepted && self.commits.is_multiple_of(5) {
            let first = stored.settled.values_mut().next()?;
            *first = Settled::Accepted(0);
        }
        // Asked for are all of them, whatever was counted.
        let asked = u32::try_from(each.len()).unwrap_or(u32::MAX);
        self.counted(at, handle, Some((claim, asked)), counted)
    }

    fn items_of(&self, job: usize, shard: u32) -> Option<(u64, u64)> {
        let piece = self.jobs.get(&job)?.cut.piece(ShardRun {
            first: shard,
            count: 1,
        })?;
        Some(piece.items_of(shard))
    }

    /// Settles a shard under a claim; says whether it was counted. There is one coordinator, so a shard
    /// that is settled already, or is not under the claim, is the scheduler's mistake.
    fn settle(&mut self, at: &mut Commit<'_>, claim: ClaimId, shard: u32, how: Settled) -> bool {
        let Some(stored) = self.jobs.get_mut(&at.job) else {
            return false;
        };
        if stored.state.is_over() {
            return false;
        }
        if stored.settled.contains_key(&shard) || stored.claimed.get(&shard) != Some(&claim) {
            let what = format!(
                "job {} shard {shard} is settled already, or not under claim {}",
                at.job, claim.0
            );
            at.ledger.broken(Checker::CountedOnce, at.now_us, what);
            return false;
        }
        stored.settled.insert(shard, how);
        stored.claimed.remove(&shard);
        match how {
            Settled::Accepted(digest) => {
                stored.totals.shards_accepted += 1;
                at.ledger.accepted.insert((at.job, shard), digest);
            }
            Settled::Failed => stored.totals.shards_failed += 1,
            Settled::Skipped => stored.totals.shards_skipped += 1,
        }
        true
    }

    fn counted(
        &self,
        at: &Commit<'_>,
        job: JobHandle,
        claim: Option<(ClaimId, u32)>,
        shards: u32,
    ) -> Option<Input> {
        let stored = self.jobs.get(&at.job)?;
        let (totals, state) = (stored.totals, stored.state);
        Some(Input::Counted {
            job,
            claim,
            shards,
            totals,
            state,
        })
    }

    /// After a crash: everything cut and not settled belongs to the coordinator that starts.
    pub(crate) fn restore(&mut self, job: usize) -> Option<(ClaimId, Vec<ShardRun>)> {
        self.claims_made += 1;
        let claim = ClaimId(self.claims_made);
        let stored = self.jobs.get_mut(&job)?;
        let left: BTreeSet<u32> = (0..stored.cut.next_shard)
            .filter(|shard| !stored.settled.contains_key(shard))
            .collect();
        stored.claimed = left.iter().map(|&shard| (shard, claim)).collect();
        Some((claim, runs_of(&left)))
    }

    /// Compares what is stored with what was ever accepted, and the counts with what is stored.
    pub(crate) fn check(&self, now_us: u64, ledger: &mut Ledger) {
        let mut changed = Vec::new();
        for (&(job, shard), &digest) in &ledger.accepted {
            let stored = self.jobs.get(&job).and_then(|stored| stored.settled.get(&shard));
            if stored != Some(&Settled::Accepted(digest)) {
                changed.push(format!(
                    "job {job} shard {shard} was accepted and is now {stored:?}"
                ));
            }
        }
        for what in changed {
            ledger.broken(Checker::AcceptedChanged, now_us, what);
        }
        for (&job, stored) in &self.jobs {
            stored.check(now_us, job, ledger);
        }
    }
}

impl StoredJob {
    fn check(&self, now_us: u64, job: usize, ledger: &mut Ledger) {
        let (mut accepted, mut failed, mut skipped, mut items) = (0, 0, 0, 0);
        for (&shard, settled) in &self.settled {
            let piece = self.cut.piece(ShardRun {
                first: shard,
                count: 1,
            });
            match settled {
                Settled::Accepted(_) => {
                    accepted += 1;
                    items += piece.map_or(0, |piece| piece.end_item - piece.first_item);
                }
                Settled::Failed => failed += 1,
                Settled::Skipped => skipped += 1,
            }
        }
        let totals = &self.totals;
        let told = (
            totals.shards_accepted,
            totals.shards_failed,
            totals.shards_skipped,
            totals.items_accepted,
        );
        if told != (accepted, failed, skipped, items) {
            let what = format!(
                "job {job}: told {told:?}, stored {:?}",
                (accepted, failed, skipped, items)
            );
            ledger.broken(Checker::Books, now_us, what);
        }
        let settled = self.settled.len() == self.cut.next_shard as usize;
        let whole = self.totals.items_closed && self.cut.next_item == self.totals.items;
        if self.state == JobState::Succeeded && !(settled && whole && failed == 0) {
            let what = format!(
                "job {job} succeeded with {} of {} shards",
                self.settled.len(),
                self.cut.next_shard
            );
            ledger.broken(Checker::ShardLost, now_us, what);
        }
    }
}

fn runs_of(shards: &BTreeSet<u32>) -> Vec<ShardRun> {
    let mut runs: Vec<ShardRun> = Vec::new();
    for &shard in shards {
        match runs.last_mut() {
            Some(run) if run.end() == shard => run.count += 1,
            _ => runs.push(ShardRun {
                first: shard,
                count: 1,
            }),
        }
    }
    runs
}
