//! One batch of operations inside one transaction.
mod job;

use super::error::{corrupt, explain};
use super::row::{STAGE_COLUMNS, cause_number, int, lengths_value, place, read_stage, shard_of};
use super::stage::{Acceptable, StageState};
use crate::store::shards::ShardSet;
use crate::store::text::{clip, headline};
use crate::store::{Done, ERROR_GROUPS_PER_JOB_MAX, Op, StoreError};
use protocol::cut::ShardRun;
use protocol::ids::{BlobHash, ClaimId, JobId, ShardIndex, Stage};
use protocol::job::JobState;
use protocol::run::Outputs;
use protocol::totals::Totals;
use protocol::wire::Failure;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, OptionalExtension, Params, Transaction, params};
use std::collections::HashMap;
use std::path::Path;

const INSERT_RUN: &str = "INSERT INTO runs (id, place, count, lengths, data) VALUES (?1, ?2, ?3, ?4, ?5)";

/// What a batch works on.
pub(super) struct Batch<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) path: &'a Path,
    pub(super) epoch: u32,
    pub(super) claims: &'a mut u32,
    pub(super) stages: &'a mut HashMap<JobId, StageState>,
    /// Jobs whose stage must be kept or taken back when the batch is over.
    pub(super) touched: &'a mut Vec<JobId>,
    pub(super) insert_run: Option<CachedStatement<'a>>,
}

/// An output that lies in a blob: shard, hash.
type BlobOutput = (ShardIndex, BlobHash);

