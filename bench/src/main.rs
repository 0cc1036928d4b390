//! What Elytra costs, as ratios from one run: `cargo xtask bench`.
//!
//! A coordinator runs as a child process and is driven by simulated workers that answer without
//! computing; the skeleton of the design runs before and after it on the same machine. Every row is a
//! ratio or an absolute figure of section 15 of the design, with what passes and what is the goal.
mod bombs;
mod cold;
mod dispatch;
mod kernels;
mod load;
mod process;
mod redis_server;
mod skeleton;
mod table;
mod v8;

use anyhow::Result;
use clap::Parser;
use dispatch::Run;
use load::Simulated;
use process::Setup;
use protocol::job::Trust;
use skeleton::Skeleton;
use std::path::PathBuf;
use std::process::ExitCode;
use table::Table;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What to measure.
#[derive(Debug, Parser)]
#[command(about = "Measures dispatch, memory and kernels against the skeleton and native code")]
struct Options {
    /// Only these rows: dispatch, trust, single, memory, cold, bombs, growth, redis, kernels.
    #[arg(value_delimiter = ',')]
    only: Vec<String>,
    /// Shards of a dispatch run.
    #[arg(long, default_value_t = 1_000_000)]
    shards: u64,
    /// The standard kernels.
    #[arg(long, default_value = "dist/web/kernels/rust_core.wasm")]
    kernels: PathBuf,
}

impl Options {
    fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == row)
    }
}

const NORMAL: Setup = Setup {
    durability: "normal",
    redis_url: None,
};

fn main() -> Result<ExitCode> {
    // Programs are compiled in a child of this executable, as a worker does it.
    if let Some(code) = runtime::child() {
        return Ok(code);
    }
    let options = Options::parse();
    // One thread for the load, as the skeleton's load has.
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut table = Table::new();
    let skeleton = if options.wants("dispatch") {
        Skeleton::build()?
    } else {
        None
    };
    tokio.block_on(measure(&options, skeleton.as_ref(), &mut table))?;
    if options.wants("kernels") {
        kernels::rows(&options.kernels, &mut table)?;
    }
    table.print();
    Ok(ExitCode::SUCCESS)
}

async fn measure(options: &Options, skeleton: Option<&Skeleton>, table: &mut Table) -> Result<()> {
    if options.wants("dispatch") {
        for (window, output_bytes) in [(64, 16), (1, 16), (64, 1_024)] {
            dispatch_row(options, skeleton, table, window, output_bytes).await?;
        }
    }
    if options.wants("trust") {
        trust_row(options, table).await?;
    }
    if options.wants("single") {
        let us = dispatch::single_shard_us(&NORMAL, 300).await?;
        table.at_most("one shard alone, leased to job over, p50", us, "us", 300.0, 160.0);
    }
    if options.wants("memory") {
        let kib = dispatch::memory_per_worker(&NORMAL, 2_000).await?;
        table.at_most("memory of an idle connected worker", kib, "KiB", 16.0, 10.0);
        let bytes = dispatch::memory_per_pending_shard(&NORMAL, 5_000_000).await?;
        table.at_most("memory of a pending shard", bytes, "B", 64.0, 16.0);
    }
    if options.wants("cold") {
        cold::rows(&options.kernels, &NORMAL, table).await?;
    }
    if options.wants("bombs") {
        bombs::rows(table)?;
    }
    if options.wants("growth") {
        growth_rows(table).await?;
    }
    if options.wants("redis") {
        let redis = redis_server::RedisServer::start()?;
        let setup = Setup {
            durability: "normal",
            redis_url: Some(redis.url()),
        };
        let run = null_run(16, 64, 16, options.shards / 2);
        let cost = dispatch::drain(&setup, run).await?;
        table.at_least(
            "null shards through Redis",
            cost.per_second / 1_000.0,
            "k/s",
            60.0,
            150.0,
        );
    }
    Ok(())
}

