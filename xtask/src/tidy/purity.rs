//! Above the shells there is no clock, socket, file, thread or unseeded chance: all of it comes in as arguments.

use super::{Finding, Source, code_of, identifiers};

/// The crates whose code must be pure; their tests may do what they like.
const PURE: [&str; 7] = [
    "protocol",
    "scheduler",
    "worker",
    "program",
    "wasi",
    "kernels/abi",
    "sim",
];

/// The simulator's command line reads arguments and prints; the rest of it is pure.
const DOORS: [&str; 2] = ["sim/src/main.rs", "sim/src/bin/"];

/// Names that only something impure has. The order of a standard hash map is chance too: it differs in each
/// process.
const NAMES: [&str; 9] = [
    "Instant",
    "SystemTime",
    "tokio",
    "getrandom",
    "thread_rng",
    "TcpStream",
    "RandomState",
    "HashMap",
    "HashSet",
];

/// Modules of the standard library that only impure code needs.
const MODULES: [&str; 5] = ["net", "fs", "thread", "process", "env"];

/// Every use of a clock, a file, a socket, a thread or chance in a pure crate.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    sources
        .iter()
        .filter(|source| is_pure(&source.path))
        .flat_map(impurities)
        .collect()
}

fn is_pure(path: &str) -> bool {
    let in_crate = PURE.iter().any(|pure| path.starts_with(&format!("{pure}/src/")));
    in_crate && path.ends_with(".rs") && !DOORS.iter().any(|door| path.starts_with(door))
}

fn impurities(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in before_tests(&source.text).enumerate() {
        if let Some(name) = impure_name(code_of(line)) {
            let what = format!("`{name}` in a pure crate: take time, chance and the network as arguments");
            findings.push(Finding {
                place: source.path.clone(),
                line: at + 1,
                what,
            });
        }
    }
    findings
}

/// A test module at the end of a file may use what it likes.
fn before_tests(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"))
}

fn impure_name(code: &str) -> Option<String> {
    if let Some(name) = identifiers(code).find(|word| NAMES.contains(word)) {
        return Some(name.to_owned());
    }
    let (_, after) = code.split_once("std::")?;
    let group = after.strip_prefix('{').map_or(after, |group| group);
    let tops = if group.len() == after.len() {
        vec![group]
    } else {
        group.split(',').collect()
    };
    let modules = tops.into_iter().filter_map(|top| identifiers(top).next());
    modules
        .into_iter()
        .find(|module| MODULES.contains(module))
        .map(|module| format!("std::{module}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(&[Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }])
        .len()
    }

    #[test]
    fn pure_code_shells_and_tests_have_no_findings() {
        for (path, text) in [
            (
                "scheduler/src/lease.rs",
                "use std::time::Duration; // not std::time::Instant",
            ),
            (
                "scheduler/src/lease.rs",
                "#[cfg(test)]\nmod tests { use std::fs; }",
            ),
            ("scheduler/tests/scenarios.rs", "use std::fs;"),
            (
                "coordinator/src/lib.rs",
                "use std::time::Instant; use tokio::net;",
            ),
            ("sim/src/main.rs", "use std::env;"),
        ] {
            assert_eq!(findings(path, text), 0, "{path}: {text}");
        }
    }

    #[test]
    fn broken_twins_are_found() {
        for text in [
            "use std::time::Instant;",
            "let now = std::time::SystemTime::now();",
            "use std::net::TcpListener;",
            "use std::{collections::BTreeMap, fs};",
            "std::thread::spawn(run);",
            "tokio::spawn(run());",
            "let seed = getrandom::u64();",
            "let leases: HashMap<LeaseId, Lease> = HashMap::new();",
        ] {
            assert_eq!(findings("worker/src/lib.rs", text), 1, "{text}");
        }
    }
}
