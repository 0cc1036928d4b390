//! A set of shards as sorted runs: what is pending, what a lease still owes.
use protocol::cut::ShardRun;
use std::collections::VecDeque;

/// A set of shards. Neighbouring runs are always merged, so a job that goes well is one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSet {
    runs: VecDeque<ShardRun>,
    count: u32,
}

impl RunSet {
    /// The shards of one run.
    pub fn of(run: ShardRun) -> Self {
        let mut set = Self::default();
        set.insert(run);
        set
    }

    /// How many shards.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The runs, in order.
    pub fn iter(&self) -> impl Iterator<Item = ShardRun> + '_ {
        self.runs.iter().copied()
    }

    /// The first run.
    pub fn first(&self) -> Option<ShardRun> {
        self.runs.front().copied()
    }

    /// The last run.
    pub fn last(&self) -> Option<ShardRun> {
        self.runs.back().copied()
    }

    /// Whether the shard is in the set.
    pub fn contains(&self, shard: u32) -> bool {
        let at = self.runs.partition_point(|r| r.end() <= shard);
        self.runs.get(at).is_some_and(|r| r.first <= shard)
    }

    /// Adds a run; shards that are in the set already stay there once.
    pub fn insert(&mut self, run: ShardRun) {
        if run.count == 0 {
            return;
        }
        let from = self.runs.partition_point(|r| r.end() < run.first);
        let to = self.runs.partition_point(|r| r.first <= run.end());
        let mut merged = run;
        for old in self.runs.drain(from..to) {
            self.count -= old.count;
            let (first, end) = (merged.first.min(old.first), merged.end().max(old.end()));
            merged = ShardRun {
                first,
                count: end - first,
            };
        }
        self.count += merged.count;
        self.runs.insert(from, merged);
    }

    /// Takes the shards of `run` out; returns those that were in the set.
    pub fn remove(&mut self, run: ShardRun) -> Vec<ShardRun> {
        let mut removed = Vec::new();
        if run.count == 0 {
            return removed;
        }
        let mut at = self.runs.partition_point(|r| r.end() <= run.first);
        while let Some(&old) = self.runs.get(at) {
            if old.first >= run.end() {
                break;
            }
            let (first, end) = (old.first.max(run.first), old.end().min(run.end()));
            removed.push(ShardRun {
                first,
                count: end - first,
            });
            self.count -= end - first;
            let before = ShardRun {
                first: old.first,
                count: first - old.first,
            };
            let after = ShardRun {
                first: end,
                count: old.end() - end,
            };
            match (before.count, after.count) {
                (0, 0) => drop(self.runs.remove(at)),
                (0, _) => self.runs[at] = after,
                (_, 0) => {
                    self.runs[at] = before;
                    at += 1;
                }
                _ => {
                    self.runs[at] = before;
                    self.runs.insert(at + 1, after);
                    break;
                }
            }
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((any::<bool>(), 0u32..40, 0u32..9), 0..60)) {
            let (mut set, mut model) = (RunSet::default(), BTreeSet::new());
            for (add, first, count) in steps {
                let run = ShardRun { first, count };
                if add {
                    set.insert(run);
                    model.extend(first..run.end());
                } else {
                    let removed: u32 = set.remove(run).iter().map(|r| r.count).sum();
                    let before = model.len();
                    model.retain(|k| !(first..run.end()).contains(k));
                    prop_assert_eq!(removed as usize, before - model.len());
                }
                let shards: Vec<u32> = set.iter().flat_map(|r| r.first..r.end()).collect();
                prop_assert_eq!(&shards, &model.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(set.count() as usize, model.len());
                prop_assert!(set.runs.iter().zip(set.runs.iter().skip(1)).all(|(a, b)| a.end() < b.first));
            }
        }
    }
}
