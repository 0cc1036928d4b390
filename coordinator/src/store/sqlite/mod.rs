//! The embedded store: one SQLite database in a folder, nothing to install.
//!
//! One writer writes each batch in one transaction; readers have connections of their own and see
//! what is committed. Outputs are one row a run. Counts and claims live in the writer's memory and
//! are read back at open: a claim is arithmetic here, because there is one coordinator.
mod batch;
mod copy;
mod error;
mod ledger;
mod read;
mod row;
mod schema;
mod stage;

pub use self::copy::{copy_database, restore_database};

use self::batch::{Batch, next_claim};
use self::error::explain;
use self::read::SqliteReader;
use self::schema::SchemaError;
use self::stage::StageState;
use super::{Done, Op, Reader, Restored, Store, StoreError};
use protocol::ids::JobId;
use rusqlite::{Connection, TransactionBehavior};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How much a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// A power cut: every commit waits for the disk.
    #[default]
    Full,
    /// The end of the process, however sudden; a power cut may take the last commits.
    Normal,
}

/// How the embedded store is opened.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The folder for the database; made where it is missing.
    pub folder: PathBuf,
    /// How much a commit survives.
    pub synchronous: Synchronous,
    /// The database may become this large (rounded to its pages); `None`: as large as the disk.
    pub database_bytes_max: Option<u64>,
}

impl SqliteOptions {
    /// The defaults, in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            synchronous: Synchronous::Full,
            database_bytes_max: None,
        }
    }
}

/// The database in its folder.
const DATABASE: &str = "elytra.db";
/// A commit of one shard writes three pages. Twice as large ones cost it 30 % more CPU and save 20 % where
/// outputs have 1 KiB (measured with the example `store_speed`).
const PAGE_BYTES: u32 = 4_096;
/// The log is folded into the database when it has this many pages.
const CHECKPOINT_PAGES: u32 = 8_192;
/// The writer's page cache in KiB.
const CACHE_KIB: i32 = 32_768;
/// Prepared statements kept.
const STATEMENTS_MAX: usize = 64;
/// How long to wait for another connection; only the fold of the log ever makes one wait.
const BUSY_MS_MAX: u64 = 10_000;
/// The first SQLite without the race that could damage a log shared by two connections.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// The embedded store.
#[derive(Debug)]
pub struct SqliteStore {
    database: Connection,
    path: PathBuf,
    synchronous: Synchronous,
    epoch: u32,
    claims: u32,
    stages: HashMap<JobId, StageState>,
    reader: Arc<SqliteReader>,
    /// Held as long as the store is open: two coordinators in one folder would hand out the same shards.
    _lock: File,
}

impl SqliteStore {
    /// Opens the database in a folder, or makes it.
    ///
    /// # Errors
    /// Another coordinator has the folder, the folder cannot be written, or the database is not ours.
    pub fn open(options: &SqliteOptions) -> Result<Self, StoreError> {
        let folder = &options.folder;
        std::fs::create_dir_all(folder).map_err(|error| folder_error(folder, &error))?;
        let lock = lock_folder(folder)?;
        let path = folder.join(DATABASE);
        let mut database = open_database(&path, options).map_err(|error| explain(&path, &error))?;
        schema::migrate(&mut database).map_err(|error| schema_error(&path, error))?;
        let epoch = schema::next_epoch(&database).map_err(|error| explain(&path, &error))?;
        Ok(Self {
            database,
            reader: Arc::new(SqliteReader::new(path.clone())),
            path,
            synchronous: options.synchronous,
            epoch,
            claims: 0,
            stages: HashMap::new(),
            _lock: lock,
        })
    }

    /// What was written is durable: memory follows. A job that is over is forgotten here.
    fn keep(&mut self, touched: Vec<JobId>) {
        for job in touched {
            let Some(stage) = self.stages.get_mut(&job) else {
                continue;
            };
            stage.keep();
            if stage.state.is_over() {
                self.stages.remove(&job);
            }
        }
    }

