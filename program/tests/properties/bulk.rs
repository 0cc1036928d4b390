//! Fills and copies in pieces: the same bytes and the same traps as the one instruction, whatever the ranges are.
use crate::generate::Random;
use crate::native::{Settings, engine};
use crate::{Seen, check_all};
use program::{PIECE_BYTES_MAX as PIECE, admit};
use std::fmt::Write as _;
use wasmtime::{Instance, Module, OptLevel, Store, TypedFunc};

/// Enough for several pieces.
const PAGES: u32 = 9;
const SIZE: u32 = PAGES << 16;

const FUNCTIONS: &str = r#"
    (func $pattern (export "pattern") (local $at i32)
        (loop $again
            (i32.store (local.get $at) (i32.mul (i32.add (local.get $at) (i32.const 77)) (i32.const 0x9e3779b1)))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br_if $again (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536))))))
    (func $fill (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
    (func $copy (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func $init (param i32 i32 i32) (memory.init $long (local.get 0) (local.get 1) (local.get 2)))
    (func $short (param i32 i32 i32) (memory.init $brief (local.get 0) (local.get 1) (local.get 2)))
    (func $drop (param i32 i32 i32) (data.drop $long))
    (data $brief "brief")"#;
/// Of the data segment: three pieces and a bit.
const SEGMENT: u32 = 3 * PIECE + 77;

fn module(more: &str) -> Vec<u8> {
    let mut data = String::new();
    for at in 0..SEGMENT {
        write!(data, "\\{:02x}", (at ^ (at >> 8) ^ (at >> 15)) & 0xff).expect("a string");
    }
    let text = format!(
        r#"(module (memory (export "memory") {PAGES} {PAGES}) {FUNCTIONS} (data $long "{data}") {more})"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Fills and copies that end well: around a piece's length, and around each other.
fn well() -> Vec<(&'static str, u32, u32, u32)> {
    let mut cases = Vec::new();
    for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 5] {
        cases.push(("fill", 3, length ^ 0xffff_ff5a, length));
        for apart in [0, 1, 7, PIECE - 1, PIECE, PIECE + 1] {
            if length + apart + 9 <= SIZE {
                cases.push(("copy", 9 + apart, 9, length));
                cases.push(("copy", 9, 9 + apart, length));
            }
        }
    }
    for length in [0, 1, PIECE, PIECE + 1, 3 * PIECE, SEGMENT - 3, SEGMENT] {
        cases.push(("init", 5, SEGMENT - length, length));
        cases.push(("init", SIZE - length, 0, length));
    }
    cases.push(("short", 1, 1, 4));
    cases.push(("fill", 0, 1, SIZE));
    cases.push(("copy", SIZE, SIZE, 0));
    cases
}

/// Ranges that are not in memory: nothing may have been written when they trap.
const BADLY: [(&str, u32, u32, u32); 15] = [
    ("fill", 1, 0, SIZE),
    ("fill", SIZE - 1, 0, 2),
    ("fill", SIZE - PIECE - 7, 0, PIECE + 8),
    ("fill", SIZE + 1, 0, 0),
    ("fill", 8, 0, u32::MAX),
    ("copy", 0, 1, SIZE),
    ("copy", 1, 0, SIZE),
    ("copy", 16, SIZE - 2 * PIECE, 2 * PIECE + 1),
    ("copy", u32::MAX - PIECE, 0, 2 * PIECE),
    ("copy", 0, u32::MAX - PIECE, 2 * PIECE),
    ("init", 0, 0, SEGMENT + 1),
    ("init", 0, SEGMENT - 2 * PIECE, 2 * PIECE + 1),
    ("init", SIZE - 2 * PIECE, 0, 2 * PIECE + 1),
    ("init", 0, u32::MAX - PIECE, 2 * PIECE),
    ("short", 0, 0, PIECE + 1),
];

pub(crate) fn call((what, to, from, length): (&str, u32, u32, u32)) -> String {
    format!("(call ${what} (i32.const {to}) (i32.const {from}) (i32.const {length}))")
}

#[test]
fn large_fills_and_copies_look_the_same_everywhere() {
    let each: String = well().into_iter().map(call).collect();
    let mut entries = format!(r#"(func (export "well") (call $pattern) {each})"#);
    for (number, case) in BADLY.into_iter().enumerate() {
        write!(
            entries,
            r#"(func (export "badly{number}") (call $pattern) {})"#,
            call(case)
        )
        .expect("a string");
    }
    let dropped = [("drop", 0, 0, 0), ("init", 0, 0, 2 * PIECE)].map(call).concat();
    write!(
        entries,
        r#"(func (export "badly dropped") (call $pattern) {dropped})"#
    )
    .expect("a string");
    let all = check_all(&[("bulk", module(&entries))]);
    let untouched = all[0].iter().find(|seen| seen.entry == "pattern").unwrap();
    assert_eq!(untouched.trap, None);
    for Seen { entry, trap, memory } in &all[0] {
        let is_bad = entry.starts_with("badly");
        let trap = trap.as_deref();
        assert_eq!(trap, is_bad.then_some("MemoryOutOfBounds"), "{entry}");
        assert_eq!(memory == &untouched.memory, entry != "well", "{entry}");
    }
}

/// An instance whose memory is compared with what it should be.
struct Compared {
    store: Store<()>,
    fill: TypedFunc<(u32, u32, u32), ()>,
    copy: TypedFunc<(u32, u32, u32), ()>,
    memory: wasmtime::Memory,
    expected: Vec<u8>,
}

impl Compared {
    fn new() -> Self {
        let exports = r#"(export "fill" (func $fill)) (export "copy" (func $copy)) (func (export "run"))"#;
        let admitted = admit(module(exports)).expect("it is admitted").bytes;
        let engine = engine(Settings {
            level: OptLevel::Speed,
            canonical: false,
        });
        let module = Module::new(&engine, admitted).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let pattern = instance.get_typed_func::<(), ()>(&mut store, "pattern").unwrap();
        pattern.call(&mut store, ()).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        Self {
            fill: instance.get_typed_func(&mut store, "fill").unwrap(),
            copy: instance.get_typed_func(&mut store, "copy").unwrap(),
            expected: memory.data(&store).to_vec(),
            memory,
            store,
        }
    }

    /// Does it there and here.
    fn step(&mut self, is_fill: bool, to: u32, from: u32, length: u32) {
        let function = if is_fill { &self.fill } else { &self.copy };
        let ended = function.call(&mut self.store, (to, from, length));
        let range = |start: u32| {
            let start = usize::try_from(start).unwrap();
            let range = start..start + usize::try_from(length).unwrap();
            (range.end <= self.expected.len()).then_some(range)
        };
        let ranges = if is_fill {
            range(to).map(|to| (to, 0..0))
        } else {
            range(to).zip(range(from))
        };
        assert_eq!(ended.is_ok(), ranges.is_some(), "{is_fill} {to} {from} {length}");
        match ranges {
            Some((to, _)) if is_fill => self.expected[to].fill(from.to_le_bytes()[0]),
            Some((to, from)) => self.expected.copy_within(from, to.start),
            None => {}
        }
        assert!(
            self.memory.data(&self.store) == self.expected,
            "{is_fill} {to} {from} {length}"
        );
    }
}

#[test]
fn pieces_make_the_whole() {
    let mut compared = Compared::new();
    let mut random = Random::new(7);
    for _ in 0..promise::amount(200, 5_000) {
        let mut below = |bound: u32| u32::try_from(random.next() % u64::from(bound)).unwrap();
        let length = below(SIZE + PIECE / 4);
        // Near the end, where half of them still fit.
        let room = SIZE.saturating_sub(length) + PIECE / 8;
        let (to, from) = (below(room), below(room));
        compared.step(below(4) == 0, to, from, length);
    }
}

#[test]
fn only_what_may_be_long_becomes_a_call() {
    let of = |length: u32| {
        let fill = format!("(memory.fill (i32.const 0) (i32.const 1) (i32.const {length}))");
        admit(module(&format!(r#"(func (export "run") {fill})"#))).unwrap()
    };
    let notes = |length: u32| of(length).description.module.unwrap().notes.join("\n");
    // Those of the test's functions are always there.
    assert!(notes(PIECE).contains("at 3 places"), "{}", notes(PIECE));
    assert!(notes(PIECE + 1).contains("at 4 places"), "{}", notes(PIECE + 1));
    assert!(notes(u32::MAX).contains("at 4 places"), "{}", notes(u32::MAX));
}
