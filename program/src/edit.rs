//! Changes to a module's bytes, and the record that takes them back.
//!
//! Admission never encodes a module anew: what it does not change it copies. So a change is a range of
//! the original and the bytes that take its place, and from the same list comes the *undo record*:
//! what turns the admitted bytes back into the original ones (see [`crate::marker`]).
use std::ops::Range;

/// The bytes `at` of the original become `with`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) at: Range<usize>,
    pub(crate) with: Vec<u8>,
    /// What is dropped for good is not brought back by the undo record.
    pub(crate) for_good: bool,
}

impl Edit {
    pub(crate) fn insert(at: usize, with: Vec<u8>) -> Self {
        Self::replace(at..at, with)
    }

    pub(crate) fn replace(at: Range<usize>, with: Vec<u8>) -> Self {
        Self {
            at,
            with,
            for_good: false,
        }
    }

    pub(crate) fn drop_for_good(at: Range<usize>) -> Self {
        Self {
            at,
            with: Vec::new(),
            for_good: true,
        }
    }

    /// How many bytes longer the module becomes.
    fn growth(&self) -> i64 {
        signed(self.with.len()) - signed(self.at.len())
    }
}

/// How many bytes longer all of them make the module.
pub(crate) fn growth(edits: &[Edit]) -> i64 {
    edits.iter().map(Edit::growth).sum()
}

/// No module is near 2^63 bytes.
fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The module with `edits` applied, and the undo record. Edits at one place keep their order; they do
/// not overlap.
pub(crate) fn apply(original: &[u8], mut edits: Vec<Edit>) -> (Vec<u8>, Vec<u8>) {
    edits.sort_by_key(|edit| edit.at.start);
    let mut admitted = Vec::with_capacity(original.len());
    let mut undo = Vec::new();
    let mut at = 0;
    let mut copied = 0;
    for edit in &edits {
        admitted.extend_from_slice(&original[at..edit.at.start]);
        copied += edit.at.start - at;
        at = edit.at.end;
        if !edit.for_good {
            admitted.extend_from_slice(&edit.with);
            write_leb(&mut undo, copied);
            write_leb(&mut undo, edit.with.len());
            write_leb(&mut undo, edit.at.len());
            undo.extend_from_slice(&original[edit.at.clone()]);
            copied = 0;
        }
    }
    admitted.extend_from_slice(&original[at..]);
    (admitted, undo)
}

/// What `admitted` was made of, if `undo` is its record; at most `bytes_max` bytes.
pub(crate) fn take_back(admitted: &[u8], mut undo: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut rest = admitted;
    let mut original = Vec::with_capacity(admitted.len());
    while !undo.is_empty() {
        let copied = read_leb(&mut undo)?;
        let skipped = read_leb(&mut undo)?;
        let inserted = read_leb(&mut undo)?;
        original.extend_from_slice(split_off(&mut rest, copied)?);
        split_off(&mut rest, skipped)?;
        original.extend_from_slice(split_off(&mut undo, inserted)?);
        if original.len() > bytes_max {
            return None;
        }
    }
    original.extend_from_slice(rest);
    (original.len() <= bytes_max).then_some(original)
}

fn split_off<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(length)?;
    *bytes = tail;
    Some(head)
}

/// Appends an unsigned number in the module's encoding (LEB128).
pub(crate) fn write_leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

/// An unsigned number in the module's encoding.
pub(crate) fn leb(value: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(5);
    write_leb(&mut out, value);
    out
}

/// A signed number in the module's encoding.
pub(crate) fn signed_leb(mut value: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(5);
    loop {
        let byte = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        let sign_is_told = (byte & 0x40 != 0) == (value < 0);
        if sign_is_told && (value == 0 || value == -1) {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

fn low_byte(value: usize) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or(0)
}

/// Takes an unsigned number off the front; `None` where the bytes end or it is over 32 bits.
pub(crate) fn read_leb(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_can_be_taken_back() {
        let original = b"head DEBUG middle tail";
        let edits = vec![
            Edit::replace(18..22, b"end".to_vec()),
            Edit::drop_for_good(5..11),
            Edit::insert(0, b">> ".to_vec()),
            Edit::insert(0, b"and ".to_vec()),
        ];
        let (admitted, undo) = apply(original, edits);
        assert_eq!(admitted, b">> and head middle end");
        assert_eq!(
            take_back(&admitted, &undo, 100).as_deref(),
            Some(&b"head middle tail"[..])
        );
        assert_eq!(take_back(&admitted, &undo, 10), None, "over the bound");
        assert_eq!(take_back(&admitted[..2], &undo, 100), None, "not its record");
    }

    #[test]
    fn numbers_are_written_as_the_format_wants_them() {
        for value in [0, 1, 127, 128, 624_485, u32::MAX as usize] {
            assert_eq!(read_leb(&mut &leb(value)[..]), Some(value));
        }
        assert_eq!(signed_leb(-123_456), [0xc0, 0xbb, 0x78]);
        assert_eq!(signed_leb(64), [0xc0, 0x00]);
    }
}
