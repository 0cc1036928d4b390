//! A job as the scheduler keeps it: counters and runs, never a row for each shard.
use crate::claims::Claims;
use crate::executor::SpeedKey;
use crate::input::JobSeed;
use crate::rate::{Average, PerSecond};
use crate::runs::RunSet;
use crate::trust::Checks;
use protocol::cut::{Cut, ShardRun};
use protocol::ids::{BlobHash, LeaseId, SessionId, WorkerId};
use protocol::job::JobState;
use protocol::totals::Totals;
use protocol::trust::NetworkPrefix;
use protocol::wire::{Cause, Failure};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) seed: JobSeed,
    pub(crate) state: JobState,
    pub(crate) reason: Option<String>,
    pub(crate) speed_key: SpeedKey,
    pub(crate) cut: Cut,
    /// What the store said last.
    pub(crate) totals: Totals,
    pub(crate) claims: Claims,
    /// Claimed, waiting, and any worker will do.
    pub(crate) pending: RunSet,
    /// Claimed, waiting, and some workers tried already.
    pub(crate) retries: BTreeMap<u32, Retry>,
    /// How often a worker vanished over a shard; only shards to which that happened.
    pub(crate) losses: BTreeMap<u32, Losses>,
    pub(crate) leases: BTreeSet<LeaseId>,
    /// Shards in first (not backup) leases.
    pub(crate) leased: u32,
    /// Shards sent to the store and not answered yet.
    pub(crate) storing: u32,
    pub(crate) claim: ClaimState,
    /// Attempts handed out.
    pub(crate) attempts: u64,
    /// Execution time of an item, in milliseconds, over all workers.
    pub(crate) item_ms: Average,
    pub(crate) shards_rate: PerSecond,
    /// Shards that came back, whether they count already or not: how fast more are needed.
    pub(crate) executed_rate: PerSecond,
    pub(crate) items_rate: PerSecond,
    /// Work handed out divided by weight: the job with the least goes next.
    pub(crate) served: f64,
    /// Sessions to which it was made known.
    pub(crate) opened: BTreeSet<SessionId>,
    /// Workers that cannot run its program.
    pub(crate) refused_by: BTreeMap<WorkerId, Failure>,
    /// Its map is complete and its further stages are under way.
    pub(crate) reducing: bool,
    /// What is checked of it; none where every worker is trusted.
    pub(crate) checks: Option<Box<Checks>>,
    /// A final state was sent to the store; nothing more is handed out.
    pub(crate) ending: bool,
}

/// A shard that failed and will be tried again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retry {
    /// Failed attempts; a shard waiting because its attempts were lost has none.
    pub(crate) failed: u8,
    /// Why, where the program itself was the reason and would be again: the cause, and what was said by its hash.
    pub(crate) reasons: Vec<(Cause, BlobHash)>,
    /// Workers that failed it: others go first.
    pub(crate) tried: Vec<WorkerId>,
    /// Where those were that tried it for certain, as far as it matters: other networks go first.
    pub(crate) networks: Vec<NetworkPrefix>,
    /// From then on a worker that tried it may try again.
    pub(crate) anyone_ms: u64,
    /// Whether it is with a worker now.
    pub(crate) leased: bool,
}

/// Workers that vanished while they may have executed a shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Losses {
    /// How many.
    pub(crate) all: u8,
    /// How many of them were given nothing but the shard.
    pub(crate) alone: u8,
}

/// Whether more shards are being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimState {
    /// More may be had.
    Ready,
    /// Asked; the answer is to come.
    Asked,
    /// Nothing is left at the moment.
    Dry,
}

impl Job {
    pub(crate) fn new(now_ms: u64, mut seed: JobSeed, speed_key: SpeedKey, chance: u64) -> Self {
        let mut job = Self {
            state: seed.state,
            reason: None,
            speed_key,
            cut: std::mem::take(&mut seed.cut),
            totals: seed.totals,
            claims: Claims::default(),
            pending: RunSet::default(),
            retries: BTreeMap::new(),
            losses: BTreeMap::new(),
            leases: BTreeSet::new(),
            leased: 0,
            storing: 0,
            claim: ClaimState::Ready,
            attempts: 0,
            item_ms: Average::default(),
            shards_rate: PerSecond::starting(now_ms),
            executed_rate: PerSecond::starting(now_ms),
            items_rate: PerSecond::starting(now_ms),
            served: 0.0,
            opened: BTreeSet::new(),
            refused_by: BTreeMap::new(),
            reducing: false,
            ending: false,
            checks: Checks::of(seed.trust, chance, seed.report),
            seed,
        };
        if let Some((claim, runs)) = job.seed.claimed.take() {
            for run in runs {
                job.claims.add(claim, run);
                job.pending.insert(run);
            }
        }
        job
    }

    /// Whether shards may be handed out, as far as the job itself goes.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, JobState::Queued | JobState::Running) && !self.ending
    }

    /// Outputs of these shards are there: whoever waited for another attempt need not.
    pub(crate) fn leave_waiting(&mut self, part: ShardRun) {
        if !self.retries.is_empty() {
            self.retries
                .retain(|shard, _| !(part.first..part.end()).contains(shard));
        }
        if !self.losses.is_empty() {
            self.losses
                .retain(|shard, _| !(part.first..part.end()).contains(shard));
        }
    }

    /// Shards that somebody has answered, and whose verdict is still to come.
    pub(crate) fn undecided(&self) -> u32 {
        let Some(checks) = &self.checks else { return 0 };
        let traps = checks.checks.values().filter(|check| check.batch.is_none());
        checks.held_shards + u32::try_from(traps.count()).unwrap_or(u32::MAX)
    }

    /// Whether a shard waits here to be handed out now.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.pending.is_empty() || self.retries.values().any(|r| !r.leased)
    }

    /// Whether the store may have more shards than this coordinator holds.
    pub(crate) fn may_claim(&self) -> bool {
        self.claim == ClaimState::Ready && !self.totals.is_complete()
    }

    /// Work was handed out (or turned out to be more or less than predicted), in milliseconds.
    pub(crate) fn charge(&mut self, work_ms: f64) {
        self.served += work_ms / f64::from(self.seed.weight.max(1));
    }

    /// How many items the shards of a run have. The run is cut.
    pub(crate) fn items_in(&self, run: ShardRun) -> u64 {
        let mut rest = run;
        let mut items = 0;
        while let Some(piece) = self.cut.piece(rest) {
            items += piece.end_item - piece.first_item;
            rest = ShardRun {
                first: piece.run.end(),
                count: rest.count - piece.run.count,
            };
        }
        items
    }

    /// The items `[first, end)` of one shard.
    pub(crate) fn items_of(&self, shard: u32) -> (u64, u64) {
        let piece = self.cut.piece(ShardRun {
            first: shard,
            count: 1,
        });
        piece.map_or((0, 0), |p| (p.first_item, p.end_item))
    }

    /// Shards that wait, cut or not, as far as can be told: what a lease is a share of.
    pub(crate) fn shards_ahead(&self, grain: u32) -> u64 {
        let uncut = (self.totals.items - self.totals.items_cut).div_ceil(u64::from(grain.max(1)));
        uncut + u64::from(self.pending.count()) + self.retries.len() as u64
    }
}
