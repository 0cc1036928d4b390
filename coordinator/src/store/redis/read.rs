//! The reading side: a few connections, lent one at a time.
use super::decode::{
    STANDING_FIELDS, array, bytes, chunk, corrupt, error_group, failed, number, outputs, standing,
};
use super::link::{Address, Link};
use super::scripts::{call, job_key, job_name, job_of, key};
use crate::store::pool::Pool;
use crate::store::{
    AccountRecord, Chunk, FailedShard, JobFilter, READERS_MAX, Reader, StoreError, StoredJob, StoredOutputs,
};
use protocol::api::{ErrorGroup, TokenInfo};
use protocol::credit::{Booking, Leader};
use protocol::description::Description;
use protocol::ids::{AccountId, JobId, ProgramHash, ReceiptId, ShardIndex, Stage};
use protocol::trust::TrustReport;
use redis::{Cmd, Pipeline, Value};

/// Most bytes and runs read in one call: Redis does nothing else while it reads.
const READ_BYTES_MAX: usize = 8 << 20;
const READ_RUNS_MAX: usize = 4_096;
/// Jobs read at a time while a page of them is filled.
const JOBS_PER_CALL: usize = 128;

/// Reads what is committed.
pub(super) struct RedisReader {
    address: Address,
    pool: Pool<Link>,
}

type Result<T> = std::result::Result<T, StoreError>;

impl RedisReader {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            pool: Pool::new(READERS_MAX),
        }
    }

    pub(super) fn send(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        let open = || Ok(Link::new(self.address.clone()));
        self.pool.with(open, |link| link.send(pipeline))
    }

    pub(super) fn ask(&self, command: Cmd) -> Result<Value> {
        let answers = self.send(redis::pipe().add_command(command))?;
        answers.into_iter().next().ok_or_else(|| corrupt("an answer"))
    }

    pub(super) fn list(&self, command: Cmd) -> Result<Vec<Value>> {
        array(self.ask(command)?)
    }

    /// Outputs behind or from a place on.
    fn read(
        &self,
        job: JobId,
        stage: Stage,
        how: (&str, u64),
        bytes_max: usize,
    ) -> Result<Vec<StoredOutputs>> {
        // Stages after the map come with reductions.
        if stage != 0 {
            return Ok(Vec::new());
        }
        let keys = [job_key(job, "runs"), job_key(job, "order")];
        let mut command = call(&self.address.scripts.read, &keys);
        command
            .arg(how.0)
            .arg(how.1)
            .arg(bytes_max.min(READ_BYTES_MAX))
            .arg(READ_RUNS_MAX);
        self.list(command)?.into_iter().map(outputs).collect()
    }

    fn read_jobs(&self, ids: &[JobId]) -> Result<Vec<StoredJob>> {
        let mut pipeline = redis::pipe();
        for id in ids {
            let mut command = redis::cmd("HMGET");
            command.arg(job_key(*id, "meta")).arg(&STANDING_FIELDS);
            command.arg(&["reason", "started_ms", "ended_ms", "record"]);
            pipeline.add_command(command);
        }
        let answers = self.send(&pipeline)?;
        let jobs = answers.into_iter().map(|answer| stored_job(array(answer)?));
        jobs.filter_map(Result::transpose).collect()
    }
}

fn stored_job(values: Vec<Value>) -> Result<Option<StoredJob>> {
    let Some(stands) = standing(&values)? else {
        return Ok(None);
    };
    let mut rest = values.into_iter().skip(STANDING_FIELDS.len());
    let mut next = || rest.next().unwrap_or(Value::Nil);
    let reason = bytes(next()).map(|text| String::from_utf8_lossy(&text).into_owned());
    let (started_ms, ended_ms) = (number(&next()), number(&next()));
    let record = bytes(next()).and_then(|json| serde_json::from_slice(&json).ok());
    Ok(Some(StoredJob {
        record: record.ok_or_else(|| corrupt("a job's record"))?,
        state: stands.state,
        reason,
        started_ms,
        ended_ms,
        cut: stands.cut,
        totals: stands.totals,
    }))
}

fn keep(filter: &JobFilter, job: &StoredJob) -> bool {
    let label = filter.label.as_ref();
    filter.state.is_none_or(|state| job.state == state)
        && label.is_none_or(|(name, value)| job.record.spec.labels.get(name) == Some(value))
}

impl Reader for RedisReader {
    fn job(&self, id: JobId) -> Result<Option<StoredJob>> {
        Ok(self.read_jobs(&[id])?.pop())
    }

    fn jobs(&self, filter: &JobFilter) -> Result<Vec<StoredJob>> {
        let (mut page, mut before) = (Vec::new(), filter.before);
        while page.len() < filter.limit {
            let from = before.map_or_else(|| "+".to_owned(), |id| format!("({}", job_name(id)));
            let mut command = redis::cmd("ZREVRANGEBYLEX");
            command
                .arg(key::JOBS)
                .arg(from)
                .arg("-")
                .arg("LIMIT")
                .arg(0)
                .arg(JOBS_PER_CALL);
            let names = self.list(command)?;
            let ids: Vec<JobId> = names
                .into_iter()
                .filter_map(|name| job_of(&bytes(name)?))
                .collect();
            let Some(last) = ids.last() else { break };
            before = Some(*last);
            let jobs = self.read_jobs(&ids)?;
            page.extend(jobs.into_iter().filter(|job| keep(filter, job)));
        }
        page.truncate(filter.limit);
        Ok(page)
    }

