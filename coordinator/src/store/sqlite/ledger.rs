//! Accounts and bookings in the embedded store. A booking is never changed: triggers refuse it.
use super::batch::Batch;
use super::error::corrupt;
use super::read::SqliteReader;
use super::row::{int, uint};
use crate::store::{
    AccountRecord, BOOKINGS_PAGE_MAX, Credit, Done, Entry, LEADERS_MAX, Standing, StoreError,
};
use protocol::credit::{Booking, Given, Leader};
use protocol::ids::{AccountId, JobId, ProgramHash, ReceiptId, ShardIndex};
use protocol::trust::TrustReport;
use rusqlite::{Row, params};

type Result<T> = std::result::Result<T, StoreError>;

/// The step that brings accounts and bookings.
pub(super) const TABLES: &str = "
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY, name TEXT, caught_ms INTEGER, caught_job INTEGER, caught_shard INTEGER,
        shards INTEGER NOT NULL DEFAULT 0, items INTEGER NOT NULL DEFAULT 0,
        bookings INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX accounts_by_shards ON accounts (shards) WHERE name IS NOT NULL;
    CREATE TABLE standings (
        account INTEGER NOT NULL, program BLOB NOT NULL, passed INTEGER NOT NULL, batches INTEGER NOT NULL,
        PRIMARY KEY (account, program)) WITHOUT ROWID;
    CREATE TABLE bookings (
        number INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, epoch INTEGER NOT NULL,
        batch INTEGER NOT NULL, account INTEGER NOT NULL, booking TEXT NOT NULL, UNIQUE (job, epoch, batch));
    CREATE INDEX bookings_by_account ON bookings (account, number);
    CREATE TRIGGER bookings_are_not_changed BEFORE UPDATE ON bookings
        BEGIN SELECT RAISE(ABORT, 'a booking is never changed'); END;
    CREATE TRIGGER bookings_are_not_taken_back BEFORE DELETE ON bookings
        BEGIN SELECT RAISE(ABORT, 'a booking is never taken back'); END;
    CREATE TABLE reports (job INTEGER PRIMARY KEY, report TEXT NOT NULL);
";

impl Batch<'_> {
    pub(super) fn remember(&self, entry: &Entry) -> Result<Done> {
        match entry {
            Entry::Caught {
                account,
                job,
                shard,
                time_ms,
            } => self.catch(*account, *job, *shard, *time_ms),
            Entry::Stands { account, standing } => {
                let sql = "INSERT INTO standings (account, program, passed, batches) VALUES (?1, ?2, ?3, ?4) \
                    ON CONFLICT DO UPDATE SET passed = max(passed, excluded.passed), \
                    batches = max(batches, excluded.batches)";
                let Standing {
                    program,
                    passed,
                    batches,
                } = standing;
                self.stored(sql, params![int(account.0), program.0, passed, batches])
            }
            Entry::Named { account, name } => self.stored(
                "UPDATE accounts SET name = ?2 WHERE id = ?1 AND bookings > 0",
                params![int(account.0), name],
            ),
            Entry::Credit(credit) => self.credit(credit),
            Entry::Report { job, report } => {
                let json = serde_json::to_string(report).map_err(|e| corrupt("a trust report", e))?;
                let sql = "INSERT OR REPLACE INTO reports (job, report) VALUES (?1, ?2)";
                self.stored(sql, params![int(job.0), json])
            }
        }
    }

    fn catch(&self, account: AccountId, job: JobId, shard: ShardIndex, time_ms: u64) -> Result<Done> {
        let sql = "INSERT INTO accounts (id, caught_ms, caught_job, caught_shard) VALUES (?1, ?2, ?3, ?4) \
            ON CONFLICT DO UPDATE SET caught_ms = excluded.caught_ms, caught_job = excluded.caught_job, \
            caught_shard = excluded.caught_shard WHERE caught_ms IS NULL";
        self.stored(sql, params![int(account.0), int(time_ms), int(job.0), shard])
    }

    fn credit(&self, credit: &Credit) -> Result<Done> {
        let (booking, id) = (credit.booking(), credit.id);
        let json = serde_json::to_string(&booking).map_err(|e| corrupt("a booking", e))?;
        let account = int(credit.account.0);
        let sql = "INSERT OR IGNORE INTO bookings (job, epoch, batch, account, booking) VALUES (?1, ?2, ?3, ?4, ?5)";
        if self.execute(sql, params![int(id.job.0), id.epoch, id.batch, account, json])? == 0 {
            return Ok(Done::Stored);
        }
        let sql = "INSERT INTO accounts (id, name, shards, items, bookings) VALUES (?1, ?2, ?3, ?4, 1) \
            ON CONFLICT DO UPDATE SET name = coalesce(excluded.name, name), shards = shards + excluded.shards, \
            items = items + excluded.items, bookings = bookings + 1";
        self.stored(
            sql,
            params![account, credit.name, int(booking.shards), int(booking.items)],
        )
    }
}

