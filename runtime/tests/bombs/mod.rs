//! Modules that are made to keep a compiler busy. The benchmark times their refusal with the same ones.

/// A bomb, and its text.
pub(crate) fn bombs() -> Vec<(&'static str, String)> {
    vec![
        // The three of which Wasmtime took 11 s, and more than 120 s twice.
        ("2,000 nested loops", counting(2_000)),
        ("10,000 nested loops", counting(10_000)),
        ("2,000 locals shuffled over a mebibyte", shuffled(2_000, 90_000)),
        ("60,000 nested blocks", nested("block ", 60_000)),
        ("60,000 nested loops that do nothing", nested("loop ", 60_000)),
        (
            "a function of 6 MiB",
            module(&format!("(func {})", "i32.const 1234567 drop ".repeat(900_000))),
        ),
        (
            "50,000 locals",
            module(&format!("(func {})", "(local i32)".repeat(50_000))),
        ),
        ("a million functions", module(&"(func)".repeat(1_000_000))),
        ("a branch table of 100,000", table(1, 100_000)),
        ("100 branch tables of 4,000 in one function", table(100, 4_000)),
        ("a table of 4,000,000 entries", module("(table 4000000 funcref)")),
        (
            "a function of 2,000 parameters",
            module(&format!("(func {})", "(param i64)".repeat(2_000))),
        ),
    ]
}

/// What the caps let through, as large as they let it: the longest that an admitted function takes.
pub(crate) fn largest_admitted() -> Vec<(&'static str, String)> {
    vec![
        ("100 nested loops that count", counting(100)),
        ("a branch table of 4,000", table(1, 4_000)),
        ("1,900 locals shuffled over 100 KiB", shuffled(1_900, 9_000)),
        (
            "10 functions of 100 KiB",
            module(&shuffle_function(200, 9_000).repeat(10)),
        ),
        (
            "15,000 functions",
            module(&"(func (param i32) (drop (local.get 0)))".repeat(15_000)),
        ),
    ]
}

/// Admission wants a memory and an entry.
fn module(more: &str) -> String {
    format!("(module (memory (export \"memory\") 1 2) (func (export \"e\")) {more})")
}

fn nested(open: &str, depth: usize) -> String {
    module(&format!("(func {} {})", open.repeat(depth), "end ".repeat(depth)))
}

fn counting(depth: usize) -> String {
    let closing = "(br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))) end ".repeat(depth);
    module(&format!("(func (param i32) {} {closing})", "loop ".repeat(depth)))
}

/// Every local is read and written far from where it was before, so that none is ever at rest in a register.
fn shuffled(locals: usize, steps: usize) -> String {
    module(&shuffle_function(locals, steps))
}

fn shuffle_function(locals: usize, steps: usize) -> String {
    let mut body = format!("(func {}", "(local i64)".repeat(locals));
    for step in 0..steps {
        let (from, to) = (step * 7_919 % locals, step * 104_729 % locals);
        body.push_str(&format!(
            "(local.set {to} (i64.add (local.get {from}) (i64.rotl (local.get {to}) (i64.const 7))))"
        ));
    }
    body.push(')');
    body
}

fn table(tables: usize, entries: usize) -> String {
    let one = format!("(block (br_table {} (i32.const 0)))", "0 ".repeat(entries));
    module(&format!("(func {})", one.repeat(tables)))
}
