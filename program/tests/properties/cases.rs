//! Modules made by hand: every way in which NaN bits can come to light, and every kind of deep recursion.
use std::fmt::Write as _;

/// A module with these entries, each a function body that may write to the memory.
fn module(more: &str, entries: &[&str]) -> String {
    let mut text = format!("(module (memory (export \"memory\") 1 4) {more}\n");
    for (number, body) in entries.iter().enumerate() {
        writeln!(
            text,
            "(func (export \"e{number}\") (local $a f64) (local $b f32) (local $v v128) {body})"
        )
        .expect("a string");
    }
    text + ")"
}

fn parsed(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Arithmetic whose NaN keeps a payload on every processor, in each place where it can be seen.
pub(crate) fn nans() -> Vec<u8> {
    let more = r"
        (global $g (mut f64) (f64.const 0)) (global $h (mut v128) (v128.const i64x2 0 0))
        (table 2 funcref) (elem (i32.const 0) $made $kept)
        (type $t (func (param f64) (result f64)))
        (func $made (param f64) (result f64) (f64.add (local.get 0) (f64.const 1)))
        (func $kept (param f64) (result f64) (local.get 0))
        (func $two (result f64 f32) (f64.add (f64.const nan:0x123) (f64.const 1)) (f32.sqrt (f32.const -1)))
        (func $early (param i32) (result f64)
            (br_if 0 (f64.add (f64.const nan:0x77) (f64.const 1)) (local.get 0))
            (drop) (return (f64.div (f64.const 0) (f64.const 0))))
        (func $some (result f64) (f64.const nan:0xbeef))";
    let nan = "(f64.add (f64.const nan:0x123) (f64.const 1))";
    let nan32 = "(f32.mul (f32.const -nan:0x77) (f32.const 2))";
    let vector =
        "(f64x2.add (v128.const i64x2 0x7ff8000000000123 0xfff8000000000456) (v128.const f64x2 1 2))";
    let vector32 = "(f32x4.mul (v128.const i32x4 0x7fc01234 0xffc00001 0x3f800000 0x7f800000) (v128.const f32x4 2 2 2 0))";
    let bodies = [
        format!("(f64.store (i32.const 0) {nan})"),
        format!("(f32.store (i32.const 0) {nan32})"),
        format!("(i64.store (i32.const 0) (i64.reinterpret_f64 {nan}))"),
        format!("(f64.store (i32.const 0) (f64.neg {nan})) (f64.store (i32.const 8) (f64.abs (f64.neg {nan})))"),
        format!("(f64.store (i32.const 0) (f64.copysign (f64.const 2) {nan}))"),
        format!("(f64.store (i32.const 0) (f64.copysign {nan} (f64.const -2)))"),
        // The same value seen as it is and with its sign changed.
        format!("(local.set $a {nan}) (f64.store (i32.const 0) (local.get $a)) (f64.store (i32.const 8) (f64.neg (local.get $a)))"),
        // A local that holds a loaded NaN first, which must stay, and then a computed one.
        format!("(local.set $a (call $some)) (f64.store (i32.const 0) (local.get $a)) (local.set $a {nan}) (f64.store (i32.const 8) (local.get $a))"),
        format!("(global.set $g {nan}) (f64.store (i32.const 0) (global.get $g))"),
        format!("(f64.store (i32.const 0) (call $kept {nan}))"),
        format!("(f64.store (i32.const 0) (call_indirect (type $t) {nan} (i32.const 1)))"),
        "(f64.store (i32.const 0) (call_indirect (type $t) (f64.const nan:0x9) (i32.const 0)))".into(),
        "(call $two) (local.set $b) (local.set $a) (f64.store (i32.const 0) (local.get $a)) (f32.store (i32.const 8) (local.get $b))".into(),
        "(f64.store (i32.const 0) (call $early (i32.const 0))) (f64.store (i32.const 8) (call $early (i32.const 1)))".into(),
        format!("(f64.store (i32.const 0) (select {nan} (f64.const nan:0x55) (i32.const 1)))"),
        format!("(f64.store (i32.const 0) (if (result f64) (i32.load (i32.const 64)) (then (call $some)) (else {nan})))"),
        format!("(f64.store (i32.const 0) (block (result f64) (br_if 0 {nan} (i32.const 1)) (drop) (call $some)))"),
        "(local.set $a (f64.const nan:0x31)) (loop $l (local.set $a (f64.mul (local.get $a) (f64.const 3))) \
            (i32.store (i32.const 32) (i32.add (i32.load (i32.const 32)) (i32.const 1))) \
            (br_if $l (i32.lt_u (i32.load (i32.const 32)) (i32.const 9)))) (f64.store (i32.const 0) (local.get $a))".into(),
        format!("(f64.store (i32.const 0) (f64.promote_f32 {nan32})) (f32.store (i32.const 8) (f32.demote_f64 {nan}))"),
        format!("(f64.store (i32.const 0) (f64.floor {nan})) (f64.store (i32.const 8) (f64.min {nan} (f64.const nan:0x4)))"),
        format!("(v128.store (i32.const 0) {vector}) (v128.store (i32.const 16) {vector32})"),
        format!("(v128.store (i32.const 0) (i64x2.add {vector} {vector})) (v128.store (i32.const 16) (v128.not {vector32}))"),
        // Lanes of one width read as the other.
        format!("(v128.store (i32.const 0) (f32x4.add {vector} (v128.const f32x4 1 1 1 1)))"),
        format!("(v128.store (i32.const 0) (f64x2.mul {vector32} {vector32}))"),
        format!("(v128.store (i32.const 0) (f64x2.neg {vector})) (v128.store (i32.const 16) (f32x4.abs {vector32}))"),
        format!("(v128.store (i32.const 0) (f64x2.pmin {vector} (v128.const f64x2 nan:0x8 3)))"),
        format!("(f64.store (i32.const 0) (f64x2.extract_lane 1 {vector})) (f32.store (i32.const 8) (f32x4.extract_lane 0 {vector32}))"),
        format!("(i64.store (i32.const 0) (i64x2.extract_lane 0 {vector})) (i32.store8 (i32.const 8) (i8x16.bitmask {vector32}))"),
        format!("(v128.store (i32.const 0) (f64x2.splat {nan})) (v128.store (i32.const 16) (f32x4.replace_lane 2 {vector32} {nan32}))"),
        format!("(v128.store (i32.const 0) (i8x16.shuffle 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 {vector} {vector}))"),
        format!("(v128.store (i32.const 0) (i8x16.shuffle 4 5 6 7 0 1 2 3 20 21 22 23 16 17 18 19 {vector} {vector32}))"),
        format!("(v128.store (i32.const 0) (i8x16.shuffle 1 0 3 2 5 4 7 6 9 8 11 10 31 30 29 28 {vector} {vector32}))"),
        format!("(local.set $v {vector}) (local.set $v (f32x4.add (local.get $v) {vector32})) (v128.store (i32.const 0) (local.get $v))"),
        format!("(global.set $h {vector}) (v128.store (i32.const 0) (global.get $h))"),
        format!("(v128.store (i32.const 0) (f32x4.demote_f64x2_zero {vector})) (v128.store (i32.const 16) (f64x2.promote_low_f32x4 {vector32}))"),
        // Bits that nobody computed stay as they are.
        "(f64.store (i32.const 0) (f64.const nan:0x5)) (f64.store (i32.const 8) (f64.load (i32.const 0))) \
            (f32.store (i32.const 16) (f32.const -nan:0x200001))".into(),
        "(i64.store (i32.const 0) (i64.const 0x7ff0000000000001)) (f64.store (i32.const 8) (f64.load (i32.const 0))) \
            (f64.store (i32.const 16) (f64.neg (f64.load (i32.const 0))))".into(),
    ];
    parsed(&module(
        more,
        &bodies.iter().map(String::as_str).collect::<Vec<_>>(),
    ))
}

/// A computed NaN whose payload comes from the program: without admission every processor shows it.
pub(crate) fn payload() -> Vec<u8> {
    parsed(&module(
        "",
        &["(f64.store (i32.const 0) (f64.add (f64.const nan:0x123) (f64.const 1)))"],
    ))
}

/// Functions that call themselves without end, with frames of many kinds.
pub(crate) fn recursions() -> Vec<u8> {
    let many = |ty: &str, count: usize| format!("(local {})", format!("{ty} ").repeat(count));
    let fill = |count: usize, load: &str, store: &str| {
        let mut text = String::new();
        for n in 0..count {
            text += &format!("(local.set {n} ({load} (i32.const {})))", n * 16);
        }
        text += "(call $count) (call $self)";
        for n in 0..count {
            text += &format!("({store} (i32.const {}) (local.get {n}))", n * 16);
        }
        text
    };
    let own =
        |text: String, name: &str| format!("(func ${name} {})", text.replace("$self", &format!("${name}")));
    let parameters = "(local.get 0) ".repeat(30);
    let mut more = String::from(
        "(func $count (i32.store (i32.const 4096) (i32.add (i32.load (i32.const 4096)) (i32.const 1))))
         (type $none (func)) (table 1 funcref) (elem (i32.const 0) $through)
         (func $through (call $count) (call_indirect (type $none) (i32.const 0)))
         (func $even (result f64) (call $count) (return (f64.add (call $odd) (f64.const 1))))
         (func $odd (result f64) (br 0 (call $even)))
         (func $several (result i32 f64) (call $count) (br_if 0 (call $several) (i32.const 0)))",
    );
    more += &own("(call $count) (call $self)".into(), "small");
    more += &own(many("i64", 100) + &fill(100, "i64.load", "i64.store"), "longs");
    more += &own(many("i64", 900) + &fill(900, "i64.load", "i64.store"), "many");
    more += &own(many("f64", 60) + &fill(60, "f64.load", "f64.store"), "floats");
    more += &own(many("v128", 50) + &fill(50, "v128.load", "v128.store"), "vectors");
    more += &own(
        format!(
            "(param {}) (call $count) (call $self {parameters})",
            "i64 ".repeat(30)
        ),
        "passing",
    );
    more += &own(
        format!(
            "(result i32) (call $count) {} (call $self) {}",
            "(i32.load (i32.const 0)) ".repeat(200),
            "(i32.add) ".repeat(200)
        ),
        "operands",
    );
    let passing = format!("(call $passing {})", "(i64.load (i32.const 0)) ".repeat(30));
    let entries = [
        "(call $small)",
        "(call $longs)",
        "(call $many)",
        "(call $floats)",
        "(call $vectors)",
        &passing,
        "(drop (call $operands))",
        "(call $through)",
        "(drop (call $even))",
        "(call $several) (drop) (drop)",
    ];
    parsed(&module(&more, &entries))
}

/// Recursion that comes to its end, many times over: what is taken must be given back on every way out.
pub(crate) fn returning() -> Vec<u8> {
    let more = "
        (func $fib (param i32) (result i32)
            (if (i32.lt_u (local.get 0) (i32.const 2)) (then (return (local.get 0))))
            (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))
        (func $ways (param i32) (result i32)
            (br_if 0 (i32.const 1) (i32.eqz (local.get 0)))
            (drop)
            (block $a (block $b (br_table $a $b (i32.rem_u (local.get 0) (i32.const 3)))))
            (call $ways (i32.sub (local.get 0) (i32.const 1))))
        (func $pair (param i32) (result i32 i64)
            (br_if 0 (i32.const 1) (i64.const 2) (i32.eqz (local.get 0)))
            (drop) (drop) (call $pair (i32.sub (local.get 0) (i32.const 1))))";
    let entries = [
        "(i32.store (i32.const 0) (call $fib (i32.const 20)))",
        "(loop $l (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (call $ways (i32.const 50)))) \
            (br_if $l (i32.lt_u (i32.load (i32.const 0)) (i32.const 5000))))",
        "(loop $l (call $pair (i32.const 60)) (drop) (drop) \
            (i32.store (i32.const 4) (i32.add (i32.load (i32.const 4)) (i32.const 1))) \
            (br_if $l (i32.lt_u (i32.load (i32.const 4)) (i32.const 5000))))",
    ];
    parsed(&module(more, &entries))
}

/// A start function and an `_initialize` that leave their marks before the entries do; the first is called again by
/// one entry, and one entry calls the other.
pub(crate) fn beginnings() -> Vec<u8> {
    let note = |mark: u32| {
        format!(
            "(i32.store (i32.const 0) (i32.add (i32.mul (i32.load (i32.const 0)) (i32.const 10)) (i32.const {mark})))"
        )
    };
    parsed(&format!(
        "(module (memory (export \"memory\") 1 4) (start $start)
            (func $start {}) (func $first (export \"_initialize\") {})
            (func $e0 (export \"e0\") {}) (func (export \"e1\") (call $start) (call $e0)))",
        note(1),
        note(2),
        note(3)
    ))
}
