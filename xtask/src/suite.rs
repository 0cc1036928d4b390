//! `test`: every check of the house in order, with a table of what each cost and one closing line.
//!
//! A step that fails does not stop the ones that need nothing of it. Steps whose tests cannot be counted
//! (formatting, lints, builds) count as one test each.

use crate::command;
use crate::counts::Counts;
use crate::house::House;
use crate::{promises, setup, tidy, web};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Simulator runs in one `npm test`.
const SIM_SEEDS: &str = "200";

/// What `npm test` takes.
#[derive(Args)]
pub(crate) struct Test {
    /// Run only these steps (the names of the table), for example `fmt,clippy`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Leave these steps out.
    #[arg(long, value_delimiter = ',')]
    skip: Vec<String>,
}

type Run = fn(&House) -> Result<Counts>;

/// One row of the table.
struct Step {
    name: &'static str,
    /// Steps that must have passed, or been left out, before this one makes sense.
    needs: &'static [&'static str],
    run: Run,
}

const STEPS: [Step; 13] = [
    Step {
        name: "setup",
        needs: &[],
        run: |house| once(setup::run(house, true)),
    },
    Step {
        name: "fmt",
        needs: &[],
        run: fmt,
    },
    Step {
        name: "tidy",
        needs: &[],
        run: |house| once(tidy::run(house)),
    },
    Step {
        name: "web",
        needs: &["setup"],
        run: |house| once(web::build(house, &[])),
    },
    Step {
        name: "build",
        needs: &["web"],
        run: build,
    },
    Step {
        name: "rust",
        needs: &["build"],
        run: rust_tests,
    },
    Step {
        name: "clippy",
        needs: &["web"],
        run: clippy,
    },
    Step {
        name: "sim",
        needs: &["build"],
        run: sim,
    },
    Step {
        name: "node",
        needs: &["build"],
        run: node_tests,
    },
    Step {
        name: "typescript",
        needs: &["setup"],
        run: typescript,
    },
    Step {
        name: "playwright",
        needs: &["build"],
        run: playwright,
    },
    Step {
        name: "fuzz",
        needs: &["build"],
        run: fuzz,
    },
    Step {
        name: "promises",
        needs: &["rust", "playwright", "fuzz"],
        run: |house| once(promises::check(house)),
    },
];

