//! A job's outputs as far as a page shows them: the first ones as text, and the numbers among them.
use super::{format, picture};
use protocol::api::ResultLine;
use serde_json::Value;

/// Outputs that are shown.
pub const ROWS_MAX: usize = 100;
/// Outputs that are read: a histogram of more would look the same.
pub const ITEMS_READ_MAX: u64 = 10_000;
/// Bytes of outputs that are read for a page.
pub const BYTES_READ_MAX: usize = 4 << 20;
/// Characters shown of one output.
const OUTPUT_CHARS_MAX: usize = 1_000;
/// JSON that is longer than this is shown indented.
const LINE_CHARS_MAX: usize = 72;

/// What is shown of one item, or of items that failed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which item or items.
    pub items: String,
    /// Its output, or why there is none.
    pub text: String,
    /// Whether there is none.
    pub failed: bool,
}

/// What was read so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    /// The first [`ROWS_MAX`].
    pub rows: Vec<Row>,
    /// The outputs that are numbers.
    pub numbers: Vec<f64>,
    /// Outputs that were read.
    pub items: u64,
    /// Where to go on; empty at the beginning.
    pub cursor: String,
    /// Whether there will be no more.
    pub ended: bool,
    /// The item behind the last one that was taken: a page that broke off is read again.
    next_item: u64,
    bytes: usize,
}

impl Outputs {
    /// Takes a line of the stream; what is no line of results changes nothing.
    pub fn take(&mut self, line: &str) {
        self.bytes += line.len();
        match serde_json::from_str(line) {
            Ok(ResultLine::Item { item, output, bytes }) if item >= self.next_item => {
                self.next_item = item + 1;
                self.item(item, output, bytes);
            }
            Ok(ResultLine::Failed {
                first_item,
                end_item,
                detail,
                ..
            }) if end_item > self.next_item => {
                self.next_item = end_item;
                self.row(span(first_item, end_item), &detail, true);
            }
            Ok(ResultLine::Cursor { cursor, end, .. }) => (self.cursor, self.ended) = (cursor, end),
            _ => {}
        }
    }

    /// Whether a page needs no more.
    pub fn is_full(&self) -> bool {
        self.items >= ITEMS_READ_MAX || self.bytes >= BYTES_READ_MAX
    }

    /// Whether every output is a number, so that they can be counted into bins.
    pub fn are_numbers(&self) -> bool {
        self.items > 1 && self.numbers.len() as u64 == self.items
    }

    fn item(&mut self, item: u64, output: Option<Value>, bytes: Option<String>) {
        self.items += 1;
        let text = match (&output, bytes) {
            (Some(value), _) => json(value),
            (None, bytes) => of_bytes(&picture::base64(&bytes.unwrap_or_default()).unwrap_or_default()),
        };
        let number = match &output {
            Some(value) => value.as_f64(),
            None => text.trim().parse().ok(),
        };
        self.numbers.extend(number.filter(|number| number.is_finite()));
        self.row(format::count(item), &text, false);
    }

    fn row(&mut self, items: String, text: &str, failed: bool) {
        if self.rows.len() < ROWS_MAX {
            let text = shortened(text);
            self.rows.push(Row { items, text, failed });
        }
    }
}

fn span(first: u64, end: u64) -> String {
    match end.saturating_sub(1) {
        last if last <= first => format::count(first),
        last => format!("{} to {}", format::count(first), format::count(last)),
    }
}

/// JSON for people: on one line where it fits.
pub fn json(value: &Value) -> String {
    let line = value.to_string();
    if line.chars().count() <= LINE_CHARS_MAX {
        return line;
    }
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or(line),
    }
}

/// Text where the bytes are text, else how many there are.
fn of_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_end_matches('\n').to_owned(),
        Err(_) => format!("{} that are no text", format::bytes(bytes.len() as u64)),
    }
}

/// At most [`OUTPUT_CHARS_MAX`] characters.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(OUTPUT_CHARS_MAX) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(lines: &[&str]) -> Outputs {
        let mut outputs = Outputs::default();
        lines.iter().for_each(|line| outputs.take(line));
        outputs
    }

    #[test]
    fn numbers_are_numbers_as_json_and_as_a_command_prints_them() {
        let found = outputs(&[
            r#"{"item":{"item":0,"output":2.5}}"#,
            r#"{"item":{"item":1,"bytes":"NDEK"}}"#,
            r#"{"item":{"item":1,"bytes":"NDEK"}}"#,
            r#"{"cursor":{"cursor":"aTI","end":true,"state":"succeeded"}}"#,
        ]);
        assert_eq!(found.numbers, [2.5, 41.0]);
        assert!(found.are_numbers() && found.ended);
        assert_eq!(
            (found.rows[1].text.as_str(), found.cursor.as_str()),
            ("41", "aTI")
        );
    }

    #[test]
    fn one_word_among_the_numbers_and_there_is_no_histogram() {
        let found = outputs(&[
            r#"{"item":{"item":0,"output":1}}"#,
            r#"{"item":{"item":1,"output":"one"}}"#,
            r#"{"failed":{"first_item":2,"end_item":9,"cause":"trapped","detail":"unreachable"}}"#,
        ]);
        assert!(!found.are_numbers());
        let last = &found.rows[2];
        assert_eq!((last.items.as_str(), last.failed), ("2 to 8", true));
    }

    #[test]
    fn a_million_outputs_are_a_hundred_rows_and_a_bounded_read() {
        let mut found = Outputs::default();
        for item in 0..1_000_000 {
            if found.is_full() {
                break;
            }
            found.take(&format!(r#"{{"item":{{"item":{item},"output":{item}}}}}"#));
        }
        assert_eq!((found.rows.len(), found.items), (ROWS_MAX, ITEMS_READ_MAX));
    }
}
