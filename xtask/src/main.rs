//! The build tool of the house: `cargo xtask …`.
//!
//! It turns Rust into what a browser loads, sets a machine up, runs every check and keeps the house tidy.
//! npm's two commands and turbo's tasks are thin names for what is here.
#![forbid(unsafe_code)]

mod bindgen;
mod command;
mod compress;
mod counts;
mod fuzz;
mod house;
mod promises;
mod setup;
mod start;
mod suite;
mod tidy;
mod toolchain;
mod web;

use anyhow::Result;
use clap::{Parser, Subcommand};
use house::House;
use std::path::PathBuf;
use std::process::ExitCode;

/// Builds, checks and starts Elytra.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build what a browser loads: kernels, tab worker, dashboard.
    BuildWeb {
        /// What to build; everything when nothing is named.
        #[arg(value_enum)]
        parts: Vec<web::Part>,
    },
    /// Build a crate outside this house as WebAssembly; prints the folder where its modules lie.
    BuildCrate {
        /// The crate's folder, such as what `elytra init kernel` wrote.
        folder: PathBuf,
    },
    /// Check the tools of this machine and install what can be installed.
    Setup {
        /// Also what only the tests need: Redis and Chromium.
        #[arg(long)]
        tests: bool,
    },
    /// Build everything and run the demo job.
    Start(start::Start),
    /// Run every check there is.
    Test(suite::Test),
    /// Throw made-up bytes at every parser that reads what strangers send.
    Fuzz(fuzz::Fuzz),
    /// Run the tests of the promises in their full form, and write what they saw to docs/reliability.md.
    Soak(promises::Soak),
    /// Check the house's own rules: sizes, directions, purity, names.
    Tidy,
    /// Replay the simulator: `cargo xtask sim -- SEED`; or set liars against the trust levels:
    /// `cargo xtask sim -- trust`.
    Sim {
        /// Handed to the simulator as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Measure what it costs.
    Bench {
        /// Handed to the benchmark as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let house = House::find()?;
    match task {
        Task::BuildWeb { parts } => web::build(&house, &parts),
        Task::BuildCrate { folder } => web::build_crate(&house, &folder),
        Task::Setup { tests } => setup::run(&house, tests),
        Task::Start(start) => start::run(&house, &start),
        Task::Test(test) => suite::run(&house, &test),
        Task::Fuzz(fuzz) => fuzz::run(&house, &fuzz),
        Task::Soak(soak) => promises::soak(&house, &soak),
        Task::Tidy => tidy::run(&house),
        Task::Sim { args } => sim(&house, &args),
        Task::Bench { args } => forward(&house, &["--release", "--package", "bench"], &args),
    }
}

/// A seed is replayed with its debug assertions; a million shards want speed.
fn sim(house: &House, args: &[String]) -> Result<()> {
    let profile = if args.first().is_some_and(|first| first == "trust") {
        "release"
    } else {
        "dev"
    };
    forward(
        house,
        &["--profile", profile, "--package", "sim", "--bin", "sim"],
        args,
    )
}

/// `cargo run` of one of our own tools, with the arguments it was given.
fn forward(house: &House, selection: &[&str], args: &[String]) -> Result<()> {
    let mut cargo = command::cargo(house);
    cargo.arg("run").args(selection).arg("--").args(args);
    command::run(&mut cargo)
}
