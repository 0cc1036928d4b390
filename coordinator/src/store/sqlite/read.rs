//! The reading side: a few connections that read only, lent one at a time.
use super::error::{corrupt, explain};
use super::row::{
    JOB_COLUMNS, JobRow, STAGE_COLUMNS, cause_from_number, int, place, read_job, read_outputs, shard_of, uint,
};
use crate::store::life::state_number;
use crate::store::pool::Pool;
use crate::store::{
    AccountRecord, Chunk, FailedShard, JobFilter, READERS_MAX, Reader, StoreError, StoredJob, StoredOutputs,
};
use protocol::api::{ErrorGroup, TokenInfo};
use protocol::credit::{Booking, Leader};
use protocol::description::Description;
use protocol::ids::{AccountId, BlobHash, JobId, ProgramHash, ReceiptId, ShardIndex, Stage};
use protocol::job::JobState;
use protocol::trust::TrustReport;
use protocol::wire::Failure;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, Row, params};
use std::path::PathBuf;
use std::time::Duration;

/// Reads what is committed.
#[derive(Debug)]
pub(super) struct SqliteReader {
    path: PathBuf,
    pool: Pool<Connection>,
}

type Result<T> = std::result::Result<T, StoreError>;

impl SqliteReader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            pool: Pool::new(READERS_MAX),
        }
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let result = self.pool.with(|| open(&self.path), |connection| read(connection));
        result.map_err(|error| explain(&self.path, &error))
    }

    pub(super) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.with(|c| c.prepare_cached(sql)?.query_map(params, read)?.collect())
    }

    pub(super) fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.with(|c| c.prepare_cached(sql)?.query_row(params, read).optional())
    }

    fn number(&self, job: JobId, stage: Stage) -> Result<Option<u32>> {
        let sql = "SELECT number FROM stages WHERE job = ?1 AND stage = ?2";
        self.row(sql, params![int(job.0), stage], |row| row.get(0))
    }

    /// Jobs that are not over, oldest first.
    pub(super) fn open_jobs(&self) -> Result<Vec<StoredJob>> {
        let sql = format!("{} WHERE j.state IN (?1, ?2, ?3, ?4) ORDER BY j.id", select_job());
        let open = [
            JobState::Queued,
            JobState::Running,
            JobState::Paused,
            JobState::Canceling,
        ];
        let rows = self.rows(&sql, open.map(state_number), read_job)?;
        rows.into_iter().map(JobRow::into_job).collect()
    }

    /// Reads rows until they have `bytes_max` bytes.
    fn outputs_until<T>(
        &self,
        sql: &str,
        params: impl Params,
        bytes_max: usize,
        read: fn(&Row<'_>, StoredOutputs) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let read_all = |connection: &Connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            let (mut all, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let stored = match read_outputs(row)? {
                    Ok(stored) => stored,
                    Err(error) => return Ok(Err(error)),
                };
                bytes += stored.bytes();
                all.push(read(row, stored)?);
                if bytes >= bytes_max {
                    break;
                }
            }
            Ok(Ok(all))
        };
        self.with(read_all)?
    }
}

fn open(path: &PathBuf) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_millis(super::BUSY_MS_MAX))?;
    connection.set_prepared_statement_cache_capacity(super::STATEMENTS_MAX);
    Ok(connection)
}

fn select_job() -> String {
    format!("SELECT {STAGE_COLUMNS}, {JOB_COLUMNS} FROM jobs j JOIN stages s ON s.job = j.id AND s.stage = 0")
}

fn keep(filter: &JobFilter, job: &StoredJob) -> bool {
    let label = filter.label.as_ref();
    label.is_none_or(|(name, value)| job.record.spec.labels.get(name) == Some(value))
}

impl Reader for SqliteReader {
    fn job(&self, id: JobId) -> Result<Option<StoredJob>> {
        let sql = format!("{} WHERE j.id = ?1", select_job());
        self.row(&sql, [int(id.0)], read_job)?
            .map(JobRow::into_job)
            .transpose()
    }

