//! From settings to an open store, and what the process needs for many sockets.
use crate::config::{Durability, Settings, StoreKind};
use crate::store::{RedisOptions, RedisStore, SqliteOptions, SqliteStore, Store, Synchronous};
use anyhow::Context;

/// Most file descriptors asked for: a socket each, and some for files.
const FILES_WANTED: u64 = 200_000;

/// Opens the store that the settings name.
pub fn open_store(settings: &Settings) -> anyhow::Result<Box<dyn Store>> {
    match settings.store {
        StoreKind::Sqlite => open_sqlite(settings),
        StoreKind::Redis => open_redis(settings),
    }
}

fn open_redis(settings: &Settings) -> anyhow::Result<Box<dyn Store>> {
    let options = RedisOptions {
        ca_file: settings.ca_file.clone(),
        allow_volatile: settings.allow_volatile,
        journal: Some(settings.data_dir.clone()),
        ..RedisOptions::new(&settings.redis_url)
    };
    Ok(Box::new(
        RedisStore::open(&options).context("the store in Redis")?,
    ))
}

fn open_sqlite(settings: &Settings) -> anyhow::Result<Box<dyn Store>> {
    let synchronous = match settings.durability {
        Durability::Full => Synchronous::Full,
        Durability::Normal => Synchronous::Normal,
    };
    let options = SqliteOptions {
        synchronous,
        ..SqliteOptions::new(&settings.data_dir)
    };
    let store = SqliteStore::open(&options);
    let store = store.with_context(|| format!("the store in {}", settings.data_dir.display()))?;
    Ok(Box::new(store))
}

/// Lifts the soft limit of open files towards the hard one: every worker is a socket.
pub fn raise_file_limit() {
    match rlimit::increase_nofile_limit(FILES_WANTED) {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}
