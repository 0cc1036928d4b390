//! Who may know whom. The words lie at the bottom, the hearts above them, then the shells, then the faces;
//! an arrow the other way would let a shell's clock or socket into a heart.

use super::{Finding, Source, code_of, identifiers};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::BTreeSet;

/// Each package of ours and those of ours that it may build on. Tests may use more.
const MAY_KNOW: [(&str, &[&str]); 27] = [
    ("kernel-abi", &[]),
    ("kernel-macros", &[]),
    ("elytra-kernel", &["kernel-abi", "kernel-macros"]),
    ("rust-core", &["elytra-kernel", "kernel-abi"]),
    ("path-tracer", &["elytra-kernel"]),
    ("protocol", &["kernel-abi"]),
    ("scheduler", &["protocol", "kernel-abi"]),
    ("worker", &["protocol", "kernel-abi"]),
    ("script-engine", &[]),
    // Whom a client believes: beneath all that connects.
    ("tls", &[]),
    ("program", &["protocol", "kernel-abi", "script-engine"]),
    ("wasi", &["kernel-abi"]),
    ("wasi-guest", &["wasi"]),
    ("runtime", &["protocol", "kernel-abi", "program", "wasi"]),
    ("sim", &["protocol", "kernel-abi", "scheduler", "worker"]),
    (
        "coordinator",
        &[
            "protocol",
            "kernel-abi",
            "program",
            "scheduler",
            "script-engine",
            "tls",
            // What a worker would read, for who replays a shard.
            "worker",
        ],
    ),
    (
        "native-worker",
        &["protocol", "kernel-abi", "program", "runtime", "tls", "worker"],
    ),
    ("web-worker", &["protocol", "kernel-abi", "worker"]),
    ("dashboard", &["protocol", "kernel-abi"]),
    ("elytra-client", &["protocol", "tls"]),
    (
        "elytra",
        &[
            "protocol",
            "elytra-client",
            "kernel-abi",
            "coordinator",
            "native-worker",
            // Whether a file would be admitted, asked without a server.
            "program",
            "runtime",
        ],
    ),
    (
        "bench",
        &[
            "protocol",
            "kernel-abi",
            "scheduler",
            "worker",
            "program",
            "runtime",
            "coordinator",
            "native-worker",
            "rust-core",
            "elytra-kernel",
            "tls",
        ],
    ),
    ("functions", &["protocol", "kernel-abi", "program", "runtime"]),
    // Only tests know it.
    ("promise", &[]),
    (
        "fuzz",
        &["protocol", "kernel-abi", "program", "wasi", "coordinator"],
    ),
    ("supply", &[]),
    ("xtask", &[]),
];

/// The command line starts these as libraries, from one file.
const SHELLS: [&str; 3] = ["coordinator", "native_worker", "runtime"];

/// Arrows that point the wrong way, and shells started from more than one file.
pub(super) fn check(sources: &[Source], metadata: &Value) -> Result<Vec<Finding>> {
    let mut findings = wrong_arrows(metadata)?;
    findings.extend(second_starters(sources));
    Ok(findings)
}

fn wrong_arrows(metadata: &Value) -> Result<Vec<Finding>> {
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata names no packages")?;
    let ours: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package without a name")?;
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(known, _)| *known == name) else {
            findings.push(finding(
                name,
                "a new package: say in xtask/src/tidy/direction.rs whom it may know",
            ));
            continue;
        };
        let known = dependencies(package).filter(|known| ours.contains(known) && !allowed.contains(known));
        findings.extend(known.map(|known| finding(name, &format!("must not depend on `{known}`"))));
    }
    Ok(findings)
}

/// Names of what a package builds on; what only its tests use is left out.
fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    all.filter(|dependency| dependency["kind"] != "dev")
        .filter_map(|dependency| dependency["name"].as_str())
}

fn second_starters(sources: &[Source]) -> Vec<Finding> {
    let starts = |source: &&Source| {
        source.path.starts_with("cli/src/")
            && source
                .text
                .lines()
                .any(|line| first_of_paths(code_of(line)).any(|name| SHELLS.contains(&name)))
    };
    let starters: Vec<&Source> = sources.iter().filter(starts).collect();
    let further = starters.iter().skip(1);
    further
        .map(|source| {
            finding(
                &source.path,
                &format!("shells are started from `{}` only", starters[0].path),
            )
        })
        .collect()
}

/// The names that begin a path, such as `coordinator` in `coordinator::config::load`.
fn first_of_paths(code: &str) -> impl Iterator<Item = &str> {
    let pieces: Vec<&str> = code.split("::").collect();
    let before_colons = pieces.len() - 1;
    let begins = move |at: usize, piece: &str, name: &str| at == 0 || piece.trim() != name;
    pieces
        .into_iter()
        .take(before_colons)
        .enumerate()
        .filter_map(move |(at, piece)| {
            let name = identifiers(piece).last()?;
            begins(at, piece, name).then_some(name)
        })
}

fn finding(place: &str, what: &str) -> Finding {
    Finding {
        place: place.to_owned(),
        line: 0,
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn house(name: &str, dependency: &str, kind: Value) -> Value {
        let packages = json!([
            { "name": name, "dependencies": [{ "name": dependency, "kind": kind }] },
            { "name": dependency, "dependencies": [] },
        ]);
        json!({ "packages": packages })
    }

    fn started_from(files: &[&str]) -> Vec<Finding> {
        let text = "let server = coordinator::run(listener).await?;".to_owned();
        let sources: Vec<Source> = files
            .iter()
            .map(|path| Source {
                path: (*path).to_owned(),
                text: text.clone(),
            })
            .collect();
        second_starters(&sources)
    }

    #[test]
    fn arrows_down_and_arrows_of_tests_are_right() {
        assert_eq!(
            wrong_arrows(&house("scheduler", "protocol", Value::Null)).unwrap(),
            []
        );
        assert_eq!(
            wrong_arrows(&house("coordinator", "runtime", json!("dev"))).unwrap(),
            []
        );
        assert_eq!(started_from(&["cli/src/shells.rs", "coordinator/src/lib.rs"]), []);
        let names: Vec<&str> = first_of_paths("let a = tokio::runtime::Builder::new(worker::run)").collect();
        assert_eq!(names, ["tokio", "worker"]);
    }

    #[test]
    fn broken_twins_are_found() {
        for (name, dependency) in [
            ("protocol", "scheduler"),
            ("scheduler", "worker"),
            ("dashboard", "coordinator"),
            ("runtime", "rust-core"),
        ] {
            let findings = wrong_arrows(&house(name, dependency, Value::Null)).unwrap();
            assert_eq!(findings.len(), 1, "{name} -> {dependency}");
        }
        let stranger = wrong_arrows(&house("attic", "protocol", Value::Null)).unwrap();
        assert!(stranger[0].what.contains("a new package"));
        assert_eq!(started_from(&["cli/src/shells.rs", "cli/src/main.rs"]).len(), 1);
    }
}
