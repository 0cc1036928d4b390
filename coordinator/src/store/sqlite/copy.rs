//! Copies of the database: taken while a coordinator writes to it, and brought into an empty folder.
use super::error::{corrupt, explain};
use super::schema::{self, SchemaError};
use super::{BUSY_MS_MAX, DATABASE, folder_error, lock_folder, schema_error};
use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// Coordinators that may have been started between a backup and the day it is brought back: the numbers
/// they were given must not be given again, or a worker's old lease could be taken for a new one.
const EPOCHS_SKIPPED: u32 = 65_536;
/// The copy while it is being checked.
const PART: &str = "elytra.db.part";

/// Copies the database in `folder` to the new file `to`, as it stands at one moment.
pub fn copy_database(folder: &Path, to: &Path) -> Result<(), StoreError> {
    let path = folder.join(DATABASE);
    let copied = open(&path).and_then(|database| {
        schema::known(&database).map_err(|error| schema_error(&path, error))?;
        let told = |error| explain(&path, &error);
        let name = to
            .to_str()
            .ok_or_else(|| corrupt("a folder's name", "it is not UTF-8"))?;
        // One transaction that only reads: what is committed meanwhile is not in it.
        database.execute("VACUUM INTO ?1", [name]).map_err(told)
    });
    copied?;
    sync(to)
}

/// Brings a copy into `folder`, which holds no database yet.
pub fn restore_database(from: &Path, folder: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(folder).map_err(|error| folder_error(folder, &error))?;
    let _lock = lock_folder(folder)?;
    let path = folder.join(DATABASE);
    if path.exists() {
        return Err(StoreError::Unavailable(format!(
            "{} is there already. Name a folder without a database, or move that one away",
            path.display()
        )));
    }
    let part = folder.join(PART);
    std::fs::copy(from, &part).map_err(|error| folder_error(folder, &error))?;
    let made_ready = make_ready(&part);
    if made_ready.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    made_ready?;
    sync(&part)?;
    std::fs::rename(&part, &path).map_err(|error| folder_error(folder, &error))?;
    sync(folder)
}

/// Checks every page, and skips the epochs that may have been given since.
fn make_ready(part: &Path) -> Result<(), StoreError> {
    let database = open(part)?;
    let told = |error| explain(part, &error);
    let verdict: String = database
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(told)?;
    if verdict != "ok" {
        return Err(corrupt(&part.display().to_string(), verdict));
    }
    let version = schema::known(&database).map_err(|error| schema_error(part, error))?;
    if version == 0 {
        return Err(schema_error(part, SchemaError::Foreign));
    }
    let skip = "UPDATE epoch SET value = value + ?1";
    database.execute(skip, [EPOCHS_SKIPPED]).map_err(told)?;
    Ok(())
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags).map_err(|error| explain(path, &error))?;
    let patience = Duration::from_millis(BUSY_MS_MAX);
    database
        .busy_timeout(patience)
        .map_err(|error| explain(path, &error))?;
    Ok(database)
}

fn sync(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| folder_error(path, &error))
}
