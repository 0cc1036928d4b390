//! The tables, as a list of steps: a database of any earlier version is brought up to date at open.
//!
//! - A *stage number* stands for (job, stage) everywhere below `stages`.
//! - `runs.id` is the stage number in the high 32 bits and the run's place in the order of acceptance
//!   in the low 32: appending is cheap, and reading in that order is one scan.
//! - `runs.place` is the stage number in the high 32 bits and the first shard in the low 32. Its index
//!   holds the count too, so that a restart reads no output.
//! - `runs.lengths`: an integer when all outputs of the run have the same length, a blob (postcard,
//!   `Vec<u32>`) when they differ, null when `data` is the hash of a blob that holds the output.
//! - What changes often (`stages`) lies apart from what is large (`jobs.record`).
use rusqlite::{Connection, Transaction};

/// Step `k` leads from version `k` to version `k + 1`. Only ever append.
const STEPS: [&str; 2] = [FIRST, super::ledger::TABLES];

/// The first tables.
const FIRST: &str = "
    CREATE TABLE epoch (only INTEGER PRIMARY KEY CHECK (only = 1), value INTEGER NOT NULL);
    INSERT INTO epoch VALUES (1, 0);
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY, state INTEGER NOT NULL, reason TEXT,
        started_ms INTEGER, ended_ms INTEGER, record TEXT NOT NULL);
    CREATE INDEX jobs_by_state ON jobs (state);
    CREATE TABLE keys (
        owner TEXT NOT NULL, key TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (owner, key)
    ) WITHOUT ROWID;
    CREATE TABLE stages (
        number INTEGER PRIMARY KEY, job INTEGER NOT NULL, stage INTEGER NOT NULL,
        items INTEGER NOT NULL, items_closed INTEGER NOT NULL, items_cut INTEGER NOT NULL,
        shards_cut INTEGER NOT NULL, shards_accepted INTEGER NOT NULL,
        items_accepted INTEGER NOT NULL, shards_failed INTEGER NOT NULL,
        shards_skipped INTEGER NOT NULL, busy_us INTEGER NOT NULL,
        runs INTEGER NOT NULL, segments BLOB NOT NULL, UNIQUE (job, stage));
    CREATE TABLE chunks (
        job INTEGER NOT NULL, first_item INTEGER NOT NULL, items INTEGER NOT NULL, blob BLOB NOT NULL,
        PRIMARY KEY (job, first_item)) WITHOUT ROWID;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY, place INTEGER NOT NULL, count INTEGER NOT NULL,
        lengths, data BLOB NOT NULL);
    CREATE INDEX runs_by_place ON runs (place, count);
    CREATE TABLE failed (
        place INTEGER PRIMARY KEY, first_item INTEGER NOT NULL, end_item INTEGER NOT NULL,
        cause INTEGER NOT NULL, detail TEXT NOT NULL);
    CREATE TABLE errors (
        job INTEGER NOT NULL, cause INTEGER NOT NULL, headline TEXT NOT NULL, detail TEXT NOT NULL,
        count INTEGER NOT NULL, shard INTEGER NOT NULL, last_ms INTEGER NOT NULL,
        PRIMARY KEY (job, cause, headline)) WITHOUT ROWID;
    CREATE TABLE tokens (id TEXT PRIMARY KEY, info TEXT NOT NULL, secret BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE programs (
        hash BLOB PRIMARY KEY, length INTEGER NOT NULL, description TEXT NOT NULL) WITHOUT ROWID;
";

/// Says `Elyt` in the header of the file.
const APPLICATION_ID: u32 = 0x456c_7974;

/// A database that this version cannot bring up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    #[error("it is not a database of Elytra")]
    Foreign,
    #[error("it was written by a newer Elytra (version {0} of the tables); start that one")]
    Newer(usize),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// The version of a database that this Elytra can read; 0 when there are no tables yet.
pub(super) fn known(database: &Connection) -> Result<usize, SchemaError> {
    let number = |name| database.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (owner, version) = (number("application_id")?, number("user_version")?);
    if owner != i64::from(APPLICATION_ID) && (owner != 0 || version != 0) {
        return Err(SchemaError::Foreign);
    }
    let version = usize::try_from(version).map_err(|_| SchemaError::Foreign)?;
    if version > STEPS.len() {
        return Err(SchemaError::Newer(version));
    }
    Ok(version)
}

/// Takes the steps that are missing.
pub(super) fn migrate(database: &mut Connection) -> Result<(), SchemaError> {
    let version = known(database)?;
    for (step, sql) in STEPS.iter().enumerate().skip(version) {
        let transaction = database.transaction()?;
        take_step(&transaction, step, sql)?;
        transaction.commit()?;
    }
    Ok(())
}

fn take_step(transaction: &Transaction<'_>, step: usize, sql: &str) -> rusqlite::Result<()> {
    transaction.execute_batch(sql)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(step + 1).unwrap_or(i64::MAX))
}

/// A number that was never given before, durably.
pub(super) fn next_epoch(database: &Connection) -> rusqlite::Result<u32> {
    database.query_row("UPDATE epoch SET value = value + 1 RETURNING value", [], |row| {
        row.get(0)
    })
}
