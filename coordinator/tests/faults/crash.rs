//! `kill -9` of a coordinator on the embedded store, at any moment.
use crate::chance::Chance;
use crate::checker::{Shown, check};
use crate::site::{Site, history, until_accepted};
use crate::submit::Submitters;
use crate::worker::{Crew, Manner};
use protocol::ids::JobId;
use protocol::job::JobState;
use reqwest::{Method, StatusCode};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The promise: so soon it serves again, with [`STORED`] shards.
const BACK_MAX: Duration = Duration::from_secs(2);
const STORED: u64 = 1_000_000;
/// Other tests run beside this one, so the best of some starts counts.
const STARTS: usize = 3;
/// What clients were told last is looked for after every kill.
const LAST_TOLD: usize = 8;

/// How much of it.
#[derive(Clone, Copy)]
struct Size {
    /// Shards of the job that every kill interrupts.
    shards: u64,
    kills: usize,
    workers: u64,
    submitters: u64,
    /// Between two jobs of a client, about.
    pause: Duration,
    /// Results compared over each kill.
    page: u32,
}

const SHORT: Size = Size {
    shards: 120_000,
    kills: 16,
    workers: 4,
    submitters: 8,
    pause: Duration::from_millis(100),
    page: 500,
};
const FULL: Size = Size {
    shards: 400_000,
    kills: 250,
    workers: 6,
    submitters: 44,
    pause: Duration::from_secs(2),
    page: 1_500,
};

/// What one coordinator went through.
#[derive(Default)]
struct Endured {
    kills: usize,
    /// Shards that the API showed as accepted before a kill, and jobs that were answered for.
    acknowledged: u64,
    back_max: Duration,
}

/// When to kill: so many shards accepted, and so long after that. Enough is left for the last kill to come
/// while there is work.
fn moments(chance: &mut Chance, shards: u64, kills: usize) -> Vec<(u64, Duration)> {
    let mut points: Vec<_> = (0..kills).map(|_| chance.below(shards * 3 / 4)).collect();
    points.sort_unstable();
    let moments = points.into_iter();
    moments
        .map(|accepted| (accepted, Duration::from_micros(chance.below(20_000))))
        .collect()
}

async fn assert_known(site: &Site, told: &[(String, JobId)]) {
    for (key, id) in told {
        let answer = site
            .api(Method::GET, &format!("/jobs/{id}"))
            .send()
            .await
            .unwrap();
        assert_eq!(
            answer.status(),
            StatusCode::OK,
            "{key}: {id} was answered for and is lost"
        );
    }
}

async fn endure(size: Size, mut chance: Chance) -> Endured {
    let mut site = Site::start(&[]).await;
    let id = site.submit(size.shards).await;
    let door = site.door(5).await;
    let submitters = Submitters::start(&door, size.submitters, size.pause, &mut chance);
    let crew = Crew::new(site.address, 1, size.workers, Manner::default());
    crew.open();
    let (mut shown, mut cursor) = (Vec::new(), None);
    let mut endured = Endured::default();
    for (accepted, pause) in moments(&mut chance, size.shards, size.kills) {
        until_accepted(&site, id, accepted).await;
        let before = site.page(id, "completed", cursor.as_deref(), size.page).await;
        tokio::time::sleep(pause).await;
        let last = site.job(id).await;
        crew.close();
        let told = submitters.told();
        site.kill();
        endured.kills += 1;
        if chance.below(3) == 0 {
            // Once more, while it starts.
            site.spawn(&mut site.command());
            tokio::time::sleep(Duration::from_micros(chance.below(60_000))).await;
            site.kill();
            endured.kills += 1;
        }
        endured.back_max = endured.back_max.max(site.restart().await);
        let after = site.page(id, "completed", cursor.as_deref(), size.page).await;
        let restored = site.job(id).await;
        let state = restored.state;
        assert!(!state.is_over(), "killed under load, in state {state}");
        assert_known(&site, &told[told.len().saturating_sub(LAST_TOLD)..]).await;
        endured.acknowledged = endured.acknowledged.max(last.counts.accepted);
        shown.push(Shown {
            accepted_before: last.counts.accepted,
            accepted_after: restored.counts.accepted,
            results_before: before.items,
            results_after: after.items,
        });
        cursor = Some(before.cursor);
        crew.open();
    }
    let told = submitters.finish().await;
    assert_eq!(site.until_over(id).await.state, JobState::Succeeded);
    assert_eq!(check(&history(&site, id, shown).await), Ok(()));
    assert_known(&site, &told).await;
    let jobs: BTreeSet<JobId> = told.iter().map(|(_, id)| *id).collect();
    assert_eq!(jobs.len(), told.len(), "two keys have one job");
    endured.acknowledged += told.len() as u64;
    site.assert_no_panic();
    endured
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_kill9_keeps_acks() {
    let (sites, size) = promise::amount((1, SHORT), (4, FULL));
    let mut chance = Chance::new();
    let start = Instant::now();
    let tasks: Vec<_> = (0..sites)
        .map(|_| tokio::spawn(endure(size, Chance::from(chance.below(u64::MAX)))))
        .collect();
    let mut all = Endured::default();
    for task in tasks {
        let one = task.await.unwrap();
        all.kills += one.kills;
        all.acknowledged += one.acknowledged;
        all.back_max = all.back_max.max(one.back_max);
    }
    let clients = sites * (size.workers + size.submitters);
    promise::kept(
        "crash_kill9_keeps_acks",
        &format!(
            "{} kills in {} s, {clients} clients, {} acknowledgements, 0 lost; serving again after at most {:.2} s \
             (all of them at work on two cores)",
            all.kills,
            start.elapsed().as_secs(),
            all.acknowledged,
            all.back_max.as_secs_f64()
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_kill9_serves_again_soon() {
    let mut site = Site::start(&[]).await;
    // Some are left, so that the job is not over and has to be taken up again.
    let id = site.submit(STORED * 11 / 10).await;
    let wide = Manner {
        window: 16_384,
        run_max: 256,
        ..Manner::PLAIN
    };
    let crew = Crew::new(site.address, 1, 4, wide);
    crew.open();
    let before = until_accepted(&site, id, STORED).await.counts.accepted;
    crew.close();
    let mut best = Duration::MAX;
    for _ in 0..STARTS {
        site.kill();
        let start = Instant::now();
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
    let (stored, took) = (before, best.as_secs_f64());
    let seen = format!("with {stored} shards stored it serves again {took:.2} s after a kill");
    promise::kept("crash_kill9_serves_again_soon", &seen);
}
