//! Promises 4, 5 and 31: wrong shards stay under the level that was chosen, the honest are not punished, and
//! many names are worth no more than one.
use promise::{amount, is_soak, kept};
use protocol::trust::{LIARS_SHARE_MAX, Trust};
use sim::sabotage::{Adversary, Case, Figures, Twin};
use std::sync::Mutex;

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

/// Every case of a list, on as many threads as there are processors, in the list's order.
fn run_all(cases: &[Case]) -> Vec<Figures> {
    let (next, done) = (
        Mutex::new(0..cases.len()),
        Mutex::new(vec![Figures::default(); cases.len()]),
    );
    let work = || {
        while let Some(at) = next.lock().map_or(None, |mut next| next.next()) {
            let figures = run(cases[at]);
            done.lock().expect("no panic elsewhere")[at] = figures;
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    done.into_inner().expect("no panic")
}

/// In full: every adversary at every level that samples, a million shards each; `verified` computes every shard
/// again, whatever the adversary.
fn cases() -> Vec<Case> {
    if !is_soak() {
        let short = |adversary| Case::short(Trust::Standard, adversary);
        return Adversary::ALL.into_iter().map(short).collect();
    }
    let full = |level, adversary| Case::new(level, adversary, 1_000_000);
    let mut cases = Vec::new();
    for level in [Trust::Fast, Trust::Standard, Trust::Strict] {
        cases.extend(Adversary::ALL.into_iter().map(|adversary| full(level, adversary)));
    }
    cases.push(full(Trust::Verified, Adversary::ManyOneInTen));
    cases
}

/// Executions for every shard that are quoted at most. A short job pays more: all its batches end with it.
fn price_max(level: Trust) -> f64 {
    amount(1.7, level.executions_expected() * 1.15)
}

#[test]
fn sabotage_policy_montecarlo() {
    let cases = cases();
    let mut worst = [
        (Trust::Fast, 0.0f64, 0.0f64),
        (Trust::Standard, 0.0, 0.0),
        (Trust::Strict, 0.0, 0.0),
        (Trust::Verified, 0.0, 0.0),
    ];
    let (mut shards, mut liars) = (0, 0);
    for (case, figures) in cases.iter().zip(run_all(&cases)) {
        let bound = case.level.wrong_share_max().unwrap();
        assert!(figures.wrong_share() <= bound, "{case:?}: {figures:?}");
        assert!(figures.price() <= price_max(case.level), "{case:?}: {figures:?}");
        (shards, liars) = (shards + figures.accepted, liars + figures.liars_caught);
        for (_, wrong, price) in worst.iter_mut().filter(|(level, ..)| *level == case.level) {
            (*wrong, *price) = (wrong.max(figures.wrong_share()), price.max(figures.price()));
        }
    }
    let told = |(level, wrong, price): &(Trust, f64, f64)| {
        format!("{level}: at most {wrong:.1e} wrong at {price:.2} executions")
    };
    let told: Vec<String> = worst
        .iter()
        .filter(|(.., price)| *price > 0.0)
        .map(told)
        .collect();
    let (count, told) = (cases.len(), told.join("; "));
    kept(
        "sabotage_policy_montecarlo",
        &format!("{count} cases, {shards} shards accepted, {liars} liars caught, no honest one; {told}"),
    );
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

/// In full: more than 10,000 honest visitors. One in fifty has a machine that errs, in the short form one in ten, so that some do.
#[test]
fn honest_never_banned() {
    let case = Case {
        faulty_permille: amount(100, 20),
        ..Case::honest(amount(40, 200), amount(30_000, 20_000), amount(10_000, 250_000))
    };
    let figures = run(case);
    let poison = u64::from(case.shards.div_ceil(case.poison_every));
    assert_eq!(
        (figures.liars_caught, figures.failed_wrongly),
        (0, 0),
        "{figures:?}"
    );
    assert_eq!(figures.failed, poison, "only poison fails: {figures:?}");
    assert!(figures.wrong_share() <= 1e-3, "{figures:?}");
    assert!(figures.visits > amount(80, 10_000), "{figures:?}");
    // Its broken twin: whoever is wrong is caught, so that catching can be seen.
    assert!(figures.faulty_caught > 0, "{figures:?}");
    let (visits, faulty, caught) = (figures.visits, figures.faulty, figures.faulty_caught);
    kept(
        "honest_never_banned",
        &format!(
            "{visits} honest visitors, all vanish, 5 % are slow, 2 % of attempts run out of something, {poison} poison \
             shards: 0 banned without an error; {faulty} machines that err, {caught} caught by a wrong answer"
        ),
    );
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

/// A thousand fresh names from ten networks beside a hundred honest visitors: they are patient, tell no lie, pass
/// every check, and get their share all the same.
#[test]
fn sybil_share_capped() {
    let (names, mut told) = (amount(250, 1_000), Vec::new());
    for &level in amount(&[Trust::Standard][..], &[Trust::Standard, Trust::Strict]) {
        let case = Case::flooded(level, names, amount(20_000, 400_000));
        let figures = run(case);
        let (all, network) = figures.sybil_shares();
        assert!(
            all <= LIARS_SHARE_MAX && network <= 0.05,
            "{level}: {all} {network}, {figures:?}"
        );
        assert!(all > 0.1, "they are let work: {level}: {all}");
        told.push(format!(
            "{level}: {:.1} % of the work, {:.2} % at most from one network",
            100.0 * all,
            100.0 * network
        ));
    }
    // The broken twin: where networks do not count, they do most of the work.
    let twin = Case {
        twin: Twin::NoShares,
        ..Case::flooded(Trust::Standard, names, 8_000)
    };
    let (all, network) = twin.run().sybil_shares();
    assert!(all > LIARS_SHARE_MAX && network > 0.05, "{all} {network}");
    let told = told.join("; ");
    kept(
        "sybil_share_capped",
        &format!(
            "{names} names from 10 networks against 100 honest visitors; {told}; {:.0} % without the caps",
            100.0 * all
        ),
    );
}

/// Where nobody is there but crowds, they go on with a job all the same; a strict one waits and says why.
#[test]
fn who_is_alone_goes_on() {
    let alone = |level| Case {
        visitors: 1,
        trusted: 0,
        sybil_networks: 50,
        ..Case::flooded(level, 250, 3_000)
    };
    run(alone(Trust::Fast));
    if is_soak() {
        let stuck = alone(Trust::Strict).run().stuck.expect("it waits");
        assert!(stuck.contains("networks_crowded"), "{stuck}");
    }
}
