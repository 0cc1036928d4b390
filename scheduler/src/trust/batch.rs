//! One account's outputs of one job that are held back together, and which of them are checked.
use super::answer::{Held, one};
use super::chance::Chance;
use super::level::Level;
use crate::runs::RunSet;
use protocol::cut::ShardRun;
use protocol::ids::AccountId;
use std::collections::BTreeMap;

/// A batch: it is let go as a whole, or thrown away as a whole.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// Whose outputs these are.
    pub(crate) owner: AccountId,
    /// By first shard.
    pub(crate) held: BTreeMap<u32, Held>,
    /// Shards of `held` that are still of this batch.
    pub(crate) shards: RunSet,
    /// Chosen for a check that is not answered yet.
    pub(crate) owed: RunSet,
    /// Checked and right.
    pub(crate) passed: RunSet,
    /// What the passed checks are worth together, in checks by a trusted worker.
    pub(crate) weight: f64,
    /// Chosen after it closed, evenly from what was not chosen yet.
    topped_up: u32,
    /// Shards until the next one is chosen.
    gap: u32,
    /// At so many shards it ends; drawn for each, so that workers who began together do not end theirs together.
    pub(crate) shards_max: u32,
    /// Nothing is added any more: what is missing for a verdict is checked.
    pub(crate) closing: bool,
    pub(crate) opened_ms: u64,
    pub(crate) bytes: usize,
}

impl Batch {
    pub(crate) fn new(now_ms: u64, owner: AccountId, level: &Level, chance: &mut Chance) -> Self {
        Self {
            owner,
            held: BTreeMap::new(),
            shards: RunSet::default(),
            owed: RunSet::default(),
            passed: RunSet::default(),
            weight: 0.0,
            topped_up: 0,
            gap: chance.gap(level.rate_after(0)),
            shards_max: level.batch_shards_max - chance.below(level.batch_shards_max / 2 + 1),
            closing: false,
            opened_ms: now_ms,
            bytes: 0,
        }
    }

    /// Holds outputs back; returns the shards that are to be checked at once.
    pub(crate) fn add(&mut self, part: ShardRun, held: Held, level: &Level, chance: &mut Chance) -> Vec<u32> {
        self.bytes += held.bytes();
        self.held.insert(part.first, held);
        let before = self.shards.count();
        self.shards.insert(part);
        let mut chosen = Vec::new();
        let mut at = 0;
        while self.gap < part.count - at {
            at += self.gap;
            chosen.push(part.first + at);
            at += 1;
            self.gap = chance.gap(level.rate_after(before + at));
        }
        self.gap -= part.count - at;
        for shard in &chosen {
            self.owed.insert(one(*shard));
        }
        chosen
    }

    /// The output that holds a shard.
    pub(crate) fn holding(&self, shard: u32) -> Option<&Held> {
        let (_, held) = self.held.range(..=shard).next_back()?;
        let run = held.finished.run();
        (run.first <= shard && shard < run.end()).then_some(held)
    }

    /// A check said the same.
    pub(crate) fn pass(&mut self, shard: u32, weight: f64) {
        if !self.owed.remove(one(shard)).is_empty() {
            self.passed.insert(one(shard));
            self.weight += weight;
        }
    }

    /// A shard leaves the batch: it is settled in another way.
    pub(crate) fn forget(&mut self, run: ShardRun) -> u32 {
        self.owed.remove(run);
        self.passed.remove(run);
        self.shards.remove(run).iter().map(|r| r.count).sum()
    }

    /// Whether it has passed all that the level asks for.
    pub(crate) fn is_good(&self, level: &Level) -> bool {
        let enough = self.owed.is_empty() && self.worth(level, 1.0) >= f64::from(level.checks_min);
        enough || self.passed.count() == self.shards.count()
    }

    /// What its checks are worth, when those to come are worth `check_weight` each: in checks by a trusted
    /// worker, spread evenly. The first shards of a long batch are drawn more often than the last; of these
    /// draws only as many count as the last ones stand for.
    fn worth(&self, level: &Level, check_weight: f64) -> f64 {
        let drawn = self.passed.count() + self.owed.count();
        let all = self.weight + f64::from(self.owed.count()) * check_weight;
        let early = drawn.saturating_sub(self.topped_up);
        if !level.is_uneven(self.shards.count()) || early <= level.checks_min {
            return all;
        }
        all * f64::from(level.checks_min + self.topped_up) / f64::from(drawn)
    }

    /// Chooses what is missing, each shard that is not chosen yet as likely as any other, so that the
    /// checks of the whole batch are spread evenly over it.
    pub(crate) fn top_up(&mut self, level: &Level, check_weight: f64, chance: &mut Chance) -> Vec<u32> {
        let missing = (f64::from(level.checks_min) - self.worth(level, check_weight)) / check_weight;
        let mut free = self.shards.clone();
        for run in self.owed.iter().chain(self.passed.iter()) {
            free.remove(run);
        }
        let count = missing.ceil().clamp(0.0, f64::from(free.count())) as u32;
        let chosen: Vec<u32> = (0..count).filter_map(|_| draw(&mut free, chance)).collect();
        for shard in &chosen {
            self.owed.insert(one(*shard));
        }
        self.topped_up += count;
        chosen
    }
}

