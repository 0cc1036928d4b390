//! A job's errors as people count them: those from the same place of the program are one.
use protocol::api::ErrorGroup;
use protocol::wire::Cause;

/// Shards named as examples.
const SHARDS_NAMED_MAX: usize = 5;

/// A place in somebody's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

/// Failed attempts with the same cause from the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blame {
    /// The cause.
    pub cause: Cause,
    /// What the sandbox said of one of them.
    pub detail: String,
    /// Where in the source, when it is said.
    pub place: Option<Place>,
    /// How many attempts.
    pub count: u64,
    /// Some of the shards.
    pub shards: Vec<u32>,
    /// When it was seen last, in milliseconds since 1970.
    pub last_ms: u64,
}

/// Joins the coordinator's groups, which differ already where a message names its item; most frequent first.
pub fn blames(groups: Vec<ErrorGroup>) -> Vec<Blame> {
    let mut blames: Vec<Blame> = Vec::new();
    for group in groups {
        let place = place(&group.detail);
        let same =
            |blame: &&mut Blame| blame.cause == group.cause && blame.place.is_some() && blame.place == place;
        match blames.iter_mut().find(same) {
            Some(blame) => blame.join(&group),
            None => blames.push(Blame {
                cause: group.cause,
                detail: group.detail,
                place,
                count: group.count,
                shards: vec![group.shard],
                last_ms: group.last_ms,
            }),
        }
    }
    blames.sort_by_key(|blame| std::cmp::Reverse(blame.count));
    blames
}

impl Blame {
    fn join(&mut self, group: &ErrorGroup) {
        self.count += group.count;
        self.last_ms = self.last_ms.max(group.last_ms);
        if self.shards.len() < SHARDS_NAMED_MAX && !self.shards.contains(&group.shard) {
            self.shards.push(group.shard);
        }
    }
}

/// The first `file.ts:line:column` of a message.
pub fn place(message: &str) -> Option<Place> {
    let words = message.split(|c: char| c.is_whitespace() || c == '(' || c == ')');
    words.filter_map(place_of).next()
}

fn place_of(word: &str) -> Option<Place> {
    let mut parts = word.trim_end_matches(':').rsplitn(3, ':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    let file = parts.next().filter(|file| file.contains('.'))?.to_owned();
    Some(Place { file, line, column })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(shard: u32, item: u32, line: u32) -> ErrorGroup {
        ErrorGroup {
            cause: Cause::ItemFailed,
            detail: format!(
                "item {item}: Error: too big: {item}\n  5 | throw\n    at f (script.ts:{line}:44)"
            ),
            count: 4,
            shard,
            last_ms: u64::from(item),
        }
    }

    #[test]
    fn errors_of_one_line_are_one_whatever_they_say_of_the_item() {
        let found = blames(vec![group(1, 6, 5), group(2, 9, 7), group(3, 7, 5)]);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].count, found[0].shards.as_slice(), found[0].last_ms),
            (8, [1, 3].as_slice(), 7)
        );
        assert_eq!(found[0].place.as_ref().map(|place| place.line), Some(5));
    }

    #[test]
    fn a_place_is_found_in_a_refusal_and_nowhere_else() {
        let found = place("script.ts:2:13: Unexpected token\n  2 | return").unwrap();
        assert_eq!(
            (found.file.as_str(), found.line, found.column),
            ("script.ts", 2, 13)
        );
        for other in [
            "item 6: Error: too big: 6",
            "at 12:30:45",
            "wasm trap: unreachable",
        ] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
