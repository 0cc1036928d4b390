//! What a kernel of the macros does with items, parameters and failures, from bytes to bytes.
use elytra_kernel::abi::{Encoding, encode_list, encode_range, split_framed};
use elytra_kernel::{Bytes, Choice, Entry, Params, kernel, run_native};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How to greet.
#[derive(Params)]
struct Manner {
    /// What comes before the name,
    /// with "quotes" and all.
    ///
    /// This paragraph is for readers of the code.
    #[param(default = "Hello")]
    greeting: String,
    /// How often.
    #[param(default = 1, min = 1, max = 3)]
    times: u32,
    /// How loud.
    #[param(default = "calm", choice)]
    tone: Tone,
    /// A last word.
    closing: Option<String>,
}

#[derive(Choice, Clone, Copy)]
enum Tone {
    Calm,
    Loud,
}

/// Greets a name.
#[kernel(title = "Greeting", item = "a name")]
fn greet(item: String, manner: &Manner) -> Result<String, std::num::ParseIntError> {
    // A name that begins with # must be a number: a way to fail.
    if let Some(number) = item.strip_prefix('#') {
        number.parse::<u8>()?;
    }
    let text = format!(
        "{} {item}{}",
        manner.greeting,
        manner.closing.as_deref().unwrap_or("")
    );
    let text = text.repeat(manner.times as usize);
    Ok(if matches!(manner.tone, Tone::Loud) {
        text.to_uppercase()
    } else {
        text
    })
}

/// Gives the number back.
#[kernel]
fn small(item: u8) -> u8 {
    item
}

/// As many bytes as asked for.
#[kernel]
fn fill(item: usize) -> Bytes {
    Bytes(vec![7; item])
}

/// The bytes, the other way round.
#[kernel]
fn reverse(item: Bytes) -> Bytes {
    Bytes(item.0.into_iter().rev().collect())
}

#[derive(Serialize, Deserialize)]
struct Point {
    x: f64,
    y: f64,
}

/// The point mirrored.
#[kernel(item_min = -1.5)]
fn mirror(item: Point) -> Point {
    Point { x: item.y, y: item.x }
}

fn of_list(entry: &Entry, params: &str, encoding: Encoding, items: &[&str]) -> Result<Vec<String>, String> {
    let input = encode_list(
        params.as_bytes(),
        encoding,
        items.iter().map(|item| item.as_bytes()),
    );
    let output = run_native(entry, &input).map_err(|failure| failure.to_string())?;
    Ok(split_framed(&output)
        .map(|frame| String::from_utf8(frame.unwrap().to_vec()).unwrap())
        .collect())
}

fn of_text(entry: &Entry, params: &str, items: &[&str]) -> Result<Vec<String>, String> {
    of_list(entry, params, Encoding::Text, items)
}

