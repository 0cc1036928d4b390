//! A coordinator that is told to stop under load, and the next version that goes on.
use crate::chance::Chance;
use crate::checker::{Shown, check};
use crate::site::{Site, history, until_accepted};
use crate::worker::{Crew, Manner};
use protocol::job::JobState;
use std::time::{Duration, Instant};

const SHARDS: u64 = 400_000;
/// The promise: so soon it is gone.
const DRAIN_MAX: Duration = Duration::from_secs(30);
/// The promise: so much work is done again, in percent of all.
const REPEATED_PERCENT_MAX: f64 = 2.0;
/// Workers that hear when it stops, as ours do; every lease takes them a while.
const MANNER: Manner = Manner {
    lease_ms: 5,
    goes_when_told: true,
    ..Manner::PLAIN
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_on_sigterm() {
    let stops = promise::amount(4, 60);
    let mut chance = Chance::new();
    let mut site = Site::start(&[]).await;
    let id = site.submit(SHARDS).await;
    let crew = Crew::new(site.address, 1, 6, MANNER);
    crew.open();
    let (mut shown, mut longest) = (Vec::new(), Duration::ZERO);
    for stop in 0..stops {
        let from = SHARDS * 3 / 4 * stop / stops;
        until_accepted(&site, id, from + chance.below(SHARDS / 2 / stops)).await;
        let before = site.page(id, "completed", None, 500).await;
        let accepted_before = site.job(id).await.counts.accepted;
        let start = Instant::now();
        site.terminate();
        let status = site.process().ended(DRAIN_MAX).expect("it stops in time");
        longest = longest.max(start.elapsed());
        assert!(status.success(), "{}", site.log());
        site.restart().await;
        let restored = site.job(id).await;
        assert!(!restored.state.is_over(), "it stopped under load");
        shown.push(Shown {
            accepted_before,
            accepted_after: restored.counts.accepted,
            results_before: before.items,
            results_after: site.page(id, "completed", None, 500).await.items,
        });
    }
    assert_eq!(site.until_over(id).await.state, JobState::Succeeded);
    assert_eq!(check(&history(&site, id, shown).await), Ok(()));
    let repeated = crew.executed().saturating_sub(SHARDS) as f64 * 100.0 / SHARDS as f64;
    assert!(repeated <= REPEATED_PERCENT_MAX, "{repeated:.2} % was done again");
    site.assert_no_panic();
    promise::kept(
        "drain_on_sigterm",
        &format!(
            "{stops} times SIGTERM under load: 0 lost, {repeated:.3} % of {SHARDS} shards done again, \
             gone after at most {:.2} s",
            longest.as_secs_f64()
        ),
    );
}
