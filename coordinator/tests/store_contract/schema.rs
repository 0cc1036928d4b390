//! Promise 30: what an earlier version stored opens, and its jobs go on; what a newer one stored is refused.
//!
//! `old/v1.sql` and its followers are databases as coordinators of these versions left them when they were
//! killed with a job half done: 3 of 3 and 17 of 60 shards accepted. When the tables get a new version, the one
//! before it is stored here.
use crate::server::RedisServer;
use crate::world::{World, outputs};
use coordinator::store::{Done, JobFilter, Op, RedisOptions, RedisStore, SqliteOptions, SqliteStore, Store};
use protocol::ids::JobId;
use protocol::job::JobState;
use rusqlite::Connection;
use std::path::Path;

/// Databases of earlier versions, the first of them first.
const OLD: &[&str] = &[include_str!("old/v1.sql")];
/// What the half of a job holds in each of them.
const ACCEPTED: u32 = 17;
const SHARDS: u32 = 60;

fn version(folder: &Path) -> usize {
    let database = Connection::open(folder.join("elytra.db")).unwrap();
    let version = database.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    usize::try_from(version.unwrap()).unwrap()
}

/// Opens a database of an earlier version, and does the rest of its job.
fn goes_on(old: &str) {
    let folder = tempfile::tempdir().unwrap();
    let database = Connection::open(folder.path().join("elytra.db")).unwrap();
    database.execute_batch(old).unwrap();
    drop(database);
    let options = SqliteOptions::new(folder.path());
    let mut store = SqliteStore::open(&options).unwrap();
    let mut restored = store.restore().unwrap();
    assert_eq!(restored.len(), 1, "one job is not over");
    let (job, claimed) = restored.remove(0);
    let (claim, runs) = claimed.expect("there is something left to do");
    let id = job.record.id;
    assert_eq!(
        (job.totals.shards_accepted, job.totals.shards_cut),
        (ACCEPTED, SHARDS)
    );
    assert_eq!(job.record.spec.labels["team"], "old");
    let reader = store.reader();
    let before = reader.outputs(id, 0, 0, usize::MAX).unwrap();
    let mut world = World {
        store: Box::new(store),
        job: id,
    };
    // A key from then is known now.
    let mut record = job.record.clone();
    record.id = JobId(id.0 + 1);
    let again = Op::AddJob {
        record: Box::new(record),
        items: 60,
        closed: true,
        chunk: None,
        key: Some("first".into()),
    };
    assert_eq!(world.one(again), Done::JobAdded { older: Some(id) });
    for run in runs {
        assert_eq!(world.accept(claim, outputs(run, 4), 1).shards, run.count);
    }
    assert!(world.stored().totals.is_complete());
    assert_eq!(world.set(JobState::Succeeded).state, JobState::Succeeded);
    let mut after = reader.outputs(id, 0, 0, usize::MAX).unwrap();
    after.retain(|stored| before.iter().any(|old| old.run() == stored.run()));
    assert_eq!(after, before, "an accepted output changed");
    drop(world);
    let store = SqliteStore::open(&options).unwrap();
    let jobs = store
        .reader()
        .jobs(&JobFilter {
            limit: 10,
            ..JobFilter::default()
        })
        .unwrap();
    assert!(jobs.len() == 2 && jobs.iter().all(|job| job.state == JobState::Succeeded));
    assert_eq!(store.reader().tokens().unwrap().len(), 1);
}

/// What is stored by a newer version is refused, and left as it is.
fn newer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(folder.path());
    drop(SqliteStore::open(&options).unwrap());
    let database = Connection::open(folder.path().join("elytra.db")).unwrap();
    let newer = version(folder.path()) + 1;
    database
        .pragma_update(None, "user_version", i64::try_from(newer).unwrap())
        .unwrap();
    let error = SqliteStore::open(&options).unwrap_err().to_string();
    assert!(error.contains("newer Elytra"), "{error}");
    let server = RedisServer::durable();
    let options = RedisOptions::new(server.url());
    drop(RedisStore::open(&options).unwrap());
    let mut connection = redis::Client::open(server.url())
        .unwrap()
        .get_connection()
        .unwrap();
    redis::cmd("INCR")
        .arg("{elytra}:version")
        .query::<u32>(&mut connection)
        .unwrap();
    let error = RedisStore::open(&options).err().unwrap().to_string();
    assert!(error.contains("newer Elytra"), "{error}");
}

#[test]
fn old_schema_opens() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(&SqliteOptions::new(folder.path())).unwrap());
    let now = version(folder.path());
    assert_eq!(
        OLD.len() + 1,
        now,
        "every version before {now} is stored, to be opened here"
    );
    OLD.iter().for_each(|old| goes_on(old));
    newer_is_refused();
    promise::kept(
        "old_schema_opens",
        &format!(
            "databases of the {} versions before this one (of {now}) open, their jobs go on to the end with every \
             accepted output as it was; newer ones are refused, in SQLite and in Redis",
            OLD.len()
        ),
    );
}
