//! What this coordinator was told is stored, kept beside it too: Redis may lose what it answered for, when
//! it stops without its last second or when a replica takes its place.
//!
//! A row is one operation as `job.lua` takes it when it is said again: submissions, items, outputs, and how
//! jobs ended. It is written before anybody hears that the operation is durable, and kept until its job has
//! been over for [`KEPT_MS`]. It survives the end of this process; a power cut may take its last moments,
//! and only one that comes together with a Redis that forgets can lose anything.
use super::said::{NO_JOB, Said};
use crate::store::StoreError;
use protocol::cut::Cut;
use protocol::ids::JobId;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a job's rows are kept when it is over: far longer than Redis or a replica lag behind.
const KEPT_MS: u64 = 600_000;
/// Rows behind which a command that is of no job is forgotten.
const COMMANDS_KEPT: u32 = 100_000;
/// How long to wait for another connection to the file, such as a backup's.
const BUSY_MS_MAX: u64 = 10_000;
/// The version of the tables; only ever append to them.
const VERSION: i64 = 1;
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS redis (only INTEGER PRIMARY KEY CHECK (only = 1), run TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS jobs (
        job INTEGER PRIMARY KEY, key BLOB NOT NULL, next_shard INTEGER NOT NULL, next_item INTEGER NOT NULL,
        segments BLOB NOT NULL, over_ms INTEGER);
    CREATE TABLE IF NOT EXISTS said (
        number INTEGER PRIMARY KEY, job INTEGER NOT NULL, letter TEXT NOT NULL, args BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS said_of_job ON said (job, number);";

/// The journal of one coordinator; nobody else writes it.
pub(super) struct Journal {
    database: Connection,
    path: PathBuf,
    /// Held as long as it is open.
    _lock: File,
}

/// A job as the journal knows it.
pub(super) struct Known {
    pub(super) job: JobId,
    /// Its owner's idempotency key, as the registry takes it; empty when there is none.
    pub(super) key: Vec<u8>,
    pub(super) next_shard: u32,
    pub(super) next_item: u64,
    /// As `job.lua` keeps them.
    pub(super) segments: Vec<u8>,
}

type Result<T> = std::result::Result<T, StoreError>;

impl Journal {
    /// Opens the journal in a folder, or begins one.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("journal.db");
        let told = |error: &dyn std::fmt::Display| unavailable(&path, error);
        std::fs::create_dir_all(folder).map_err(|error| told(&error))?;
        let lock = File::create(folder.join("journal.lock")).map_err(|error| told(&error))?;
        lock.try_lock().map_err(|_| {
            StoreError::Unavailable(format!(
                "another coordinator has the data folder {}. Give each its own; only blob_dir is shared",
                folder.display()
            ))
        })?;
        let database = open_database(&path).map_err(|error| told(&error))?;
        let version: i64 = (database.pragma_query_value(None, "user_version", |row| row.get(0)))
            .map_err(|error| told(&error))?;
        if version > VERSION {
            return Err(StoreError::Corrupt(format!(
                "{} was written by a newer Elytra; start that one",
                path.display()
            )));
        }
        let made = database
            .execute_batch(TABLES)
            .and_then(|()| database.pragma_update(None, "user_version", VERSION));
        made.map_err(|error| told(&error))?;
        Ok(Self {
            database,
            path,
            _lock: lock,
        })
    }

    fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full(format!(
                "the disk that holds {} is full. Make room on it; the coordinator goes on by itself",
                self.path.display()
            )),
            _ => unavailable(&self.path, &error),
        })
    }

    /// Which run of which Redis was last known to hold everything that is here.
    pub(super) fn run(&self) -> Result<Option<String>> {
        let asked = self
            .database
            .query_row("SELECT run FROM redis", [], |row| row.get(0));
        self.told(asked.optional())
    }

    /// From now on this run holds everything.
    pub(super) fn set_run(&self, run: &str) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO redis (only, run) VALUES (1, ?1)";
        self.told(self.database.execute(sql, [run])).map(drop)
    }

    /// Writes down what was answered, in one transaction.
    pub(super) fn note(&mut self, said: &[Said], cuts: &[(JobId, Cut)], time_ms: u64) -> Result<()> {
        if said.is_empty() && cuts.is_empty() {
            return Ok(());
        }
        let written = write(&mut self.database, said, cuts, time_ms);
        self.told(written)
    }

    /// Jobs whose rows are here, oldest first.
    pub(super) fn jobs(&self) -> Result<Vec<Known>> {
        let read = || {
            let sql = "SELECT job, key, next_shard, next_item, segments FROM jobs ORDER BY job";
            let mut statement = self.database.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(Known {
                    job: JobId(row.get::<_, i64>(0)?.cast_unsigned()),
                    key: row.get(1)?,
                    next_shard: row.get(2)?,
                    next_item: row.get::<_, i64>(3)?.cast_unsigned(),
                    segments: row.get(4)?,
                })
            })?;
            rows.collect()
        };
        self.told(read())
    }

    /// What was said of a job behind row `after`, up to about `bytes_max` (at least one row): each with its
    /// number.
    pub(super) fn said(&self, job: JobId, after: i64, bytes_max: usize) -> Result<Vec<(i64, Said)>> {
        let read = || {
            let sql = "SELECT number, letter, args FROM said WHERE job = ?1 AND number > ?2 ORDER BY number";
            let mut statement = self.database.prepare_cached(sql)?;
            let mut rows = statement.query(params![job.0.cast_signed(), after])?;
            let (mut found, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let args: Vec<u8> = row.get(2)?;
                bytes += args.len();
                let letter: String = row.get(1)?;
                found.push((row.get(0)?, Said::new(job, &letter, parts(&args))));
                if bytes >= bytes_max {
                    break;
                }
            }
            Ok(found)
        };
        self.told(read())
    }

    /// Jobs that are not in `open` are over; those that are for long enough are forgotten.
    pub(super) fn prune(&mut self, open: &[JobId], time_ms: u64) -> Result<()> {
        for known in self.jobs()?.into_iter().filter(|known| known.job != NO_JOB) {
            let over_ms = if open.contains(&known.job) {
                None
            } else {
                Some(time_ms.cast_signed())
            };
            let sql = match over_ms {
                Some(_) => "UPDATE jobs SET over_ms = ?2 WHERE job = ?1 AND over_ms IS NULL",
                None => "UPDATE jobs SET over_ms = ?2 WHERE job = ?1 AND over_ms IS NOT NULL",
            };
            let marked = self
                .database
                .execute(sql, params![known.job.0.cast_signed(), over_ms]);
            self.told(marked)?;
        }
        let before = time_ms.saturating_sub(KEPT_MS).cast_signed();
        let gone = self.database.execute_batch(&format!(
            "BEGIN; DELETE FROM said WHERE job IN (SELECT job FROM jobs WHERE over_ms < {before}); \
             DELETE FROM jobs WHERE over_ms < {before}; \
             DELETE FROM said WHERE job = 0 AND number < (SELECT max(number) FROM said) - {COMMANDS_KEPT}; COMMIT;"
        ));
        self.told(gone)
    }
}

