//! The items of a new job: a range, a list of lines, or an uploaded file; what was typed becomes an
//! [`InputSpec`], or a problem that says what would be right.
use super::form;
use super::format;
use super::picture::Layout;
use protocol::api::Blob;
use protocol::description::{Entry, FieldKind};
use protocol::job::{BlobSpec, Encoding, InputSpec, RangeSpec, Split};
use protocol::limits;
use serde_json::Value;

/// Most items of a typed list; longer lists are uploaded as a file.
pub const LIST_ITEMS_MAX: usize = 10_000;

/// Where the items come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Numbers from a start to an end.
    #[default]
    Range,
    /// Lines that were typed.
    List,
    /// Lines of an uploaded file.
    File,
}

impl Source {
    /// Every source with its name.
    pub const ALL: [(Source, &'static str); 3] = [
        (Source::Range, "A range of numbers"),
        (Source::List, "A list"),
        (Source::File, "A file"),
    ];
}

/// What was typed about the items.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Items {
    /// Which of the three.
    pub source: Source,
    /// First number of the range.
    pub start: String,
    /// The bound that is not reached.
    pub end: String,
    /// Distance; 1 when nothing was typed.
    pub step: String,
    /// One item a line.
    pub list: String,
    /// The uploaded file, with its name.
    pub file: Option<(String, Blob)>,
}

impl Items {
    /// A sensible start for an entry: all tiles of a picture, a short range of numbers, or a list.
    pub fn suggested(entry: &Entry) -> Items {
        let numbers = entry
            .item
            .as_ref()
            .is_none_or(|item| matches!(item.kind, FieldKind::Integer | FieldKind::Number));
        let least = entry.item.as_ref().and_then(|item| item.min).unwrap_or(0.0);
        let end = Layout::of(entry, &Value::Null).map_or(least + 100.0, |layout| layout.tiles() as f64);
        Items {
            source: if numbers { Source::Range } else { Source::List },
            start: format!("{least}"),
            end: format!("{end}"),
            ..Items::default()
        }
    }

    /// The input of the job.
    pub fn spec(&self, entry: &Entry) -> Result<InputSpec, String> {
        match self.source {
            Source::Range => self.range().map(InputSpec::Range),
            Source::List => self.list(entry).map(InputSpec::Items),
            Source::File => self.blob(entry).map(InputSpec::Blob),
        }
    }

    fn range(&self) -> Result<RangeSpec, String> {
        let start = whole("Start", &self.start, Some(0))?;
        let end = whole("End", &self.end, None)?;
        let step = whole("Step", &self.step, Some(1))?;
        let range = RangeSpec { start, end, step };
        match range.count() {
            None => Err("Step must not be 0: use 1, or -1 to count down.".into()),
            Some(0) => {
                Err("The range holds no number: End must lie behind Start in the direction of Step.".into())
            }
            Some(items) if items > limits::ITEMS_MAX => Err(format!(
                "A job takes at most {} items: choose a nearer End.",
                format::count(limits::ITEMS_MAX)
            )),
            Some(_) => Ok(range),
        }
    }

    fn list(&self, entry: &Entry) -> Result<Vec<Value>, String> {
        let lines = self.list.lines().map(str::trim).filter(|line| !line.is_empty());
        let items: Vec<Value> = lines
            .enumerate()
            .map(|(at, line)| item(entry, at + 1, line))
            .collect::<Result<_, _>>()?;
        match items.len() {
            0 => Err("The list is empty: write one item a line.".into()),
            n if n > LIST_ITEMS_MAX => Err("The list is long: save it as a file and choose “A file”.".into()),
            _ => Ok(items),
        }
    }

    fn blob(&self, entry: &Entry) -> Result<BlobSpec, String> {
        let (_, blob) = self.file.as_ref().ok_or("Choose a file with one item a line.")?;
        let is_text = entry
            .item
            .as_ref()
            .is_some_and(|item| matches!(item.kind, FieldKind::Text | FieldKind::Choice));
        let encoding = if is_text { Encoding::Text } else { Encoding::Json };
        Ok(BlobSpec {
            blob: blob.hash,
            split: Split::Lines,
            encoding,
        })
    }
}

