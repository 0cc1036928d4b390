//! The bytes that go into a kernel and come out of it: the one encoding of a shard's input and
//! output, shared by the kernel SDK (inside the sandbox) and by every shell (outside it).
//!
//! A program imports from the module [`IMPORT_MODULE`] only:
//!
//! | import | signature | meaning |
//! |---|---|---|
//! | `input_len` | `() -> i32` | length of the shard's input in bytes |
//! | `input_read` | `(pointer: i32, offset: i32, length: i32)` | copies input bytes into memory; traps when out of range |
//! | `output_write` | `(pointer: i32, length: i32)` | appends to the shard's output; traps over the output limit |
//! | `log` | `(pointer: i32, length: i32)` | appends to the shard's log; what is over the limit is dropped |
//!
//! It exports `memory` and one function `() -> ()` for each entry. An entry reads the input once,
//! computes every item, and writes the output. An item that fails is told by a last `log` line
//! that begins with [`FAILURE_PREFIX`], followed by a trap.
//!
//! # Input
//! All integers are little-endian.
//! ```text
//! u32 length of params · params (JSON) · u8 kind of items · u32 number of items · items
//! kind 0 (range):  i64 first value · i64 step
//! kind 1 (JSON) and 2 (text):  for each item  u32 length · bytes
//! ```
//! # Output
//! ```text
//! for each item, in order:  u32 length · bytes
//! ```
//! # Description
//! The custom section [`DESCRIPTION_SECTION`] says what the entries are: one JSON object a line, in any
//! order, so that pieces written by several compilation units can simply be joined by a linker.
//! ```text
//! {"program":{"name":…,"version":…},"name":…,"title":…,"about":…,"item":FIELD,"params":[FIELD…],
//!  "output":"json"|"bytes","picture":"tiles"?}
//! FIELD: {"name":…,"type":"integer"|"number"|"boolean"|"text"|"choice"|"json","about":…,
//!         "default":…?,"min":…?,"max":…?,"choices":[…]?,"required":…}
//! ```
//! An item's field has neither a name nor `required`. What a line does not say is unknown, not empty:
//! an entry without `params` takes any.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
use alloc::vec::Vec;

/// The module every import of an admitted program names.
pub const IMPORT_MODULE: &str = "elytra";
/// The custom section that holds a program's description: a JSON object a line, an entry each.
pub const DESCRIPTION_SECTION: &str = "elytra.description";
/// Begins the last log line before the trap of an item that failed: `FAILURE_PREFIX index: cause`.
pub const FAILURE_PREFIX: &str = "elytra-item-failed ";

/// The name of the function that admission adds to programs that call themselves: it traps where calls are
/// nested deeper than the stack allows, so it stands on top of the backtrace then.
pub const DEPTH_EXCEEDED: &str = "elytra: call depth exceeded";

/// The items of one shard, as they travel into the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items<'a> {
    /// `count` numbers, computed on the spot: `first`, `first + step`, …
    Range {
        /// The first item's value.
        first: i64,
        /// The distance between neighbours; may be negative.
        step: i64,
        /// How many items.
        count: u32,
    },
    /// Items written out.
    List(List<'a>),
}

/// Items written out, each a slice of one buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List<'a> {
    /// How the bytes of an item are to be read.
    pub encoding: Encoding,
    /// How many items.
    pub count: u32,
    framed: &'a [u8],
}

/// How the bytes of an item are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One JSON value.
    Json,
    /// The bytes themselves; text where they are UTF-8.
    Text,
}

/// A shard's input, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input<'a> {
    /// The job's parameters as JSON; empty means `null`.
    pub params: &'a [u8],
    /// What to compute.
    pub items: Items<'a>,
}

/// The bytes end early, or say something the format does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the bytes end early or say something the format does not know")
    }
}
impl core::error::Error for Malformed {}

const KIND_RANGE: u8 = 0;
const KIND_JSON: u8 = 1;
const KIND_TEXT: u8 = 2;

/// Writes the input of a shard over a range.
pub fn encode_range(params: &[u8], first: i64, step: i64, count: u32) -> Vec<u8> {
    let mut out = start(params, KIND_RANGE, count, 16);
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&step.to_le_bytes());
    out
}

