//! Known holes in the crates of `Cargo.lock`, from advisories that lie beside this file.
use crate::policy::Policy;
use anyhow::{Context as _, Result};
use rustsec::advisory::Informational;
use rustsec::report::Settings;
use rustsec::{Database, Lockfile, Report};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Where the advisories lie, from the root of the house.
pub const ADVISORIES: &str = "xtask/supply/advisories";
/// The day and the commit of the database that they were copied from.
const ORIGIN: &str = "ORIGIN";

/// One line for each advisory that concerns a version in the lock file and that the policy does not except.
pub fn holes(lock: &Path, advisories: &Path, policy: &Policy) -> Result<Vec<String>> {
    let database = Database::open(advisories).with_context(|| advisories.display().to_string())?;
    let lockfile = Lockfile::load(lock).with_context(|| lock.display().to_string())?;
    let ignore = policy.ignored.iter().map(|id| id.parse());
    let settings = Settings {
        ignore: ignore
            .collect::<Result<_, _>>()
            .context("deny.toml: advisories.ignore")?,
        informational_warnings: vec![Informational::Unsound, Informational::Unmaintained],
        ..Settings::default()
    };
    let report = Report::generate(&database, &lockfile, &settings);
    let mut lines: Vec<String> = report
        .vulnerabilities
        .list
        .iter()
        .map(|hole| {
            let fixed: Vec<String> = hole.versions.patched().iter().map(ToString::to_string).collect();
            format!(
                "{} {}: {} ({}); fixed in {}",
                hole.package.name,
                hole.package.version,
                hole.advisory.title,
                hole.advisory.id,
                if fixed.is_empty() {
                    "no version".into()
                } else {
                    fixed.join(" or ")
                },
            )
        })
        .collect();
    for warning in report.warnings.values().flatten() {
        let told = warning.advisory.as_ref();
        let told = told.map_or_else(String::new, |told| format!(": {} ({})", told.title, told.id));
        lines.push(format!(
            "{} {} is {}{told}",
            warning.package.name,
            warning.package.version,
            warning.kind.as_str()
        ));
    }
    Ok(lines)
}

/// Copies the advisories of the crates in the lock file out of a checkout of the database.
pub fn refresh(lock: &Path, checkout: &Path, origin: &str, to: &Path) -> Result<usize> {
    let lockfile = Lockfile::load(lock).with_context(|| lock.display().to_string())?;
    let names: BTreeSet<&str> = lockfile
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    if to.is_dir() {
        fs::remove_dir_all(to).with_context(|| to.display().to_string())?;
    }
    let mut copied = 0;
    for name in names {
        let folder = checkout.join("crates").join(name);
        if folder.is_dir() {
            copied += copy(&folder, &to.join("crates").join(name))?;
        }
    }
    fs::write(to.join(ORIGIN), format!("{origin}\n")).with_context(|| to.display().to_string())?;
    Ok(copied)
}

fn copy(from: &Path, to: &Path) -> Result<usize> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    let mut copied = 0;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))
            .with_context(|| entry.path().display().to_string())?;
        copied += 1;
    }
    Ok(copied)
}
