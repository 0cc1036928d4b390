//! Fills and copies memory and the table in pieces, so that no single instruction takes long.
//!
//! An engine ends a program at the head of a loop or of a function, never inside an instruction. One
//! `memory.fill` of 1 GiB takes a second in Wasmtime (measured: its pages are new). Chromium is worse: in a
//! loop without a call, of instructions that move 64 KiB each, `terminate()` is seen at once; with 256 KiB
//! or 1 MiB it takes up to three seconds of a core more, and with 8 MiB, or 20,000 elements of a table, it is
//! never seen. So where a length
//! is not known to be short, the instruction becomes a call of an added function, which does the same in a
//! loop of pieces.
//!
//! What it does is the same to the bit: a range that is not there goes to the one instruction as it was,
//! which traps before it writes anything; and a copy to above its source begins at its end.
use crate::check::{Function, Signatures};
use crate::edit::{Edit, leb, signed_leb};
use crate::rewrite::Additions;
use crate::types::Types;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use wasmparser::{FuncType, Operator, ValType};

/// The most that one instruction fills or copies of memory.
pub const PIECE_BYTES_MAX: u32 = 64 << 10;
/// The same of the table; an element takes hundreds of times as long as a byte.
pub const PIECE_ELEMENTS_MAX: u32 = 64;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Fill,
    Copy,
    /// From a data segment.
    Init(u32),
    TableFill,
    TableCopy,
    /// From an element segment.
    TableInit(u32),
}

impl Kind {
    fn of(operator: &Operator<'_>) -> Option<Self> {
        match operator {
            Operator::MemoryFill { .. } => Some(Self::Fill),
            Operator::MemoryCopy { .. } => Some(Self::Copy),
            Operator::MemoryInit { data_index, .. } => Some(Self::Init(*data_index)),
            Operator::TableFill { .. } => Some(Self::TableFill),
            Operator::TableCopy { .. } => Some(Self::TableCopy),
            Operator::TableInit { elem_index, .. } => Some(Self::TableInit(*elem_index)),
            _ => None,
        }
    }

    /// The most that one instruction of it does.
    fn piece(self) -> u32 {
        match self {
            Self::Fill | Self::Copy | Self::Init(_) => PIECE_BYTES_MAX,
            Self::TableFill | Self::TableCopy | Self::TableInit(_) => PIECE_ELEMENTS_MAX,
        }
    }
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
        let is_long = |kind: &Kind| self.constant.is_none_or(|length| length > kind.piece());
        let kind = Kind::of(operator).filter(is_long);
        self.places.extend(kind.map(|kind| (kind, at)));
        self.constant = match operator {
            Operator::I32Const { value } => Some(value.cast_unsigned()),
            _ => None,
        };
    }
}

/// How long the segments are that can be longer than a piece.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    pub(crate) data: Lengths,
    pub(crate) elements: Lengths,
}

/// By their index; only of those that are long.
#[derive(Debug, Default)]
pub(crate) struct Lengths {
    next: u32,
    long: BTreeMap<u32, u32>,
}

impl Lengths {
    /// The next one, in the module's order.
    pub(crate) fn note(&mut self, length: u32) {
        if length > PIECE_ELEMENTS_MAX {
            self.long.insert(self.next, length);
        }
        self.next += 1;
    }

