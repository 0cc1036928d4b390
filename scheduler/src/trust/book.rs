//! What a job whose workers are not all trusted keeps: batches, shards under check, counts for its report.
use super::answer::{Answer, Held, Voter, one};
use super::batch::Batch;
use super::chance::Chance;
use super::level::{Level, STRANGERS_CHECK_WEIGHT};
use super::share::Shares;
use super::vote::Vote;
use crate::executor::Executor;
use crate::runs::RunSet;
use protocol::cut::ShardRun;
use protocol::ids::{AccountId, LeaseId, WorkerId};
use protocol::trust::{Trust, TrustReport};
use protocol::wire::Failure;
use std::collections::{BTreeMap, BTreeSet};

/// A batch of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BatchId(pub(crate) u32);

/// Votes on one shard; then only a trusted worker can say.
const VOTES_MAX: usize = 16;
/// Refuted traps after which an account gets no more of a job: its engine is not up to it.
const TRAPS_REFUTED_MAX: u8 = 3;

/// A shard that is computed once more.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// The batch that it checks; none for a trap, which is held by nobody.
    pub(crate) batch: Option<BatchId>,
    /// Its first answer first.
    pub(crate) votes: Vec<Vote>,
    /// With whom it is now.
    pub(crate) lease: Option<LeaseId>,
    /// Attempts that came to no answer, and whose.
    pub(crate) failed: u8,
    pub(crate) tried: Vec<WorkerId>,
    /// From then on a worker that tried it may try again.
    pub(crate) anyone_ms: u64,
    /// What the first said, where it was a trap.
    pub(crate) failure: Option<Failure>,
    /// Whether two said different things.
    pub(crate) disputed: bool,
    /// The first of a new account, which no even draw chose: it counts for nothing but itself.
    pub(crate) pilot: bool,
}

impl Check {
    /// Whether a worker may compute it: a trusted one always, others when they are strangers to
    /// everyone who has answered.
    fn may(&self, now_ms: u64, worker: &Executor, same_network: bool) -> bool {
        let seed = &worker.seed;
        let strange =
            |v: &Vote| v.voter.account != seed.account && (same_network || v.voter.network != seed.network);
        let room = self.votes.len() < VOTES_MAX && self.votes.iter().all(strange);
        let fresh = !self.tried.contains(&seed.id) || self.anyone_ms <= now_ms;
        fresh && (seed.trusted || room)
    }
}

/// Everything that is checked of one job.
#[derive(Clone, Debug)]
pub(crate) struct Checks {
    pub(crate) level: Level,
    pub(crate) batches: BTreeMap<BatchId, Batch>,
    /// The batch to which an account's outputs are added.
    pub(crate) open: BTreeMap<AccountId, BatchId>,
    pub(crate) checks: BTreeMap<u32, Check>,
    /// Those of `checks` that nobody has.
    pub(crate) waiting: BTreeSet<u32>,
    pub(crate) held_shards: u32,
    pub(crate) held_bytes: usize,
    pub(crate) chance: Chance,
    /// Those of `waiting` for which a newcomer waits.
    pilots: BTreeSet<u32>,
    pub(crate) shares: Shares,
    /// Accounts that get no more of this job.
    pub(crate) shut_out: BTreeSet<AccountId>,
    pub(crate) report: TrustReport,
    traps_refuted: BTreeMap<AccountId, u8>,
    batches_made: u32,
}

impl Checks {
    /// `None` for a job whose workers are all trusted.
    pub(crate) fn of(trust: Trust, seed: u64, before: Option<TrustReport>) -> Option<Box<Self>> {
        let level = Level::of(trust)?;
        Some(Box::new(Self {
            level,
            batches: BTreeMap::new(),
            open: BTreeMap::new(),
            checks: BTreeMap::new(),
            waiting: BTreeSet::new(),
            pilots: BTreeSet::new(),
            shares: Shares::default(),
            held_shards: 0,
            held_bytes: 0,
            chance: Chance::new(seed),
            shut_out: BTreeSet::new(),
            report: TrustReport {
                level: trust,
                wrong_share_max: trust.wrong_share_max(),
                ..before.unwrap_or_default()
            },
            traps_refuted: BTreeMap::new(),
            batches_made: 0,
        }))
    }

    /// Holds an output back in its account's batch.
    pub(crate) fn hold(&mut self, now_ms: u64, part: ShardRun, held: Held, is_new: bool) -> BatchId {
        let voter = held.voter;
        let made = BatchId(self.batches_made);
        let id = *self.open.entry(voter.account).or_insert(made);
        let (level, chance) = (&self.level, &mut self.chance);
        let batch = self.batches.entry(id).or_insert_with(|| {
            self.batches_made += 1;
            Batch::new(now_ms, voter.account, level, chance)
        });
        let is_first = batch.shards.is_empty();
        self.held_bytes += held.bytes();
        self.held_shards += part.count;
        let chosen = batch.add(part, held, level, chance);
        let pilot = (is_new && is_first && !chosen.contains(&part.first)).then_some(part.first);
        if let Some(shard) = pilot {
            batch.owed.insert(one(shard));
        }
        self.ask(id, &chosen, false);
        self.ask(id, pilot.as_slice(), true);
        id
    }

