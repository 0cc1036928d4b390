//! Back to the author: positions in the built module become positions in the files it was built from.
use super::Script;
use super::frame::{Place, place, shown};
use oxc_sourcemap::SourceMap;

/// What a worker and the store keep of a failure's words.
const DETAIL_BYTES_MAX: usize = protocol::limits::DETAIL_BYTES_MAX;
/// Digits of a line or a column; more is no position.
const DIGITS_MAX: usize = 8;

/// A place in the author's words.
pub(super) struct AuthorPlace {
    /// `file:line:column`.
    pub(super) text: String,
    /// The line with a caret, if its text is known.
    pub(super) shown: String,
}

/// Where the author wrote what stands at a byte of the built module.
pub(super) fn author_place(script: &Script, byte: usize) -> AuthorPlace {
    Way::new(script).back(place(&script.source, byte))
}

/// `detail` with the author's positions, and the first of them shown.
pub(super) fn trace(script: &Script, detail: &str) -> String {
    let way = Way::new(script);
    let mut first = None;
    let mut text = String::with_capacity(detail.len());
    let mut rest = detail;
    let marker = format!("{}:", script.file);
    while let Some(at) = rest.find(&marker) {
        let behind = &rest[at + marker.len()..];
        text.push_str(&rest[..at]);
        let Some((built, length)) = position(behind) else {
            text.push_str(&marker);
            rest = behind;
            continue;
        };
        let author = way.back(built);
        text.push_str(&author.text);
        first.get_or_insert(author.shown);
        rest = &behind[length..];
    }
    text.push_str(rest);
    with_line(text, first.unwrap_or_default())
}

/// The line goes below the message and above the stack, unless there is no room for it.
fn with_line(mut text: String, line: String) -> String {
    if !line.is_empty() && text.len() + line.len() < DETAIL_BYTES_MAX {
        match text.find("\n    at ") {
            Some(stack) => text.insert_str(stack, &format!("\n{line}")),
            None => text.push_str(&format!("\n{line}")),
        }
    }
    text
}

/// `line:column` at the beginning of `text`, and how many bytes it takes.
fn position(text: &str) -> Option<(Place, usize)> {
    let (line, rest) = number(text)?;
    let (column, after) = number(rest.strip_prefix(':')?)?;
    Some((Place { line, column }, text.len() - after.len()))
}

fn number(text: &str) -> Option<(usize, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let digits = Some(digits).filter(|digits| (1..=DIGITS_MAX).contains(digits))?;
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

/// The way from the built module to the author's files.
struct Way<'a> {
    script: &'a Script,
    map: Option<SourceMap<'a>>,
}

impl<'a> Way<'a> {
    fn new(script: &'a Script) -> Self {
        let map = script
            .map
            .as_deref()
            .and_then(|map| SourceMap::from_json_string(map).ok());
        Self { script, map }
    }

    /// A place that the map does not know stays what it is: it is the built module's.
    fn back(&self, built: Place) -> AuthorPlace {
        self.mapped(built).unwrap_or_else(|| AuthorPlace {
            text: format!("{}:{}:{}", self.script.file, built.line, built.column),
            shown: shown(&self.script.source, built),
        })
    }

    fn mapped(&self, built: Place) -> Option<AuthorPlace> {
        let map = self.map.as_ref()?;
        let line = u32::try_from(built.line.checked_sub(1)?).ok()?;
        let column = u32::try_from(built.column.checked_sub(1)?).ok()?;
        let token = map.lookup_source_view_token_approx(&map.generate_lookup_table(), line, column)?;
        let author = Place {
            line: token.get_src_line() as usize + 1,
            column: token.get_src_col() as usize + 1,
        };
        let file: String = token.get_source()?.chars().filter(|c| !c.is_control()).collect();
        Some(AuthorPlace {
            text: format!("{file}:{}:{}", author.line, author.column),
            shown: token
                .get_source_content()
                .map(|text| shown(text, author))
                .unwrap_or_default(),
        })
    }
}
