//! Promise 25: the cluster's logic survives faults nobody thought of. The simulator repeats, nothing bad ever
//! happens, when faults stop everything ends, and its checkers see what they are for.
use promise::{amount, kept};
use sim::checker::{Checker, Violation};
use sim::plan::Plan;
use sim::twin::Sabotage;
use sim::{Report, play, run};
use std::sync::{LazyLock, Mutex};

/// What all seeds came to.
#[derive(Default)]
struct Seen {
    broken: Vec<(u64, Violation)>,
    /// Seeds whose second run was another one.
    changed: Vec<u64>,
    traces: Vec<u64>,
    took_us: u64,
    events: u64,
    accepted: usize,
}

impl Seen {
    fn add(&mut self, seed: u64, report: Report) {
        self.traces.push(report.trace_hash);
        self.took_us += report.took_us;
        self.events += report.lines;
        self.accepted += report.accepted;
        self.broken
            .extend(report.violations.into_iter().map(|broken| (seed, broken)));
    }
}

/// Every seed twice; both tests look at the same runs.
static SEEN: LazyLock<Seen> = LazyLock::new(|| {
    let once = |seed| run(seed, false, Sabotage::None);
    see(amount(12, 10_000), &|seed| (once(seed), Some(once(seed))))
});

/// Every seed with an hour of faults, some of them twice: an hour is long.
fn hours() -> Seen {
    let once = |seed| play(seed, Plan::of_an_hour(seed), false, Sabotage::None);
    let twice = |seed: u64| seed.is_multiple_of(50).then(|| once(seed));
    see(amount(1, 10_000), &|seed| (once(seed), twice(seed)))
}

/// Runs so many seeds on as many threads as there are processors.
fn see(seeds: u64, once_or_twice: &(dyn Fn(u64) -> (Report, Option<Report>) + Sync)) -> Seen {
    let (next, seen) = (Mutex::new(0..seeds), Mutex::new(Seen::default()));
    let work = || {
        while let Some(seed) = next.lock().map_or(None, |mut next| next.next()) {
            let (one, other) = once_or_twice(seed);
            let mut seen = seen.lock().expect("no panic elsewhere");
            if other.is_some_and(|other| other.trace_hash != one.trace_hash) {
                seen.changed.push(seed);
            }
            seen.add(seed, one);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    seen.into_inner().expect("no panic")
}

fn broken(liveness: bool) -> Vec<&'static (u64, Violation)> {
    let of_this = |(_, broken): &&(u64, Violation)| broken.checker.is_liveness() == liveness;
    SEEN.broken.iter().filter(of_this).collect()
}

#[test]
fn dst_cluster() {
    let broken = broken(false);
    assert!(broken.is_empty(), "cargo run -p sim -- SEED: {broken:?}");
    assert_eq!(
        SEEN.changed,
        Vec::<u64>::new(),
        "the second run of these seeds was another one"
    );
    let mut traces = SEEN.traces.clone();
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(
        traces.len(),
        SEEN.traces.len(),
        "every seed is a story of its own"
    );
    let long = hours();
    let (broken, changed) = (&long.broken, &long.changed);
    assert!(broken.is_empty(), "cargo run -p sim -- SEED --hour: {broken:?}");
    assert!(
        changed.is_empty(),
        "the second hour of {changed:?} was another one"
    );
    kept(
        "dst_cluster",
        &format!(
            "{}; {}: nothing broken; each seed twice with the same trace, of the hours every fiftieth",
            told(&SEEN),
            told(&long)
        ),
    );
}

fn told(seen: &Seen) -> String {
    let (seeds, hours) = (seen.traces.len(), seen.took_us as f64 / 3.6e9);
    let (events, accepted) = (seen.events, seen.accepted);
    format!("{seeds} seeds, {hours:.1} simulated hours, {events} events, {accepted} shards accepted")
}

#[test]
fn dst_liveness() {
    let broken = broken(true);
    assert!(broken.is_empty(), "cargo run -p sim -- SEED: {broken:?}");
    let seeds = SEEN.traces.len();
    kept(
        "dst_liveness",
        &format!("{seeds} seeds: faults stop, and every job ends; cancelled in time, stopped means stopped"),
    );
}

/// A checker that never fails proves nothing: each has a mistake that it must see within a few seeds.
#[test]
fn every_checker_sees_its_broken_twin() {
    for (sabotage, checker) in Sabotage::ALL {
        let seen = |seed| {
            run(seed, false, sabotage)
                .violations
                .iter()
                .any(|broken| broken.checker == checker)
        };
        assert!((0..40).any(seen), "{sabotage:?} was not seen by {checker:?}");
    }
    let liveness = Sabotage::ALL
        .iter()
        .filter(|(_, checker)| Checker::is_liveness(*checker));
    assert_eq!(liveness.count(), 3);
}
