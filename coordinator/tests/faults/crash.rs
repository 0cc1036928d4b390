//! `kill -9` of a coordinator on the embedded store, at any moment.
use crate::checker::{History, Shown, check};
use crate::site::{Site, until};
use crate::worker::{Crew, Manner};
use protocol::api::Job;
use protocol::ids::JobId;
use protocol::job::JobState;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const KILLS: usize = 20;
const SHARDS: u64 = 400_000;
/// Results compared over each kill.
const PAGE: u32 = 500;
/// The promise: so soon it serves again, with [`STORED`] shards.
const BACK_MAX: Duration = Duration::from_secs(2);
const STORED: u64 = 1_000_000;
/// Other tests run beside this one, so the best of some starts counts.
const STARTS: usize = 3;

/// Chance from a seed (splitmix64), so that a failure can be played again.
struct Chance(u64);

impl Chance {
    /// From `ELYTRA_SEED`, or from the clock; printed.
    fn new() -> Self {
        let clock = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(since.subsec_nanos())
        };
        let given = std::env::var("ELYTRA_SEED").ok();
        let seed = given.map_or_else(clock, |text| text.parse().unwrap());
        println!("ELYTRA_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

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

async fn until_accepted(site: &Site, id: JobId, wanted: u64) -> Job {
    let enough = || async { site.try_job(id).await.filter(|job| job.counts.accepted >= wanted) };
    until("enough shards are accepted", enough).await
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

async fn history(site: &Site, id: JobId, kills: Vec<Shown>) -> History {
    let counts = site.job(id).await.counts;
    History {
        items: counts.items,
        shards: counts.shards,
        accepted: counts.accepted,
        items_accepted: counts.items_accepted,
        ordered: site.results(id, "index").await,
        completed: site.results(id, "completed").await,
        kills,
    }
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