impl Batch<'_> {
    /// Writes every operation, then the counts of each stage once.
    pub(super) fn write(mut self, ops: &[Op]) -> Result<Vec<Done>, StoreError> {
        let dones = ops.iter().map(|op| self.apply(op)).collect::<Result<_, _>>()?;
        self.write_stages()?;
        Ok(dones)
    }

    fn apply(&mut self, op: &Op) -> Result<Done, StoreError> {
        match op {
            Op::AddJob {
                record,
                items,
                closed,
                chunk,
                key,
            } => self.add_job(record, (*items, *closed), *chunk, key.as_deref()),
            Op::AppendItems { job, blob, items } => self.append(*job, *blob, *items),
            Op::CloseItems { job } => self.close(*job),
            Op::Claim {
                job,
                stage,
                shards_max,
                grain,
            } => self.claim(*job, *stage, *shards_max, *grain),
            Op::Accept {
                job,
                stage,
                claim,
                outputs,
                items,
                busy_us,
            } => self.accept((*job, *stage, *claim), outputs, *items, *busy_us),
            Op::AcceptBlob {
                job,
                stage,
                claim,
                shard,
                blob,
                items,
                busy_us,
            } => self.accept_blob((*job, *stage, *claim), (*shard, *blob), *items, *busy_us),
            Op::Fail {
                job,
                stage,
                claim,
                shard,
                items,
                failure,
                skipped,
            } => self.fail((*job, *stage, *claim), *shard, *items, failure, *skipped),
            Op::NoteFailure {
                job,
                shard,
                failure,
                time_ms,
            } => self.note(*job, *shard, failure, *time_ms),
            Op::SetState {
                job,
                state,
                reason,
                time_ms,
            } => self.set_state(*job, *state, reason.as_deref(), *time_ms),
            Op::RetryFailed { job, .. } => self.retry(*job),
            Op::Heartbeat { .. } => Ok(Done::Changes { jobs: Vec::new() }),
            Op::AddToken { info, secret } => {
                let json = serde_json::to_string(info).map_err(|e| corrupt("a token", e))?;
                let sql = "INSERT OR REPLACE INTO tokens (id, info, secret) VALUES (?1, ?2, ?3)";
                self.stored(sql, params![info.id, json, secret])
            }
            Op::RevokeToken { id } => self.stored("DELETE FROM tokens WHERE id = ?1", [id]),
            Op::AddProgram {
                hash,
                length,
                description,
            } => {
                let json = serde_json::to_string(description).map_err(|e| corrupt("a description", e))?;
                let sql = "INSERT OR IGNORE INTO programs (hash, length, description) VALUES (?1, ?2, ?3)";
                self.stored(sql, params![hash.0, int(*length), json])
            }
            Op::Remember(entry) => self.remember(entry),
        }
    }

    fn explained<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| explain(self.path, &error))
    }

    pub(super) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        let statement = self.transaction.prepare_cached(sql);
        self.explained(statement.and_then(|mut s| s.execute(params)))
    }

    pub(super) fn stored(&self, sql: &str, params: impl Params) -> Result<Done, StoreError> {
        self.execute(sql, params).map(|_| Done::Stored)
    }

    /// The stage, read from the disk where it is not in memory; `None` when there is none.
    fn stage(&mut self, job: JobId, stage: Stage) -> Result<Option<&mut StageState>, StoreError> {
        // Stages after the map come with reductions.
        if stage != 0 {
            return Ok(None);
        }
        if !self.stages.contains_key(&job) {
            let Some(state) = self.read_stage(job)? else {
                return Ok(None);
            };
            self.stages.insert(job, state);
        }
        let state = self.stages.get_mut(&job);
        if let Some(state) = state {
            if state.touch() {
                self.touched.push(job);
            }
            return Ok(Some(state));
        }
        Ok(None)
    }

    fn read_stage(&mut self, job: JobId) -> Result<Option<StageState>, StoreError> {
        let sql = format!(
            "SELECT {STAGE_COLUMNS} FROM jobs j JOIN stages s ON s.job = j.id AND s.stage = 0 WHERE j.id = ?1"
        );
        let statement = self.transaction.prepare_cached(&sql);
        let row = statement.and_then(|mut s| s.query_row([int(job.0)], read_stage).optional());
        let Some(row) = self.explained(row)? else {
            return Ok(None);
        };
        let mut state = StageState::new(row.number, row.state()?, row.totals, row.cut()?, row.runs);
        if !state.state.is_over() {
            let settled = self.settled(row.number, true)?;
            state.release(&settled, self.claims_given().0);
        }
        Ok(Some(state))
    }

    /// Shards that are accepted and, `with_failed`, those that failed for good.
    fn settled(&self, number: u32, with_failed: bool) -> Result<ShardSet, StoreError> {
        let mut settled = ShardSet::default();
        self.collect(
            "SELECT place, count FROM runs WHERE place >= ?1 AND place < ?2",
            number,
            &mut settled,
        )?;
        if with_failed {
            let sql = "SELECT place, 1 FROM failed WHERE place >= ?1 AND place < ?2";
            self.collect(sql, number, &mut settled)?;
        }
        Ok(settled)
    }

    fn collect(&self, sql: &str, number: u32, into: &mut ShardSet) -> Result<(), StoreError> {
        let mut statement = self.explained(self.transaction.prepare_cached(sql))?;
        let mut rows = self.explained(statement.query([place(number, 0), place(number + 1, 0)]))?;
        while let Some(row) = self.explained(rows.next())? {
            let first = shard_of(self.explained(row.get(0))?);
            let count = self.explained(row.get(1))?;
            into.insert(ShardRun { first, count });
        }
        Ok(())
    }

    /// Takes everything that is left over of a job.
    pub(super) fn claim_left(mut self, job: JobId) -> Result<Vec<ShardRun>, StoreError> {
        let stage = self.stage(job, 0)?;
        Ok(stage.map_or_else(Vec::new, |stage| stage.claim_left(u32::MAX, usize::MAX)))
    }

    /// The last claim that was given.
    fn claims_given(&self) -> ClaimId {
        claim_number(self.epoch, *self.claims)
    }

    fn claim(&mut self, job: JobId, stage: Stage, shards_max: u32, grain: u32) -> Result<Done, StoreError> {
        let claim = next_claim(self.epoch, self.claims);
        let Some(stage) = self.stage(job, stage)? else {
            let (cut, totals) = Default::default();
            return Ok(Done::Claimed {
                claim,
                runs: Vec::new(),
                cut,
                totals,
            });
        };
        let runs = stage.claim(shards_max, grain);
        Ok(Done::Claimed {
            claim,
            runs,
            cut: stage.cut.clone(),
            totals: stage.totals,
        })
    }

    fn accept(
        &mut self,
        (job, stage, claim): (JobId, Stage, ClaimId),
        outputs: &Outputs,
        items: u64,
        busy_us: u64,
    ) -> Result<Done, StoreError> {
        let claims = self.claims_given();
        let Some(stage) = self.stage(job, stage)? else {
            return Ok(NOTHING);
        };
        let parts = match stage.acceptable(claim, claims, outputs.run) {
            Acceptable::Whole => {
                let (number, at) = add_run(stage, outputs.run, items, busy_us);
                let done = counted(stage, outputs.run.count);
                self.insert_inline(number, at, outputs)?;
                return Ok(done);
            }
            Acceptable::Parts(parts) => parts,
        };
        let mut shards = 0;
        for part in parts {
            shards += part.count;
            self.accept_part(job, outputs, part, busy_us)?;
        }
        Ok(self
            .stages
            .get(&job)
            .map_or(NOTHING, |stage| counted(stage, shards)))
    }

    fn accept_part(
        &mut self,
        job: JobId,
        outputs: &Outputs,
        part: ShardRun,
        busy_us: u64,
    ) -> Result<(), StoreError> {
        let Some(stage) = self.stages.get_mut(&job) else {
            return Ok(());
        };
        let share_us = busy_us * u64::from(part.count) / u64::from(outputs.run.count);
        let (number, at) = add_run(stage, part, stage.items_of(part), share_us);
        self.insert_inline(number, at, &outputs.slice(part))
    }

    fn accept_blob(
        &mut self,
        (job, stage, claim): (JobId, Stage, ClaimId),
        (shard, blob): BlobOutput,
        items: u64,
        busy_us: u64,
    ) -> Result<Done, StoreError> {
        let claims = self.claims_given();
        let run = ShardRun {
            first: shard,
            count: 1,
        };
        let Some(stage) = self.stage(job, stage)? else {
            return Ok(NOTHING);
        };
        if stage.acceptable(claim, claims, run) != Acceptable::Whole {
            return Ok(counted(stage, 0));
        }
        let (number, at) = add_run(stage, run, items, busy_us);
        let done = counted(stage, 1);
        self.insert_run(number, at, run, Value::Null, &blob.0)?;
        Ok(done)
    }

    fn insert_inline(&mut self, number: u32, at: u32, outputs: &Outputs) -> Result<(), StoreError> {
        let lengths = lengths_value(&outputs.lengths)?;
        self.insert_run(number, at, outputs.run, lengths, &outputs.data)
    }

    fn insert_run(
        &mut self,
        number: u32,
        at: u32,
        run: ShardRun,
        lengths: Value,
        data: &[u8],
    ) -> Result<(), StoreError> {
        if self.insert_run.is_none() {
            self.insert_run = Some(self.explained(self.transaction.prepare_cached(INSERT_RUN))?);
        }
        let Some(statement) = &mut self.insert_run else {
            return Ok(());
        };
        let row = params![
            place(number, at),
            place(number, run.first),
            run.count,
            lengths,
            data
        ];
        let inserted = statement.execute(row);
        self.explained(inserted).map(|_| ())
    }

    fn fail(
        &mut self,
        (job, stage, claim): (JobId, Stage, ClaimId),
        shard: ShardIndex,
        items: (u64, u64),
        failure: &Failure,
        skipped: bool,
    ) -> Result<Done, StoreError> {
        let claims = self.claims_given();
        let run = ShardRun {
            first: shard,
            count: 1,
        };
        let Some(stage) = self.stage(job, stage)? else {
            return Ok(NOTHING);
        };
        if stage.acceptable(claim, claims, run) != Acceptable::Whole {
            return Ok(counted(stage, 0));
        }
        stage.settle(run);
        if skipped {
            stage.totals.shards_skipped += 1;
        } else {
            stage.totals.shards_failed += 1;
        }
        let (done, at) = (counted(stage, 1), place(stage.number, shard));
        let sql =
            "INSERT INTO failed (place, first_item, end_item, cause, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (first, end) = (int(items.0), int(items.1));
        self.execute(
            sql,
            params![at, first, end, cause_number(failure.cause), clip(&failure.detail)],
        )?;
        Ok(done)
    }

    fn note(
        &mut self,
        job: JobId,
        shard: ShardIndex,
        failure: &Failure,
        time_ms: u64,
    ) -> Result<Done, StoreError> {
        let (cause, detail) = (cause_number(failure.cause), clip(&failure.detail));
        let mut group = headline(detail);
        let update = "UPDATE errors SET count = count + 1, detail = ?4, shard = ?5, last_ms = ?6 \
            WHERE job = ?1 AND cause = ?2 AND headline = ?3";
        if self.execute(
            update,
            params![int(job.0), cause, group, detail, shard, int(time_ms)],
        )? > 0
        {
            return Ok(Done::Stored);
        }
        if self.error_groups(job)? >= ERROR_GROUPS_PER_JOB_MAX {
            group = "";
        }
        let insert = "INSERT INTO errors (job, cause, headline, detail, count, shard, last_ms) \
            VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6) ON CONFLICT DO UPDATE SET count = count + 1, \
            detail = excluded.detail, shard = excluded.shard, last_ms = excluded.last_ms";
        self.stored(
            insert,
            params![int(job.0), cause, group, detail, shard, int(time_ms)],
        )
    }

    fn error_groups(&self, job: JobId) -> Result<u32, StoreError> {
        let statement = self
            .transaction
            .prepare_cached("SELECT count(*) FROM errors WHERE job = ?1");
        self.explained(statement.and_then(|mut s| s.query_row([int(job.0)], |row| row.get(0))))
    }

    fn write_stages(&self) -> Result<(), StoreError> {
        let sql = "UPDATE stages SET items = ?2, items_closed = ?3, items_cut = ?4, shards_cut = ?5, \
            shards_accepted = ?6, items_accepted = ?7, shards_failed = ?8, shards_skipped = ?9, \
            busy_us = ?10, runs = ?11, segments = ?12 WHERE number = ?1";
        for job in self.touched.iter() {
            let Some(stage) = self.stages.get(job).filter(|stage| stage.is_changed()) else {
                continue;
            };
            let (t, number) = (&stage.totals, stage.number);
            let segments = postcard::to_allocvec(stage.cut.segments()).map_err(|e| corrupt("a cut", e))?;
            let items = (int(t.items), int(t.items_cut), int(t.items_accepted));
            let row = params![
                number,
                items.0,
                t.items_closed,
                items.1,
                t.shards_cut,
                t.shards_accepted,
                items.2,
                t.shards_failed,
                t.shards_skipped,
                int(t.busy_us),
                stage.runs,
                segments
            ];
            self.execute(sql, row)?;
        }
        Ok(())
    }
}

