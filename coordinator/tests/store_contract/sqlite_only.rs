//! What only the embedded store promises.
use crate::world::{World, add, job_id, outputs, run};
use coordinator::store::{SqliteOptions, SqliteStore, Store, StoreError, Synchronous};
use std::path::Path;

fn world(options: &SqliteOptions) -> World {
    World {
        store: Box::new(SqliteStore::open(options).unwrap()),
        job: job_id(0),
    }
}

#[test]
fn a_folder_has_one_coordinator() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(folder.path());
    let first = SqliteStore::open(&options).unwrap();
    let error = SqliteStore::open(&options).unwrap_err().to_string();
    assert!(error.contains("another coordinator"), "{error}");
    assert!(error.contains(&folder.path().display().to_string()), "{error}");
    drop(first);
    SqliteStore::open(&options).unwrap();
}

#[test]
fn the_durability_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = SqliteOptions::new(folder.path());
    assert!(
        SqliteStore::open(&options)
            .unwrap()
            .durability()
            .contains("power cut")
    );
    options.synchronous = Synchronous::Normal;
    assert!(
        SqliteStore::open(&options)
            .unwrap()
            .durability()
            .contains("NORMAL")
    );
}

/// Fills the store until it refuses, and checks that it says so, forgets what it did not store, and goes on.
fn full_and_well_again(world: &mut World, make_room: impl FnOnce()) {
    let job = world.job;
    world.one(add(job, 100_000));
    let claim = world.claim(100_000, 1).claim;
    let (mut first, error) = (0, loop_until_full(world, claim));
    first += error.0;
    let StoreError::Full(text) = error.1 else {
        panic!("{}", error.1);
    };
    assert!(text.contains("is full") && text.contains("elytra.db"), "{text}");
    assert_eq!(world.stored().totals.shards_accepted, first);
    assert_eq!(world.results().len(), first as usize);
    make_room();
    // The very shards that were refused are accepted now, and counted once.
    let counted = world.accept(claim, outputs(run(first, 10), 4_096), 1);
    assert_eq!((counted.shards, counted.totals.shards_accepted), (10, first + 10));
}

fn loop_until_full(world: &mut World, claim: protocol::ids::ClaimId) -> (u32, StoreError) {
    for first in (0..10_000).step_by(10) {
        let op = world.accept_op(claim, outputs(run(first, 10), 4_096), 1);
        if let Err(error) = world.try_one(op) {
            return (first, error);
        }
    }
    panic!("the disk is never full");
}

#[test]
fn a_full_database_is_said_and_nothing_half_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = SqliteOptions::new(folder.path());
    options.database_bytes_max = Some(4 << 20);
    let mut full = world(&options);
    let job = full.job;
    full.one(add(job, 100_000));
    let claim = full.claim(100_000, 1).claim;
    let (first, error) = loop_until_full(&mut full, claim);
    assert!(error.to_string().contains("is full"), "{error}");
    assert_eq!(full.stored().totals.shards_accepted, first);
    // What needs no room is still stored, on the same connection.
    assert_eq!(
        full.set(protocol::job::JobState::Paused).state,
        protocol::job::JobState::Paused
    );
    drop(full);
    options.database_bytes_max = None;
    let mut wide = world(&options);
    let claims = wide.take_over();
    assert_eq!(claims[0].1[0].first, first);
    assert_eq!(
        wide.accept(claims[0].0, outputs(run(first, 10), 4_096), 1).shards,
        10
    );
}

/// A file system of 8 MiB, taken away at the end. `None` where this user may not mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(folder.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_is_said_and_the_store_goes_on_when_there_is_room() {
    // Where mounting is not allowed, the case above shows the same with SQLite's own bound.
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 4 << 20]).unwrap();
    let mut world = world(&SqliteOptions::new(disk.path()));
    full_and_well_again(&mut world, || std::fs::remove_file(&ballast).unwrap());
    drop(world);
    drop(disk);
}

#[test]
fn a_newer_or_foreign_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(folder.path());
    drop(SqliteStore::open(&options).unwrap());
    let database = rusqlite::Connection::open(folder.path().join("elytra.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteStore::open(&options).unwrap_err().to_string();
    assert!(error.contains("newer Elytra"), "{error}");
    database.pragma_update(None, "application_id", 5).unwrap();
    let error = SqliteStore::open(&options).unwrap_err().to_string();
    assert!(error.contains("not a database of Elytra"), "{error}");
    drop(database);
    std::fs::write(folder.path().join("elytra.db"), vec![7; 40_000]).unwrap();
    let error = SqliteStore::open(&options).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
}
