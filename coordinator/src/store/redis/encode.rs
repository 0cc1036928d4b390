//! Operations as arguments of `job.lua`. Numbers are little-endian, claims 8 bytes big-endian.
use super::journal::Known;
use crate::store::life::state_number;
use crate::store::text::{clip, headline};
use crate::store::{Chunk, ERROR_GROUPS_PER_JOB_MAX, JobRecord, StoreError};
use protocol::ids::{BlobHash, ClaimId, JobId, ShardIndex};
use protocol::job::JobState;
use protocol::limits;
use protocol::run::{Lengths, Outputs};
use protocol::wire::Failure;
use redis::Cmd;

/// Most runs in one claim; what is left of a scattered job is claimed in several.
const CLAIM_RUNS_MAX: u32 = 1_024;
/// Most operations and bytes in one call: Redis does nothing else while it runs.
const OPS_PER_CALL_MAX: usize = 1_024;
const BYTES_PER_CALL_MAX: usize = 4 << 20;

/// Operations on one job, in order, for one call.
pub(super) struct Call {
    pub(super) job: JobId,
    pub(super) command: Cmd,
    /// Which operation of the batch each answer belongs to; `None` for those the store added.
    pub(super) ops: Vec<Option<usize>>,
    bytes: usize,
}

/// How an output is stored.
const EQUAL: u8 = 0;
const EACH: u8 = 1;
const BLOB: u8 = 2;

/// What an operation needs a claim for.
pub(super) struct Settling {
    pub(super) claim: ClaimId,
    pub(super) items: u64,
    pub(super) busy_us: u64,
}

impl Call {
    pub(super) fn new(job: JobId, mut command: Cmd) -> Self {
        command.arg(ERROR_GROUPS_PER_JOB_MAX).arg(CLAIM_RUNS_MAX);
        command
            .arg(limits::SHARDS_PER_STAGE_MAX)
            .arg(limits::CHUNKS_PER_JOB_MAX)
            .arg(limits::ITEMS_MAX);
        Self {
            job,
            command,
            ops: Vec::new(),
            bytes: 0,
        }
    }

    /// Whether the next operation belongs into another call.
    pub(super) fn is_full(&self) -> bool {
        self.ops.len() >= OPS_PER_CALL_MAX || self.bytes >= BYTES_PER_CALL_MAX
    }

    pub(super) fn push(&mut self, op: Option<usize>, letter: &str, args: &[&[u8]]) {
        self.command.arg(letter);
        for arg in args {
            self.command.arg(*arg);
            self.bytes += arg.len();
        }
        self.ops.push(op);
    }

    pub(super) fn accept(&mut self, op: usize, settling: &Settling, outputs: &Outputs) {
        let run = outputs.run;
        match &outputs.lengths {
            Lengths::Equal(length) => {
                let head = accept_head((run.first, run.count), settling, EQUAL);
                self.push(Some(op), "A", &[&head, &length.to_le_bytes(), &outputs.data]);
            }
            Lengths::Each(each) => {
                let head = accept_head((run.first, run.count), settling, EACH);
                let lengths: Vec<u8> = each.iter().flat_map(|length| length.to_le_bytes()).collect();
                self.push(Some(op), "A", &[&head, &lengths, &outputs.data]);
            }
        }
    }

    pub(super) fn accept_blob(&mut self, op: usize, settling: &Settling, shard: ShardIndex, blob: BlobHash) {
        let head = accept_head((shard, 1), settling, BLOB);
        self.push(Some(op), "A", &[&head, b"", &blob.0]);
    }

    pub(super) fn claim(&mut self, op: usize, claim: ClaimId, shards_max: u32, grain: u32) {
        let head = [
            &shards_max.to_le_bytes()[..],
            &grain.to_le_bytes(),
            &claim.0.to_be_bytes(),
        ]
        .concat();
        self.push(Some(op), "B", &[&head]);
    }

