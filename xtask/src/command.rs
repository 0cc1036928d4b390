//! Starting other programs: in the right folder, with a clean environment, and with an error that names them.

use crate::house::House;
use anyhow::{Context as _, Result, bail};
use std::env;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a bounded wait looks whether the program has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A program run in the root of the house, without what the outer cargo left in the environment.
pub(crate) fn program(house: &House, name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(&house.root);
    for (variable, _) in env::vars_os() {
        if variable.to_str().is_some_and(is_of_outer_cargo) {
            command.env_remove(variable);
        }
    }
    command
}

/// The cargo of this machine, building native code into the target folder of the house.
pub(crate) fn cargo(house: &House) -> Command {
    cargo_like(house, "cargo")
}

/// A program that starts cargo itself, so that it builds into the same target folder.
pub(crate) fn cargo_like(house: &House, name: impl AsRef<OsStr>) -> Command {
    let mut command = program(house, name);
    command.env("CARGO_TARGET_DIR", &house.target);
    command
}

/// Runs it on this terminal; an exit code other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if !status.success() {
        bail!("{} failed ({status})", describe(command));
    }
    Ok(())
}

/// Runs it and returns what it wrote to standard output, trimmed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_started(command, &error))?;
    if !done.status.success() {
        let reason = String::from_utf8_lossy(&done.stderr);
        bail!(
            "{} failed ({}): {}",
            describe(command),
            done.status,
            reason.trim()
        );
    }
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

/// Runs it on this terminal, but stops it after `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    while Instant::now() < deadline {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("{} failed ({status})", describe(command)),
            None => thread::sleep(POLL_INTERVAL),
        }
    }
    child
        .kill()
        .with_context(|| format!("{} did not end and cannot be stopped", describe(command)))?;
    child.wait()?;
    bail!("{} did not end within {} s", describe(command), limit.as_secs());
}

/// Whether a program of this name answers `--version`.
pub(crate) fn answers(name: impl AsRef<OsStr>) -> bool {
    let mut command = Command::new(name);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The command as a person would type it, without its environment.
pub(crate) fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn not_started(command: &Command, error: &std::io::Error) -> anyhow::Error {
    let name = command.get_program().to_string_lossy();
    match error.kind() {
        ErrorKind::NotFound => {
            anyhow::anyhow!("{name} is not installed; see CONTRIBUTING.md for what is needed")
        }
        _ => anyhow::anyhow!("{name} cannot be started: {error}"),
    }
}

/// Variables that cargo and rustup set for us, or that choose a compiler: inside, the choice is ours.
/// Settings of the network and the registries stay as the machine has them.
fn is_of_outer_cargo(variable: &str) -> bool {
    const NAMES: [&str; 11] = [
        "CARGO",
        "CARGO_CRATE_NAME",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_DIR",
        "LD_LIBRARY_PATH",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
        "RUST_RECURSION_COUNT",
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
    ];
    const PREFIXES: [&str; 6] = [
        "CARGO_PKG_",
        "CARGO_BIN_",
        "CARGO_BUILD_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "RUSTC",
    ];
    NAMES.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_cargo_does_not_leak_but_the_network_settings_stay() {
        for leaked in [
            "CARGO",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "CARGO_PKG_NAME",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(
                is_of_outer_cargo(leaked),
                "{leaked} must not reach an inner cargo"
            );
        }
        for kept in [
            "CARGO_HOME",
            "CARGO_HTTP_CAINFO",
            "CARGO_NET_OFFLINE",
            "RUSTUP_HOME",
            "PATH",
        ] {
            assert!(!is_of_outer_cargo(kept), "{kept} belongs to the machine");
        }
    }

    #[test]
    fn a_program_that_hangs_is_stopped_and_named() {
        let mut sleep = Command::new("sleep");
        let error = run_within(sleep.arg("60"), Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().starts_with("sleep 60 did not end"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-of-elytra")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("no-such-program-of-elytra is not installed"),
            "{error}"
        );
    }
}
