//! A batch of operations as a few calls: one for each job it speaks of, then what all jobs share.
//!
//! The batch is not one step: a connection that breaks can leave the first calls done and the others
//! not. So every operation may be sent twice. Claims and appends carry names, and when the answers to
//! a batch were lost the next one uses the same names again: what was done is found, not done again.
use super::RedisStore;
use super::decode::{Standing, array, bytes, corrupt, number, runs, standing};
use super::encode::{Call, Settling};
use super::scripts::{call, job_keys, job_name, job_of, key};
use crate::store::{Chunk, Done, JobRecord, Op, StoreError};
use protocol::cut::Cut;
use protocol::ids::{BlobHash, ClaimId, JobId, Stage};
use protocol::job::JobState;
use protocol::totals::Totals;
use redis::{Cmd, Value};
use std::collections::HashMap;

/// Changes kept for other coordinators; who misses more reads every open job.
pub(super) const CHANGES_KEPT_MAX: usize = 10_000;

/// A name that was given to an operation whose answer is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    job: JobId,
    is_claim: bool,
    name: u64,
}

/// What others are told of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    New,
    Open,
    Over,
    Same,
}

impl Notice {
    fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Over => "over",
            Self::Same => "same",
        }
    }
}

type Result<T> = std::result::Result<T, StoreError>;

impl RedisStore {
    pub(super) fn commit_batch(&mut self, ops: &[Op]) -> Result<Vec<Done>> {
        self.greet_other()?;
        let mut doubts = std::mem::take(&mut self.doubts);
        let mut names = Names::new(&mut doubts, self.epoch, &mut self.last_name);
        let calls = self.plan.calls(ops, &mut names);
        let given = names.given;
        let result = calls.and_then(|calls| {
            let mut dones = vec![Done::Stored; ops.len()];
            let standings = self.send_calls(ops, calls, &given, &mut dones)?;
            let commands = self.send_shared(ops, &standings, &mut dones)?;
            self.note_said(ops, &dones, &standings, &commands)?;
            Ok(dones)
        });
        self.link.is_again = result.is_err();
        if result.is_err() {
            // Whether they were done is not known: the next batch finds out.
            self.doubts = given.into_iter().map(|(_, doubt)| doubt).chain(doubts).collect();
        }
        result
    }

    /// Sends the calls of all jobs in one go; says how each job stands afterwards.
    fn send_calls(
        &mut self,
        ops: &[Op],
        calls: Vec<Call>,
        given: &[(usize, Doubt)],
        dones: &mut [Done],
    ) -> Result<HashMap<JobId, Option<Standing>>> {
        let mut pipeline = redis::pipe();
        let mut answered = Vec::with_capacity(calls.len());
        for call in calls {
            pipeline.add_command(call.command);
            answered.push((call.job, call.ops));
        }
        let answers = self.link.send(&pipeline)?;
        let mut standings = HashMap::new();
        for ((job, indices), answer) in answered.into_iter().zip(answers) {
            let mut answer = array(answer)?;
            let stands = standing(&array(answer.pop().ok_or_else(|| corrupt("an answer"))?)?)?;
            for (index, value) in indices.into_iter().zip(answer) {
                let Some(index) = index else { continue };
                let name = given
                    .iter()
                    .find(|(op, _)| *op == index)
                    .map_or(0, |(_, doubt)| doubt.name);
                dones[index] = done(&ops[index], name, value, stands.as_ref(), self.link.is_again)?;
            }
            standings.insert(job, stands);
        }
        Ok(standings)
    }

