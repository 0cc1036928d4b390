//! Checks that read files as text: their length, what is left undone, words with one meaning, the map.

use super::{Finding, Source};
use std::collections::BTreeSet;

/// A file that is longer is two files.
const LINES_MAX: usize = 600;
const SIZED: [&str; 4] = [".rs", ".ts", ".mjs", ".css"];

/// What is not done is an issue, not a comment. Written in halves, because this file is checked too.
const UNDONE: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
];

/// Words that do not belong here, each with what to write instead.
const WORDS: [(&str, &str); 5] = [
    (concat!("white", "list"), "write `allow list`"),
    (concat!("black", "list"), "write `deny list`"),
    (
        concat!("credit", " window"),
        "flow control is the `window`; credit is verified work",
    ),
    (
        concat!("/ro", "ot/"),
        "paths of one machine do not belong in the house",
    ),
    (
        concat!("/ho", "me/"),
        "paths of one machine do not belong in the house",
    ),
];

/// What the map of the house is called.
const MAP: &str = "ARCHITECTURE.md";

/// Lengths, undone work and words of every file.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        findings.extend(too_long(source));
        if source.path == "package-lock.json" {
            findings.extend(registry_addresses(source));
        } else if !source.path.ends_with(".lock") {
            findings.extend(undone(source));
            findings.extend(words(source));
        }
    }
    findings
}

/// The map names every folder at the top, so that a newcomer finds each room.
pub(super) fn check_map(sources: &[Source]) -> Vec<Finding> {
    let folders: BTreeSet<&str> = sources
        .iter()
        .filter_map(|source| source.path.split_once('/'))
        .map(|at| at.0)
        // Settings of tools are no rooms.
        .filter(|folder| !folder.starts_with('.'))
        .collect();
    let Some(map) = sources.iter().find(|source| source.path == MAP) else {
        return vec![whole(MAP, "the map of the house is missing")];
    };
    let unnamed = folders
        .into_iter()
        .filter(|folder| !map.text.contains(&format!("{folder}/")));
    unnamed
        .map(|folder| whole(MAP, &format!("does not name the folder `{folder}/`")))
        .collect()
}

fn whole(place: &str, what: &str) -> Finding {
    Finding {
        place: place.to_owned(),
        line: 0,
        what: what.to_owned(),
    }
}

fn too_long(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().count();
    let is_sized = SIZED.iter().any(|ending| source.path.ends_with(ending));
    let what = format!("has {lines} lines, {LINES_MAX} are the most: split it by what its parts are for");
    (is_sized && lines > LINES_MAX).then(|| whole(&source.path, &what))
}

fn undone(source: &Source) -> Vec<Finding> {
    at_lines(source, |line| {
        let mark = super::identifiers(line).find(|word| UNDONE.contains(word))?;
        Some(format!(
            "{mark}: finish it, or file an issue and take the mark out"
        ))
    })
}

fn words(source: &Source) -> Vec<Finding> {
    at_lines(source, |line| {
        let line = line.to_lowercase();
        let (word, instead) = WORDS.iter().find(|(word, _)| line.contains(word))?;
        Some(format!("`{word}`: {instead}"))
    })
}

/// The lock file names packages by version and hash; the address of a registry ties it to one machine.
fn registry_addresses(source: &Source) -> Vec<Finding> {
    at_lines(source, |line| {
        let has_address = line.contains("\"resolved\"") && line.contains("://");
        has_address.then(|| "a registry address; `npm install` with our .npmrc leaves it out".to_owned())
    })
}

fn at_lines(source: &Source, rule: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let lines = source.text.lines().enumerate();
    let found = lines.filter_map(|(at, line)| rule(line).map(|what| (at + 1, what)));
    found
        .map(|(line, what)| Finding {
            place: source.path.clone(),
            line,
            what,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_clean_house_has_no_findings() {
        let clean = [
            source("protocol/src/ids.rs", "//! Ids.\n"),
            source("package-lock.json", "\"resolved\": \"playwright\","),
            source("ARCHITECTURE.md", "`protocol/` holds the words"),
        ];
        assert_eq!(check(&clean), []);
        assert_eq!(check_map(&clean), []);
    }

    #[test]
    fn broken_twins_are_found() {
        let long = "x\n".repeat(LINES_MAX + 1);
        for (path, text, part) in [
            ("a/src/lib.rs", long.as_str(), "lines"),
            ("a/src/lib.rs", concat!("// TO", "DO later"), "file an issue"),
            ("docs/a.md", concat!("the White", "list"), "allow list"),
            (
                "worker/src/a.rs",
                concat!("// the credit", " window"),
                "flow control",
            ),
            ("a/run.sh", concat!("cd /ho", "me/someone"), "one machine"),
            (
                "package-lock.json",
                "\"resolved\": \"https://registry.example/a.tgz\"",
                "registry address",
            ),
        ] {
            let findings = check(&[source(path, text)]);
            assert_eq!(findings.len(), 1, "{path}: {findings:?}");
            assert!(findings[0].what.contains(part), "{}", findings[0]);
        }
    }

    #[test]
    fn a_room_that_the_map_forgets_is_found() {
        let house = [
            source("ARCHITECTURE.md", "`protocol/`"),
            source("attic/a.rs", ""),
            source(".ci/run", ""),
        ];
        assert_eq!(check_map(&house).len(), 1);
        assert!(check_map(&house)[0].what.contains("`attic/`"));
        assert!(check_map(&house[1..])[0].what.contains("missing"));
    }
}
