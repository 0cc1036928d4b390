//! The simulator itself: it repeats, and its checkers see what they are for.
use sim::run;
use sim::twin::Sabotage;

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [1, 2, 3] {
        let (one, other) = (run(seed, false, Sabotage::None), run(seed, false, Sabotage::None));
        assert_eq!(one.trace_hash, other.trace_hash, "seed {seed}");
        assert_ne!(one.trace_hash, run(seed + 100, false, Sabotage::None).trace_hash);
    }
}

#[test]
fn a_few_seeds_are_good() {
    for seed in 0..20 {
        let report = run(seed, false, Sabotage::None);
        assert!(
            report.violations.is_empty(),
            "cargo run -p sim -- {seed}: {:?}",
            report.violations
        );
    }
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
}
