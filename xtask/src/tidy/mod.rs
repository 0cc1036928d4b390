//! `tidy`: the rules of the house that no compiler checks. Each check takes text and gives findings, so each
//! has a broken twin beside it in which it must speak up.

mod direction;
mod purity;
mod text;

use crate::command;
use crate::house::House;
use anyhow::{Context as _, Result, bail};
use std::fmt;
use std::fs;
use std::path::Path;

/// A rule that is broken somewhere.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// The file or package.
    place: String,
    /// Starting at 1; 0 where the whole file is meant.
    line: usize,
    /// What is wrong and what to do.
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.place, self.what),
            line => write!(f, "{}:{line}: {}", self.place, self.what),
        }
    }
}

/// A text file of the repository; the path is relative to the root and uses `/`.
struct Source {
    path: String,
    text: String,
}

/// Runs every check; findings are printed one a line, and any of them is an error.
pub(crate) fn run(house: &House) -> Result<()> {
    let sources = sources(house)?;
    let mut findings = text::check(&sources);
    findings.extend(purity::check(&sources));
    findings.extend(direction::check(&sources, &metadata(house)?)?);
    findings.extend(text::check_map(&sources));
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy found {} things to put right", findings.len());
    }
    eprintln!("xtask: {} files are tidy", sources.len());
    Ok(())
}

/// Every text file that git tracks or would track.
fn sources(house: &House) -> Result<Vec<Source>> {
    let mut git = command::program(house, "git");
    let listed = command::output(git.args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--deduplicate",
    ]))?;
    let mut sources = Vec::new();
    for path in listed.lines() {
        let file = house.root.join(path);
        // Deleted but not yet committed, or a folder of another repository.
        if !file.is_file() {
            continue;
        }
        if let Some(text) = read_text(&file)? {
            sources.push(Source {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(sources)
}

fn read_text(file: &Path) -> Result<Option<String>> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8(bytes).ok())
}

fn metadata(house: &House) -> Result<serde_json::Value> {
    let mut cargo = command::cargo(house);
    let text = command::output(cargo.args(["metadata", "--no-deps", "--format-version=1", "--offline"]))?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}

/// Code without its line comments, so that rules speak about code only.
fn code_of(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// The identifiers of a piece of code.
fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|at: char| !at.is_alphanumeric() && at != '_')
        .filter(|word| !word.is_empty())
}