impl SqliteReader {
    pub(super) fn read_account(&self, id: AccountId) -> Result<Option<AccountRecord>> {
        let sql = "SELECT name, caught_ms IS NOT NULL AS caught, shards, items, bookings FROM accounts WHERE id = ?1";
        let record = self.row(sql, [int(id.0)], |row| {
            Ok(AccountRecord {
                name: row.get("name")?,
                caught: row.get("caught")?,
                standings: Vec::new(),
                credited: given(row)?,
            })
        })?;
        let sql = "SELECT program, passed, batches FROM standings WHERE account = ?1";
        let standings = self.rows(sql, [int(id.0)], |row| {
            Ok(Standing {
                program: ProgramHash(row.get("program")?),
                passed: row.get("passed")?,
                batches: row.get("batches")?,
            })
        })?;
        if record.is_none() && standings.is_empty() {
            return Ok(None);
        }
        Ok(Some(AccountRecord {
            standings,
            ..record.unwrap_or_default()
        }))
    }

    pub(super) fn read_booking(&self, id: ReceiptId) -> Result<Option<Booking>> {
        let sql = "SELECT booking FROM bookings WHERE job = ?1 AND epoch = ?2 AND batch = ?3";
        let json = self.row(sql, params![int(id.job.0), id.epoch, id.batch], |row| {
            row.get::<_, String>(0)
        })?;
        json.map(|json| booking(&json)).transpose()
    }

    pub(super) fn read_bookings(
        &self,
        account: AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Booking)>> {
        let sql = "SELECT number, booking FROM bookings WHERE account = ?1 AND number < ?2 \
            ORDER BY number DESC LIMIT ?3";
        let before = before
            .and_then(|number| i64::try_from(number).ok())
            .unwrap_or(i64::MAX);
        let limit = i64::try_from(limit.min(BOOKINGS_PAGE_MAX)).unwrap_or(0);
        let rows = self.rows(sql, params![int(account.0), before, limit], |row| {
            Ok((uint(row, "number")?, row.get::<_, String>("booking")?))
        })?;
        rows.into_iter()
            .map(|(number, json)| Ok((number, booking(&json)?)))
            .collect()
    }

    pub(super) fn read_leaders(&self) -> Result<Vec<Leader>> {
        let sql = format!(
            "SELECT name, shards, items, bookings FROM accounts WHERE name IS NOT NULL AND caught_ms IS NULL \
             ORDER BY shards DESC LIMIT {LEADERS_MAX}"
        );
        self.rows(&sql, [], |row| {
            Ok(Leader {
                name: row.get("name")?,
                credited: given(row)?,
            })
        })
    }

    pub(super) fn read_reports(&self, jobs: &[JobId]) -> Result<Vec<Option<TrustReport>>> {
        let sql = "SELECT report FROM reports WHERE job = ?1";
        let read = |job: &JobId| {
            let json = self.row(sql, [int(job.0)], |row| row.get::<_, String>(0))?;
            json.map(|json| serde_json::from_str(&json).map_err(|e| corrupt("a trust report", e)))
                .transpose()
        };
        jobs.iter().map(read).collect()
    }
}

fn given(row: &Row<'_>) -> rusqlite::Result<Given> {
    Ok(Given {
        shards: uint(row, "shards")?,
        items: uint(row, "items")?,
        bookings: uint(row, "bookings")?,
    })
}

fn booking(json: &str) -> Result<Booking> {
    serde_json::from_str(json).map_err(|e| corrupt("a booking", e))
}