fn draw(free: &mut RunSet, chance: &mut Chance) -> Option<u32> {
    if free.is_empty() {
        return None;
    }
    let mut skip = chance.below(free.count());
    let run = free.iter().find(|run| {
        let here = skip < run.count;
        skip -= if here { 0 } else { run.count };
        here
    })?;
    let shard = run.first + skip;
    free.remove(one(shard));
    Some(shard)
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Finished, Voter};
    use super::*;
    use bytes::Bytes;
    use protocol::ids::{ClaimId, WorkerId};
    use protocol::run::{Lengths, Outputs};
    use protocol::trust::{NetworkPrefix, Trust};

    fn voter() -> Voter {
        Voter {
            account: AccountId(1),
            network: NetworkPrefix(1),
            worker: WorkerId(1),
        }
    }

    fn held(run: ShardRun) -> Held {
        let data = Bytes::from(vec![1; run.count as usize]);
        let lengths = Lengths::Equal(1);
        Held {
            claim: ClaimId(1),
            voter: voter(),
            finished: Finished::Inline(Outputs { run, lengths, data }),
            busy_us: 1,
        }
    }

    fn batch(shards: u32, level: &Level, chance: &mut Chance) -> (Batch, u32) {
        let mut batch = Batch::new(0, AccountId(1), level, chance);
        let mut chosen = 0;
        for first in (0..shards).step_by(10) {
            let run = ShardRun { first, count: 10 };
            chosen += batch.add(run, held(run), level, chance).len();
        }
        (batch, u32::try_from(chosen).unwrap())
    }

    #[test]
    fn every_shard_is_as_likely_to_be_checked_as_any_other() {
        let level = Level::of(Trust::Standard).unwrap();
        let mut chance = Chance::new(3);
        let mut tenths = [0u32; 10];
        for _ in 0..400 {
            let (mut batch, early) = batch(1_000, &level, &mut chance);
            let late = batch.top_up(&level, 1.0, &mut chance);
            assert_eq!(early + u32::try_from(late.len()).unwrap(), level.checks_min);
            assert_eq!(batch.owed.count(), level.checks_min);
            for run in batch.owed.iter() {
                for shard in run.first..run.end() {
                    tenths[shard as usize / 100] += 1;
                }
            }
        }
        let even = 400.0 * f64::from(level.checks_min) / 10.0;
        for count in tenths {
            assert!((f64::from(count) / even - 1.0).abs() < 0.06, "{tenths:?}");
        }
    }

    #[test]
    fn the_last_shards_of_a_long_batch_are_checked_as_often_as_it_needs() {
        let level = Level::of(Trust::Standard).unwrap();
        let mut chance = Chance::new(3);
        let (long, rounds) = (level.batch_shards_max, 40);
        let (mut all, mut last) = (0, 0);
        for _ in 0..rounds {
            let (mut batch, _) = batch(long, &level, &mut chance);
            batch.top_up(&level, 1.0, &mut chance);
            all += batch.owed.count();
            let tail = ShardRun {
                first: long - long / 10,
                count: long / 10,
            };
            last += batch.owed.remove(tail).iter().map(|run| run.count).sum::<u32>();
        }
        let wanted = level.checks_min * rounds / 10;
        assert!(f64::from(last) > 0.95 * f64::from(wanted), "{last} of {wanted}");
        assert!(f64::from(all) < 0.025 * f64::from(long * rounds), "{all}");
    }

    #[test]
    fn where_strangers_check_a_long_batch_is_topped_up_evenly_and_once() {
        let level = Level::of(Trust::Standard).unwrap();
        let mut chance = Chance::new(3);
        let (mut batch, _) = batch(level.batch_shards_max, &level, &mut chance);
        let pass_all = |batch: &mut Batch, weight| {
            let owed: Vec<u32> = batch.owed.iter().flat_map(|run| run.first..run.end()).collect();
            owed.into_iter().for_each(|shard| batch.pass(shard, weight));
        };
        pass_all(&mut batch, 0.65);
        assert!(!batch.is_good(&level), "its last shards were checked too seldom");
        let more = batch.top_up(&level, 0.65, &mut chance).len();
        let missing = f64::from(level.checks_min) * 0.35 / 0.65;
        assert!((more as f64 - missing).abs() <= 1.0, "{more} of {missing}");
        pass_all(&mut batch, 0.65);
        assert!(batch.is_good(&level));
    }

    #[test]
    fn a_small_batch_has_every_shard_checked() {
        let level = Level::of(Trust::Strict).unwrap();
        let mut chance = Chance::new(3);
        let (mut batch, early) = batch(50, &level, &mut chance);
        let late = batch.top_up(&level, 1.0, &mut chance);
        assert_eq!(early as usize + late.len(), 50);
        for shard in 0..50 {
            assert!(!batch.is_good(&level));
            batch.pass(shard, 1.0);
        }
        assert!(batch.is_good(&level));
    }
}
