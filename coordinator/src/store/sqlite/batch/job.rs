//! Operations on a job as a whole: it is added, grows, changes its state, is retried.
use super::{Batch, NOTHING, counted, next_claim};
use crate::store::life::{may_follow, may_retry, state_number};
use crate::store::shards::ShardSet;
use crate::store::sqlite::error::corrupt;
use crate::store::sqlite::row::{int, place};
use crate::store::sqlite::stage::StageState;
use crate::store::{Chunk, Done, JobRecord, StoreError};
use protocol::ids::{BlobHash, JobId};
use protocol::job::JobState;
use protocol::limits;
use protocol::totals::Totals;
use rusqlite::params;

impl Batch<'_> {
    pub(super) fn add_job(
        &mut self,
        record: &JobRecord,
        (items, closed): (u64, bool),
        chunk: Option<Chunk>,
        key: Option<&str>,
    ) -> Result<Done, StoreError> {
        let json = serde_json::to_string(record).map_err(|e| corrupt("a job's record", e))?;
        if record.stage_of.is_none() && self.is_anothers(record.id, &json)? {
            return Ok(Done::JobIdTaken);
        }
        if let Some(older) = key.map_or(Ok(None), |key| self.take_key(record, key))? {
            return Ok(Done::JobAdded { older: Some(older) });
        }
        let sql = "INSERT OR IGNORE INTO jobs (id, state, record) VALUES (?1, ?2, ?3)";
        let id = int(record.id.0);
        // The same job again: what was stored the first time stands.
        if self.execute(sql, params![id, state_number(JobState::Queued), json])? == 0 {
            return Ok(Done::JobAdded { older: None });
        }
        if let Some(chunk) = chunk {
            self.add_chunk(record.id, chunk)?;
        }
        self.add_stage(
            record.id,
            Totals {
                items,
                items_closed: closed,
                ..Totals::default()
            },
        )?;
        Ok(Done::JobAdded { older: None })
    }

    /// Whether the id belongs to a job with another record.
    fn is_anothers(&self, id: JobId, json: &str) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND record <> ?2)";
        let statement = self.transaction.prepare_cached(sql);
        let found = statement.and_then(|mut s| s.query_row(params![int(id.0), json], |row| row.get(0)));
        self.explained(found)
    }

    /// Gives the key to this job, or names the job that has it already.
    fn take_key(&self, record: &JobRecord, key: &str) -> Result<Option<JobId>, StoreError> {
        let sql = "INSERT OR IGNORE INTO keys (owner, key, job) VALUES (?1, ?2, ?3)";
        if self.execute(sql, params![record.owner, key, int(record.id.0)])? == 1 {
            return Ok(None);
        }
        let sql = "SELECT job FROM keys WHERE owner = ?1 AND key = ?2";
        let statement = self.transaction.prepare_cached(sql);
        let job = statement.and_then(|mut s| s.query_row([&record.owner, key], |row| row.get::<_, i64>(0)));
        let job = JobId(self.explained(job)?.cast_unsigned());
        Ok((job != record.id).then_some(job))
    }

    fn add_chunk(&self, job: JobId, chunk: Chunk) -> Result<(), StoreError> {
        let sql = "INSERT INTO chunks (job, first_item, items, blob) VALUES (?1, ?2, ?3, ?4)";
        let items = (int(chunk.first_item), int(chunk.items));
        self.execute(sql, params![int(job.0), items.0, items.1, chunk.blob.0])
            .map(|_| ())
    }

    fn add_stage(&mut self, job: JobId, totals: Totals) -> Result<(), StoreError> {
        let sql = "INSERT INTO stages (job, stage, items, items_closed, items_cut, shards_cut, \
            shards_accepted, items_accepted, shards_failed, shards_skipped, busy_us, runs, segments) \
            VALUES (?1, 0, ?2, ?3, 0, 0, 0, 0, 0, 0, 0, 0, x'00')";
        self.execute(sql, params![int(job.0), int(totals.items), totals.items_closed])?;
        let number = u32::try_from(self.transaction.last_insert_rowid());
        // A place has 31 bits for the stage number.
        let number = number
            .ok()
            .filter(|n| n >> 31 == 0)
            .ok_or_else(|| corrupt("stages", "too many"))?;
        let mut state = StageState::new(number, JobState::Queued, totals, Default::default(), 0);
        state.release(&ShardSet::default(), self.claims_given().0);
        state.touch_new();
        self.touched.push(job);
        self.stages.insert(job, state);
        Ok(())
    }

    pub(super) fn append(&mut self, job: JobId, blob: BlobHash, items: u64) -> Result<Done, StoreError> {
        let stage = self.stage(job, 0)?;
        // Counted once, not at every append: a job may have a million of them.
        let chunks = match stage.and_then(|stage| stage.chunks) {
            Some(chunks) => chunks,
            None => self.chunks(job)?,
        };
        let Some(stage) = self.stage(job, 0)? else {
            return Ok(Done::ItemsAppended {
                chunk: None,
                totals: Totals::default(),
            });
        };
        stage.chunks = Some(chunks);
        let first_item = stage.totals.items;
        let is_full =
            chunks >= limits::CHUNKS_PER_JOB_MAX || first_item.saturating_add(items) > limits::ITEMS_MAX;
        let is_ending = stage.state.is_over() || stage.state == JobState::Canceling;
        if stage.totals.items_closed || is_ending || is_full {
            return Ok(Done::ItemsAppended {
                chunk: None,
                totals: stage.totals,
            });
        }
        stage.totals.items += items;
        stage.chunks = Some(chunks + u32::from(items > 0));
        let totals = stage.totals;
        let chunk = Chunk {
            first_item,
            items,
            blob,
        };
        if items > 0 {
            self.add_chunk(job, chunk)?;
        }
        Ok(Done::ItemsAppended {
            chunk: Some(chunk),
            totals,
        })
    }

    fn chunks(&self, job: JobId) -> Result<u32, StoreError> {
        let statement = self
            .transaction
            .prepare_cached("SELECT count(*) FROM chunks WHERE job = ?1");
        self.explained(statement.and_then(|mut s| s.query_row([int(job.0)], |row| row.get(0))))
    }

    pub(super) fn close(&mut self, job: JobId) -> Result<Done, StoreError> {
        let Some(stage) = self.stage(job, 0)? else {
            return Ok(NOTHING);
        };
        stage.totals.items_closed |= !stage.state.is_over();
        Ok(counted(stage, 0))
    }

    pub(super) fn set_state(
        &mut self,
        job: JobId,
        to: JobState,
        reason: Option<&str>,
        time_ms: u64,
    ) -> Result<Done, StoreError> {
        let Some(stage) = self.stage(job, 0)? else {
            return Ok(NOTHING);
        };
        if !may_follow(stage.state, to, &stage.totals) {
            return Ok(counted(stage, 0));
        }
        stage.state = to;
        let done = counted(stage, 0);
        let started_ms = (to == JobState::Running).then_some(int(time_ms));
        let ended_ms = to.is_over().then_some(int(time_ms));
        let sql = "UPDATE jobs SET state = ?2, reason = ?3, started_ms = coalesce(started_ms, ?4), \
            ended_ms = ?5 WHERE id = ?1";
        self.execute(
            sql,
            params![int(job.0), state_number(to), reason, started_ms, ended_ms],
        )?;
        Ok(done)
    }

    pub(super) fn retry(&mut self, job: JobId) -> Result<Done, StoreError> {
        let claims_from = next_claim(self.epoch, self.claims).0;
        let Some(stage) = self.stage(job, 0)? else {
            return Ok(NOTHING);
        };
        if !may_retry(stage.state, &stage.totals) {
            return Ok(counted(stage, 0));
        }
        let number = stage.number;
        let settled = self.settled(number, false)?;
        let sql = "DELETE FROM failed WHERE place >= ?1 AND place < ?2";
        self.execute(sql, [place(number, 0), place(number + 1, 0)])?;
        let Some(stage) = self.stage(job, 0)? else {
            return Ok(NOTHING);
        };
        let shards = stage.totals.shards_failed + stage.totals.shards_skipped;
        (stage.totals.shards_failed, stage.totals.shards_skipped) = (0, 0);
        stage.release(&settled, claims_from);
        if stage.state.is_over() {
            stage.state = JobState::Running;
        }
        let (done, state) = (counted(stage, shards), state_number(stage.state));
        let sql = "UPDATE jobs SET state = ?2, reason = NULL, ended_ms = NULL WHERE id = ?1";
        self.execute(sql, params![int(job.0), state])?;
        Ok(done)
    }
}
