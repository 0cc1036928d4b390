//! The same for the table: what its elements are is seen by calling them.
use crate::bulk::call;
use crate::check_all;
use crate::generate::Random;
use crate::native::{Settings, engine};
use program::{PIECE_ELEMENTS_MAX as PIECE, admit};
use wasmtime::{Instance, Module, OptLevel, Store};

const SIZE: u32 = 700;
/// Of the element segment.
const SEGMENT: u32 = 3 * PIECE + 7;

/// Which function stands there at first, of the three that answer 1, 2 and 3.
fn name(at: u32) -> &'static str {
    ["$one", "$two", "$three"][usize::try_from((at ^ (at >> 3)) % 3).expect("small")]
}

fn answer(at: u32) -> u8 {
    u8::try_from(
        ["$one", "$two", "$three"]
            .iter()
            .position(|known| *known == name(at))
            .expect("known")
            + 1,
    )
    .expect("small")
}

fn module(more: &str) -> Vec<u8> {
    let names = |from: u32, to: u32| (from..to).map(name).collect::<Vec<_>>().join(" ");
    let text = format!(
        r#"(module (memory (export "memory") 1 1) (table $t {SIZE} {SIZE} funcref) (type $answer (func (result i32)))
            (func $one (result i32) (i32.const 1)) (func $two (result i32) (i32.const 2))
            (func $three (result i32) (i32.const 3))
            (elem (i32.const 0) func {}) (elem $long func {}) (elem declare func $two)
            (func $fill (param i32 i32 i32) (if (local.get 1)
                (then (table.fill $t (local.get 0) (ref.func $two) (local.get 2)))
                (else (table.fill $t (local.get 0) (ref.null func) (local.get 2)))))
            (func $copy (param i32 i32 i32) (table.copy $t $t (local.get 0) (local.get 1) (local.get 2)))
            (func $init (param i32 i32 i32) (table.init $t $long (local.get 0) (local.get 1) (local.get 2)))
            (func $dump (export "dump") (local $at i32)
                (loop $again
                    (i32.store8 (local.get $at) (if (result i32) (ref.is_null (table.get $t (local.get $at)))
                        (then (i32.const 0)) (else (call_indirect $t (type $answer) (local.get $at)))))
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $at) (table.size $t))))) {more})"#,
        names(0, SIZE),
        names(1_000, 1_000 + SEGMENT)
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

const CASES: [(&str, u32, u32, u32); 9] = [
    ("init", 400, 2, SEGMENT - 2),
    ("copy", 1, 0, SIZE - 1),
    ("copy", 0, 3, SIZE - 3),
    ("copy", PIECE, 0, 4 * PIECE),
    ("fill", 5, 1, PIECE + 1),
    ("copy", 7, 2, 5 * PIECE),
    ("init", 0, 0, SEGMENT),
    ("fill", 650, 0, 50),
    ("copy", 100, 600, 100),
];

#[test]
fn tables_look_the_same_everywhere() {
    let each = CASES.map(call).concat();
    let trap = call(("copy", 0, 1, SIZE));
    let all = check_all(&[(
        "tables",
        module(&format!(
            r#"(func (export "well") {each} (call $dump)) (func (export "badly") {trap})"#
        )),
    )]);
    let of = |entry: &str| all[0].iter().find(|seen| seen.entry == entry).unwrap();
    assert_eq!(of("well").trap, None);
    assert_eq!(of("badly").trap.as_deref(), Some("TableOutOfBounds"));
}

#[test]
fn pieces_make_the_whole_table() {
    let exports = r#"(export "fill" (func $fill)) (export "copy" (func $copy)) (export "init" (func $init))
        (func (export "run"))"#;
    let admitted = admit(module(exports)).expect("it is admitted").bytes;
    let engine = engine(Settings {
        level: OptLevel::Speed,
        canonical: false,
    });
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &Module::new(&engine, admitted).unwrap(), &[]).unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let mut expected: Vec<u8> = (0..SIZE).map(answer).collect();
    let segment: Vec<u8> = (1_000..1_000 + SEGMENT).map(answer).collect();
    let mut random = Random::new(11);
    let mut done = [0, 0];
    for _ in 0..promise::amount(300, 5_000) {
        let what = random.choose(&["fill", "copy", "init"]);
        let mut below = |bound: u32| u32::try_from(random.next() % u64::from(bound)).unwrap();
        let length = below(if what == "init" { SEGMENT + 9 } else { SIZE + 9 });
        let room = |of: u32| of.saturating_sub(length) + 30;
        let to = below(room(SIZE));
        let from = below(if what == "init" { room(SEGMENT) } else { room(SIZE) });
        let function = instance
            .get_typed_func::<(u32, u32, u32), ()>(&mut store, what)
            .unwrap();
        let ended = function.call(&mut store, (to, from, length));
        let source = if what == "init" { &segment } else { &expected };
        let values = match what {
            "fill" => Some(vec![if from == 0 { 0 } else { 2 }; length as usize]),
            _ => source
                .get(from as usize..(from + length) as usize)
                .map(<[u8]>::to_vec),
        };
        let is_there = to + length <= SIZE;
        let values = values.filter(|_| is_there);
        assert_eq!(ended.is_ok(), values.is_some(), "{what} {to} {from} {length}");
        done[usize::from(values.is_some())] += 1;
        if let Some(values) = values {
            expected[to as usize..(to + length) as usize].copy_from_slice(&values);
        }
        let dump = instance.get_typed_func::<(), ()>(&mut store, "dump").unwrap();
        dump.call(&mut store, ()).unwrap();
        assert!(
            memory.data(&store)[..SIZE as usize] == expected,
            "{what} {to} {from} {length}"
        );
    }
    assert!(done.iter().all(|count| *count > 20), "{done:?}");
}