    pub(super) fn fail(
        &mut self,
        op: usize,
        claim: ClaimId,
        (shard, items): (ShardIndex, (u64, u64)),
        failure: &Failure,
        skipped: bool,
    ) {
        let head = [
            &shard.to_le_bytes()[..],
            &items.0.to_le_bytes(),
            &items.1.to_le_bytes(),
            &[failure.cause as u8, u8::from(skipped)],
            &claim.0.to_be_bytes(),
        ];
        self.push(Some(op), "C", &[&head.concat(), clip(&failure.detail).as_bytes()]);
    }

    pub(super) fn note_failure(&mut self, op: usize, shard: ShardIndex, failure: &Failure, time_ms: u64) {
        let head = [
            &[failure.cause as u8][..],
            &shard.to_le_bytes(),
            &time_ms.to_le_bytes(),
        ]
        .concat();
        let detail = clip(&failure.detail);
        self.push(
            Some(op),
            "D",
            &[&head, headline(detail).as_bytes(), detail.as_bytes()],
        );
    }

    pub(super) fn add_job(
        &mut self,
        op: usize,
        record: &JobRecord,
        (items, closed): (u64, bool),
        chunk: Option<Chunk>,
    ) -> Result<(), StoreError> {
        let json = serde_json::to_vec(record)
            .map_err(|error| StoreError::Corrupt(format!("a job's record: {error}")))?;
        let head = submit_head(items, closed);
        let chunk = chunk.map(chunk_bytes);
        self.push(Some(op), "E", &[&head, &json, &chunk.unwrap_or_default()]);
        Ok(())
    }

    pub(super) fn append(&mut self, op: usize, name: u64, blob: BlobHash, items: u64) {
        let head = [&items.to_le_bytes()[..], &blob.0].concat();
        self.push(Some(op), "F", &[&head, &name.to_be_bytes()]);
    }

    pub(super) fn close(&mut self, op: usize) {
        self.push(Some(op), "G", &[]);
    }

    pub(super) fn set_state(&mut self, op: usize, state: JobState, reason: Option<&str>, time_ms: u64) {
        let flags = [state_number(state), u8::from(reason.is_some())];
        let head = [&flags[..], &time_ms.to_le_bytes()].concat();
        self.push(Some(op), "H", &[&head, reason.unwrap_or("").as_bytes()]);
    }

    pub(super) fn retry(&mut self, op: usize) {
        self.push(Some(op), "I", &[]);
    }

    /// Gives up a claim whose answer was lost and is not wanted any more.
    pub(super) fn release(&mut self, claim: ClaimId) {
        self.push(None, "J", &[&claim.0.to_be_bytes()]);
    }

    /// Cuts a job as far as it is known to have been.
    pub(super) fn extend(&mut self, known: &Known) {
        let head = [
            &known.next_shard.to_le_bytes()[..],
            &known.next_item.to_le_bytes(),
        ]
        .concat();
        self.push(None, "M", &[&head, &known.segments]);
    }

    /// Whatever is neither settled nor claimed is left over from now on, and nothing else.
    pub(super) fn repair(&mut self) {
        self.push(None, "N", &[]);
    }

    /// Takes back what a silent coordinator claimed.
    pub(super) fn take_back(&mut self, epoch: u32) {
        self.push(None, "K", &[&epoch.to_be_bytes()]);
    }
}

pub(super) fn submit_head(items: u64, closed: bool) -> Vec<u8> {
    [&items.to_le_bytes()[..], &[u8::from(closed)]].concat()
}

/// A chunk as it is kept.
pub(super) fn chunk_bytes(chunk: Chunk) -> Vec<u8> {
    let (first, items) = (chunk.first_item.to_le_bytes(), chunk.items.to_le_bytes());
    [&first[..], &items, &chunk.blob.0].concat()
}

/// What `job.lua` is told of a run of outputs.
pub(super) fn accept_head((first, count): (u32, u32), settling: &Settling, kind: u8) -> Vec<u8> {
    let parts: [&[u8]; 6] = [
        &first.to_le_bytes(),
        &count.to_le_bytes(),
        &settling.items.to_le_bytes(),
        &settling.busy_us.to_le_bytes(),
        &[kind],
        &settling.claim.0.to_be_bytes(),
    ];
    parts.concat()
}