fn whole(name: &str, text: &str, absent: Option<i64>) -> Result<i64, String> {
    let digits = text.trim().replace(['_', ','], "");
    match (digits.is_empty(), absent) {
        (true, Some(absent)) => Ok(absent),
        (true, None) => Err(format!("{name} is missing: a whole number.")),
        (false, _) => digits
            .parse()
            .map_err(|_| format!("{name} must be a whole number, not {}.", text.trim())),
    }
}

fn item(entry: &Entry, line: usize, text: &str) -> Result<Value, String> {
    let Some(field) = &entry.item else {
        return Ok(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into())));
    };
    let value = form::value(field, text).unwrap_or_else(|| Err("is empty".into()));
    value.map_err(|problem| format!("Line {line} {problem}."))
}

/// How many items there are, for people; `None` when only the coordinator can count them.
pub fn counted(input: &InputSpec) -> Option<u64> {
    match input {
        InputSpec::Range(range) => range.count(),
        InputSpec::Items(items) => Some(items.len() as u64),
        InputSpec::Blob(_) | InputSpec::Open(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(item: Value) -> Entry {
        Entry {
            item: serde_json::from_value(item).unwrap(),
            ..Entry::default()
        }
    }

    fn items(source: Source, start: &str, end: &str, step: &str, list: &str) -> Items {
        Items {
            source,
            start: start.into(),
            end: end.into(),
            step: step.into(),
            list: list.into(),
            file: None,
        }
    }

    #[test]
    fn ranges_and_what_is_wrong_with_them() {
        let spec = |start, end, step| items(Source::Range, start, end, step, "").spec(&Entry::default());
        assert_eq!(
            spec("", "1_000", ""),
            Ok(InputSpec::Range(RangeSpec {
                start: 0,
                end: 1_000,
                step: 1
            }))
        );
        assert!(spec("0", "10", "0").unwrap_err().contains("Step must not be 0"));
        assert!(spec("10", "0", "").unwrap_err().contains("holds no number"));
        assert!(spec("", "", "").unwrap_err().contains("End is missing"));
        assert!(spec("", "ten", "").unwrap_err().contains("not ten"));
        assert!(
            spec("", "9000000000000000000", "")
                .unwrap_err()
                .contains("at most")
        );
    }

    #[test]
    fn a_list_is_read_as_the_entry_wants_it() {
        let number = entry(json!({"type": "integer", "min": 2}));
        let list = |text| items(Source::List, "", "", "", text);
        assert_eq!(
            list("3\n\n 5 ").spec(&number),
            Ok(InputSpec::Items(vec![json!(3), json!(5)]))
        );
        let wrong = list("3\n1").spec(&number).unwrap_err();
        assert_eq!(wrong, "Line 2 must be a whole number of at least 2, not 1.");
        let text = entry(json!({"type": "text"}));
        assert_eq!(
            list("ACGT").spec(&text),
            Ok(InputSpec::Items(vec![json!("ACGT")]))
        );
        assert!(list(" \n").spec(&text).unwrap_err().contains("empty"));
    }

    #[test]
    fn a_picture_suggests_all_its_tiles() {
        let fields = json!([
            {"name": "width", "type": "integer", "default": 100}, {"name": "height", "type": "integer", "default": 50},
            {"name": "tile", "type": "integer", "default": 32}, {"name": "iterations_max", "type": "integer", "default": 9},
        ]);
        let picture = Some(protocol::description::Picture::Tiles);
        let entry = Entry {
            params: serde_json::from_value(fields).unwrap(),
            picture,
            ..Entry::default()
        };
        let items = Items::suggested(&entry);
        assert_eq!((items.start.as_str(), items.end.as_str()), ("0", "8"));
        assert_eq!(items.spec(&entry).ok().as_ref().and_then(counted), Some(8));
    }
}