fn open_database(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // Redis is what survives a power cut; this survives everything else.
    database.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(database)
}

fn unavailable(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!(
        "the journal {} cannot be used ({error}). Let the coordinator's user write it, or name another data_dir",
        path.display()
    ))
}

fn write(
    database: &mut Connection,
    said: &[Said],
    cuts: &[(JobId, Cut)],
    time_ms: u64,
) -> rusqlite::Result<()> {
    let transaction = database.transaction()?;
    {
        let sql = "INSERT OR IGNORE INTO jobs VALUES (?1, ?2, 0, 0, x'', NULL)";
        let mut begin = transaction.prepare_cached(sql)?;
        let sql = "INSERT INTO said (job, letter, args) VALUES (?1, ?2, ?3)";
        let mut say = transaction.prepare_cached(sql)?;
        let sql = "UPDATE jobs SET next_shard = ?2, next_item = ?3, segments = ?4 \
                   WHERE job = ?1 AND next_shard < ?2";
        let mut cut_to = transaction.prepare_cached(sql)?;
        let sql = "UPDATE jobs SET over_ms = ?2 WHERE job = ?1";
        let mut end = transaction.prepare_cached(sql)?;
        for said in said {
            let job = said.job.0.cast_signed();
            begin.execute(params![job, said.key])?;
            say.execute(params![job, said.letter, joined(&said.args)])?;
            if said.is_end() {
                end.execute(params![job, time_ms.cast_signed()])?;
            }
        }
        for (job, cut) in cuts {
            let (job, item) = (job.0.cast_signed(), cut.next_item.cast_signed());
            begin.execute(params![job, Vec::new()])?;
            cut_to.execute(params![job, cut.next_shard, item, segments(cut)])?;
        }
    }
    transaction.commit()
}

/// As `job.lua` keeps them.
fn segments(cut: &Cut) -> Vec<u8> {
    let each = |segment: &protocol::cut::Segment| {
        let (shard, item) = (
            segment.first_shard.to_le_bytes(),
            segment.first_item.to_le_bytes(),
        );
        [&shard[..], &item, &segment.grain.to_le_bytes()].concat()
    };
    cut.segments().iter().flat_map(each).collect()
}

/// Each part with its length before it.
fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut all = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        all.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        all.extend_from_slice(part);
    }
    all
}

fn parts(all: &[u8]) -> Vec<Vec<u8>> {
    let (mut parts, mut rest) = (Vec::new(), all);
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = (u32::from_le_bytes(*length) as usize).min(behind.len());
        let (part, behind) = behind.split_at(length);
        parts.push(part.to_vec());
        rest = behind;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_and_taken_apart() {
        for each in [
            vec![],
            vec![b"".to_vec()],
            vec![b"head".to_vec(), Vec::new(), vec![7; 70_000]],
        ] {
            assert_eq!(parts(&joined(&each)), each);
        }
    }
}