/// How a step ended.
enum Ending {
    Passed,
    Failed(String),
    /// A step it needs failed; its name.
    NotRun(&'static str),
}

struct Row {
    name: &'static str,
    took: Duration,
    counts: Counts,
    ending: Ending,
}

/// Runs the chosen steps and prints the table; an error names the steps that failed.
pub(crate) fn run(house: &House, test: &Test) -> Result<()> {
    let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
    if let Some(unknown) = test
        .only
        .iter()
        .chain(&test.skip)
        .find(|name| !known.contains(&name.as_str()))
    {
        bail!("there is no step {unknown:?}; the steps are {}", known.join(", "));
    }
    promises::begin(house)?;
    let mut rows: Vec<Row> = Vec::new();
    for step in STEPS.iter().filter(|step| test.wants(step.name)) {
        let row = run_step(house, step, &rows);
        rows.push(row);
    }
    print_table(&rows);
    let failing: Vec<&str> = rows
        .iter()
        .filter(|row| !row.passed())
        .map(|row| row.name)
        .collect();
    if !failing.is_empty() {
        bail!("not passed: {}", failing.join(", "));
    }
    Ok(())
}

impl Test {
    fn wants(&self, name: &str) -> bool {
        let is_named = |names: &[String]| names.iter().any(|named| named == name);
        (self.only.is_empty() || is_named(&self.only)) && !is_named(&self.skip)
    }
}

impl Row {
    fn passed(&self) -> bool {
        matches!(self.ending, Ending::Passed)
    }
}

fn run_step(house: &House, step: &Step, before: &[Row]) -> Row {
    let broken = before
        .iter()
        .find(|row| step.needs.contains(&row.name) && !row.passed());
    if let Some(broken) = broken {
        let counts = Counts { passed: 0, failed: 1 };
        return Row {
            name: step.name,
            took: Duration::ZERO,
            counts,
            ending: Ending::NotRun(broken.name),
        };
    }
    eprintln!("\nxtask: ── {} ──", step.name);
    let started = Instant::now();
    let (counts, ending) = match (step.run)(house) {
        Ok(counts) => (counts, Ending::Passed),
        Err(error) => failed(&error),
    };
    Row {
        name: step.name,
        took: started.elapsed(),
        counts,
        ending,
    }
}

/// The counts of a failed step ride inside its error, where its tests could be counted.
fn failed(error: &anyhow::Error) -> (Counts, Ending) {
    eprintln!("xtask: {error:#}");
    let mut counts = error
        .downcast_ref::<TestsFailed>()
        .map_or_else(Counts::default, |tests| tests.counts);
    counts.failed = counts.failed.max(1);
    (counts, Ending::Failed(format!("{error:#}")))
}

fn print_table(rows: &[Row]) {
    println!(
        "\n{:<12} {:>8} {:>7} {:>7}  result",
        "step", "seconds", "passed", "failed"
    );
    let mut total = Counts::default();
    let mut took = Duration::ZERO;
    for row in rows {
        let result = match &row.ending {
            Ending::Passed => "ok".to_owned(),
            Ending::Failed(reason) => format!("FAILED: {}", reason.lines().next().unwrap_or_default()),
            Ending::NotRun(needs) => format!("not run: {needs} did not pass"),
        };
        let Counts { passed, failed } = row.counts;
        println!(
            "{:<12} {:>8.1} {passed:>7} {failed:>7}  {result}",
            row.name,
            row.took.as_secs_f64()
        );
        total += row.counts;
        took += row.took;
    }
    println!("{:<12} {:>8.1}\n", "all", took.as_secs_f64());
    println!("{} passed, {} failed", total.passed, total.failed);
}

/// A step that is one test by itself.
fn once(result: Result<()>) -> Result<Counts> {
    result.map(|()| Counts { passed: 1, failed: 0 })
}

fn fmt(house: &House) -> Result<Counts> {
    once(command::run(
        command::cargo(house).args(["fmt", "--all", "--check"]),
    ))
}

/// The same packages, features and profile as the tests, so that both share every dependency.
fn clippy(house: &House) -> Result<Counts> {
    let mut cargo = command::cargo(house);
    cargo.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]);
    once(command::run(&mut cargo))
}

/// Everything but this tool, which is running and must not be replaced under itself.
fn build(house: &House) -> Result<Counts> {
    let mut cargo = command::cargo(house);
    cargo.args([
        "build",
        "--workspace",
        "--exclude",
        "xtask",
        "--bins",
        "--tests",
        "--locked",
    ]);
    once(command::run(&mut cargo))
}

fn rust_tests(house: &House) -> Result<Counts> {
    let mut cargo = command::cargo(house);
    let has_nextest = command::output(command::cargo(house).args(["nextest", "--version"])).is_ok();
    let subcommand: &[&str] = if has_nextest {
        &["nextest", "run"]
    } else {
        &["test", "--bins", "--lib", "--tests"]
    };
    cargo
        .args(subcommand)
        .args(["--workspace", "--no-fail-fast", "--locked"])
        .env(promises::FOLDER_VARIABLE, promises::folder(house));
    counted(&mut cargo)
}

fn sim(house: &House) -> Result<Counts> {
    let mut sim = command::program(house, house.built("debug", "sim"));
    once(command::run(sim.args(["--seeds", SIM_SEEDS])))
}

fn fuzz(house: &House) -> Result<Counts> {
    let seen = crate::fuzz::all(house, crate::fuzz::SHORT)?;
    eprintln!("xtask: {seen}");
    once(promises::tell(house, "fuzz_all_parsers", &seen))
}

fn node_tests(house: &House) -> Result<Counts> {
    let files = node_test_files(house)?;
    if files.is_empty() {
        bail!("no node tests found");
    }
    // The SDK is tested as it is published.
    command::run(command::program(house, "node").arg("sdk/scripts/build.mjs"))?;
    let mut node = command::program(house, "node");
    node.env("XTASK_ELYTRA", house.built("debug", "elytra"));
    counted(node.args(["--test", "--test-reporter=spec"]).args(files))
}

