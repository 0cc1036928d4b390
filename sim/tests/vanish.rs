//! Promise 14: a closed tab costs little.
use sim::churn::{self, Churn};

/// The longest lease that a worker of these runs is given: the silence that is borne of a hidden tab.
const LEASE_US: u64 = protocol::limits::SILENCE_MS_MAX as u64 * 1_000;
/// How much later than that a shard may be with another worker.
const SLACK_US: u64 = 2_000_000;

fn share(churn: &Churn) -> f64 {
    churn.took_us as f64 / churn.ideal_us as f64
}

#[test]
fn vanish_half_the_fleet() {
    let seeds = promise::amount(2, 60);
    let (workers, work_s) = promise::amount((12, 40), (40, 120));
    let runs: Vec<Churn> = (0..seeds).map(|seed| churn::run(seed, workers, work_s)).collect();
    for (seed, run) in runs.iter().enumerate() {
        println!("seed {seed}: {run:?}, {:.2} of the ideal", share(run));
        assert!(run.broken.is_empty(), "seed {seed}: {run:?}");
        assert!(run.rounds >= 3 && run.lost > 0, "seed {seed}: {run:?}");
        assert!(run.again_us_max <= LEASE_US + SLACK_US, "seed {seed}: {run:?}");
        assert!(
            share(run) <= 1.6,
            "seed {seed}: {:.2} of the ideal, {run:?}",
            share(run)
        );
    }
    let (rounds, lost): (usize, u64) = (
        runs.iter().map(|r| r.rounds).sum(),
        runs.iter().map(|r| r.lost).sum(),
    );
    let again_us = runs.iter().map(|run| run.again_us_max).max().unwrap_or(0);
    let worst = runs.iter().map(share).fold(0.0, f64::max);
    promise::kept(
        "vanish_half_the_fleet",
        &format!(
            "half of {workers} workers vanished {rounds} times in {seeds} runs with {lost} shards; the last of them \
             was with another worker after {:.1} s; at most {worst:.2} times the survivors' ideal; 0 lost",
            again_us as f64 / 1e6
        ),
    );
}
