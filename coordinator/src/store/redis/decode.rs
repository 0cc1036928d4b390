//! What Redis answers and keeps, as words. Nothing that is read is trusted to be whole.
use crate::store::life::state_from_number;
use crate::store::{Chunk, FailedShard, StoreError, StoredOutputs};
use protocol::api::ErrorGroup;
use protocol::cut::{Cut, Segment, ShardRun};
use protocol::ids::BlobHash;
use protocol::job::JobState;
use protocol::run::{Lengths, Outputs};
use protocol::totals::Totals;
use protocol::wire::{Cause, Failure};
use redis::Value;

type Result<T> = std::result::Result<T, StoreError>;

/// Something that Redis keeps is not what this version writes.
pub(super) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} in Redis"))
}

/// Numbers from the front of some bytes.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }
    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
    fn text(&self) -> String {
        String::from_utf8_lossy(self.0).into_owned()
    }
}

pub(super) fn array(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(values) => Ok(values),
        // RESP 3 answers in pairs what RESP 2 answers in turn.
        Value::Map(pairs) => Ok(pairs
            .into_iter()
            .flat_map(|(name, value)| [name, value])
            .collect()),
        Value::Set(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        _ => Err(corrupt("a list")),
    }
}

pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::BulkString(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

/// How a job stands.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) state: JobState,
    pub(super) totals: Totals,
    pub(super) cut: Cut,
}

/// The fields of a job's `meta` that [`standing`] reads, in its order.
pub(super) const STANDING_FIELDS: [&str; 11] = [
    "state",
    "items",
    "closed",
    "items_cut",
    "shards_cut",
    "accepted",
    "items_accepted",
    "failed",
    "skipped",
    "busy_us",
    "segments",
];

/// Reads how a job stands; `None` when there is no such job.
pub(super) fn standing(values: &[Value]) -> Result<Option<Standing>> {
    if values.first().is_none_or(|state| *state == Value::Nil) {
        return Ok(None);
    }
    read_standing(values)
        .map(Some)
        .ok_or_else(|| corrupt("a job's state"))
}

fn read_standing(values: &[Value]) -> Option<Standing> {
    let at = |place: usize| values.get(place).and_then(number);
    let count = |place: usize| at(place).and_then(|n| u32::try_from(n).ok());
    let Some(Value::BulkString(packed)) = values.get(10) else {
        return None;
    };
    let totals = Totals {
        items: at(1)?,
        items_closed: at(2)? == 1,
        items_cut: at(3)?,
        shards_cut: count(4)?,
        shards_accepted: count(5)?,
        items_accepted: at(6)?,
        shards_failed: count(7)?,
        shards_skipped: count(8)?,
        busy_us: at(9)?,
    };
    let segments = packed
        .chunks_exact(16)
        .map(read_segment)
        .collect::<Option<Vec<_>>>()?;
    Some(Standing {
        state: state_from_number(u8::try_from(at(0)?).ok()?)?,
        cut: Cut::from_parts(segments, totals.shards_cut, totals.items_cut),
        totals,
    })
}

fn read_segment(packed: &[u8]) -> Option<Segment> {
    let mut packed = Bytes(packed);
    Some(Segment {
        first_shard: packed.u32()?,
        first_item: packed.u64()?,
        grain: packed.u32()?,
    })
}

/// Reads runs as they are packed in claims.
pub(super) fn runs(packed: &[u8]) -> Vec<ShardRun> {
    let read = |packed: &[u8]| {
        let mut packed = Bytes(packed);
        Some(ShardRun {
            first: packed.u32()?,
            count: packed.u32()?,
        })
    };
    packed.chunks_exact(8).filter_map(read).collect()
}

/// Reads a stored run of outputs.
pub(super) fn outputs(value: Value) -> Result<StoredOutputs> {
    let packed = bytes(value).ok_or_else(|| corrupt("outputs"))?;
    read_outputs(packed.into()).ok_or_else(|| corrupt("outputs"))
}

fn read_outputs(packed: bytes::Bytes) -> Option<StoredOutputs> {
    let mut head = Bytes(&packed);
    let run = ShardRun {
        first: head.u32()?,
        count: head.u32()?,
    };
    let lengths = match head.u8()? {
        0 => Lengths::Equal(head.u32()?),
        1 => Lengths::Each((0..run.count).map(|_| head.u32()).collect::<Option<_>>()?),
        _ => {
            let blob = BlobHash(head.take()?);
            return Some(StoredOutputs::Blob {
                shard: run.first,
                blob,
            });
        }
    };
    let data = packed.slice(packed.len() - head.0.len()..);
    let outputs = Outputs { run, lengths, data };
    outputs.check().is_ok().then_some(StoredOutputs::Inline(outputs))
}

/// Reads a chunk of items.
pub(super) fn chunk(packed: &[u8]) -> Result<Chunk> {
    let read = |mut packed: Bytes<'_>| {
        Some(Chunk {
            first_item: packed.u64()?,
            items: packed.u64()?,
            blob: BlobHash(packed.take()?),
        })
    };
    read(Bytes(packed)).ok_or_else(|| corrupt("a chunk of items"))
}

/// Reads a failed shard.
pub(super) fn failed(shard: &Value, packed: &[u8]) -> Result<FailedShard> {
    let read = |mut packed: Bytes<'_>| {
        let items = (packed.u64()?, packed.u64()?);
        let failure = Failure {
            cause: cause(packed.u8()?)?,
            detail: packed.text(),
        };
        let shard = u32::try_from(number(shard)?).ok()?;
        Some(FailedShard {
            shard,
            items,
            failure,
        })
    };
    read(Bytes(packed)).ok_or_else(|| corrupt("a failed shard"))
}

/// Reads a group of failed attempts.
pub(super) fn error_group(packed: &[u8]) -> Result<ErrorGroup> {
    let read = |mut packed: Bytes<'_>| {
        let count = packed.u64()?;
        let shard = packed.u32()?;
        let last_ms = packed.u64()?;
        let cause = cause(packed.u8()?)?;
        let detail = packed.text();
        Some(ErrorGroup {
            cause,
            detail,
            count,
            shard,
            last_ms,
        })
    };
    read(Bytes(packed)).ok_or_else(|| corrupt("a failed attempt"))
}

fn cause(number: u8) -> Option<Cause> {
    Cause::ALL.get(usize::from(number)).copied()
}
