//! `sim SEED` replays a seed with everything that happens; `sim --seeds N` runs many.
use clap::Parser;
use sim::twin::Sabotage;
use std::process::ExitCode;

/// Runs both hearts under a virtual clock and a bad network.
#[derive(Parser)]
struct Arguments {
    /// The seed to replay, with everything that happens
    seed: Option<u64>,
    /// Run this many seeds and say only what came of them
    #[arg(long, conflicts_with = "seed")]
    seeds: Option<u64>,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let good = match arguments.seed {
        Some(seed) => replay(seed),
        None => many(arguments.from, arguments.seeds.unwrap_or(200)),
    };
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn replay(seed: u64) -> bool {
    println!("{:#?}", sim::plan::Plan::new(seed));
    let report = sim::run(seed, true, Sabotage::None);
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

fn many(from: u64, seeds: u64) -> bool {
    let (mut broken, mut events, mut attempts, mut accepted, mut took_us) = (Vec::new(), 0, 0, 0, 0);
    for seed in from..from.saturating_add(seeds) {
        let Ok(report) = std::panic::catch_unwind(|| sim::run(seed, false, Sabotage::None)) else {
            println!("seed {seed}: PANIC (above)\n  replay: cargo run -p sim -- {seed}");
            broken.push(seed);
            continue;
        };
        (events, took_us) = (events + report.lines, took_us + report.took_us);
        (attempts, accepted) = (attempts + report.attempts, accepted + report.accepted);
        if !report.violations.is_empty() {
            println!("{}\n  replay: cargo run -p sim -- {seed}", summary(&report));
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
