//! Fills and copies memory in pieces, so that no single instruction takes long.
//!
//! An engine ends a program at the head of a loop or of a function, never inside an instruction. One
//! `memory.fill` of 1 GiB takes a second in Wasmtime (measured: its pages are new). Chromium is worse: in a
//! loop without a call, of instructions that move 64 KiB each, `terminate()` is seen at once; with 256 KiB
//! or 1 MiB it takes up to three seconds of a core more, and with 8 MiB it is never seen. So where a length
//! is not known to be short, the instruction becomes a call of an added function, which does the same in a
//! loop of pieces.
//!
//! What it does is the same to the bit: a range that is not there goes to the one instruction as it was,
//! which traps before it writes anything; and a copy to above its source begins at its end.
//!
//! The instructions on tables are short as they are, because tables are small.
use crate::check::{Function, Signatures};
use crate::edit::{Edit, leb, signed_leb};
use crate::rewrite::Additions;
use crate::types::Types;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use wasmparser::{FuncType, Operator, ValType};

/// The most that one instruction fills or copies.
pub const PIECE_BYTES_MAX: u32 = 64 << 10;

/// What is done to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Fill,
    Copy,
    /// From a data segment.
    Init(u32),
}

/// The fills and copies of a function that may be long.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    places: Vec<(Kind, Range<usize>)>,
    /// What the instruction just before pushed, if that is a constant: a length stands last.
    constant: Option<u32>,
}

impl Bulk {
    /// One instruction, in the module's order.
    pub(crate) fn note(&mut self, operator: &Operator<'_>, at: Range<usize>) {
        let kind = match operator {
            Operator::MemoryFill { .. } => Some(Kind::Fill),
            Operator::MemoryCopy { .. } => Some(Kind::Copy),
            Operator::MemoryInit { data_index, .. } => Some(Kind::Init(*data_index)),
            _ => None,
        };
        let is_long = self.constant.is_none_or(|length| length > PIECE_BYTES_MAX);
        self.places
            .extend(kind.filter(|_| is_long).map(|kind| (kind, at)));
        self.constant = match operator {
            Operator::I32Const { value } => Some(value.cast_unsigned()),
            _ => None,
        };
    }
}

/// The data segments that are longer than a piece: their lengths by their index.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    next: u32,
    long: BTreeMap<u32, u32>,
}

impl Segments {
    /// The next one, in the module's order.
    pub(crate) fn note(&mut self, bytes: usize) {
        // A module is shorter than that.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if bytes > PIECE_BYTES_MAX {
            self.long.insert(self.next, bytes);
        }
        self.next += 1;
    }
}

/// Adds the functions that `functions`, which are the module's own, need, and calls them.
pub(crate) fn divide(
    signatures: &Signatures,
    segments: &Segments,
    types: &mut Types,
    functions: &mut [Function],
    additions: &mut Additions,
) {
    let places = functions.iter().flat_map(|function| &function.bulk.places);
    let kinds: BTreeSet<Kind> = places.map(|(kind, _)| *kind).collect();
    for kind in kinds {
        let (name, body) = match kind {
            Kind::Fill => ("elytra: fill", fill()),
            Kind::Copy => ("elytra: copy", copy()),
            Kind::Init(segment) => match segments.long.get(&segment) {
                Some(bytes) => ("elytra: init", init(segment, *bytes)),
                // More than a piece is more than there is, which traps at once.
                None => continue,
            },
        };
        let own = signatures.functions.len() + additions.functions.len();
        additions.divided += call_instead(functions, kind, own);
        let ty = types.index(&FuncType::new([ValType::I32; 3], []));
        additions.functions.push(leb(ty as usize));
        additions.bodies.push([leb(body.len()), body].concat());
        additions
            .names
            .push((u32::try_from(own).unwrap_or(u32::MAX), name));
    }
}

/// Calls a function in place of every instruction of a kind; tells how many there were.
fn call_instead(functions: &mut [Function], kind: Kind, called: usize) -> usize {
    let call = [&[CALL][..], &leb(called)].concat();
    let mut count = 0;
    for function in functions {
        let places = function.bulk.places.iter().filter(|(found, _)| *found == kind);
        let edits = places.map(|(_, at)| Edit::replace(at.clone(), call.clone()));
        let before = function.edits.len();
        function.edits.extend(edits);
        count += function.edits.len() - before;
    }
    count
}

const LOOP: u8 = 0x03;
const IF: u8 = 0x04;
const ELSE: u8 = 0x05;
const END: u8 = 0x0b;
const BR_IF: u8 = 0x0d;
const CALL: u8 = 0x10;
const LOCAL_GET: u8 = 0x20;
const LOCAL_SET: u8 = 0x21;
const MEMORY_SIZE: [u8; 2] = [0x3f, 0];
const I32_CONST: u8 = 0x41;
const I64_CONST: u8 = 0x42;
const I32_GT_U: u8 = 0x4b;
const I32_LE_U: u8 = 0x4d;
const I64_LE_U: u8 = 0x58;
const I32_ADD: u8 = 0x6a;
const I32_SUB: u8 = 0x6b;
const I32_AND: u8 = 0x71;
const I64_ADD: u8 = 0x7c;
const I64_SHL: u8 = 0x86;
const I64_EXTEND_I32_U: u8 = 0xad;
const MEMORY_INIT: [u8; 2] = [0xfc, 8];
const MEMORY_COPY: [u8; 4] = [0xfc, 10, 0, 0];
const MEMORY_FILL: [u8; 3] = [0xfc, 11, 0];
const EMPTY_BLOCK: u8 = 0x40;
/// Bytes of a page, as a power of two.
const PAGE_BITS: u8 = 16;

