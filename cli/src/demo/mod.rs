//! `elytra demo`: three jobs on a server and worker of its own, their answers checked by other means,
//! and a folder with the picture and the numbers.
//!
//! With `--once` everything is fresh, on a free port, and gone at the end; otherwise it is `elytra dev`
//! that has something to show: it goes on serving, and a second start finds the jobs done.
mod check;
mod primes;
mod report;
mod work;

use crate::args::DemoArgs;
use crate::context::DEV_FOLDER;
use crate::dev::House;
use crate::failure::{Code, Failure};
use crate::say::{Paint, note};
use anyhow::Context as _;
use elytra_client::{Client, Options};
use report::Report;
use std::path::PathBuf;

/// `elytra demo`.
pub(crate) async fn demo(args: &DemoArgs) -> Result<Code, Failure> {
    let fresh = tempfile::Builder::new()
        .prefix("elytra-demo-")
        .tempdir()
        .context("no temporary folder")?;
    let folder = if args.once {
        fresh.path().to_owned()
    } else {
        PathBuf::from(DEV_FOLDER)
    };
    let house = House::open(&args.dev, folder, args.once).await?;
    let shown = tokio::select! {
        shown = show(&house, args) => shown,
        () = crate::shell::told_to_stop() => {
            note("stopped before the demonstration was over");
            house.close().await?;
            return Ok(Code::Cancelled);
        }
    };
    if args.once {
        house.close().await?;
        return shown;
    }
    match shown {
        Ok(_) => note(&invitation(&house, Paint::stderr())),
        Err(failure) => note(&failure.text(Paint::stderr())),
    }
    house.serve().await
}

/// Runs and checks the jobs and writes the folder.
async fn show(house: &House, args: &DemoArgs) -> Result<Code, Failure> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("the folder {}", args.out.display()))?;
    let client = Client::new(Options::new(house.server()).token(&house.running.token))?;
    note(&format!(
        "elytra demo on {} · results go to {}",
        house.server(),
        args.out.display()
    ));
    let answers = work::run(&client, args.width).await?;
    let findings = check::all(&answers);
    let report = Report::new(&answers, &findings, client.workers().await?.workers);
    report.write(&args.out, &answers)?;
    note(&report.for_people());
    let wrong: Vec<_> = findings
        .iter()
        .filter_map(|finding| finding.wrong.clone())
        .collect();
    if wrong.is_empty() {
        return Ok(Code::Done);
    }
    Err(Failure::Other(anyhow::anyhow!(
        "the demonstration is not right: {}",
        wrong.join("; ")
    )))
}

fn invitation(house: &House, paint: Paint) -> String {
    let flags = house.flags();
    format!(
        "\n  {}\n    1. Open this in two tabs and press Start in both:\n       {}\n    \
         2. Submit something bigger there, or from another terminal:\n       \
         elytra run mandelbrot --param width=4096 --param height=3072 --picture big.png{flags}\n    \
         3. Close a tab in the middle; kill this process with -9 and start it again: the job goes on.\n\n  {}\n",
        paint.bold("What to do next"),
        house.page(),
        paint.dim("Ctrl-C stops."),
    )
}