    /// Nothing was written: memory stands as it did before.
    fn take_back(&mut self, touched: Vec<JobId>) {
        for job in touched {
            if self.stages.get_mut(&job).is_some_and(|stage| !stage.take_back()) {
                self.stages.remove(&job);
            }
        }
    }

    /// Works in one transaction; memory follows only when it is durable.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(Batch<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut touched = Vec::new();
        let result = self.transact_noting(&mut touched, work);
        match &result {
            Ok(_) => self.keep(touched),
            Err(_) => self.take_back(touched),
        }
        result
    }

    /// The jobs it touched are noted in `touched` also when it fails.
    fn transact_noting<T>(
        &mut self,
        touched: &mut Vec<JobId>,
        work: impl FnOnce(Batch<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let path = &self.path;
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.database.transaction_with_behavior(behavior);
        let transaction = transaction.map_err(|error| explain(path, &error))?;
        let result = work(Batch {
            transaction: &transaction,
            path,
            epoch: self.epoch,
            claims: &mut self.claims,
            stages: &mut self.stages,
            touched,
            insert_run: None,
        })?;
        transaction.commit().map_err(|error| explain(path, &error))?;
        Ok(result)
    }
}

impl Store for SqliteStore {
    fn epoch(&self) -> u32 {
        self.epoch
    }

    fn restore(&mut self) -> Result<Vec<Restored>, StoreError> {
        self.stages.clear();
        let mut restored = Vec::new();
        for job in self.reader.open_jobs()? {
            let runs = self.transact(|batch| batch.claim_left(job.record.id))?;
            let claim = next_claim(self.epoch, &mut self.claims);
            restored.push((job, (!runs.is_empty()).then_some((claim, runs))));
        }
        Ok(restored)
    }

    fn commit(&mut self, ops: &[Op]) -> Result<Vec<Done>, StoreError> {
        self.transact(|batch| batch.write(ops))
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn durability(&self) -> String {
        let path = self.path.display();
        match self.synchronous {
            Synchronous::Full => format!(
                "SQLite at {path}, synchronous=FULL: what is accepted survives a crash and a power cut"
            ),
            Synchronous::Normal => format!(
                "SQLite at {path}, synchronous=NORMAL: what is accepted survives a crash; \
                 a power cut may take back the last moments"
            ),
        }
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.reader.clone()
    }
}

fn folder_error(folder: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!(
        "the data folder {} cannot be used ({error}). Let the coordinator's user write it, or name another one",
        folder.display()
    ))
}

fn lock_folder(folder: &Path) -> Result<File, StoreError> {
    let file = File::create(folder.join("elytra.lock")).map_err(|error| folder_error(folder, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
            "another coordinator has the data folder {}. Stop it, or give this one a folder of its own",
            folder.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(folder_error(folder, &error)),
    }
}

fn open_database(path: &Path, options: &SqliteOptions) -> rusqlite::Result<Connection> {
    // The library is bundled, so this holds by construction; a system's library would show here.
    assert!(
        rusqlite::version_number() >= SQLITE_VERSION_MIN,
        "SQLite is older than 3.51.3"
    );
    let database = Connection::open(path)?;
    database.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    database.pragma_update(None, "page_size", PAGE_BYTES)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match options.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    database.pragma_update(None, "synchronous", synchronous)?;
    // On macOS an ordinary fsync stops at the disk's cache.
    database.pragma_update(None, "fullfsync", true)?;
    database.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    database.pragma_update(None, "cache_size", -CACHE_KIB)?;
    if let Some(bytes) = options.database_bytes_max {
        let pages = i64::try_from(bytes / u64::from(PAGE_BYTES)).unwrap_or(i64::MAX);
        database.pragma_update(None, "max_page_count", pages)?;
    }
    database.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(database)
}

fn schema_error(path: &Path, error: SchemaError) -> StoreError {
    match error {
        SchemaError::Sqlite(error) => explain(path, &error),
        other => StoreError::Corrupt(format!("{}: {other}", path.display())),
    }
}