/// What is told of a job that does not exist.
const NOTHING: Done = Done::Counted {
    shards: 0,
    totals: Totals {
        items: 0,
        items_closed: true,
        items_cut: 0,
        shards_cut: 0,
        shards_accepted: 0,
        items_accepted: 0,
        shards_failed: 0,
        shards_skipped: 0,
        busy_us: 0,
    },
    state: JobState::Canceled,
};

fn counted(stage: &StageState, shards: u32) -> Done {
    Done::Counted {
        shards,
        totals: stage.totals,
        state: stage.state,
    }
}

/// A claim number that this process never gave before; its high half says which process.
pub(super) fn next_claim(epoch: u32, claims: &mut u32) -> ClaimId {
    *claims = claims.wrapping_add(1).max(1);
    claim_number(epoch, *claims)
}

fn claim_number(epoch: u32, number: u32) -> ClaimId {
    ClaimId(u64::from(epoch) << 32 | u64::from(number))
}

/// Counts an accepted run; says the stage's number and the run's place in the order of acceptance.
fn add_run(stage: &mut StageState, run: ShardRun, items: u64, busy_us: u64) -> (u32, u32) {
    stage.settle(run);
    stage.runs += 1;
    stage.totals.shards_accepted += run.count;
    stage.totals.items_accepted += items;
    stage.totals.busy_us = stage.totals.busy_us.saturating_add(busy_us);
    (stage.number, stage.runs)
}