    /// Writes what all jobs share: the list of jobs, what others are told, tokens, programs. Returns the commands
    /// that are to be said again to a Redis that lost them.
    fn send_shared(
        &mut self,
        ops: &[Op],
        standings: &HashMap<JobId, Option<Standing>>,
        dones: &mut [Done],
    ) -> Result<Vec<Cmd>> {
        let mut pipeline = redis::pipe();
        let (mut notices, mut commands) = (Vec::new(), Vec::new());
        for (index, op) in ops.iter().enumerate() {
            match op {
                Op::AddToken { .. } | Op::RevokeToken { .. } | Op::AddProgram { .. } => {
                    let command = shared_command(op)?;
                    // A token that another coordinator revoked meanwhile must not come back.
                    commands.extend((!matches!(op, Op::AddToken { .. })).then(|| command.clone()));
                    pipeline.add_command(command).ignore();
                }
                Op::Remember(entry) => {
                    let command = super::ledger::command(&self.plan.scripts, entry)?;
                    commands.push(command.clone());
                    pipeline.add_command(command).ignore();
                }
                Op::Heartbeat { time_ms } => {
                    dones[index] = Done::Changes {
                        jobs: self.beat(*time_ms)?,
                    }
                }
                // The job of that id is another's: its key and its data stay as they are.
                Op::AddJob { .. } if dones[index] == Done::JobIdTaken => {}
                _ => notices.extend(notice(op, standings).map(|(notice, job)| (index, notice, job))),
            }
        }
        self.link.send(&pipeline)?;
        self.tell(ops, &notices, dones)?;
        Ok(commands)
    }

    fn tell(&mut self, ops: &[Op], notices: &[(usize, Notice, JobId)], dones: &mut [Done]) -> Result<()> {
        if notices.is_empty() {
            return Ok(());
        }
        let mut command = self.registry_call();
        let mut new = Vec::new();
        for (index, notice, job) in notices {
            command.arg(notice.word()).arg(job_name(*job));
            if let Op::AddJob { record, key, .. } = &ops[*index] {
                command.arg(registry_key(record, key.as_deref()));
                new.push((*index, *job));
            }
        }
        let mut pipeline = redis::pipe();
        let answers = self.link.send(pipeline.add_command(command))?;
        let answer = answers.into_iter().next().ok_or_else(|| corrupt("an answer"))?;
        for ((index, job), older) in new.into_iter().zip(array(answer)?) {
            let older = bytes(older).and_then(|name| job_of(&name));
            if older.is_some() {
                self.forget(job)?;
            }
            dones[index] = Done::JobAdded { older };
        }
        Ok(())
    }

    pub(super) fn registry_call(&self) -> Cmd {
        let keys = [key::JOBS, key::OPEN, key::KEYS, key::CHANGES, key::CHANGE_COUNT].map(String::from);
        let mut command = call(&self.link.address.scripts.registry, &keys);
        command.arg(self.epoch).arg(CHANGES_KEPT_MAX);
        command
    }

    /// Tells the others that these jobs changed.
    pub(super) fn tell_changed(&mut self, jobs: &[JobId]) -> Result<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        let mut command = self.registry_call();
        for job in jobs {
            command.arg(Notice::Same.word()).arg(job_name(*job));
        }
        self.link.send(redis::pipe().add_command(command)).map(|_| ())
    }

    /// The job lost its idempotency key to an older one: nobody ever heard of it.
    fn forget(&mut self, job: JobId) -> Result<()> {
        let mut command = redis::cmd("UNLINK");
        command.arg(job_keys(job));
        self.link.send(redis::pipe().add_command(command)).map(|_| ())
    }
}

/// Names of claims and appends: those in doubt first, then fresh ones.
pub(super) struct Names<'a> {
    doubts: &'a mut Vec<Doubt>,
    epoch: u32,
    last: &'a mut u32,
    /// Which operation has which name.
    given: Vec<(usize, Doubt)>,
}

impl<'a> Names<'a> {
    fn new(doubts: &'a mut Vec<Doubt>, epoch: u32, last: &'a mut u32) -> Self {
        Self {
            doubts,
            epoch,
            last,
            given: Vec::new(),
        }
    }

    fn give(&mut self, op: usize, job: JobId, is_claim: bool) -> u64 {
        let same = |doubt: &Doubt| doubt.job == job && doubt.is_claim == is_claim;
        let doubt = match self.doubts.iter().position(same) {
            Some(at) => self.doubts.remove(at),
            None => Doubt {
                job,
                is_claim,
                name: self.fresh(),
            },
        };
        self.given.push((op, doubt));
        doubt.name
    }

    fn fresh(&mut self) -> u64 {
        *self.last = self.last.wrapping_add(1).max(1);
        u64::from(self.epoch) << 32 | u64::from(*self.last)
    }
}

/// How operations become calls.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) scripts: std::sync::Arc<super::scripts::Scripts>,
}

