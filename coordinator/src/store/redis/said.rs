//! Operations as they are said again to a Redis that may have lost them: without a claim, and so that saying
//! them to one that has them changes nothing.
use super::batch::registry_key;
use super::decode::Standing;
use super::encode::{Call, accept_head, chunk_bytes, submit_head};
use crate::store::life::state_number;
use crate::store::{Done, Op, StoreError};
use protocol::cut::ShardRun;
use protocol::ids::{ClaimId, JobId};
use protocol::job::JobState;
use protocol::run::{Lengths, Outputs};
use redis::Cmd;

/// What stands for everything that is of no job.
pub(super) const NO_JOB: JobId = JobId(0);

const SUBMIT: &str = "E";
const CLOSE: &str = "G";
const OUTPUTS: &str = "L";
const CHUNK: &str = "P";
const STATE: &str = "H";
/// Not for `job.lua`: a command of its own.
const COMMAND: &str = "X";

/// How an output is stored, as in `job.lua`.
const EQUAL: u8 = 0;
const EACH: u8 = 1;
const BLOB: u8 = 2;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) job: JobId,
    pub(super) letter: String,
    pub(super) args: Vec<Vec<u8>>,
    /// The owner's idempotency key, where a job is submitted with one.
    pub(super) key: Vec<u8>,
}

/// How a job's items are told apart from another's: by where the first of a run lies.
fn first_item(run: ShardRun, stands: &Standing) -> Option<u64> {
    Some(stands.cut.piece(run)?.first_item)
}

impl Said {
    pub(super) fn new(job: JobId, letter: &str, args: Vec<Vec<u8>>) -> Self {
        let (letter, key) = (letter.to_owned(), Vec::new());
        Self {
            job,
            letter,
            args,
            key,
        }
    }

    /// What has to be said again of an operation that was answered like this; nothing where it would come to
    /// the same by itself: failures are found again, and a job runs again without being told.
    pub(super) fn of(op: &Op, done: &Done, stands: Option<&Standing>) -> Result<Option<Self>, StoreError> {
        Ok(match (op, done) {
            (
                Op::AddJob {
                    record,
                    items,
                    closed,
                    chunk,
                    key,
                },
                Done::JobAdded { older: None },
            ) => {
                let json = serde_json::to_vec(record)
                    .map_err(|error| StoreError::Corrupt(format!("a job's record: {error}")))?;
                let mut said = Self::submitted(record.id, json, (*items, *closed));
                said.args[2] = chunk.map(chunk_bytes).unwrap_or_default();
                said.key = registry_key(record, key.as_deref());
                Some(said)
            }
            (
                Op::AppendItems { job, .. },
                Done::ItemsAppended {
                    chunk: Some(chunk), ..
                },
            ) => Some(Self::new(*job, CHUNK, vec![chunk_bytes(*chunk)])),
            (Op::CloseItems { job }, _) => Some(Self::closed(*job)),
            (
                Op::Accept {
                    job,
                    outputs,
                    items,
                    busy_us,
                    ..
                },
                Done::Counted { shards, .. },
            ) if *shards > 0 => {
                stands.and_then(|stands| outputs_said(*job, outputs, (*items, *busy_us), stands))
            }
            (
                Op::AcceptBlob {
                    job,
                    shard,
                    blob,
                    items,
                    busy_us,
                    ..
                },
                Done::Counted { shards, .. },
            ) => {
                let run = ShardRun {
                    first: *shard,
                    count: 1,
                };
                let first = stands.and_then(|stands| first_item(run, stands));
                let head = first.map(|item| head(run, (*items, *busy_us), BLOB, item));
                head.filter(|_| *shards > 0)
                    .map(|head| Self::new(*job, OUTPUTS, vec![head, Vec::new(), blob.0.to_vec()]))
            }
            (
                Op::SetState {
                    job,
                    state,
                    reason,
                    time_ms,
                },
                Done::Counted { state: now, .. },
            ) if state == now && lasts(*state) => {
                let flags = [state_number(*state), u8::from(reason.is_some())];
                let head = [&flags[..], &time_ms.to_le_bytes()].concat();
                let reason = reason.clone().unwrap_or_default().into_bytes();
                Some(Self::new(*job, STATE, vec![head, reason]))
            }
            _ => None,
        })
    }

    /// A command that is of no job.
    pub(super) fn command(command: &Cmd) -> Self {
        let args = command.args_iter().map(|arg| match arg {
            redis::Arg::Simple(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        });
        Self::new(NO_JOB, COMMAND, args.collect())
    }

    pub(super) fn submitted(job: JobId, record: Vec<u8>, (items, closed): (u64, bool)) -> Self {
        Self::new(job, SUBMIT, vec![submit_head(items, closed), record, Vec::new()])
    }

    pub(super) fn chunk(job: JobId, chunk: Vec<u8>) -> Self {
        Self::new(job, CHUNK, vec![chunk])
    }

    pub(super) fn closed(job: JobId) -> Self {
        Self::new(job, CLOSE, Vec::new())
    }

    /// Whether the job is over with it.
    pub(super) fn is_end(&self) -> bool {
        self.letter == STATE
    }

    pub(super) fn is_submission(&self) -> bool {
        self.letter == SUBMIT
    }

    /// The command, where it is of no job.
    pub(super) fn as_command(&self) -> Option<Cmd> {
        let mut args = self.args.iter().filter(|_| self.letter == COMMAND);
        let mut command = Cmd::new();
        command.arg(args.next()?);
        for arg in args {
            command.arg(arg);
        }
        Some(command)
    }

    pub(super) fn say(&self, call: &mut Call) {
        let args: Vec<&[u8]> = self.args.iter().map(Vec::as_slice).collect();
        call.push(None, &self.letter, &args);
    }
}

/// Whether a job that was said to be in this state stays in it for good.
fn lasts(state: JobState) -> bool {
    matches!(
        state,
        JobState::Succeeded | JobState::Canceling | JobState::Canceled
    )
}

fn head(run: ShardRun, (items, busy_us): (u64, u64), kind: u8, first_item: u64) -> Vec<u8> {
    let settling = super::encode::Settling {
        claim: ClaimId(0),
        items,
        busy_us,
    };
    let mut head = accept_head((run.first, run.count), &settling, kind);
    head.extend(first_item.to_le_bytes());
    head
}

fn outputs_said(job: JobId, outputs: &Outputs, counts: (u64, u64), stands: &Standing) -> Option<Said> {
    let (kind, lengths) = match &outputs.lengths {
        Lengths::Equal(length) => (EQUAL, length.to_le_bytes().to_vec()),
        Lengths::Each(each) => (
            EACH,
            each.iter().flat_map(|length| length.to_le_bytes()).collect(),
        ),
    };
    let head = head(outputs.run, counts, kind, first_item(outputs.run, stands)?);
    Some(Said::new(
        job,
        OUTPUTS,
        vec![head, lengths, outputs.data.to_vec()],
    ))
}