fn null_run(workers: u32, window: u32, output_bytes: usize, shards: u64) -> Run {
    Run {
        workers,
        simulated: Simulated { window, output_bytes },
        shards,
    }
}

async fn dispatch_row(
    options: &Options,
    skeleton: Option<&Skeleton>,
    table: &mut Table,
    window: u32,
    output_bytes: usize,
) -> Result<()> {
    let shards = if window == 1 {
        options.shards / 5
    } else {
        options.shards
    };
    let run = null_run(16, window, output_bytes, shards);
    let label = format!("durable null shards, window {window}, {output_bytes} B");
    let before = skeleton
        .map(|s| s.drain("sqlite-normal", 16, window, shards, output_bytes - 16))
        .transpose()?;
    let ours = dispatch::drain(&NORMAL, run).await?;
    let after = skeleton
        .map(|s| s.drain("sqlite-normal", 16, window, shards, output_bytes - 16))
        .transpose()?;
    table.note(&format!(
        "{label}: {:.0}/s, {:.2} us server CPU, turn p50 {:.0} us",
        ours.per_second, ours.server_us, ours.turn_p50_us
    ));
    if let (Some(before), Some(after)) = (before, after) {
        let limit = f64::midpoint(before.per_second, after.per_second);
        table.note(&format!(
            "  skeleton: {limit:.0}/s, {:.2} us server CPU, turn p50 {:.0} us",
            before.server_us, before.turn_us
        ));
        table.at_least(&label, ours.per_second / limit, "of skeleton", 0.25, 0.5);
    }
    if window == 64 && output_bytes == 16 {
        table.at_most(
            "server CPU of a durable shard, window 64",
            ours.server_us,
            "us",
            2.5,
            1.3,
        );
    }
    Ok(())
}

/// Rounds of each trust level, by turns; the fastest of each counts, because other programs use the cores too.
const TRUST_ROUNDS: usize = 3;

/// What it costs the coordinator that strangers' answers are checked.
async fn trust_row(options: &Options, table: &mut Table) -> Result<()> {
    let run = null_run(16, 64, 16, options.shards);
    let (mut private, mut standard) = (0.0f64, 0.0f64);
    for _ in 0..TRUST_ROUNDS {
        private = private.max(dispatch::trusted_per_second(&NORMAL, run, Trust::Private).await?);
        standard = standard.max(dispatch::trusted_per_second(&NORMAL, run, Trust::Standard).await?);
    }
    table.note(&format!(
        "16 strangers and 4 trusted workers, window 64: {private:.0}/s at private, {standard:.0}/s at standard"
    ));
    let label = "durable null shards at standard against private";
    table.at_least(label, standard / private, "x", 0.5, 0.8);
    Ok(())
}

async fn growth_rows(table: &mut Table) -> Result<()> {
    let small = dispatch::repeated_us(&NORMAL, null_run(16, 64, 16, 10_000), 50).await?;
    let large = dispatch::drain(&NORMAL, null_run(16, 64, 16, 5_000_000))
        .await?
        .server_us;
    table.note(&format!(
        "CPU of a shard: {small:.2} us in jobs of 10 k, {large:.2} us in one of 5 M"
    ));
    table.at_most("CPU of a shard, 5 M against 10 k", large / small, "x", 1.5, 1.15);
    let few = dispatch::drain(&NORMAL, null_run(16, 16, 16, 1_000_000))
        .await?
        .server_us;
    let many = dispatch::drain(&NORMAL, null_run(4_000, 16, 16, 1_000_000))
        .await?
        .server_us;
    table.note(&format!(
        "CPU of a shard, window 16: {few:.2} us with 16 workers, {many:.2} us with 4,000"
    ));
    table.at_most(
        "CPU of a shard, 4,000 workers against 16",
        many / few,
        "x",
        2.0,
        1.3,
    );
    Ok(())
}
