//! Counts of passed and failed tests, read from the closing lines of the test runners we use.

use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl Counts {
    /// What one line of a runner's output adds: nextest's and cargo test's summaries, node's `# pass N` and
    /// Playwright's `N passed`. cargo test's summary that is indented is one that nextest shows of a failed test.
    pub(crate) fn in_line(line: &str) -> Counts {
        let plain = without_colours(line);
        let words: Vec<&str> = plain
            .split(|at: char| at.is_whitespace() || ",;:()".contains(at))
            .collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            ["test", "result", ..] if plain.starts_with(' ') => Counts::default(),
            ["Summary", ..] | ["test", "result", ..] => Counts {
                passed: before(&words, "passed"),
                failed: before(&words, "failed"),
            },
            ["#" | "ℹ", "pass", count] => Counts {
                passed: count.parse().unwrap_or(0),
                failed: 0,
            },
            ["#" | "ℹ", "fail", count] => Counts {
                passed: 0,
                failed: count.parse().unwrap_or(0),
            },
            [count, "passed", ..] => Counts {
                passed: count.parse().unwrap_or(0),
                failed: 0,
            },
            [count, "failed"] => Counts {
                passed: 0,
                failed: count.parse().unwrap_or(0),
            },
            _ => Counts::default(),
        }
    }
}

/// The number that stands before a word, 0 when there is none.
fn before(words: &[&str], word: &str) -> u64 {
    let pair = words.windows(2).find(|pair| pair[1] == word);
    pair.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

/// Terminal colours stand between the words where a runner was told to use them.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find('\u{1b}') {
        plain.push_str(&rest[..start]);
        let escape = &rest[start..];
        rest = escape.find('m').map_or("", |end| &escape[end + 1..]);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_every_runner_are_understood() {
        for (line, passed, failed) in [
            (
                "     Summary [   0.012s] 12 tests run: 11 passed, 1 failed, 0 skipped",
                11,
                1,
            ),
            (
                "     Summary [   0.012s] 7 tests run: 7 passed (1 slow), 2 skipped",
                7,
                0,
            ),
            (
                "\u{1b}[32;1m     Summary\u{1b}[0m [ 1s] \u{1b}[1m4\u{1b}[0m tests run: \u{1b}[1m4\u{1b}[0m passed",
                4,
                0,
            ),
            (
                "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
                3,
                2,
            ),
            (
                "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
                0,
                0,
            ),
            ("# pass 5", 5, 0),
            ("ℹ fail 2", 0, 2),
            ("  9 passed (4.1s)", 9, 0),
            ("  1 failed", 0, 1),
            ("a worker passed by", 0, 0),
            ("test shards::are_counted ... ok", 0, 0),
        ] {
            assert_eq!(Counts::in_line(line), Counts { passed, failed }, "{line}");
        }
    }
}
