//! `fuzz`: every parser against bytes that libFuzzer makes up, several at a time.
//!
//! Our own crates are built once more, with what the engine has to see; everything else is shared with the
//! ordinary build. What the engine found out lies in `out/fuzz` and is where the next run begins; an input
//! that broke something is put into `fuzz/kept`, where it belongs to the repository.

use crate::command;
use crate::house::House;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How long each parser is tried, and how long one input may take before it is a finding.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    seconds: u64,
    input_s_max: u32,
    /// Where libFuzzer's chance begins; 0 lets it choose.
    seed: u32,
}

/// In `npm test`, where other programs may want the machine too; a change is tried with the same chance
/// again and again, so that what it breaks is its own doing.
pub(crate) const SHORT: Form = Form {
    seconds: 60,
    input_s_max: 10,
    seed: 1,
};
/// In `cargo xtask soak`. Who has a day gives it: `cargo xtask fuzz --seconds 10800`.
pub(crate) const FULL: Form = Form {
    seconds: 600,
    input_s_max: 1,
    seed: 0,
};
/// Parsers that are tried at the same time.
const FOR_EACH_CORE: usize = 2;
const MEMORY_MIB_MAX: u32 = 2_048;
const INPUT_BYTES_MAX: u32 = 64 << 10;
const WRAPPER: &str = "scripts/see-coverage.sh";
/// As in `fuzz/src/lib.rs`; a name that is not there is an error of the program.
const TARGETS: [&str; 8] = [
    "frames",
    "blobs",
    "admission",
    "scripts",
    "jobs",
    "wasi",
    "tokens",
    "config",
];

/// What `cargo xtask fuzz` takes.
#[derive(Args)]
pub(crate) struct Fuzz {
    /// Only these parsers; all when nothing is named.
    only: Vec<String>,
    /// How long each is tried.
    #[arg(long, default_value_t = FULL.seconds)]
    seconds: u64,
}

/// Runs what was asked for and says what was found.
pub(crate) fn run(house: &House, fuzz: &Fuzz) -> Result<()> {
    if let Some(unknown) = fuzz.only.iter().find(|name| !TARGETS.contains(&name.as_str())) {
        bail!(
            "there is no target {unknown:?}; the targets are {}",
            TARGETS.join(", ")
        );
    }
    let wanted = |name: &&str| fuzz.only.is_empty() || fuzz.only.iter().any(|only| only == name);
    let names: Vec<&str> = TARGETS.into_iter().filter(wanted).collect();
    let form = Form {
        seconds: fuzz.seconds,
        ..FULL
    };
    println!("{}", several(house, &names, form)?);
    Ok(())
}

/// Tries every parser and says in a line what that was; an error names what broke and the input that did it.
pub(crate) fn all(house: &House, form: Form) -> Result<String> {
    several(house, &TARGETS, form)
}

fn several(house: &House, names: &[&str], form: Form) -> Result<String> {
    let program = build(house)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (mut inputs, mut broken) = (0, Vec::new());
    for group in names.chunks(cores * FOR_EACH_CORE) {
        eprintln!("xtask: {} for {} s", group.join(" and "), form.seconds);
        let started = group.iter().map(|name| start(house, &program, name, form));
        let started = started.collect::<Result<Vec<_>>>()?;
        for (name, mut child) in group.iter().zip(started) {
            let status = child.wait().with_context(|| format!("the fuzzer of {name}"))?;
            let log = fs::read_to_string(log_file(house, name)).unwrap_or_default();
            inputs += executed(&log);
            if !status.success() {
                broken.push(format!("{name}: {}", what_broke(&log)));
            }
        }
    }
    if !broken.is_empty() {
        bail!(
            "{}; the inputs lie in fuzz/kept, what was said in out/fuzz",
            broken.join("; ")
        );
    }
    let (count, seconds) = (names.len(), form.seconds);
    Ok(format!(
        "{count} parsers, {seconds} s each, {inputs} inputs, 0 broke anything"
    ))
}

/// Builds the program and puts it where the ordinary build does not overwrite it.
fn build(house: &House) -> Result<PathBuf> {
    let mut cargo = command::cargo(house);
    cargo.args([
        "build",
        "--locked",
        "--package",
        "fuzz",
        "--bin",
        "fuzz",
        "--features",
        "engine",
    ]);
    command::run(cargo.env("RUSTC_WORKSPACE_WRAPPER", house.root.join(WRAPPER)))?;
    let to = folder(house).join("fuzz");
    fs::create_dir_all(folder(house)).with_context(|| to.display().to_string())?;
    fs::copy(house.built("debug", "fuzz"), &to).with_context(|| to.display().to_string())?;
    Ok(to)
}

fn start(house: &House, program: &Path, name: &str, form: Form) -> Result<Child> {
    let (found, seeds) = (folder(house).join(name), house.root.join("fuzz/seeds").join(name));
    let kept = house.root.join("fuzz/kept").join(name);
    for folder in [&found, &seeds, &kept] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let log = fs::File::create(log_file(house, name)).context("out/fuzz")?;
    let mut fuzz: Command = command::program(house, program);
    fuzz.env("FUZZ_TARGET", name)
        .arg(format!("-max_total_time={}", form.seconds))
        .arg(format!("-timeout={}", form.input_s_max))
        .arg(format!("-seed={}", form.seed))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-artifact_prefix={}/", kept.display()))
        .arg("-print_final_stats=1")
        .args([found, seeds])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    fuzz.spawn()
        .with_context(|| format!("the fuzzer of {name} cannot be started"))
}

fn folder(house: &House) -> PathBuf {
    house.root.join("out/fuzz")
}

fn log_file(house: &House, name: &str) -> PathBuf {
    folder(house).join(format!("{name}.log"))
}

/// How many inputs the engine says it tried.
fn executed(log: &str) -> u64 {
    let told = log
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    told.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// The line that names the cause.
fn what_broke(log: &str) -> &str {
    let causes = ["panicked at", "ERROR: libFuzzer", "SUMMARY:"];
    let cause = log
        .lines()
        .find(|line| causes.iter().any(|cause| line.contains(cause)));
    cause.unwrap_or("it ended and did not say why")
}