    fn chunks(&self, job: JobId, first_item: u64) -> Result<Vec<Chunk>> {
        let name = job_key(job, "chunks");
        let mut before = redis::cmd("ZREVRANGEBYSCORE");
        before
            .arg(&name)
            .arg(first_item)
            .arg("-inf")
            .arg("LIMIT")
            .arg(0)
            .arg(1);
        let mut behind = redis::cmd("ZRANGEBYSCORE");
        behind.arg(&name).arg(format!("({first_item}")).arg("+inf");
        let answers = self.send(redis::pipe().add_command(before).add_command(behind))?;
        let mut chunks = Vec::new();
        for answer in answers {
            for packed in array(answer)? {
                chunks.push(chunk(&bytes(packed).unwrap_or_default())?);
            }
        }
        chunks.retain(|chunk| chunk.first_item + chunk.items > first_item);
        Ok(chunks)
    }

    fn outputs(
        &self,
        job: JobId,
        stage: Stage,
        from: ShardIndex,
        bytes_max: usize,
    ) -> Result<Vec<StoredOutputs>> {
        self.read(job, stage, ("order", u64::from(from)), bytes_max)
    }

    fn outputs_as_accepted(
        &self,
        job: JobId,
        stage: Stage,
        after: u64,
        bytes_max: usize,
    ) -> Result<Vec<(u64, StoredOutputs)>> {
        let found = self.read(job, stage, ("accepted", after), bytes_max)?;
        // Sequence numbers have no gaps.
        Ok((after + 1..).zip(found).collect())
    }

    fn failed_shards(&self, job: JobId, stage: Stage) -> Result<Vec<FailedShard>> {
        if stage != 0 {
            return Ok(Vec::new());
        }
        let pairs = self.list(Cmd::hgetall(job_key(job, "failed")))?;
        let read = |pair: &[Value]| failed(&pair[0], &bytes(pair[1].clone()).unwrap_or_default());
        let mut shards = pairs.chunks_exact(2).map(read).collect::<Result<Vec<_>>>()?;
        shards.sort_by_key(|failed| failed.shard);
        Ok(shards)
    }

    fn errors(&self, job: JobId) -> Result<Vec<ErrorGroup>> {
        let values = self.list(Cmd::hvals(job_key(job, "errors")))?;
        let read = |value| error_group(&bytes(value).unwrap_or_default());
        let mut groups = values.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        groups.sort_by_key(|group| std::cmp::Reverse((group.count, group.last_ms)));
        Ok(groups)
    }

    fn tokens(&self) -> Result<Vec<TokenInfo>> {
        let values = self.list(Cmd::hvals(key::TOKENS))?;
        let tokens = values.into_iter().map(|value| Ok(read_token(value)?.0));
        let mut tokens = tokens.collect::<Result<Vec<_>>>()?;
        tokens.sort_by_key(|token| token.created_ms);
        Ok(tokens)
    }

    fn token(&self, id: &str) -> Result<Option<(TokenInfo, [u8; 32])>> {
        match self.ask(Cmd::hget(key::TOKENS, id))? {
            Value::Nil => Ok(None),
            value => read_token(value).map(Some),
        }
    }

    fn account(&self, id: AccountId) -> Result<Option<AccountRecord>> {
        self.read_account(id)
    }

    fn booking(&self, id: ReceiptId) -> Result<Option<Booking>> {
        self.read_booking(id)
    }

    fn bookings(&self, account: AccountId, before: Option<u64>, limit: usize) -> Result<Vec<(u64, Booking)>> {
        self.read_bookings(account, before, limit)
    }

    fn leaders(&self) -> Result<Vec<Leader>> {
        self.read_leaders()
    }

    fn reports(&self, jobs: &[JobId]) -> Result<Vec<Option<TrustReport>>> {
        self.read_reports(jobs)
    }

    fn programs(&self) -> Result<Vec<(ProgramHash, u64, Description)>> {
        let pairs = self.list(Cmd::hgetall(key::PROGRAMS))?;
        let read = |pair: &[Value]| read_program(pair).ok_or_else(|| corrupt("a program"));
        let mut programs = pairs.chunks_exact(2).map(read).collect::<Result<Vec<_>>>()?;
        programs.sort_by_key(|program| program.0);
        Ok(programs)
    }
}

/// The hash of the secret, then what is kept as JSON.
fn read_token(value: Value) -> Result<(TokenInfo, [u8; 32])> {
    let read = |value| {
        let packed = bytes(value)?;
        let (secret, json) = packed.split_first_chunk()?;
        Some((serde_json::from_slice(json).ok()?, *secret))
    };
    read(value).ok_or_else(|| corrupt("a token"))
}

/// The length, then the description as JSON.
fn read_program(pair: &[Value]) -> Option<(ProgramHash, u64, Description)> {
    let hash = ProgramHash(bytes(pair[0].clone())?.try_into().ok()?);
    let packed = bytes(pair[1].clone())?;
    let (length, json) = packed.split_first_chunk()?;
    Some((
        hash,
        u64::from_le_bytes(*length),
        serde_json::from_slice(json).ok()?,
    ))
}
