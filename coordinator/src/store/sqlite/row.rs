//! Rows to words and back, for the writer and the readers.
use super::error::corrupt;
use crate::store::life::state_from_number;
use crate::store::{StoreError, StoredJob, StoredOutputs};
use protocol::cut::{Cut, Segment, ShardRun};
use protocol::ids::{BlobHash, ShardIndex};
use protocol::job::JobState;
use protocol::run::{Lengths, Outputs};
use protocol::totals::Totals;
use protocol::wire::Cause;
use rusqlite::Row;
use rusqlite::types::{Value, ValueRef};

/// SQLite's integers are signed; the bits stay the same.
pub(super) fn int(number: u64) -> i64 {
    number.cast_signed()
}

/// The other way round.
pub(super) fn uint(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// A stage number and a shard (or the place of a run) in one integer.
pub(super) fn place(number: u32, shard: ShardIndex) -> i64 {
    int(u64::from(number) << 32 | u64::from(shard))
}

/// The shard in a place.
pub(super) fn shard_of(place: i64) -> ShardIndex {
    // The low 32 bits; the cast drops the others.
    place.cast_unsigned() as u32
}

/// The columns that [`read_stage`] reads, of `jobs j` and `stages s`.
pub(super) const STAGE_COLUMNS: &str = "j.state, s.number, s.items, s.items_closed, s.items_cut, \
    s.shards_cut, s.shards_accepted, s.items_accepted, s.shards_failed, s.shards_skipped, s.busy_us, \
    s.runs, s.segments";

/// A stage as it is stored.
pub(super) struct StageRow {
    pub(super) state: u8,
    pub(super) number: u32,
    pub(super) totals: Totals,
    pub(super) runs: u32,
    pub(super) segments: Vec<u8>,
}

/// Reads [`STAGE_COLUMNS`].
pub(super) fn read_stage(row: &Row<'_>) -> rusqlite::Result<StageRow> {
    let totals = Totals {
        items: uint(row, "items")?,
        items_closed: row.get("items_closed")?,
        items_cut: uint(row, "items_cut")?,
        shards_cut: row.get("shards_cut")?,
        shards_accepted: row.get("shards_accepted")?,
        items_accepted: uint(row, "items_accepted")?,
        shards_failed: row.get("shards_failed")?,
        shards_skipped: row.get("shards_skipped")?,
        busy_us: uint(row, "busy_us")?,
    };
    Ok(StageRow {
        state: row.get("state")?,
        number: row.get("number")?,
        totals,
        runs: row.get("runs")?,
        segments: row.get("segments")?,
    })
}

impl StageRow {
    pub(super) fn state(&self) -> Result<JobState, StoreError> {
        state_from_number(self.state).ok_or_else(|| corrupt("a job's state", self.state))
    }

    pub(super) fn cut(&self) -> Result<Cut, StoreError> {
        let segments: Vec<Segment> =
            postcard::from_bytes(&self.segments).map_err(|e| corrupt("a job's cut", e))?;
        Ok(Cut::from_parts(
            segments,
            self.totals.shards_cut,
            self.totals.items_cut,
        ))
    }
}

/// The columns that [`read_job`] reads besides [`STAGE_COLUMNS`].
pub(super) const JOB_COLUMNS: &str = "j.reason, j.started_ms, j.ended_ms, j.record";

/// A row of [`STAGE_COLUMNS`] and [`JOB_COLUMNS`].
pub(super) struct JobRow {
    pub(super) stage: StageRow,
    reason: Option<String>,
    started_ms: Option<i64>,
    ended_ms: Option<i64>,
    record: String,
}

/// Reads it.
pub(super) fn read_job(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    Ok(JobRow {
        stage: read_stage(row)?,
        reason: row.get("reason")?,
        started_ms: row.get("started_ms")?,
        ended_ms: row.get("ended_ms")?,
        record: row.get("record")?,
    })
}

impl JobRow {
    pub(super) fn into_job(self) -> Result<StoredJob, StoreError> {
        Ok(StoredJob {
            record: serde_json::from_str(&self.record).map_err(|e| corrupt("a job's record", e))?,
            state: self.stage.state()?,
            reason: self.reason,
            started_ms: self.started_ms.map(i64::cast_unsigned),
            ended_ms: self.ended_ms.map(i64::cast_unsigned),
            cut: self.stage.cut()?,
            totals: self.stage.totals,
        })
    }
}

/// The lengths of a run's outputs, for the column `lengths`.
pub(super) fn lengths_value(lengths: &Lengths) -> Result<Value, StoreError> {
    match lengths {
        Lengths::Equal(length) => Ok(Value::Integer(i64::from(*length))),
        Lengths::Each(each) => postcard::to_allocvec(each)
            .map(Value::Blob)
            .map_err(|e| corrupt("the lengths of outputs", e)),
    }
}

/// Reads `place, count, lengths, data`.
pub(super) fn read_outputs(row: &Row<'_>) -> rusqlite::Result<Result<StoredOutputs, StoreError>> {
    let run = ShardRun {
        first: shard_of(row.get("place")?),
        count: row.get("count")?,
    };
    let data: Vec<u8> = row.get("data")?;
    let lengths = match row.get_ref("lengths")? {
        ValueRef::Null => return Ok(read_blob_output(run, &data)),
        ValueRef::Integer(length) => u32::try_from(length).ok().map(Lengths::Equal),
        ValueRef::Blob(bytes) => postcard::from_bytes(bytes).ok().map(Lengths::Each),
        _ => None,
    };
    Ok(lengths
        .map(|lengths| Outputs {
            run,
            lengths,
            data: data.into(),
        })
        .filter(|outputs| outputs.check().is_ok())
        .map(StoredOutputs::Inline)
        .ok_or_else(|| corrupt("outputs", format!("shard {} and {} more", run.first, run.count))))
}

fn read_blob_output(run: ShardRun, hash: &[u8]) -> Result<StoredOutputs, StoreError> {
    let hash = hash.try_into().map_err(|e| corrupt("the hash of an output", e))?;
    Ok(StoredOutputs::Blob {
        shard: run.first,
        blob: BlobHash(hash),
    })
}

/// A cause's number on a disk: its place in [`Cause::ALL`].
pub(super) fn cause_number(cause: Cause) -> u8 {
    cause as u8
}

/// The cause with this number.
pub(super) fn cause_from_number(number: u8) -> Result<Cause, StoreError> {
    Cause::ALL
        .get(usize::from(number))
        .copied()
        .ok_or_else(|| corrupt("a cause", number))
}
