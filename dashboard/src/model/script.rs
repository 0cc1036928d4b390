//! A script that is being written: examples to begin with, the functions it exports, and indentation.
use super::input::{Items, Source};

/// What errors call the script.
pub const FILE: &str = "script.ts";
/// What Tab writes.
pub const INDENT: &str = "  ";

/// A script to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    /// What it is called.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// The bound of its items, which begin at 0.
    pub end: u32,
    /// The function that reduces; empty for none.
    pub reduce: &'static str,
}

/// Scripts to begin with; the first is there when the page opens.
pub const EXAMPLES: [Example; 3] = [
    Example {
        name: "Squares",
        text: "// Each item is one call; the answers come back in order.\nexport function square(n: number): number {\n  return n * n;\n}\n",
        end: 1_000,
        reduce: "",
    },
    Example {
        name: "Pi by chance",
        text: "// Points in a square, and how many of them lie in the circle. Math.random begins anew for\n// every item, from the item itself: the answer is the same on any number of workers.\nconst POINTS = 20_000;\n\nexport function pi(_block: number): number {\n  let hits = 0;\n  for (let at = 0; at < POINTS; at++) {\n    if (Math.hypot(Math.random(), Math.random()) < 1) hits++;\n  }\n  return (4 * hits) / POINTS;\n}\n",
        end: 400,
        reduce: "",
    },
    Example {
        name: "Collatz, the longest way",
        text: "// Halve the even, triple the odd and add one: how many steps is it to 1?\ninterface Way {\n  start: number;\n  steps: number;\n}\n\nexport function collatz(n: number): Way {\n  let steps = 0;\n  for (let at = n + 1; at !== 1; steps++) at = at % 2 ? 3 * at + 1 : at / 2;\n  return { start: n + 1, steps };\n}\n\nexport function longer(a: Way, b: Way): Way {\n  return a.steps >= b.steps ? a : b;\n}\n",
        end: 20_000,
        reduce: "longer",
    },
];

impl Example {
    /// Its items.
    pub fn items(&self) -> Items {
        Items {
            source: Source::Range,
            start: "0".into(),
            end: self.end.to_string(),
            ..Items::default()
        }
    }
}

/// The names of what a script exports, as far as its lines tell; whoever runs it knows for certain.
pub fn exports(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let exported = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("export"));
    for rest in exported.filter(|rest| rest.starts_with([' ', '{', '\t'])) {
        names.extend(named(rest.trim_start()));
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn named(rest: &str) -> Vec<String> {
    if let Some(list) = rest.strip_prefix('{') {
        let list = list.split('}').next().unwrap_or_default();
        let name = |part: &str| identifier(part.rsplit(" as ").next().unwrap_or_default());
        return list.split(',').filter_map(name).collect();
    }
    let rest = rest.strip_prefix("async ").map_or(rest, str::trim_start);
    if starts_with_word(rest, "default") {
        return vec!["default".into()];
    }
    let after = ["function", "const", "let", "var"]
        .into_iter()
        .find(|word| starts_with_word(rest, word))
        .map(|word| rest[word.len()..].trim_start_matches([' ', '*']));
    after.and_then(identifier).into_iter().collect()
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$'))
}

fn identifier(text: &str) -> Option<String> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
    let name = &text[..end.unwrap_or(text.len())];
    (!name.is_empty()).then(|| name.to_owned())
}

/// The function that is mapped when nobody chose one: the first that does not reduce.
pub fn mapped(names: &[String], chosen: &str, reduce: &str) -> Option<String> {
    let chosen = names.iter().find(|name| *name == chosen);
    let first = names.iter().find(|name| *name != reduce);
    chosen.or(first).cloned()
}

/// The indentation of the line that ends at `caret`, counted as browsers do in units of UTF-16.
pub fn indentation(text: &str, caret: u32) -> String {
    let units: Vec<u16> = text.encode_utf16().take(caret as usize).collect();
    let begin = units
        .iter()
        .rposition(|unit| *unit == u16::from(b'\n'))
        .map_or(0, |at| at + 1);
    let line = String::from_utf16_lossy(&units[begin..]);
    let deeper = line.trim_end().ends_with(['{', '(', '[']);
    let indent: String = line
        .chars()
        .take_while(|letter| matches!(letter, ' ' | '\t'))
        .collect();
    if deeper { indent + INDENT } else { indent }
}

/// Where a line and column (from 1) lie in the text, in units of UTF-16.
pub fn offset(text: &str, line: u32, column: u32) -> u32 {
    let before = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1) as usize)
        .map(|line| line.encode_utf16().count());
    u32::try_from(before.sum::<usize>())
        .unwrap_or(u32::MAX)
        .saturating_add(column.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_found_in_every_form() {
        let text = "import x from 'y';\nexport function one(a) {}\nexport async function* two() {}\n\
                    export const three = () => 3;\nexport { four, five as six };\nexport default (n) => n;\n\
                    export type T = number;\nexport interface I {}\nexporter();\n// export function no() {}\n";
        assert_eq!(exports(text), ["one", "two", "three", "four", "six", "default"]);
    }

    #[test]
    fn the_examples_name_what_they_export() {
        for example in EXAMPLES {
            let names = exports(example.text);
            assert!(mapped(&names, "", example.reduce).is_some(), "{}", example.name);
            assert!(example.reduce.is_empty() || names.iter().any(|name| name == example.reduce));
        }
    }

    #[test]
    fn the_first_that_does_not_reduce_is_mapped_unless_one_is_chosen() {
        let names = ["sum".to_owned(), "square".to_owned()];
        assert_eq!(mapped(&names, "", "sum").as_deref(), Some("square"));
        assert_eq!(mapped(&names, "sum", "").as_deref(), Some("sum"));
        assert_eq!(mapped(&names, "gone", "").as_deref(), Some("sum"));
        assert_eq!(mapped(&[], "", ""), None);
    }

    #[test]
    fn a_new_line_is_indented_like_the_one_before() {
        let text = "é {\n  a;\n";
        assert_eq!(indentation(text, 3), INDENT);
        assert_eq!(indentation(text, 8), "  ");
        assert_eq!(offset(text, 2, 3), 6);
    }
}