#[test]
fn text_and_json_items_become_what_the_kernel_wants() {
    assert_eq!(
        of_text(&GREET, "", &["Ada", "\"Bob\""]).unwrap(),
        [r#""Hello Ada""#, r#""Hello \"Bob\"""#]
    );
    assert_eq!(
        of_list(&GREET, "", Encoding::Json, &["\"Ada\""]).unwrap(),
        [r#""Hello Ada""#]
    );
    assert_eq!(
        of_text(&SMALL, "null", &[" 7\r"]).unwrap(),
        ["7"],
        "a line of a file of numbers"
    );
    assert_eq!(
        of_text(&MIRROR, "{}", &[r#"{"x":1,"y":2.5}"#]).unwrap(),
        [r#"{"x":2.5,"y":1.0}"#]
    );
    assert_eq!(of_text(&REVERSE, "", &["abc"]).unwrap(), ["cba"]);
    assert_eq!(
        of_list(&REVERSE, "", Encoding::Json, &["\"abc\""]).unwrap(),
        ["cba"]
    );
}

#[test]
fn a_range_counts_up_and_down() {
    let output = run_native(&SMALL, &encode_range(b"", 5, -2, 3)).unwrap();
    let items: Vec<_> = split_framed(&output).map(Result::unwrap).collect();
    assert_eq!(items, [b"5", b"3", b"1"]);
}

#[test]
fn parameters_are_read_with_their_defaults() {
    let params = r#"{"times":2,"tone":"loud","closing":"! "}"#;
    assert_eq!(
        of_text(&GREET, params, &["Ada"]).unwrap(),
        [r#""HELLO ADA! HELLO ADA! ""#]
    );
}

#[test]
fn what_does_not_fit_is_told_by_its_name() {
    let refused = |params| of_text(&GREET, params, &["Ada"]).unwrap_err();
    assert_eq!(
        refused(r#"{"times":4}"#),
        "elytra-item-failed 0: parameter `times`: 4 is above 3"
    );
    assert!(refused(r#"{"times":1.5}"#).contains("parameter `times`: "));
    assert!(
        refused(r#"{"tone":"shrill"}"#)
            .contains(r#"parameter `tone`: "shrill" is not one of ["calm","loud"]"#)
    );
    assert!(
        refused(r#"{"tune":"calm"}"#).contains("parameter `tune` is not known; there are: greeting, times")
    );
    assert!(refused("[]").contains("the parameters must be a JSON object"));
    assert!(refused("{").contains("the parameters are not JSON"));
    let none = of_text(&SMALL, r#"{"times":1}"#, &["1"]).unwrap_err();
    assert_eq!(
        none,
        "elytra-item-failed 0: parameter `times`: this kernel takes no parameters"
    );
}

#[test]
fn an_item_that_fails_is_told_by_its_place() {
    let error = of_text(&GREET, "", &["Ada", "#12", "#300", "Bob"]).unwrap_err();
    assert_eq!(
        error,
        "elytra-item-failed 2: number too large to fit in target type"
    );
    let error = run_native(&SMALL, &encode_range(b"", 254, 1, 5)).unwrap_err();
    assert_eq!(error.index, 2);
    assert_eq!(
        error.cause,
        "the item cannot be read: invalid value: integer `256`, expected u8"
    );
    let error = run_native(&SMALL, &encode_range(b"", i64::MAX, 1, 2)).unwrap_err();
    assert_eq!(error.index, 0);
    assert!(
        of_text(&SMALL, "", &["7 8"])
            .unwrap_err()
            .contains("trailing characters")
    );
}

#[test]
fn an_input_cut_anywhere_is_an_error_or_complete_and_never_a_panic() {
    let whole = encode_list(b"{}", Encoding::Text, [b"Ada".as_slice(), b"Bob"].into_iter());
    for end in 0..whole.len() {
        // Cut between items, the items before the cut are whole; the shard is not.
        assert!(run_native(&GREET, &whole[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn outputs_above_a_chunk_arrive_whole() {
    let output = run_native(&FILL, &encode_range(b"", 65_530, 1, 20)).unwrap();
    let lengths: Vec<_> = split_framed(&output).map(|frame| frame.unwrap().len()).collect();
    assert_eq!(lengths, (65_530..65_550).collect::<Vec<_>>());
}

#[test]
fn an_entry_describes_itself() {
    let line: Value = serde_json::from_str(GREET.description).unwrap();
    assert_eq!(
        line,
        serde_json::json!({
            "program": {"name": "elytra-kernel", "version": env!("CARGO_PKG_VERSION")},
            "name": "greet", "title": "Greeting", "about": "Greets a name.",
            "item": {"type": "text", "about": "a name"},
            "params": [
                {"name": "greeting", "type": "text", "default": "Hello", "required": false,
                 "about": "What comes before the name, with \"quotes\" and all."},
                {"name": "times", "type": "integer", "about": "How often.",
                 "default": 1, "min": 1, "max": 3, "required": false},
                {"name": "tone", "type": "choice", "about": "How loud.", "default": "calm",
                 "choices": ["calm", "loud"], "required": false},
                {"name": "closing", "type": "text", "about": "A last word.", "required": false},
            ],
            "output": "json",
        })
    );
    let line: Value = serde_json::from_str(MIRROR.description).unwrap();
    assert_eq!(line["item"], serde_json::json!({"type": "json", "min": -1.5}));
    assert_eq!(
        serde_json::from_str::<Value>(FILL.description).unwrap()["output"],
        "bytes"
    );
}
