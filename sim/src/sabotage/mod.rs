//! Liars against the scheduler's trust levels: what is accepted, what it costs, how long it takes.
//!
//! The real scheduler, a store that commits at once, and some hundred visitors who come, compute and go;
//! a share of them lies, in the ways of [`Adversary`]. Messages need no network here, so a million shards
//! take seconds. Liars agree with each other: whoever lies about a shard says the same.
//!
//! | file | what it is |
//! |---|---|
//! | [`adversary`] | who lies about what |
//! | `fleet` | visitors: arriving, computing, leaving |
//! | `field` | the clock, the store and the scheduler among them |

pub mod adversary;
mod field;
mod fleet;

pub use adversary::Adversary;
use protocol::trust::{Trust, TrustReport};

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The job's level.
    pub level: Trust,
    /// Who lies, and how.
    pub adversary: Adversary,
    /// Shards of the job.
    pub shards: u32,
    /// Visitors at a time, each with one slot.
    pub visitors: u32,
    /// How long a visitor stays on average, in milliseconds; the times are exponentially distributed.
    pub stay_ms: u64,
    /// Trusted workers, each with four slots.
    pub trusted: u32,
    /// Visitors of a hundred that are ten times slower than others.
    pub slow_percent: u64,
    /// Attempts of a thousand that run out of memory or time for no fault of the program.
    pub failing_permille: u64,
    /// One in so many shards traps wherever it is executed; 0 for none.
    pub poison_every: u32,
    /// Honest visitors of a thousand whose hardware errs, in one shard of a hundred.
    pub faulty_permille: u64,
    /// Visitors besides who are patient: they tell no lie yet, and never leave.
    pub sybils: u32,
    /// From how many networks they come.
    pub sybil_networks: u64,
    /// What is broken on purpose.
    pub twin: Twin,
    /// From where chance comes.
    pub seed: u64,
}

impl Case {
    /// Two hundred visitors of seven minutes, and as many trusted workers as the level needs; shards of a
    /// quarter of a second.
    pub fn new(level: Trust, adversary: Adversary, shards: u32) -> Self {
        Self {
            level,
            adversary,
            shards,
            visitors: 200,
            stay_ms: 7 * 60_000,
            trusted: match level {
                Trust::Strict => 36,
                Trust::Verified => 50,
                _ => 12,
            },
            slow_percent: 0,
            failing_permille: 0,
            poison_every: 0,
            faulty_permille: 0,
            sybils: 0,
            sybil_networks: 10,
            twin: Twin::None,
            seed: 1,
        }
    }

    /// Nobody lies, and much goes wrong: a twentieth of the visitors is ten times slower, everyone
    /// vanishes without a word, one attempt in fifty runs out of something, one shard in 500 traps, and one
    /// visitor in 500 has a machine that errs.
    pub fn honest(visitors: u32, stay_ms: u64, shards: u32) -> Self {
        Self {
            visitors,
            stay_ms,
            slow_percent: 5,
            failing_permille: 20,
            poison_every: 500,
            faulty_permille: 2,
            ..Self::new(Trust::Standard, Adversary::Nobody, shards)
        }
    }

    /// A hundred honest visitors who stay, and so many patient ones under fresh names from ten networks.
    pub fn flooded(level: Trust, sybils: u32, shards: u32) -> Self {
        Self {
            visitors: 100,
            stay_ms: 365 * 24 * 3_600_000,
            sybils,
            ..Self::new(level, Adversary::Nobody, shards)
        }
    }

    /// Few visitors, so that each computes enough for a short job.
    pub fn short(level: Trust, adversary: Adversary) -> Self {
        Self {
            visitors: 10,
            trusted: if level >= Trust::Strict { 4 } else { 2 },
            ..Self::new(level, adversary, 12_000)
        }
    }

    /// Runs it to the job's end.
    pub fn run(&self) -> Figures {
        field::Field::new(*self).run()
    }
}

