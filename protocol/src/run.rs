//! The outputs of a run of shards: the same unit on the wire, in the store and in the shared queue.
use crate::cut::ShardRun;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How long each output of a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lengths {
    /// Every output has this many bytes.
    Equal(u32),
    /// One length for each shard.
    Each(Vec<u32>),
}

/// The outputs of neighbouring shards, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Which shards.
    pub run: ShardRun,
    /// Where each ends.
    pub lengths: Lengths,
    /// The bytes of all of them.
    pub data: Bytes,
}

/// The lengths do not add up to the bytes, or do not fit the number of shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lengths of a run's outputs do not add up to its bytes")]
pub struct LengthsMismatch;

impl Outputs {
    /// One shard's output as a run of one.
    pub fn single(shard: u32, data: Bytes) -> Self {
        let lengths = Lengths::Equal(u32::try_from(data.len()).unwrap_or(u32::MAX));
        Self {
            run: ShardRun {
                first: shard,
                count: 1,
            },
            lengths,
            data,
        }
    }

    /// Whether the lengths fit the run and the bytes. What comes from a peer or a disk is asked this
    /// once; everything else here relies on it.
    pub fn check(&self) -> Result<(), LengthsMismatch> {
        let total = match &self.lengths {
            Lengths::Equal(length) => u64::from(*length) * u64::from(self.run.count),
            Lengths::Each(each) if each.len() == self.run.count as usize => {
                each.iter().map(|&l| u64::from(l)).sum()
            }
            Lengths::Each(_) => return Err(LengthsMismatch),
        };
        let in_range = self.run.first.checked_add(self.run.count).is_some() && self.run.count > 0;
        if total == self.data.len() as u64 && in_range {
            Ok(())
        } else {
            Err(LengthsMismatch)
        }
    }

    /// Shards and their outputs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Bytes)> + '_ {
        let mut at = 0;
        (0..self.run.count).map(move |k| {
            let length = self.length(k);
            let output = self.data.slice(at..at + length);
            at += length;
            (self.run.first + k, output)
        })
    }

    fn length(&self, k: u32) -> usize {
        match &self.lengths {
            Lengths::Equal(length) => *length as usize,
            Lengths::Each(each) => each[k as usize] as usize,
        }
    }

    /// The part of this run that lies in `part`, without copying bytes.
    pub fn slice(&self, part: ShardRun) -> Outputs {
        debug_assert!(part.first >= self.run.first && part.end() <= self.run.end());
        let skip = part.first - self.run.first;
        let bytes = |from: u32, to: u32| (from..to).map(|k| self.length(k)).sum::<usize>();
        let (start, lengths) = match &self.lengths {
            Lengths::Equal(length) => (skip as usize * *length as usize, Lengths::Equal(*length)),
            Lengths::Each(each) => {
                let range = skip as usize..(skip + part.count) as usize;
                (bytes(0, skip), Lengths::Each(each[range].to_vec()))
            }
        };
        let end = start + bytes(skip, skip + part.count);
        Outputs {
            run: part,
            lengths,
            data: self.data.slice(start..end),
        }
    }
}

/// Collects outputs in shard order into runs, for a sender that batches what is already waiting.
#[derive(Debug, Default)]
pub struct OutputsBuilder {
    run: Option<ShardRun>,
    lengths: Vec<u32>,
    data: Vec<u8>,
}

impl OutputsBuilder {
    /// Whether nothing was pushed since the last [`finish`](Self::finish).
    pub fn is_empty(&self) -> bool {
        self.run.is_none()
    }

    /// Bytes collected so far.
    pub fn data_bytes(&self) -> usize {
        self.data.len()
    }

    /// Adds an output if its shard continues the run; says whether it did.
    pub fn push(&mut self, shard: u32, output: &[u8]) -> bool {
        match &mut self.run {
            None => {
                self.run = Some(ShardRun {
                    first: shard,
                    count: 1,
                });
            }
            Some(run) if run.end() == shard => run.count += 1,
            Some(_) => return false,
        }
        self.lengths.push(u32::try_from(output.len()).unwrap_or(u32::MAX));
        self.data.extend_from_slice(output);
        true
    }

    /// The run collected, if any; the builder is empty afterwards.
    pub fn finish(&mut self) -> Option<Outputs> {
        let run = self.run.take()?;
        let each = std::mem::take(&mut self.lengths);
        let equal = each.iter().all(|&l| l == each[0]);
        let lengths = if equal {
            Lengths::Equal(each[0])
        } else {
            Lengths::Each(each)
        };
        Some(Outputs {
            run,
            lengths,
            data: std::mem::take(&mut self.data).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Outputs {
        let mut builder = OutputsBuilder::default();
        assert!(builder.push(7, b"a") && builder.push(8, b"bcd") && builder.push(9, b""));
        assert!(!builder.push(11, b"gap"));
        builder.finish().unwrap()
    }

    #[test]
    fn outputs_come_apart_as_they_were_put_together() {
        let outputs = three();
        outputs.check().unwrap();
        let parts: Vec<_> = outputs.iter().map(|(k, b)| (k, b.to_vec())).collect();
        assert_eq!(
            parts,
            [(7, b"a".to_vec()), (8, b"bcd".to_vec()), (9, b"".to_vec())]
        );
        let tail = outputs.slice(ShardRun { first: 8, count: 2 });
        tail.check().unwrap();
        assert_eq!(
            tail.iter().map(|(k, b)| (k, b.to_vec())).collect::<Vec<_>>(),
            parts[1..]
        );
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let mut outputs = three();
        outputs.lengths = Lengths::Each(vec![1, 3]);
        assert_eq!(outputs.check(), Err(LengthsMismatch));
        outputs.lengths = Lengths::Equal(u32::MAX);
        assert_eq!(outputs.check(), Err(LengthsMismatch));
    }
}