/// The parameters: where to, a byte or where from, and how many bytes.
const TO: u8 = 0;
const FROM: u8 = 1;
const LENGTH: u8 = 2;

/// `while length > PIECE { fill(to, value, PIECE); to += PIECE; length -= PIECE }`, if all of it is in memory, and
/// then the rest.
fn fill() -> Vec<u8> {
    let whole = [&get_all()[..], &MEMORY_FILL].concat();
    let piece = [&get_all()[..4], &piece_bytes(), &MEMORY_FILL].concat();
    let forwards = again(&[piece, step(TO, I32_ADD), step(LENGTH, I32_SUB)].concat());
    [
        // No locals of its own.
        &[0][..],
        &is_long(),
        &when(&[is_within(TO), when(&forwards)].concat()),
        &whole,
        &[END],
    ]
    .concat()
}

/// The same; from the end where it goes upwards, because what it has not read yet lies below.
fn copy() -> Vec<u8> {
    let whole = [&get_all()[..], &MEMORY_COPY].concat();
    let piece = [&get_all()[..4], &piece_bytes(), &MEMORY_COPY].concat();
    let forwards = again(
        &[
            piece,
            step(TO, I32_ADD),
            step(FROM, I32_ADD),
            step(LENGTH, I32_SUB),
        ]
        .concat(),
    );
    let at_end = |from: u8| [LOCAL_GET, from, LOCAL_GET, LENGTH, I32_ADD];
    let last = [&at_end(TO)[..], &at_end(FROM), &piece_bytes(), &MEMORY_COPY].concat();
    let backwards = again(&[step(LENGTH, I32_SUB), last].concat());
    let either = [
        &[LOCAL_GET, TO, LOCAL_GET, FROM, I32_LE_U, IF, EMPTY_BLOCK][..],
        &forwards,
        &[ELSE],
        &backwards,
        &[END],
    ]
    .concat();
    let both = [is_within(TO), is_within(FROM), vec![I32_AND]].concat();
    [
        &[0][..],
        &is_long(),
        &when(&[both, when(&either)].concat()),
        &whole,
        &[END],
    ]
    .concat()
}

/// The same from a segment of so many bytes. One that was dropped has none, and the first piece traps.
fn init(segment: u32, bytes: u32) -> Vec<u8> {
    let init = [&MEMORY_INIT[..], &leb(segment as usize), &[0]].concat();
    let whole = [&get_all()[..], &init].concat();
    let piece = [&get_all()[..4], &piece_bytes(), &init].concat();
    let forwards = again(
        &[
            piece,
            step(TO, I32_ADD),
            step(FROM, I32_ADD),
            step(LENGTH, I32_SUB),
        ]
        .concat(),
    );
    let segment_end = [&[I64_CONST][..], &signed_leb(bytes.into()), &[I64_LE_U]].concat();
    let both = [is_within(TO), end_of(FROM).to_vec(), segment_end, vec![I32_AND]].concat();
    [
        &[0][..],
        &is_long(),
        &when(&[both, when(&forwards)].concat()),
        &whole,
        &[END],
    ]
    .concat()
}

fn get_all() -> [u8; 6] {
    [LOCAL_GET, TO, LOCAL_GET, FROM, LOCAL_GET, LENGTH]
}

fn piece_bytes() -> Vec<u8> {
    [&[I32_CONST][..], &signed_leb(PIECE_BYTES_MAX.into())].concat()
}

/// Whether more than a piece is left.
fn is_long() -> Vec<u8> {
    [&[LOCAL_GET, LENGTH][..], &piece_bytes(), &[I32_GT_U]].concat()
}

/// Where the range from there on ends.
fn end_of(from: u8) -> [u8; 7] {
    [
        LOCAL_GET,
        from,
        I64_EXTEND_I32_U,
        LOCAL_GET,
        LENGTH,
        I64_EXTEND_I32_U,
        I64_ADD,
    ]
}

/// Whether the range from there on lies in memory.
fn is_within(from: u8) -> Vec<u8> {
    let size = [I64_EXTEND_I32_U, I64_CONST, PAGE_BITS, I64_SHL, I64_LE_U];
    [&end_of(from)[..], &MEMORY_SIZE, &size].concat()
}

/// Moves a parameter by a piece.
fn step(what: u8, by: u8) -> Vec<u8> {
    [&[LOCAL_GET, what][..], &piece_bytes(), &[by, LOCAL_SET, what]].concat()
}

/// Does that while more than a piece is left, at least once.
fn again(what: &[u8]) -> Vec<u8> {
    [&[LOOP, EMPTY_BLOCK][..], what, &is_long(), &[BR_IF, 0, END]].concat()
}

/// Does that if what was pushed says so.
fn when(what: &[u8]) -> Vec<u8> {
    [&[IF, EMPTY_BLOCK][..], what, &[END]].concat()
}