/// Writes the input of a shard over items written out.
pub fn encode_list<'a>(
    params: &[u8],
    encoding: Encoding,
    items: impl ExactSizeIterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let kind = match encoding {
        Encoding::Json => KIND_JSON,
        Encoding::Text => KIND_TEXT,
    };
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let mut out = start(params, kind, count, items.len() * 16);
    for item in items.take(count as usize) {
        write_framed(&mut out, item);
    }
    out
}

fn start(params: &[u8], kind: u8, count: u32, more: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(params.len() + 9 + more);
    write_framed(&mut out, params);
    out.push(kind);
    out.extend_from_slice(&count.to_le_bytes());
    out
}

/// Appends `bytes` behind their length: the frame of one item, in inputs and outputs alike.
pub fn write_framed(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Parses a shard's input.
pub fn decode(bytes: &[u8]) -> Result<Input<'_>, Malformed> {
    let (params, rest) = read_framed(bytes)?;
    let (&kind, rest) = rest.split_first().ok_or(Malformed)?;
    let (count, rest) = read_u32(rest)?;
    let items = match kind {
        KIND_RANGE => {
            let (first, rest) = read_i64(rest)?;
            let (step, _) = read_i64(rest)?;
            Items::Range { first, step, count }
        }
        KIND_JSON => Items::List(List {
            encoding: Encoding::Json,
            count,
            framed: rest,
        }),
        KIND_TEXT => Items::List(List {
            encoding: Encoding::Text,
            count,
            framed: rest,
        }),
        _ => return Err(Malformed),
    };
    Ok(Input { params, items })
}

impl<'a> List<'a> {
    /// The items in order; stops with an error where the bytes end early.
    pub fn iter(&self) -> impl Iterator<Item = Result<&'a [u8], Malformed>> + use<'a> {
        let mut rest = Some(self.framed);
        (0..self.count).map_while(move |_| match read_framed(rest.take()?) {
            Ok((item, after)) => {
                rest = Some(after);
                Some(Ok(item))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

/// The items of an output (or of a list), in order.
pub fn split_framed(bytes: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    let mut rest = Some(bytes);
    core::iter::from_fn(move || {
        let here = rest?;
        if here.is_empty() {
            rest = None;
            return None;
        }
        match read_framed(here) {
            Ok((item, after)) => {
                rest = Some(after);
                Some(Ok(item))
            }
            Err(error) => {
                rest = None;
                Some(Err(error))
            }
        }
    })
}

fn read_framed(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (length, rest) = read_u32(bytes)?;
    rest.split_at_checked(length as usize).ok_or(Malformed)
}

fn read_u32(bytes: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    Ok((u32::from_le_bytes(*head), rest))
}

fn read_i64(bytes: &[u8]) -> Result<(i64, &[u8]), Malformed> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    Ok((i64::from_le_bytes(*head), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_comes_back_as_it_went_in() {
        let bytes = encode_range(b"{}", -5, 3, 7);
        let input = decode(&bytes).unwrap();
        assert_eq!(input.params, b"{}");
        assert_eq!(
            input.items,
            Items::Range {
                first: -5,
                step: 3,
                count: 7
            }
        );
    }

    #[test]
    fn a_list_comes_back_as_it_went_in() {
        let items: [&[u8]; 3] = [b"1", b"", b"\"x\""];
        let bytes = encode_list(b"", Encoding::Json, items.into_iter());
        let Items::List(list) = decode(&bytes).unwrap().items else {
            panic!("a list")
        };
        let back: Result<Vec<_>, _> = list.iter().collect();
        assert_eq!(back.unwrap(), items);
    }

    #[test]
    fn a_list_shorter_than_its_count_ends_with_an_error() {
        let bytes = encode_list(b"", Encoding::Text, [b"ab".as_slice(), b"cd"].into_iter());
        let Items::List(list) = decode(&bytes[..bytes.len() - 6]).unwrap().items else {
            panic!("a list")
        };
        assert_eq!(
            list.iter().collect::<Vec<_>>(),
            [Ok(b"ab".as_slice()), Err(Malformed)]
        );
    }

    #[test]
    fn every_cut_is_an_error_and_never_a_panic() {
        let bytes = encode_range(b"{\"a\":1}", 1, 1, 1);
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), Err(Malformed), "cut at {end}");
        }
        let mut bytes = bytes;
        bytes[11] = 9;
        assert_eq!(decode(&bytes), Err(Malformed), "unknown kind");
    }
}