impl Plan {
    pub(super) fn call(&self, job: JobId) -> Call {
        Call::new(job, call(&self.scripts.job, &job_keys(job)))
    }

    fn calls(&self, ops: &[Op], names: &mut Names<'_>) -> Result<Vec<Call>> {
        let mut calls: Vec<Call> = Vec::new();
        // The call that takes the next operation of each job.
        let mut open: HashMap<JobId, usize> = HashMap::new();
        for (index, op) in ops.iter().enumerate() {
            let Some(job) = job_of_op(op) else { continue };
            let at = match open.get(&job) {
                Some(at) if !calls[*at].is_full() => *at,
                _ => {
                    calls.push(self.call(job));
                    calls.len() - 1
                }
            };
            open.insert(job, at);
            encode(&mut calls[at], index, op, names)?;
        }
        // Claims that were asked for and are not wanted any more.
        for doubt in names.doubts.iter().filter(|doubt| doubt.is_claim) {
            let mut call = self.call(doubt.job);
            call.release(ClaimId(doubt.name));
            calls.push(call);
        }
        Ok(calls)
    }
}

/// The job an operation is on, where it is on one. Stages after the map come with reductions.
pub(super) fn job_of_op(op: &Op) -> Option<JobId> {
    match op {
        Op::AddJob { record, .. } => Some(record.id),
        Op::AppendItems { job, .. }
        | Op::CloseItems { job }
        | Op::Claim { job, .. }
        | Op::Accept { job, .. }
        | Op::AcceptBlob { job, .. }
        | Op::Fail { job, .. }
        | Op::NoteFailure { job, .. }
        | Op::SetState { job, .. }
        | Op::RetryFailed { job, .. } => Some(*job),
        Op::Heartbeat { .. }
        | Op::AddToken { .. }
        | Op::RevokeToken { .. }
        | Op::AddProgram { .. }
        | Op::Remember(_) => None,
    }
}

/// A claim that nobody has: what is asked of a stage that does not exist comes to nothing.
const NO_CLAIM: ClaimId = ClaimId(0);

fn fence(stage: Stage, claim: ClaimId) -> ClaimId {
    if stage == 0 { claim } else { NO_CLAIM }
}

fn encode(call: &mut Call, index: usize, op: &Op, names: &mut Names<'_>) -> Result<()> {
    match op {
        Op::AddJob {
            record,
            items,
            closed,
            chunk,
            ..
        } => call.add_job(index, record, (*items, *closed), *chunk)?,
        Op::AppendItems { job, blob, items } => {
            let name = names.give(index, *job, false);
            call.append(index, name, *blob, *items);
        }
        Op::CloseItems { .. } => call.close(index),
        Op::Claim {
            job,
            stage,
            shards_max,
            grain,
        } => {
            let name = names.give(index, *job, true);
            let shards_max = if *stage == 0 { *shards_max } else { 0 };
            call.claim(index, ClaimId(name), shards_max, *grain);
        }
        Op::Accept { outputs, .. } => call.accept(index, &settling(op), outputs),
        Op::AcceptBlob { shard, blob, .. } => call.accept_blob(index, &settling(op), *shard, *blob),
        Op::Fail {
            stage,
            claim,
            shard,
            items,
            failure,
            skipped,
            ..
        } => call.fail(index, fence(*stage, *claim), (*shard, *items), failure, *skipped),
        Op::NoteFailure {
            shard,
            failure,
            time_ms,
            ..
        } => call.note_failure(index, *shard, failure, *time_ms),
        Op::SetState {
            state,
            reason,
            time_ms,
            ..
        } => call.set_state(index, *state, reason.as_deref(), *time_ms),
        Op::RetryFailed { .. } => call.retry(index),
        Op::Heartbeat { .. }
        | Op::AddToken { .. }
        | Op::RevokeToken { .. }
        | Op::AddProgram { .. }
        | Op::Remember(_) => {}
    }
    Ok(())
}

fn settling(op: &Op) -> Settling {
    let (stage, claim, items, busy_us) = match op {
        Op::Accept {
            stage,
            claim,
            items,
            busy_us,
            ..
        }
        | Op::AcceptBlob {
            stage,
            claim,
            items,
            busy_us,
            ..
        } => (*stage, *claim, *items, *busy_us),
        _ => (0, NO_CLAIM, 0, 0),
    };
    Settling {
        claim: fence(stage, claim),
        items,
        busy_us,
    }
}

