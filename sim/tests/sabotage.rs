//! Promises 4 and 5: wrong shards stay under the level that was chosen, and the honest are not punished.
use protocol::trust::Trust;
use sim::sabotage::{Adversary, Case, Figures, Twin};

fn run(case: Case) -> Figures {
    let figures = case.run();
    assert_eq!(figures.stuck, None, "{case:?}");
    assert_eq!(
        figures.accepted + figures.failed,
        u64::from(case.shards),
        "{case:?}"
    );
    assert_eq!(figures.honest_caught, 0, "{case:?}: {figures:?}");
    figures
}

/// The short form of `cargo xtask sim -- trust`.
#[test]
fn sabotage_policy_montecarlo() {
    for adversary in Adversary::ALL {
        let case = Case::short(Trust::Standard, adversary);
        let figures = run(case);
        assert!(figures.wrong_share() <= 1e-3, "{adversary:?}: {figures:?}");
        // A short job pays more: its last batches are checked as long ones are.
        assert!(figures.price() <= 1.7, "{adversary:?}: {figures:?}");
    }
}

#[test]
fn every_level_keeps_its_bound() {
    for level in [Trust::Fast, Trust::Strict, Trust::Verified] {
        let bound = level.wrong_share_max().unwrap();
        for adversary in [Adversary::OneInTen, Adversary::JustEnough] {
            let figures = run(Case::short(level, adversary));
            assert!(
                figures.wrong_share() <= bound,
                "{level} {adversary:?}: {figures:?}"
            );
        }
    }
}

/// Without spot checks, or with a verdict at once, the same liars are far over the bound: the test above
/// can fail.
#[test]
fn sabotage_is_seen_where_checks_are_off() {
    for twin in [Twin::VerdictAtOnce, Twin::ChecksAgree] {
        for adversary in [Adversary::Always, Adversary::OneInTen, Adversary::Sleeper] {
            let case = Case {
                twin,
                ..Case::short(Trust::Standard, adversary)
            };
            let figures = case.run();
            assert!(
                figures.wrong_share() > 1e-3,
                "{twin:?} {adversary:?}: {figures:?}"
            );
        }
    }
}

#[test]
fn honest_never_banned() {
    let case = Case::honest(40, 30_000, 10_000);
    let figures = run(case);
    assert_eq!((figures.liars_caught, figures.wrong), (0, 0), "{figures:?}");
    assert_eq!(
        (figures.failed, figures.failed_wrongly),
        (20, 0),
        "only poison fails"
    );
    assert_eq!(figures.report.unwrap().workers_withdrawn, 0);
    assert!(figures.visits > 100, "{figures:?}");
}

/// Strangers check each other where no trusted worker is there.
#[test]
fn strangers_check_each_other() {
    for adversary in [Adversary::Nobody, Adversary::Always, Adversary::OneInTen] {
        let case = Case {
            trusted: 0,
            ..Case::short(Trust::Fast, adversary)
        };
        let figures = run(case);
        assert!(figures.wrong_share() <= 1e-2, "{adversary:?}: {figures:?}");
    }
}
