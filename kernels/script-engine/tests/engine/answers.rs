//! What scripts answer, and that they answer the same bytes everywhere.
use crate::harness::{Call, Items, admitted, frames, range, run_input};
use runtime::RunOutcome;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::Command;

#[test]
fn the_bytes_are_those_that_are_named() {
    let hash: String = Sha256::digest(script_engine::WASM)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hash,
        script_engine::SHA256,
        "after build.sh, put the hash it prints into src/lib.rs"
    );
    let description = &admitted().description;
    assert_eq!(description.name, script_engine::NAME);
    assert_eq!(description.entries[0].name, script_engine::ENTRY);
}

#[test]
fn items_of_every_kind_become_json() {
    let twice = Call::of("export default x => x + x");
    assert_eq!(twice.outputs(range(-1, 4)), ["-2", "0", "2", "4"]);
    assert_eq!(
        twice.outputs(Items::Range {
            first: 10,
            step: -5,
            count: 3
        }),
        ["20", "10", "0"]
    );
    assert_eq!(
        twice.outputs(Items::Json(&[json!(1.5), json!("a"), json!(null)])),
        ["3", "\"aa\"", "0"]
    );
    assert_eq!(twice.outputs(Items::Text(&["ü\n", ""])), ["\"ü\\nü\\n\"", "\"\""]);
    let each = Call::of(
        "const all = [undefined, null, true, -0, 0.1, NaN, 2**53, 1e21, -1e-7, [undefined], {a: new Date()}, \
         new Uint8Array([1, 2]), new Float64Array([0.5]), -(2**31)]; export default i => all[i]",
    );
    let wanted = [
        "null",
        "null",
        "true",
        "0",
        "0.1",
        "null",
        "9007199254740992",
        "1e+21",
        "-1e-7",
        "[null]",
        "{\"a\":\"2000-01-01T00:00:00.000Z\"}",
        "[1,2]",
        "[0.5]",
        "-2147483648",
    ];
    assert_eq!(each.outputs(range(0, 14)), wanted);
}

#[test]
fn promises_are_awaited_and_their_work_belongs_to_its_item() {
    let call = Call::of(
        "let seen = 0; export default async x => { queueMicrotask(() => { seen += x; }); await null; \
         return Promise.resolve(x * 2) }; export const late = x => { const before = seen; \
         Promise.resolve().then(() => { seen++ }); return before }",
    );
    assert_eq!(call.outputs(range(1, 3)), ["2", "4", "6"]);
    let late = Call {
        entry: "late",
        ..call
    };
    assert_eq!(
        late.outputs(range(0, 3)),
        ["0", "1", "2"],
        "jobs end before the next item begins"
    );
}

#[test]
fn a_reducer_folds_from_left_to_right() {
    let call = Call {
        params: json!({"by": 2}),
        reduce: true,
        ..Call::of("export default (a, b, p) => `(${a}${b}*${p.by})`")
    };
    let items = [json!(["a", "b", "c"]), json!(["d"])];
    assert_eq!(call.outputs(Items::Json(&items)), ["\"((ab*2)c*2)\"", "\"d\""]);
    assert!(
        call.failure(Items::Json(&[json!(1)]))
            .1
            .contains("must be a list")
    );
    assert!(call.failure(Items::Json(&[json!([])])).1.contains("at least one"));
}

/// Draws, a clock, floats and the top level's state: what could differ.
const CHANCE: &str = "export default x => [x, Math.random(), Math.random(), Date.now(), performance.now(), \
                      new Date(0).toString(), Math.sin(x) + Math.exp(x / 7) + Math.pow(x, 0.3)]";

#[test]
fn chance_comes_from_the_item_and_the_params_alone() {
    let call = Call::of(CHANCE);
    let together = call.outputs(range(5, 3));
    assert_eq!(together, call.outputs(range(5, 3)), "the same again");
    assert_eq!(together[2..], call.outputs(range(7, 1)), "cut otherwise");
    assert_eq!(
        together[1..2],
        call.outputs(Items::Json(&[json!(6)])),
        "written out"
    );
    let drawn = |text: &str| serde_json::from_str::<Value>(text).unwrap()[1].clone();
    assert_ne!(drawn(&together[0]), drawn(&together[1]));
    let other = Call {
        params: json!(1),
        ..Call::of(CHANCE)
    };
    assert_ne!(drawn(&together[0]), drawn(&other.outputs(range(5, 1))[0]));
}

/// The six cases that engines are compared by; each gives a checksum.
const SUITE: &str = include_str!("../suite.js");

#[test]
fn the_six_cases_give_their_checksums() {
    let names = ["fib", "loop", "floats", "json", "sort", "strings"].map(|name| json!(name));
    let call = Call {
        entry: "run",
        params: json!(0.1),
        ..Call::of(SUITE)
    };
    let wanted = ["17711", "-1897698916", "890461", "184782", "1074388107", "6261"];
    assert_eq!(call.outputs(Items::Json(&names)), wanted);
}

/// The same inputs through V8's WebAssembly, as a tab runs them.
#[test]
fn v8_gives_the_same_bytes() {
    let suite = Call {
        entry: "run",
        params: json!(0.02),
        ..Call::of(SUITE)
    };
    let names = ["fib", "floats", "json", "strings"].map(|name| json!(name));
    let inputs = [
        suite.input(Items::Json(&names)),
        Call::of(CHANCE).input(range(-3, 50)),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("engine.wasm"), &admitted().bytes).unwrap();
    for (index, input) in inputs.iter().enumerate() {
        std::fs::write(file(&format!("{index}.input")), input).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/v8.mjs");
    let ran = Command::new("node")
        .arg(script)
        .arg(folder.path())
        .output()
        .expect("node runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    for (index, input) in inputs.into_iter().enumerate() {
        let RunOutcome::Finished(here) = run_input(input, &crate::harness::LIMITS).outcome else {
            panic!("input {index} does not finish")
        };
        let there = std::fs::read(file(&format!("{index}.output"))).unwrap();
        assert_eq!(frames(&here), frames(&there), "input {index}");
    }
}
