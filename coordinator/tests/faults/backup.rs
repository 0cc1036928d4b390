//! A backup that is taken under load, and brought back.
use crate::chance::Chance;
use crate::checker::{History, check};
use crate::site::{Site, history, until_accepted};
use crate::submit::Submitters;
use crate::worker::{Crew, Manner};
use coordinator::backup;
use protocol::job::JobState;
use std::time::{Duration, Instant};

/// Shards of the job that runs meanwhile; its outputs are what a backup holds.
const SHORT: u64 = 120_000;
/// With 4 KiB each: more than 1 GiB.
const FULL: u64 = 300_000;
/// The promise: so long for 1 GiB, and no longer for less.
const BACKUP_MAX: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backup_restore_under_load() {
    let (shards, output_bytes) = promise::amount((SHORT, 16), (FULL, 4_096));
    let mut chance = Chance::new();
    let mut site = Site::start(&[]).await;
    let id = site.submit(shards).await;
    let door = site.door(5).await;
    let submitters = Submitters::start(&door, 4, Duration::from_millis(50), &mut chance);
    let manner = Manner {
        output_bytes,
        ..Manner::PLAIN
    };
    let crew = Crew::new(site.address, 1, 4, manner);
    crew.open();
    until_accepted(&site, id, shards * 9 / 10).await;
    // All that was answered for before it begins is in it.
    let told = submitters.told();
    let before = site.page(id, "completed", None, 2_000).await.items;
    let accepted_before = site.job(id).await.counts.accepted;
    let (data, out) = (site.folder(), site.root().join("backup"));
    let blobs = data.join("blobs");
    let (start, from, to) = (Instant::now(), data.clone(), out.clone());
    let taken = tokio::task::spawn_blocking(move || backup::take(&from, &blobs, &to));
    let note = taken.await.unwrap().unwrap();
    let took = start.elapsed();
    assert!(
        took <= BACKUP_MAX,
        "{took:?} for {} MiB",
        note.database_bytes >> 20
    );
    crew.close();
    site.kill();
    drop(submitters);
    // Another machine, where nothing is yet.
    let mut other = Site::embedded(&[]);
    std::fs::remove_dir_all(other.folder()).unwrap();
    let restored = backup::restore(&out, &other.folder(), &other.folder().join("blobs")).unwrap();
    assert_eq!(restored, note);
    let again = backup::restore(&out, &other.folder(), &other.folder().join("blobs")).unwrap_err();
    assert!(again.to_string().contains("is there already"), "{again}");
    other.take_token(&site);
    other.restart().await;
    let job = other.job(id).await;
    assert!(
        job.counts.accepted >= accepted_before,
        "{} of {accepted_before}",
        job.counts.accepted
    );
    let after = other.page(id, "completed", None, 2_000).await.items;
    assert!(
        after.starts_with(&before),
        "results from before the backup are gone"
    );
    for (key, id) in &told {
        assert!(
            other.try_job(*id).await.is_some(),
            "{key}: {id} is not in the backup"
        );
    }
    let crew = Crew::new(other.address, 1, 4, manner);
    crew.open();
    assert_eq!(other.until_over(id).await.state, JobState::Succeeded);
    let history: History = history(&other, id, Vec::new()).await;
    assert_eq!(check(&history), Ok(()));
    other.assert_no_panic();
    promise::kept(
        "backup_restore_under_load",
        &format!(
            "{} MiB of database and {} blobs in {:.1} s under load; brought back with all of {accepted_before} \
             shards and {} jobs that were answered for before it; the job went on to its end",
            note.database_bytes >> 20,
            note.blobs,
            took.as_secs_f64(),
            told.len()
        ),
    );
}
