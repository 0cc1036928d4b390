//! Fills and copies memory in pieces, so that no single instruction takes long.
//!
//! An engine ends a program at the head of a loop or of a function, never inside an instruction. One
//! `memory.fill` of 1 GiB takes two seconds in Wasmtime (measured: its pages are new), and Chromium's
//! `terminate()` never ends a loop of copies of 8 MiB. So where a length is not known to be short, the
//! instruction becomes a call of an added function, which does the same in a loop of pieces.
//!
//! What it does is the same to the bit: a range that is not in memory goes to the one instruction as
//! it was, which traps before it writes anything; and a copy to above its source begins at its end.
//!
//! The others are short as they are: `memory.init` copies no more than a module has, tables are small.
use crate::check::{Function, Signatures};
use crate::edit::{Edit, leb, signed_leb};
use crate::rewrite::Additions;
use crate::types::Types;
use std::ops::Range;
use wasmparser::{FuncType, Operator, ValType};

/// The most that one instruction fills or copies: well below 1 ms where the pages are there, 2 ms where
/// they are new.
pub const PIECE_BYTES_MAX: u32 = 1 << 20;

/// What is done to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fill,
    Copy,
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

    /// How many there are.
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }
}

/// Adds the functions that `functions`, which are the module's own, need, and calls them.
pub(crate) fn divide(
    signatures: &Signatures,
    types: &mut Types,
    functions: &mut [Function],
    additions: &mut Additions,
) {
    for (kind, name, body) in [
        (Kind::Fill, "elytra: fill", fill as fn() -> Vec<u8>),
        (Kind::Copy, "elytra: copy", copy),
    ] {
        let has = |function: &Function| function.bulk.places.iter().any(|(found, _)| *found == kind);
        if !functions.iter().any(has) {
            continue;
        }
        let own = signatures.functions.len() + additions.functions.len();
        let call = [&[CALL][..], &leb(own)].concat();
        for function in &mut *functions {
            let places = function.bulk.places.iter().filter(|(found, _)| *found == kind);
            let edits = places.map(|(_, at)| Edit::replace(at.clone(), call.clone()));
            function.edits.extend(edits);
        }
        let ty = types.index(&FuncType::new([ValType::I32; 3], []));
        additions.functions.push(leb(ty as usize));
        let body = body();
        additions.bodies.push([leb(body.len()), body].concat());
        additions
            .names
            .push((u32::try_from(own).unwrap_or(u32::MAX), name));
    }
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

/// Whether the range from there on lies in memory.
fn is_within(from: u8) -> Vec<u8> {
    let end = [
        LOCAL_GET,
        from,
        I64_EXTEND_I32_U,
        LOCAL_GET,
        LENGTH,
        I64_EXTEND_I32_U,
        I64_ADD,
    ];
    let size = [I64_EXTEND_I32_U, I64_CONST, PAGE_BITS, I64_SHL, I64_LE_U];
    [&end[..], &MEMORY_SIZE, &size].concat()
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