    /// `None` where no more than a piece is there: more than that traps at once.
    fn of(&self, segment: u32, piece: u32) -> Option<u32> {
        self.long.get(&segment).copied().filter(|length| *length > piece)
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
        let Some((name, body)) = body(kind, segments) else {
            continue;
        };
        let own = signatures.functions.len() + additions.functions.len();
        additions.divided += call_instead(functions, kind, own);
        let from = match kind {
            Kind::TableFill => ValType::FUNCREF,
            _ => ValType::I32,
        };
        let ty = types.index(&FuncType::new([ValType::I32, from, ValType::I32], []));
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
const TABLE_SIZE: [u8; 3] = [0xfc, 16, 0];
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
const TABLE_INIT: [u8; 2] = [0xfc, 12];
const TABLE_COPY: [u8; 4] = [0xfc, 14, 0, 0];
const TABLE_FILL: [u8; 3] = [0xfc, 17, 0];
const EMPTY_BLOCK: u8 = 0x40;
/// Bytes of a page, as a power of two.
const PAGE_BITS: u8 = 16;

/// The parameters: where to, a value or where from, and how much.
const TO: u8 = 0;
const FROM: u8 = 1;
const LENGTH: u8 = 2;

/// The name and body of a kind's function; `None` where the instruction is short as it is.
fn body(kind: Kind, segments: &Segments) -> Option<(&'static str, Vec<u8>)> {
    let init = |op: [u8; 2], segment: u32| [&op[..], &leb(segment as usize), &[0]].concat();
    let (name, op, source) = match kind {
        Kind::Fill => ("elytra: fill", MEMORY_FILL.to_vec(), Source::Value),
        Kind::Copy => ("elytra: copy", MEMORY_COPY.to_vec(), Source::Same),
        Kind::TableFill => ("elytra: fill table", TABLE_FILL.to_vec(), Source::Value),
        Kind::TableCopy => ("elytra: copy table", TABLE_COPY.to_vec(), Source::Same),
        Kind::Init(segment) => {
            let source = Source::Segment(segments.data.of(segment, kind.piece())?);
            ("elytra: init", init(MEMORY_INIT, segment), source)
        }
        Kind::TableInit(segment) => {
            let source = Source::Segment(segments.elements.of(segment, kind.piece())?);
            ("elytra: init table", init(TABLE_INIT, segment), source)
        }
    };
    let size = match kind {
        Kind::Fill | Kind::Copy | Kind::Init(_) => [
            &MEMORY_SIZE[..],
            &[I64_EXTEND_I32_U, I64_CONST, PAGE_BITS, I64_SHL],
        ]
        .concat(),
        _ => [&TABLE_SIZE[..], &[I64_EXTEND_I32_U]].concat(),
    };
    let division = Division {
        op,
        piece: [&[I32_CONST][..], &signed_leb(kind.piece().into())].concat(),
        size,
        source,
    };
    Some((name, division.body()))
}

/// Where it comes from.
enum Source {
    /// One value for all.
    Value,
    /// The memory or table that it goes to, too.
    Same,
    /// A segment of this length. One that was dropped has none, and the first piece traps.
    Segment(u32),
}

/// An instruction, and what its function needs.
struct Division {
    op: Vec<u8>,
    /// Pushes a piece's length.
    piece: Vec<u8>,
    /// Pushes the size of memory or table, in 64 bits.
    size: Vec<u8>,
    source: Source,
}

impl Division {
    /// If more than a piece is asked for and all of it is there: piece after piece, while more than one is left.
    /// And then the rest.
    fn body(&self) -> Vec<u8> {
        let pieces = match self.source {
            Source::Value => self.forwards(&[]),
            Source::Segment(_) => self.forwards(&self.step(FROM, I32_ADD)),
            // What was not read yet must not be overwritten.
            Source::Same => [
                &[LOCAL_GET, TO, LOCAL_GET, FROM, I32_LE_U, IF, EMPTY_BLOCK][..],
                &self.forwards(&self.step(FROM, I32_ADD)),
                &[ELSE],
                &self.backwards(),
                &[END],
            ]
            .concat(),
        };
        let is_there = [self.target_is_there(), self.source_is_there()].concat();
        [
            // No locals of its own.
            &[0][..],
            &self.is_long(),
            &when(&[is_there, when(&pieces)].concat()),
            &[LOCAL_GET, TO, LOCAL_GET, FROM, LOCAL_GET, LENGTH],
            &self.op,
            &[END],
        ]
        .concat()
    }

    fn forwards(&self, move_source: &[u8]) -> Vec<u8> {
        let (to, length) = (self.step(TO, I32_ADD), self.step(LENGTH, I32_SUB));
        self.again(
            &[
                &[LOCAL_GET, TO, LOCAL_GET, FROM][..],
                &self.piece,
                &self.op,
                &to,
                move_source,
                &length,
            ]
            .concat(),
        )
    }

    fn backwards(&self) -> Vec<u8> {
        let at_end = |from: u8| [LOCAL_GET, from, LOCAL_GET, LENGTH, I32_ADD];
        let length = self.step(LENGTH, I32_SUB);
        self.again(&[&length[..], &at_end(TO), &at_end(FROM), &self.piece, &self.op].concat())
    }

    /// Whether more than a piece is left.
    fn is_long(&self) -> Vec<u8> {
        [&[LOCAL_GET, LENGTH][..], &self.piece, &[I32_GT_U]].concat()
    }

    fn target_is_there(&self) -> Vec<u8> {
        [&end_of(TO)[..], &self.size, &[I64_LE_U]].concat()
    }

    /// And the source, where it is a range.
    fn source_is_there(&self) -> Vec<u8> {
        let size = match self.source {
            Source::Value => return Vec::new(),
            Source::Same => self.size.clone(),
            Source::Segment(length) => [&[I64_CONST][..], &signed_leb(length.into())].concat(),
        };
        [&end_of(FROM)[..], &size, &[I64_LE_U, I32_AND]].concat()
    }

    /// Moves a parameter by a piece.
    fn step(&self, what: u8, by: u8) -> Vec<u8> {
        [&[LOCAL_GET, what][..], &self.piece, &[by, LOCAL_SET, what]].concat()
    }

    /// Does that while more than a piece is left, at least once.
    fn again(&self, what: &[u8]) -> Vec<u8> {
        let is_long = self.is_long();
        [&[LOOP, EMPTY_BLOCK][..], what, &is_long, &[BR_IF, 0, END]].concat()
    }
}

/// Where the range from there on ends, in 64 bits.
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

/// Does that if what was pushed says so.
fn when(what: &[u8]) -> Vec<u8> {
    [&[IF, EMPTY_BLOCK][..], what, &[END]].concat()
}