    fn jobs(&self, filter: &JobFilter) -> Result<Vec<StoredJob>> {
        let by_state = if filter.state.is_some() {
            "AND j.state = ?2"
        } else {
            "AND ?2 IS NULL"
        };
        let sql = format!("{} WHERE j.id < ?1 {by_state} ORDER BY j.id DESC", select_job());
        let before = filter.before.map_or(i64::MAX, |id| int(id.0));
        let state = filter.state.map(state_number);
        let read_page = |connection: &Connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![before, state])?;
            let mut page = Vec::new();
            while page.len() < filter.limit {
                let Some(row) = rows.next()? else { break };
                match read_job(row)?.into_job() {
                    Ok(job) if keep(filter, &job) => page.push(job),
                    Ok(_) => {}
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok(page))
        };
        self.with(read_page)?
    }

    fn chunks(&self, job: JobId, first_item: u64) -> Result<Vec<Chunk>> {
        let sql = "SELECT first_item, items, blob FROM chunks WHERE job = ?1 AND first_item >= \
            coalesce((SELECT max(first_item) FROM chunks WHERE job = ?1 AND first_item <= ?2), ?2) \
            ORDER BY first_item";
        let read = |row: &Row<'_>| {
            Ok(Chunk {
                first_item: uint(row, "first_item")?,
                items: uint(row, "items")?,
                blob: BlobHash(row.get("blob")?),
            })
        };
        let mut chunks = self.rows(sql, [int(job.0), int(first_item)], read)?;
        // The first may end before the wanted item, where that one does not exist yet.
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
        let Some(number) = self.number(job, stage)? else {
            return Ok(Vec::new());
        };
        // Runs do not overlap: only the last one that begins before `from` can reach beyond it.
        let sql = "SELECT place, count, lengths, data FROM runs WHERE place < ?3 AND place + count > ?2 \
            AND place >= coalesce((SELECT max(place) FROM runs WHERE place BETWEEN ?1 AND ?2), ?2) \
            ORDER BY place";
        let places = [place(number, 0), place(number, from), place(number + 1, 0)];
        self.outputs_until(sql, places, bytes_max, |_, stored| Ok(stored))
    }

    fn outputs_as_accepted(
        &self,
        job: JobId,
        stage: Stage,
        after: u64,
        bytes_max: usize,
    ) -> Result<Vec<(u64, StoredOutputs)>> {
        let Some(number) = self.number(job, stage)? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT id, place, count, lengths, data FROM runs WHERE id > ?1 AND id < ?2 ORDER BY id";
        let after = u32::try_from(after).unwrap_or(u32::MAX);
        let ids = [place(number, after), place(number + 1, 0)];
        self.outputs_until(sql, ids, bytes_max, |row, stored| {
            Ok((u64::from(shard_of(row.get("id")?)), stored))
        })
    }

    fn failed_shards(&self, job: JobId, stage: Stage) -> Result<Vec<FailedShard>> {
        let Some(number) = self.number(job, stage)? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT place, first_item, end_item, cause, detail FROM failed \
            WHERE place >= ?1 AND place < ?2 ORDER BY place";
        let read = |row: &Row<'_>| {
            let items = (uint(row, "first_item")?, uint(row, "end_item")?);
            let shard = shard_of(row.get("place")?);
            Ok((shard, items, row.get("cause")?, row.get("detail")?))
        };
        let rows = self.rows(sql, [place(number, 0), place(number + 1, 0)], read)?;
        let failed = |(shard, items, cause, detail)| {
            let failure = Failure {
                cause: cause_from_number(cause)?,
                detail,
            };
            Ok(FailedShard {
                shard,
                items,
                failure,
            })
        };
        rows.into_iter().map(failed).collect()
    }

    fn errors(&self, job: JobId) -> Result<Vec<ErrorGroup>> {
        let sql = "SELECT cause, detail, count, shard, last_ms FROM errors WHERE job = ?1 \
            ORDER BY count DESC, last_ms DESC";
        let read = |row: &Row<'_>| {
            let group = ErrorGroup {
                cause: protocol::wire::Cause::Lost,
                detail: row.get("detail")?,
                count: uint(row, "count")?,
                shard: row.get("shard")?,
                last_ms: uint(row, "last_ms")?,
            };
            Ok((row.get("cause")?, group))
        };
        let rows = self.rows(sql, [int(job.0)], read)?;
        let with_cause = |(cause, group)| {
            Ok(ErrorGroup {
                cause: cause_from_number(cause)?,
                ..group
            })
        };
        rows.into_iter().map(with_cause).collect()
    }

    fn tokens(&self) -> Result<Vec<TokenInfo>> {
        let rows = self.rows("SELECT info FROM tokens", [], |row| row.get::<_, String>(0))?;
        let mut tokens = rows
            .iter()
            .map(|json| read_token(json))
            .collect::<Result<Vec<_>>>()?;
        tokens.sort_by_key(|token| token.created_ms);
        Ok(tokens)
    }

    fn token(&self, id: &str) -> Result<Option<(TokenInfo, [u8; 32])>> {
        let sql = "SELECT info, secret FROM tokens WHERE id = ?1";
        let row = self.row(sql, [id], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        row.map(|(json, secret)| Ok((read_token(&json)?, secret)))
            .transpose()
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
        let read = |row: &Row<'_>| {
            Ok((
                ProgramHash(row.get("hash")?),
                uint(row, "length")?,
                row.get::<_, String>("description")?,
            ))
        };
        let rows = self.rows(
            "SELECT hash, length, description FROM programs ORDER BY hash",
            [],
            read,
        )?;
        let program = |(hash, length, json): (_, _, String)| {
            let description =
                serde_json::from_str(&json).map_err(|e| corrupt("a program's description", e))?;
            Ok((hash, length, description))
        };
        rows.into_iter().map(program).collect()
    }
}

fn read_token(json: &str) -> Result<TokenInfo> {
    serde_json::from_str(json).map_err(|error| corrupt("a token", error))
}