/// What is broken on purpose, so that a checker has something to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Twin {
    /// Nothing.
    #[default]
    None,
    /// Everyone counts as trusted: verdicts at once, no checks.
    VerdictAtOnce,
    /// Trusted workers repeat what was said before instead of computing it.
    ChecksAgree,
    /// Networks do not count.
    NoShares,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Shards accepted.
    pub accepted: u64,
    /// Of them, with a wrong output.
    pub wrong: u64,
    /// Shards that failed or were skipped.
    pub failed: u64,
    /// Of them, such as do not trap.
    pub failed_wrongly: u64,
    /// Executions that were begun.
    pub executions: u64,
    /// Of them, by trusted workers.
    pub by_trusted: u64,
    /// Visitors that came, and how many of them lied when they could.
    pub visits: u64,
    /// See `visits`.
    pub liars: u64,
    /// Liars caught.
    pub liars_caught: u64,
    /// Honest visitors that were taken for liars.
    pub honest_caught: u64,
    /// Visitors whose machines erred, and how many of them were caught.
    pub faulty: u64,
    /// See `faulty`.
    pub faulty_caught: u64,
    /// Executions by patient visitors, in all.
    pub by_sybils: u64,
    /// The most of them from one network.
    pub by_sybil_network_max: u64,
    /// How long outputs waited for their verdict, in seconds: the median, and 99 of 100.
    pub verdict_s: (f64, f64),
    /// How long the job took, in seconds of virtual time.
    pub took_s: f64,
    /// What the scheduler reports.
    pub report: Option<TrustReport>,
    /// Why it did not end, where it did not.
    pub stuck: Option<String>,
}

impl Figures {
    /// Executions for every accepted shard.
    pub fn price(&self) -> f64 {
        self.executions as f64 / self.accepted.max(1) as f64
    }

    /// Share of the strangers' work that patient visitors did, and the most that those of one network did.
    pub fn sybil_shares(&self) -> (f64, f64) {
        let strangers = (self.executions - self.by_trusted).max(1) as f64;
        (
            self.by_sybils as f64 / strangers,
            self.by_sybil_network_max as f64 / strangers,
        )
    }

    /// Wrong shards among the accepted ones.
    pub fn wrong_share(&self) -> f64 {
        self.wrong as f64 / self.accepted.max(1) as f64
    }
}

/// Prints a table: every level against every adversary whose name contains `only`. Without a number of trusted workers, there are as
/// many as the level needs.
pub fn table(levels: &[Trust], only: &str, shards: u32, trusted: Option<u32>, seed: u64) -> bool {
    println!(
        "{shards} shards of 250 ms, 200 visitors of 7 minutes with one slot, trusted workers with four\n\
         | level | trusted slots | adversary | executions/shard | wrong share | verdict p50, p99 (s) | \
         conflicts | liars caught | honest caught | by trusted | job (s) |\n\
         |---|---|---|---|---|---|---|---|---|---|---|"
    );
    let mut good = true;
    for &level in levels {
        let wanted = |adversary: &Adversary| adversary.name().contains(only);
        for adversary in Adversary::ALL.into_iter().filter(wanted) {
            let case = Case::new(level, adversary, shards);
            let trusted = trusted.unwrap_or(case.trusted);
            let case = Case {
                seed,
                trusted,
                ..case
            };
            good &= row(&case, &case.run());
        }
    }
    good
}

fn row(case: &Case, figures: &Figures) -> bool {
    let bound = case.level.wrong_share_max().unwrap_or(1.0);
    let report = figures.report.unwrap_or_default();
    let kept = figures.wrong_share() <= bound && figures.stuck.is_none() && figures.honest_caught == 0;
    println!(
        "| {} | {} | {} | {:.3} | {:.1e}{} | {:.0}, {:.0} | {} | {} of {} | {} | {:.1} % | {:.0} |{}",
        case.level,
        case.trusted * 4,
        case.adversary.name(),
        figures.price(),
        figures.wrong_share(),
        if kept { "" } else { " BROKEN" },
        figures.verdict_s.0,
        figures.verdict_s.1,
        report.conflicts,
        figures.liars_caught,
        figures.liars,
        figures.honest_caught,
        100.0 * figures.by_trusted as f64 / figures.executions.max(1) as f64,
        figures.took_s,
        figures.stuck.as_deref().unwrap_or_default(),
    );
    kept
}
