//! `supply check`, `supply bill`, `supply refresh CHECKOUT`: see the library.
#![forbid(unsafe_code)]

use anyhow::{Result, bail};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use supply::{ADVISORIES, bill, findings, packages, refresh};

/// What comes in from outside.
#[derive(Parser)]
#[command(name = "supply")]
enum Cli {
    /// Known holes, licences and sources of everything that is compiled in.
    Check,
    /// Print the bill of materials as CycloneDX JSON.
    Bill,
    /// Copy the advisories that concern this house out of a checkout of the RustSec advisory database.
    Refresh {
        /// The checkout's folder.
        checkout: PathBuf,
        /// Its day and commit, such as "2026-08-21 bf5c0d245".
        origin: String,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("supply: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match cli {
        Cli::Check => {
            let findings = findings(&root)?;
            if !findings.is_empty() {
                bail!("{}", findings.join("\nsupply: "));
            }
            println!("{} packages, nothing known against them", packages(&root)?.len());
        }
        Cli::Bill => println!("{}", bill(&packages(&root)?)?),
        Cli::Refresh { checkout, origin } => {
            let copied = refresh(
                &root.join("Cargo.lock"),
                &checkout,
                &origin,
                &root.join(ADVISORIES),
            )?;
            println!("{copied} advisories");
        }
    }
    Ok(())
}
