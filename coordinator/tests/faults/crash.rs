//! `kill -9` of a coordinator on the embedded store, at any moment.
use crate::chance::Chance;
use crate::checker::{Shown, check};
use crate::site::{Site, history, until_accepted};
use crate::worker::{Crew, Manner};
use protocol::job::JobState;
use std::time::Duration;

const KILLS: usize = 20;
const SHARDS: u64 = 400_000;
/// Results compared over each kill.
const PAGE: u32 = 500;
/// The promise: so soon it serves again, with [`STORED`] shards.
const BACK_MAX: Duration = Duration::from_secs(2);
const STORED: u64 = 1_000_000;
/// Other tests run beside this one, so the best of some starts counts.
const STARTS: usize = 3;

/// When to kill: so many shards accepted, and so long after that. Enough is left for the last kill to come
/// while there is work.
fn moments(chance: &mut Chance) -> Vec<(u64, Duration)> {
    let mut points: Vec<_> = (0..KILLS).map(|_| chance.below(SHARDS * 3 / 4)).collect();
    points.sort_unstable();
    let moments = points.into_iter();
    moments
        .map(|accepted| (accepted, Duration::from_micros(chance.below(20_000))))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_lose_nothing_and_count_nothing_twice() {
    let mut chance = Chance::new();
    let mut site = Site::start(&[]).await;
    let id = site.submit(SHARDS).await;
    let crew = Crew::new(site.address, 1, 4, Manner::default());
    crew.open();
    let mut kills = Vec::new();
    let mut cursor = None;
    for (accepted, pause) in moments(&mut chance) {
        until_accepted(&site, id, accepted).await;
        let before = site.page(id, "completed", cursor.as_deref(), PAGE).await;
        tokio::time::sleep(pause).await;
        let last = site.job(id).await;
        crew.close();
        site.kill();
        if chance.below(3) == 0 {
            // Once more, while it starts.
            site.spawn(&mut site.command());
            tokio::time::sleep(Duration::from_micros(chance.below(60_000))).await;
            site.kill();
        }
        site.restart().await;
        let after = site.page(id, "completed", cursor.as_deref(), PAGE).await;
        let restored = site.job(id).await;
        assert!(
            !restored.state.is_over(),
            "killed under load, in state {}",
            restored.state
        );
        println!(
            "killed with {} accepted; {} are stored",
            last.counts.accepted, restored.counts.accepted
        );
        kills.push(Shown {
            accepted_before: last.counts.accepted,
            accepted_after: restored.counts.accepted,
            results_before: before.items,
            results_after: after.items,
        });
        cursor = Some(before.cursor);
        crew.open();
    }
    let job = site.until_over(id).await;
    assert_eq!(job.state, JobState::Succeeded);
    let history = history(&site, id, kills).await;
    assert_eq!(check(&history), Ok(()));
    site.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_stored_shards_delay_no_start() {
    let mut site = Site::start(&[]).await;
    // Some are left, so that the job is not over and has to be taken up again.
    let id = site.submit(STORED * 11 / 10).await;
    let wide = Manner {
        window: 16_384,
        run_max: 256,
        output_bytes: 0,
    };
    let crew = Crew::new(site.address, 1, 4, wide);
    crew.open();
    let before = until_accepted(&site, id, STORED).await.counts.accepted;
    crew.close();
    let mut best = Duration::MAX;
    for _ in 0..STARTS {
        site.kill();
        let start = std::time::Instant::now();
        site.restart().await;
        let job = site.job(id).await;
        let took = start.elapsed();
        println!(
            "serving again after {took:?} with {} shards stored",
            job.counts.accepted
        );
        assert!(job.counts.accepted >= before && !job.state.is_over());
        best = best.min(took);
    }
    assert!(best <= BACK_MAX, "the best of {STARTS} starts took {best:?}");
    crew.open();
    assert_eq!(site.until_over(id).await.state, JobState::Succeeded);
    site.assert_no_panic();
}