/// What others are told because of an operation, where it had an effect they should know of.
fn notice(op: &Op, standings: &HashMap<JobId, Option<Standing>>) -> Option<(Notice, JobId)> {
    let job = job_of_op(op)?;
    let stands = standings.get(&job)?.as_ref()?;
    let notice = match op {
        Op::AddJob { .. } => Notice::New,
        Op::AppendItems { .. } | Op::CloseItems { .. } => Notice::Same,
        Op::SetState { .. } | Op::RetryFailed { .. } if stands.state.is_over() => Notice::Over,
        Op::RetryFailed { .. } => Notice::Open,
        Op::SetState { .. } => Notice::Same,
        _ => return None,
    };
    Some((notice, job))
}

pub(super) fn registry_key(record: &JobRecord, key: Option<&str>) -> Vec<u8> {
    // An owner's name holds no zero byte, so two pairs never look the same.
    key.map(|key| [record.owner.as_bytes(), b"\0", key.as_bytes()].concat())
        .unwrap_or_default()
}

fn shared_command(op: &Op) -> Result<Cmd> {
    let unreadable = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
    Ok(match op {
        Op::AddToken { info, secret } => {
            let value = [&secret[..], &serde_json::to_vec(info).map_err(unreadable)?].concat();
            Cmd::hset(key::TOKENS, &info.id, value)
        }
        Op::RevokeToken { id } => Cmd::hdel(key::TOKENS, id),
        Op::AddProgram {
            hash,
            length,
            description,
        } => {
            let value = [
                &length.to_le_bytes()[..],
                &serde_json::to_vec(description).map_err(unreadable)?,
            ];
            Cmd::hset_nx(key::PROGRAMS, &hash.0, value.concat())
        }
        _ => redis::cmd("PING"),
    })
}

/// In an answer: fewer shards than asked were counted, but the claim holds. See `job.lua`.
const HOLDS: u64 = 1 << 32;

/// How many shards an operation counted. When it may have been sent twice, what its claim settled before
/// was settled by the first sending: to take it for a lost claim would strand the rest of that claim.
fn counted(op: &Op, answer: &Value, is_again: bool) -> u32 {
    let told = number(answer).unwrap_or(0);
    // Or by what was said again, for everybody, to a Redis that had lost it.
    let holds = told >= 2 * HOLDS || (is_again && told >= HOLDS);
    match op {
        Op::Accept { outputs, .. } if holds => outputs.run.count,
        Op::AcceptBlob { .. } | Op::Fail { .. } if holds => 1,
        _ => u32::try_from(told % HOLDS).unwrap_or(0),
    }
}

fn done(op: &Op, name: u64, answer: Value, stands: Option<&Standing>, is_again: bool) -> Result<Done> {
    let totals = stands.map_or_else(Totals::default, |s| s.totals);
    Ok(match op {
        Op::NoteFailure { .. } => Done::Stored,
        Op::AddJob { record, .. } if record.stage_of.is_none() && number(&answer) == Some(1) => {
            Done::JobIdTaken
        }
        // Told by the registry, which knows the keys.
        Op::AddJob { .. } => Done::JobAdded { older: None },
        Op::AppendItems { blob, items, .. } => {
            let chunk = appended(&answer, *blob, *items);
            Done::ItemsAppended { chunk, totals }
        }
        Op::Claim { .. } => Done::Claimed {
            claim: ClaimId(name),
            runs: runs(&bytes(answer).ok_or_else(|| corrupt("a claim"))?),
            cut: stands.map_or_else(Cut::default, |s| s.cut.clone()),
            totals,
        },
        _ => Done::Counted {
            shards: counted(op, &answer, is_again),
            totals,
            state: stands.map_or(JobState::Canceled, |s| s.state),
        },
    })
}

fn appended(answer: &Value, blob: BlobHash, items: u64) -> Option<Chunk> {
    let first_item = number(answer)?;
    Some(Chunk {
        first_item,
        items,
        blob,
    })
}
