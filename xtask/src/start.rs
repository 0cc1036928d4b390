//! `start`: sets up, builds everything in release and runs the demo job with the built `elytra`.

use crate::command;
use crate::house::House;
use crate::setup;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// What `npm start` takes.
#[derive(Args)]
pub(crate) struct Start {
    /// Run the demo job, write its results and end: 0 when it is right, 1 with the reason when not.
    #[arg(long)]
    once: bool,
    /// The folder that gets the picture and the numbers.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Handed to `elytra demo` as they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds in turbo's order (unchanged parts come from its cache), then becomes the demo.
pub(crate) fn run(house: &House, start: &Start) -> Result<()> {
    setup::run(house, false)?;
    build(house)?;
    let mut demo = command::program(house, house.built("release", "elytra"));
    demo.arg("demo");
    if start.once {
        demo.arg("--once");
    }
    if let Some(out) = &start.out {
        demo.arg("--out").arg(from_where_typed(out)?);
    }
    command::run(demo.args(&start.rest))
}

fn build(house: &House) -> Result<()> {
    let turbo = house.npm_bin("turbo");
    if !turbo.exists() {
        bail!("turbo is missing in node_modules; run npm ci");
    }
    let mut build = command::cargo_like(house, turbo);
    build.args(["run", "build:cli", "--ui=stream", "--output-logs=new-only"]);
    build
        .env("TURBO_TELEMETRY_DISABLED", "1")
        .env("DO_NOT_TRACK", "1")
        .env("TURBO_NO_UPDATE_NOTIFIER", "1");
    command::run(&mut build)
}

/// npm changes to the root of the repository; a relative path means the folder where the person typed it.
fn from_where_typed(path: &std::path::Path) -> Result<PathBuf> {
    let typed_in = std::env::var_os("INIT_CWD").map(PathBuf::from);
    Ok(typed_in.map_or_else(std::env::current_dir, Ok)?.join(path))
}
