//! How items become shards: a short list of segments, and arithmetic from there.
//!
//! A stage is cut front to back. A segment says: from this shard and this item on, every shard has
//! `grain` items. Only the last shard of a segment can be shorter, because the next segment (or the
//! end) begins before it is full. Nothing that can be computed is stored.
use crate::ids::ShardIndex;
use serde::{Deserialize, Serialize};

/// A run of shards `[first, first + count)` of one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ShardRun {
    /// The first shard.
    pub first: ShardIndex,
    /// How many.
    pub count: u32,
}

impl ShardRun {
    /// The shard behind the last.
    pub fn end(self) -> ShardIndex {
        self.first + self.count
    }
}

/// From this shard and item on, shards have `grain` items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// First shard of the segment.
    pub first_shard: ShardIndex,
    /// Its first item.
    pub first_item: u64,
    /// Items in a shard; at least 1.
    pub grain: u32,
}

/// What a stage looks like so far: everything before `next_shard` is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    segments: Vec<Segment>,
    /// The next shard to be cut: how many there are so far.
    pub next_shard: ShardIndex,
    /// The next item to be cut.
    pub next_item: u64,
}

/// A run of shards of one grain, with its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The shards.
    pub run: ShardRun,
    /// First item of the first shard.
    pub first_item: u64,
    /// Items in every shard but the last.
    pub grain: u32,
    /// The item behind the last item of the last shard.
    pub end_item: u64,
}

impl Piece {
    /// The items `[first, end)` of a shard of this piece.
    pub fn items_of(&self, shard: ShardIndex) -> (u64, u64) {
        let first = self.first_item + u64::from(shard - self.run.first) * u64::from(self.grain);
        (first, (first + u64::from(self.grain)).min(self.end_item))
    }
}

impl Cut {
    /// A cut read back from where it was stored.
    pub fn from_parts(segments: Vec<Segment>, next_shard: ShardIndex, next_item: u64) -> Self {
        Self {
            segments,
            next_shard,
            next_item,
        }
    }

    /// The segments, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Cuts up to `shards_max` more shards of `grain` items from the items before `items_end`.
    /// Returns the run, and `None` when no item is left (or the stage has all the shards it may have).
    pub fn take(&mut self, shards_max: u32, grain: u32, items_end: u64) -> Option<Piece> {
        let grain = grain.max(1);
        let items_left = items_end.saturating_sub(self.next_item);
        let room = crate::limits::SHARDS_PER_STAGE_MAX.saturating_sub(self.next_shard);
        let shards_left = u32::try_from(items_left.div_ceil(u64::from(grain))).unwrap_or(u32::MAX);
        let count = shards_left.min(shards_max).min(room);
        if count == 0 {
            return None;
        }
        self.begin_segment(grain);
        let run = ShardRun {
            first: self.next_shard,
            count,
        };
        let first_item = self.next_item;
        let end_item = items_end.min(first_item + u64::from(count) * u64::from(grain));
        self.next_shard += count;
        self.next_item = end_item;
        Some(Piece {
            run,
            first_item,
            grain,
            end_item,
        })
    }

    fn begin_segment(&mut self, grain: u32) {
        let fits = self.segments.last().is_some_and(|last| {
            let shards = u64::from(self.next_shard - last.first_shard);
            last.grain == grain && last.first_item + shards * u64::from(grain) == self.next_item
        });
        if !fits {
            let (first_shard, first_item) = (self.next_shard, self.next_item);
            self.segments.push(Segment {
                first_shard,
                first_item,
                grain,
            });
        }
    }

    /// The longest piece of one segment that begins at `run.first` and stays within `run`.
    pub fn piece(&self, run: ShardRun) -> Option<Piece> {
        if run.count == 0 || run.end() > self.next_shard {
            return None;
        }
        let at = self
            .segments
            .partition_point(|s| s.first_shard <= run.first)
            .checked_sub(1)?;
        let segment = self.segments[at];
        let (end_shard, segment_end_item) = match self.segments.get(at + 1) {
            Some(next) => (next.first_shard, next.first_item),
            None => (self.next_shard, self.next_item),
        };
        let end = run.end().min(end_shard);
        let item = |shard: u32| {
            segment.first_item + u64::from(shard - segment.first_shard) * u64::from(segment.grain)
        };
        Some(Piece {
            run: ShardRun {
                first: run.first,
                count: end - run.first,
            },
            first_item: item(run.first),
            grain: segment.grain,
            end_item: item(end).min(segment_end_item),
        })
    }

    /// The shard that holds an item, when it is cut already.
    pub fn shard_of(&self, item: u64) -> Option<ShardIndex> {
        if item >= self.next_item {
            return None;
        }
        let at = self
            .segments
            .partition_point(|s| s.first_item <= item)
            .checked_sub(1)?;
        let segment = self.segments[at];
        let offset = (item - segment.first_item) / u64::from(segment.grain);
        u32::try_from(offset)
            .ok()
            .map(|offset| segment.first_shard + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_item_lies_in_exactly_one_shard(
            takes in prop::collection::vec((1u32..9, 1u32..6), 1..20), items in 1u64..200,
        ) {
            let mut cut = Cut::default();
            for (shards, grain) in takes {
                cut.take(shards, grain, items);
            }
            let mut next = 0;
            let mut run = ShardRun { first: 0, count: cut.next_shard };
            while run.count > 0 {
                let piece = cut.piece(run).unwrap();
                for shard in piece.run.first..piece.run.end() {
                    let (first, end) = piece.items_of(shard);
                    prop_assert_eq!(first, next);
                    prop_assert!(end > first);
                    for item in first..end {
                        prop_assert_eq!(cut.shard_of(item), Some(shard));
                    }
                    next = end;
                }
                run = ShardRun { first: piece.run.end(), count: run.count - piece.run.count };
            }
            prop_assert_eq!(next, cut.next_item);
        }
    }

    #[test]
    fn nothing_is_cut_beyond_the_end() {
        let mut cut = Cut::default();
        assert_eq!(cut.take(10, 4, 6).unwrap().run.count, 2);
        assert_eq!(cut.take(10, 4, 6), None);
        assert_eq!(cut.piece(ShardRun { first: 0, count: 3 }), None);
    }
}