/// `*.test.mjs` and `*.test.js` of our npm packages, as git knows them.
fn node_test_files(house: &House) -> Result<Vec<PathBuf>> {
    let mut git = command::program(house, "git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--"]);
    let listed = command::output(git.args(["*.test.mjs", "*.test.js", "scripts/*.test.mjs"]))?;
    Ok(listed.lines().map(PathBuf::from).collect())
}

fn typescript(house: &House) -> Result<Counts> {
    let mut tsc = command::program(house, house.npm_bin("tsc"));
    once(command::run(tsc.args(["--noEmit", "--project", "tsconfig.json"])))
}

/// The pages' tests, and those of every package that brings its own configuration.
fn playwright(house: &House) -> Result<Counts> {
    let mut counts = Counts::default();
    for package in ["playwright", "web-worker"] {
        let config = house.root.join(package).join("playwright.config.ts");
        if config.is_file() {
            let mut playwright = command::program(house, house.npm_bin("playwright"));
            playwright.arg("test").arg("--config").arg(config);
            playwright.env("XTASK_ELYTRA", house.built("debug", "elytra"));
            playwright.env(promises::FOLDER_VARIABLE, promises::folder(house));
            counts += counted(&mut playwright)?;
        }
    }
    Ok(counts)
}

/// Tests ran and some failed; carries how many.
#[derive(Debug)]
struct TestsFailed {
    counts: Counts,
    what: String,
}

impl std::fmt::Display for TestsFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {} passed, {} failed",
            self.what, self.counts.passed, self.counts.failed
        )
    }
}

impl std::error::Error for TestsFailed {}

/// Runs a test runner, shows what it says and counts its tests.
fn counted(command: &mut Command) -> Result<Counts> {
    let what = command::describe(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{what} cannot be started"))?;
    let stdout = child.stdout.take().context("no standard output")?;
    let stderr = child.stderr.take().context("no standard error")?;
    let errors = thread::spawn(move || show(stderr, std::io::stderr()));
    let mut counts = show(stdout, std::io::stdout());
    counts += errors.join().unwrap_or_default();
    if !child.wait()?.success() {
        return Err(TestsFailed { counts, what }.into());
    }
    Ok(counts)
}

/// Passes every line on and counts the tests in it.
fn show(from: impl Read, mut to: impl Write) -> Counts {
    let mut counts = Counts::default();
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        counts += Counts::in_line(&line);
        // A closed terminal must not end the tests.
        let _ = writeln!(to, "{line}");
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_is_an_earlier_step() {
        for (at, step) in STEPS.iter().enumerate() {
            for need in step.needs {
                assert!(
                    STEPS[..at].iter().any(|earlier| earlier.name == *need),
                    "{}: {need}",
                    step.name
                );
            }
        }
    }

    #[test]
    fn a_failed_step_fails_those_that_need_it_and_no_others() {
        let house = House {
            root: ".".into(),
            target: "target".into(),
            web_target: "web".into(),
        };
        let rows = [Row {
            name: "web",
            took: Duration::ZERO,
            counts: Counts::default(),
            ending: Ending::Failed("broken".into()),
        }];
        let needs_it = Step {
            name: "build",
            needs: &["web"],
            run: |_| once(Ok(())),
        };
        let free = Step {
            name: "fmt",
            needs: &[],
            run: |_| once(Ok(())),
        };
        assert!(!run_step(&house, &needs_it, &rows).passed());
        assert!(run_step(&house, &free, &rows).passed());
    }

    #[test]
    fn a_runner_that_fails_tells_its_counts() {
        let closing = "running 5 tests\ntest result: FAILED. 3 passed; 2 failed; 0 ignored\n";
        let counts = show(closing.as_bytes(), std::io::sink());
        let error = TestsFailed {
            counts,
            what: "cargo test".to_owned(),
        };
        assert_eq!(error.to_string(), "cargo test: 3 passed, 2 failed");
        assert_eq!(failed(&error.into()).0, Counts { passed: 3, failed: 2 });
    }
}
