//! What a shard's program read, as text: the parameters and items inside the kernel encoding.
//!
//! The encoding is little-endian: `u32` length and bytes of the parameters, a `u8` kind of items, a `u32` number
//! of items; then `i64` first and `i64` step of a range (kind 0), or for each item a `u32` length and its bytes.
use super::outputs;
use super::picture::base64;
use protocol::api::Shard;
use serde_json::Value;

/// Items that are shown.
pub const ITEMS_SHOWN_MAX: usize = 50;
const KIND_RANGE: u8 = 0;

/// What a shard's program read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The parameters as JSON; empty when there are none.
    pub params: String,
    /// The script that was run, where it was one.
    pub source: Option<String>,
    /// The first items, each with its place in the job.
    pub items: Vec<(u64, String)>,
    /// Items beyond those.
    pub more: u64,
}

/// Reads a shard's input; `None` when the bytes end early.
pub fn input(shard: &Shard) -> Option<Input> {
    let bytes = base64(&shard.input)?;
    let mut rest = bytes.as_slice();
    let params = framed(&mut rest)?;
    let (params, source) = unwrapped(params);
    let kind = take::<1>(&mut rest)?[0];
    let count = u32::from_le_bytes(take(&mut rest)?);
    let items = items(kind, count, rest)?;
    let more = u64::from(count).saturating_sub(items.len() as u64);
    let items = (shard.first_item..).zip(items).collect();
    Some(Input {
        params,
        source,
        items,
        more,
    })
}

/// The engine of scripts is given the script with the parameters; people want to see them apart.
fn unwrapped(params: &[u8]) -> (String, Option<String>) {
    let Ok(value) = serde_json::from_slice::<Value>(params) else {
        return (String::from_utf8_lossy(params).into_owned(), None);
    };
    let is_script = value.get("entry").is_some() && value.get("file").is_some();
    match value.get("source").and_then(Value::as_str) {
        Some(source) if is_script => (shown(&value["params"]), Some(source.to_owned())),
        _ => (shown(&value), None),
    }
}

fn shown(params: &Value) -> String {
    match params {
        Value::Null => String::new(),
        Value::Object(fields) if fields.is_empty() => String::new(),
        other => outputs::json(other),
    }
}

fn items(kind: u8, count: u32, mut rest: &[u8]) -> Option<Vec<String>> {
    let shown = (count as usize).min(ITEMS_SHOWN_MAX);
    if kind == KIND_RANGE {
        let first = i64::from_le_bytes(take(&mut rest)?);
        let step = i64::from_le_bytes(take(&mut rest)?);
        let numbers = (0i64..).map(|at| first.wrapping_add(step.wrapping_mul(at)).to_string());
        return Some(numbers.take(shown).collect());
    }
    let item = |_| Some(outputs::shortened(&String::from_utf8_lossy(framed(&mut rest)?)));
    (0..shown).map(item).collect()
}

fn framed<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(take(rest)?) as usize;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ids::JobId;
    use serde_json::json;

    fn shard(input: &str) -> Shard {
        serde_json::from_value(json!({
            "job": JobId(1), "shard": 3, "first_item": 30, "end_item": 33, "program": "0".repeat(64),
            "entry": "run", "limits": {}, "input": input,
        }))
        .unwrap()
    }

    #[test]
    fn a_range_is_counted_and_parameters_are_shown() {
        // Parameters `{"a":1}`, a range of 3 from 5 in steps of -2.
        let found = input(&shard("BwAAAHsiYSI6MX0AAwAAAAUAAAAAAAAA/v////////8=")).unwrap();
        let items: Vec<_> = found
            .items
            .iter()
            .map(|(at, text)| (*at, text.as_str()))
            .collect();
        assert_eq!(items, [(30, "5"), (31, "3"), (32, "1")]);
        assert_eq!(
            (found.params.as_str(), found.source, found.more),
            (r#"{"a":1}"#, None, 0)
        );
    }

    #[test]
    fn every_cut_is_no_input() {
        for cut in ["", "BwAA", "BwAAAHsiYSI6MX0=", "BwAAAHsiYSI6MX0AAwAAAAUAAAA="] {
            assert_eq!(input(&shard(cut)), None, "{cut}");
        }
    }

    #[test]
    fn a_script_is_shown_apart_from_its_parameters() {
        let (params, source) = unwrapped(br#"{"source":"x","entry":"f","params":{"n":2},"file":"a.ts"}"#);
        assert_eq!((params.as_str(), source.as_deref()), (r#"{"n":2}"#, Some("x")));
    }
}
