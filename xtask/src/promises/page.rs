//! `docs/reliability.md`, out of the list of promises and what their tests saw last.
use super::Seen;
use super::list::{PROMISES, Promise, Test};
use std::fmt::Write as _;

const HEAD: &str = "# How reliable it is

Made by `cargo xtask soak` out of what the tests saw; not written by hand. Every promise has a test of the name beside it. `npm test` runs each in a short form and fails when one of them is missing; `cargo xtask soak` runs the full forms, `cargo xtask soak 4` those of promise 4. Where a test shows that something does not happen, a broken twin in which it does is part of the test.

What stands below is what the full form saw when it ran last.

| # | we promise | the full form asks for | test | it saw | when |
|---:|---|---|---|---|---|
";

const NOT_YET: &str = "only the short form has run so far";

/// The whole page.
pub(super) fn render(seen: &Seen) -> String {
    let mut page = HEAD.to_owned();
    for promise in PROMISES {
        for (at, test) in promise.tests.iter().enumerate() {
            row(&mut page, promise, test, at == 0, seen);
        }
    }
    machines(&mut page, seen);
    page
}

fn row(page: &mut String, promise: &Promise, test: &Test, is_first: bool, seen: &Seen) {
    let line = seen.get(test.name);
    let told = |key: &str| line.and_then(|line| line[key].as_str());
    let head = match is_first {
        true => format!("{} | {} | {}", promise.number, promise.words, promise.asked),
        false => " | | ".to_owned(),
    };
    let (saw, day) = (told("seen").unwrap_or(NOT_YET), told("day").unwrap_or(""));
    // Writing into a string never fails.
    let _ = writeln!(page, "| {head} | `{}` | {saw} | {day} |", test.name);
}

fn machines(page: &mut String, seen: &Seen) {
    let mut machines: Vec<&str> = seen
        .values()
        .filter_map(|line| line["machine"].as_str())
        .collect();
    machines.sort_unstable();
    machines.dedup();
    if !machines.is_empty() {
        let _ = writeln!(page, "\nRun on: {}.", machines.join("; "));
    }
}
