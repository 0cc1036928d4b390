//! `sim SEED` replays a seed with everything that happens; `sim --seeds N` runs many; `sim trust` sets
//! liars against the trust levels.
use clap::{Parser, Subcommand};
use protocol::trust::Trust;
use sim::plan::Plan;
use sim::twin::Sabotage;
use std::process::ExitCode;

/// Runs both hearts under a virtual clock and a bad network.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The seed to replay, with everything that happens
    seed: Option<u64>,
    /// Run this many seeds and say only what came of them
    #[arg(long, conflicts_with = "seed")]
    seeds: Option<u64>,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Let jobs and faults go on for an hour of virtual time
    #[arg(long)]
    hour: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Sets liars of every kind against the trust levels: what is accepted, and what it costs
    Trust {
        /// Shards of every job
        #[arg(long, default_value_t = 1_000_000)]
        shards: u32,
        /// Only this level
        #[arg(long)]
        level: Option<String>,
        /// Only adversaries whose description contains this, such as "hit and run"
        #[arg(long, default_value = "")]
        only: String,
        /// Trusted workers, with four slots each; as many as the level needs, where it is not said
        #[arg(long)]
        trusted: Option<u32>,
        /// From where chance comes
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let good = match (arguments.command, arguments.seed) {
        (Some(command), _) => trust(&command),
        (None, Some(seed)) => replay(seed, planner(arguments.hour)),
        (None, None) => many(arguments.from, arguments.seeds.unwrap_or(200), arguments.hour),
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn trust(command: &Command) -> bool {
    let Command::Trust {
        shards,
        level,
        only,
        trusted,
        seed,
    } = command;
    let named = |trust: &Trust| level.as_ref().is_none_or(|word| word == trust.word());
    let wanted = |trust: &Trust| *trust != Trust::Private && named(trust);
    let levels: Vec<Trust> = Trust::ALL.into_iter().filter(wanted).collect();
    sim::sabotage::table(&levels, only, *shards, *trusted, *seed)
}

/// What a seed stands for.
type Planner = fn(u64) -> Plan;

fn planner(hour: bool) -> Planner {
    if hour { Plan::of_an_hour } else { Plan::new }
}

fn replay(seed: u64, plan: Planner) -> bool {
    println!("{:#?}", plan(seed));
    let report = sim::play(seed, plan(seed), true, Sabotage::None);
    println!("{}", summary(&report));
    report.violations.is_empty()
}

fn summary(report: &sim::Report) -> String {
    let mut text = format!(
        "seed {}: trace {:016x}, {} events, {:.1} s of virtual time, {} attempts, {} accepted",
        report.seed,
        report.trace_hash,
        report.lines,
        report.took_us as f64 / 1e6,
        report.attempts,
        report.accepted
    );
    for violation in &report.violations {
        let at_s = violation.at_us as f64 / 1e6;
        text += &format!(
            "\n  BROKEN {:?} at {at_s:.6} s: {}",
            violation.checker, violation.what
        );
    }
    text
}

fn many(from: u64, seeds: u64, hour: bool) -> bool {
    let (plan, flag) = (planner(hour), if hour { " --hour" } else { "" });
    let (mut broken, mut events, mut attempts, mut accepted, mut took_us) = (Vec::new(), 0, 0, 0, 0);
    for seed in from..from.saturating_add(seeds) {
        let Ok(report) = std::panic::catch_unwind(|| sim::play(seed, plan(seed), false, Sabotage::None))
        else {
            println!("seed {seed}: PANIC (above)\n  replay: cargo run -p sim -- {seed}{flag}");
            broken.push(seed);
            continue;
        };
        (events, took_us) = (events + report.lines, took_us + report.took_us);
        (attempts, accepted) = (attempts + report.attempts, accepted + report.accepted);
        if !report.violations.is_empty() {
            println!("{}\n  replay: cargo run -p sim -- {seed}{flag}", summary(&report));
            broken.push(seed);
        }
    }
    let hours = took_us as f64 / 3.6e9;
    println!(
        "{seeds} seeds from {from}: {} broken; {events} events, {hours:.1} h of virtual time, \
         {attempts} attempts, {accepted} shards accepted",
        broken.len()
    );
    broken.is_empty()
}
