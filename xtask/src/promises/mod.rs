//! `soak`: the promises' tests in their full form, one after the other, and the page that is made of
//! what they saw.
//!
//! What a test saw last is kept in `docs/reliability.json`, a line for each test, with its day and its
//! machine; `docs/reliability.md` is made of that and of the list. `npm test` runs the short forms,
//! and then asks here whether each test of the list ran and the page is what it has to be.
mod list;
mod page;

use crate::house::House;
use crate::{command, fuzz};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use list::{PROMISES, Place, Promise, Test};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// As in the crate `promise`.
pub(crate) const FOLDER_VARIABLE: &str = "XTASK_PROMISES";
const SOAK_VARIABLE: &str = "XTASK_SOAK";
const SEEN: &str = "docs/reliability.json";
const PAGE: &str = "docs/reliability.md";
/// No full form may take longer.
const TEST_TIME_MAX: Duration = Duration::from_secs(90 * 60);

/// What `cargo xtask soak` takes.
#[derive(Args)]
pub(crate) struct Soak {
    /// Only these: numbers of promises or names of tests; all when nothing is named.
    only: Vec<String>,
    /// Run nothing: write the page of what was seen last.
    #[arg(long)]
    page: bool,
}

/// What was seen, by the name of the test.
type Seen = BTreeMap<String, Value>;

/// Runs the full forms, writes down what each saw, and makes the page again after each.
pub(crate) fn soak(house: &House, soak: &Soak) -> Result<()> {
    let chosen = chosen(&soak.only)?;
    let mut failed = Vec::new();
    for (promise, test) in chosen.iter().filter(|_| !soak.page) {
        eprintln!("\nxtask: ── promise {}: {} ──", promise.number, test.name);
        let ran = full_form(house, test);
        if let Err(error) = &ran {
            eprintln!("xtask: {error:#}");
            failed.push(test.name);
        }
        note(house, test, ran.is_ok())?;
    }
    let seen = read(&house.root.join(SEEN))?;
    write(&house.root.join(PAGE), &page::render(&seen))?;
    if !failed.is_empty() {
        bail!("not kept: {}", failed.join(", "));
    }
    Ok(())
}

/// Whether every test of the list told what it saw in this run of `npm test`, and the page is up to date.
pub(crate) fn check(house: &House) -> Result<()> {
    let folder = folder(house);
    let silent: Vec<&str> = all()
        .filter(|(_, test)| !folder.join(format!("{}.json", test.name)).is_file())
        .map(|(_, test)| test.name)
        .collect();
    if !silent.is_empty() {
        bail!(
            "tests of promises that did not say what they saw: {}",
            silent.join(", ")
        );
    }
    let wanted = page::render(&read(&house.root.join(SEEN))?);
    let there = fs::read_to_string(house.root.join(PAGE)).unwrap_or_default();
    if there != wanted {
        bail!("{PAGE} is not what {SEEN} and the list of promises make of it: cargo xtask soak --page");
    }
    Ok(())
}

/// Where the tests of one run tell what they saw; empty at its begin.
pub(crate) fn folder(house: &House) -> PathBuf {
    house.root.join("out/promises")
}

/// Forgets what an earlier run told.
pub(crate) fn begin(house: &House) -> Result<()> {
    let folder = folder(house);
    if folder.is_dir() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())
}

fn all() -> impl Iterator<Item = (&'static Promise, &'static Test)> {
    PROMISES
        .iter()
        .flat_map(|promise| promise.tests.iter().map(move |test| (promise, test)))
}

fn chosen(only: &[String]) -> Result<Vec<(&'static Promise, &'static Test)>> {
    let named =
        |promise: &Promise, test: &Test, name: &str| name == test.name || name == promise.number.to_string();
    let known = |name: &&String| all().any(|(promise, test)| named(promise, test, name));
    if let Some(unknown) = only.iter().find(|name| !known(name)) {
        let names: Vec<&str> = all().map(|(_, test)| test.name).collect();
        bail!(
            "there is no promise {unknown:?}; the tests are {}",
            names.join(", ")
        );
    }
    Ok(all()
        .filter(|(promise, test)| only.is_empty() || only.iter().any(|name| named(promise, test, name)))
        .collect())
}

fn full_form(house: &House, test: &Test) -> Result<()> {
    begin(house)?;
    let Some(mut command) = runner(house, test) else {
        let seen = fuzz::all(house, fuzz::FULL)?;
        return tell(house, test.name, &seen);
    };
    command
        .env(SOAK_VARIABLE, "1")
        .env(FOLDER_VARIABLE, folder(house))
        .env("XTASK_ELYTRA", house.built("debug", "elytra"));
    command::run_within(&mut command, TEST_TIME_MAX)
}

/// The program that runs a test; none where this tool does it itself.
fn runner(house: &House, test: &Test) -> Option<Command> {
    Some(match test.place {
        Place::Rust { package, target } => cargo_test(house, &[], package, target, test.name),
        Place::FastRust { package, target } => cargo_test(house, &["--release"], package, target, test.name),
        Place::Browser(file) => {
            let mut playwright = command::program(house, house.npm_bin("playwright"));
            let config = house.root.join("playwright/playwright.config.ts");
            playwright.arg("test").arg("--config").arg(config);
            playwright.args([file, "--grep", test.name]);
            playwright
        }
        Place::Fuzz => return None,
    })
}

/// As the crate `promise` does it, for a test that is a task of this tool.
pub(crate) fn tell(house: &House, test: &str, seen: &str) -> Result<()> {
    let line = json!({ "test": test, "seen": seen });
    write(&folder(house).join(format!("{test}.json")), &line.to_string())
}

fn cargo_test(house: &House, profile: &[&str], package: &str, target: &str, name: &str) -> Command {
    let mut cargo = command::cargo(house);
    cargo
        .args(["test", "--locked", "--package", package])
        .args(profile);
    match target {
        "lib" => cargo.arg("--lib"),
        _ => cargo.args(["--test", target]),
    };
    cargo.args(["--", name, "--nocapture"]);
    cargo
}

/// Writes down what a test saw, with the day and the machine; that it failed, where it did.
fn note(house: &House, test: &Test, passed: bool) -> Result<()> {
    let told = fs::read_to_string(folder(house).join(format!("{}.json", test.name))).ok();
    let told: Option<Value> = told.and_then(|text| serde_json::from_str(&text).ok());
    let seen = match told {
        Some(told) if passed => told["seen"].clone(),
        None if passed => bail!("{} passed and did not say what it saw", test.name),
        _ => Value::from("**not kept**"),
    };
    let mut all = read(&house.root.join(SEEN))?;
    let line = json!({ "seen": seen, "day": today(house)?, "machine": machine(house)? });
    all.insert(test.name.to_owned(), line);
    let mut text = serde_json::to_string_pretty(&all)?;
    text.push('\n');
    write(&house.root.join(SEEN), &text)
}

fn read(path: &Path) -> Result<Seen> {
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| path.display().to_string()),
        Err(_) => Ok(Seen::new()),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}

fn today(house: &House) -> Result<String> {
    command::output(command::program(house, "date").args(["-u", "+%F"]))
}

/// Cores, processor and system, as far as this system tells them.
fn machine(house: &House) -> Result<String> {
    let system = command::output(command::program(house, "uname").args(["-sr"]))?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = told.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
    Ok(format!("{cores} cores, {model}, {system}"))
}
