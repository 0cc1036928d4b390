//! Sets of shards in memory: a bitmap for what is settled, sorted runs for what waits.
use protocol::cut::ShardRun;
use protocol::ids::ShardIndex;

/// A set of shards of one stage, one bit each: 2 MiB for the largest stage there may be.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShardSet {
    words: Vec<u64>,
}

/// The words that a run touches, each with the bits of the run in it.
fn masks(run: ShardRun) -> impl Iterator<Item = (usize, u64)> {
    let (first, end) = (u64::from(run.first), u64::from(run.first) + u64::from(run.count));
    let words = if run.count == 0 {
        0..0
    } else {
        first / 64..end.div_ceil(64)
    };
    words.map(move |word| {
        let low = first.saturating_sub(word * 64);
        let high = (end - word * 64).min(64);
        let mask = (u64::MAX << low) & (u64::MAX >> (64 - high));
        (usize::try_from(word).unwrap_or(usize::MAX), mask)
    })
}

impl ShardSet {
    /// Whether any shard of the run is in the set.
    pub(crate) fn intersects(&self, run: ShardRun) -> bool {
        masks(run).any(|(word, mask)| self.words.get(word).is_some_and(|bits| bits & mask != 0))
    }

    /// Adds every shard of the run.
    pub(crate) fn insert(&mut self, run: ShardRun) {
        for (word, mask) in masks(run) {
            if word >= self.words.len() {
                self.words.resize(word + 1, 0);
            }
            self.words[word] |= mask;
        }
    }

    /// Takes every shard of the run out.
    pub(crate) fn remove(&mut self, run: ShardRun) {
        for (word, mask) in masks(run) {
            if let Some(bits) = self.words.get_mut(word) {
                *bits &= !mask;
            }
        }
    }

    fn contains(&self, shard: ShardIndex) -> bool {
        let word = (shard / 64) as usize;
        self.words
            .get(word)
            .is_some_and(|bits| bits >> (shard % 64) & 1 == 1)
    }

    /// Where the stretch of shards that are all in, or all out, ends: at most at `end`.
    fn stretch_end(&self, from: ShardIndex, end: ShardIndex) -> ShardIndex {
        let inside = self.contains(from);
        let mut at = from;
        while at < end {
            let bits = self.words.get((at / 64) as usize).copied().unwrap_or(0);
            let odd = (if inside { !bits } else { bits }) >> (at % 64);
            if odd != 0 {
                return end.min(at + odd.trailing_zeros());
            }
            at = (at / 64 + 1) * 64;
        }
        end
    }

    /// The runs of shards in `run` that are not in the set, in order.
    pub(crate) fn gaps(&self, run: ShardRun) -> Vec<ShardRun> {
        let mut gaps = Vec::new();
        let mut at = run.first;
        while at < run.end() {
            let end = self.stretch_end(at, run.end());
            if !self.contains(at) {
                gaps.push(ShardRun {
                    first: at,
                    count: end - at,
                });
            }
            at = end;
        }
        gaps
    }
}

/// Takes up to `shards_max` shards and `runs_max` runs from the front of sorted runs.
pub(crate) fn take_front(runs: &mut Vec<ShardRun>, shards_max: u32, runs_max: usize) -> Vec<ShardRun> {
    let mut taken = Vec::new();
    let mut left = shards_max;
    while left > 0 && taken.len() < runs_max && taken.len() < runs.len() {
        let run = &mut runs[taken.len()];
        let part = ShardRun {
            first: run.first,
            count: run.count.min(left),
        };
        left -= part.count;
        if part.count < run.count {
            *run = ShardRun {
                first: part.end(),
                count: run.count - part.count,
            };
            runs.drain(..taken.len());
            taken.push(part);
            return taken;
        }
        taken.push(part);
    }
    runs.drain(..taken.len());
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn run(first: u32, count: u32) -> ShardRun {
        ShardRun { first, count }
    }

    #[test]
    fn a_set_of_bits_is_a_set_of_shards() {
        let (mut set, mut model) = (ShardSet::default(), BTreeSet::new());
        // A small multiplicative generator (Lehmer): the same runs every time.
        let mut seed = 48_271_u64;
        for step in 0..2_000 {
            seed = seed * 48_271 % 2_147_483_647;
            let first = u32::try_from(seed % 500).unwrap();
            let it = run(first, u32::try_from(seed / 500 % 150).unwrap());
            assert_eq!(
                set.intersects(it),
                (it.first..it.end()).any(|s| model.contains(&s))
            );
            let gaps: Vec<u32> = set.gaps(it).iter().flat_map(|g| g.first..g.end()).collect();
            let expected: Vec<u32> = (it.first..it.end()).filter(|s| !model.contains(s)).collect();
            assert_eq!(gaps, expected);
            if step % 3 == 0 {
                set.remove(it);
                model.retain(|s| *s < it.first || *s >= it.end());
            } else {
                set.insert(it);
                model.extend(it.first..it.end());
            }
        }
    }

    #[test]
    fn the_front_is_taken_within_both_bounds() {
        let mut runs = vec![run(0, 3), run(5, 4), run(20, 9)];
        assert_eq!(take_front(&mut runs, 5, 9), [run(0, 3), run(5, 2)]);
        assert_eq!(runs, [run(7, 2), run(20, 9)]);
        assert_eq!(take_front(&mut runs, 99, 1), [run(7, 2)]);
        assert_eq!(take_front(&mut runs, 99, 9), [run(20, 9)]);
        assert_eq!(take_front(&mut runs, 99, 9), []);
    }
}