    /// Shards of a batch are to be computed once more.
    fn ask(&mut self, id: BatchId, shards: &[u32], pilot: bool) {
        let Some(batch) = self.batches.get(&id) else {
            return;
        };
        for &shard in shards {
            let Some(held) = batch.holding(shard) else {
                continue;
            };
            let first = Vote {
                voter: held.voter,
                answer: held.finished.answer(shard),
            };
            let check = Check::new(Some(id), first, None, pilot);
            self.checks.insert(shard, check);
            self.waiting.insert(shard);
            self.report.spot_checks += 1;
            if pilot {
                self.pilots.insert(shard);
            }
        }
    }

    /// Somebody says that a shard traps: it is always looked at again.
    pub(crate) fn ask_trap(&mut self, shard: u32, voter: Voter, failure: Failure) {
        let answer = Answer::Trap(failure.cause);
        let check = Check::new(None, Vote { voter, answer }, Some(failure), false);
        self.checks.insert(shard, check);
        self.waiting.insert(shard);
        self.report.spot_checks += 1;
    }

    /// A batch takes no more outputs.
    pub(crate) fn close(&mut self, id: BatchId) {
        if let Some(batch) = self.batches.get_mut(&id) {
            batch.closing = true;
            if self.open.get(&batch.owner) == Some(&id) {
                self.open.remove(&batch.owner);
            }
        }
    }

    /// Whether a batch may be let go; asks for what it lacks.
    pub(crate) fn advance(&mut self, id: BatchId, by_trusted: bool) -> bool {
        let Some(batch) = self.batches.get_mut(&id).filter(|b| b.closing) else {
            return false;
        };
        if batch.is_good(&self.level) {
            return true;
        }
        let weight = if by_trusted { 1.0 } else { STRANGERS_CHECK_WEIGHT };
        let more = batch.top_up(&self.level, weight, &mut self.chance);
        self.ask(id, &more, false);
        false
    }

    /// Takes a batch out, with the checks that were only for it.
    pub(crate) fn take(&mut self, id: BatchId) -> Option<Batch> {
        self.close(id);
        let batch = self.batches.remove(&id)?;
        self.held_bytes -= batch.bytes;
        self.held_shards -= batch.shards.count();
        for run in batch.owed.iter() {
            for shard in run.first..run.end() {
                self.settle(shard);
            }
        }
        Some(batch)
    }

    /// A shard is settled in another way than with its batch.
    pub(crate) fn forget(&mut self, id: BatchId, shard: u32) {
        if let Some(batch) = self.batches.get_mut(&id) {
            self.held_shards -= batch.forget(one(shard));
        }
    }

    /// The claim over these shards was taken away: they are another coordinator's now.
    pub(crate) fn drop_run(&mut self, run: ShardRun) {
        for batch in self.batches.values_mut() {
            self.held_shards -= batch.forget(run);
        }
        self.checks
            .retain(|shard, _| !(run.first..run.end()).contains(shard));
        self.waiting
            .retain(|shard| !(run.first..run.end()).contains(shard));
        self.pilots.retain(|shard| self.waiting.contains(shard));
    }

    /// Nothing more is wanted.
    pub(crate) fn clear(&mut self) {
        self.batches.clear();
        self.open.clear();
        self.checks.clear();
        self.waiting.clear();
        self.pilots.clear();
        (self.held_shards, self.held_bytes) = (0, 0);
    }

    /// A shard is no longer under check.
    pub(crate) fn settle(&mut self, shard: u32) -> Option<Check> {
        self.waiting.remove(&shard);
        self.pilots.remove(&shard);
        self.checks.remove(&shard)
    }

    /// A lease of checks ended without these.
    pub(crate) fn give_back(&mut self, lease: LeaseId, left: &RunSet) {
        for run in left.iter() {
            for (shard, check) in self.checks.range_mut(run.first..run.end()) {
                if check.lease == Some(lease) {
                    check.lease = None;
                    self.waiting.insert(*shard);
                }
            }
        }
    }

    /// The first shard under check that a worker may compute.
    pub(crate) fn waiting_for(&self, now_ms: u64, worker: &Executor, same_network: bool) -> Option<u32> {
        let may = |shard: &&u32| {
            self.checks
                .get(shard)
                .is_some_and(|check| check.may(now_ms, worker, same_network))
        };
        let pilots = self.pilots.iter().filter(|shard| self.waiting.contains(shard));
        let all = pilots.chain(&self.waiting);
        all.take(WAITING_LOOKED_AT_MAX).find(may).copied()
    }

    /// Notes a trap that others did not find; says whether the account is to be shut out.
    pub(crate) fn trap_refuted(&mut self, account: AccountId) -> bool {
        let refuted = self.traps_refuted.entry(account).or_default();
        *refuted = refuted.saturating_add(1);
        *refuted >= TRAPS_REFUTED_MAX
    }

    /// Batches of an account, open and closing.
    pub(crate) fn batches_of(&self, account: AccountId) -> Vec<BatchId> {
        let of = |(id, batch): (&BatchId, &Batch)| (batch.owner == account).then_some(*id);
        self.batches.iter().filter_map(of).collect()
    }
}

/// Shards under check that are looked at for one worker.
const WAITING_LOOKED_AT_MAX: usize = 64;

impl Check {
    fn new(batch: Option<BatchId>, first: Vote, failure: Option<Failure>, pilot: bool) -> Self {
        Self {
            batch,
            votes: vec![first],
            lease: None,
            failed: 0,
            tried: Vec::new(),
            anyone_ms: 0,
            failure,
            disputed: false,
            pilot,
        }
    }
}
