//! Programs and input that are wrong: each is told clearly, the worker stays, and a neighbour's job goes on.
use crate::house::{Dev, Ended};
use serde_json::Value;

/// Runs as long as the bad ones do, on the other slot.
const NEIGHBOUR: &str =
    "export default (x) => { let n = 0; for (let i = 0; i < 20_000; i++) n += i % x; return n; }";

struct Street {
    dev: Dev,
    worker: String,
    neighbour: String,
}

impl Street {
    fn new() -> Self {
        let dev = Dev::start();
        std::fs::write(dev.path().join("neighbour.js"), NEIGHBOUR).unwrap();
        let neighbour = dev.submit(&["neighbour.js", "--range", "1:600", "--grain", "10"]);
        let worker = worker(&dev);
        Self {
            dev,
            worker,
            neighbour,
        }
    }

    /// Runs a script over the number 1, once where its failure is not the same every time.
    fn script(&self, text: &str, more: &[&str]) -> Ended {
        std::fs::write(self.dev.path().join("bad.js"), text).unwrap();
        self.dev.run(&[&["run", "bad.js", "1"], more].concat())
    }

    fn module(&self, text: &str) -> Ended {
        std::fs::write(self.dev.path().join("bad.wasm"), wat::parse_str(text).unwrap()).unwrap();
        self.dev.run(&["run", "bad.wasm", "1"])
    }

    /// The worker is the one of the beginning, and what the neighbour asked for is there.
    fn ends(self) {
        self.dev
            .wait_for_job(&self.neighbour, "succeeded", |job| job["state"] == "succeeded");
        let job = self.dev.run(&["job", "info", &self.neighbour, "-o", "json"]).ok();
        let job: Value = serde_json::from_str(&job).unwrap();
        assert_eq!(job["counts"]["items_accepted"], 599, "{job}");
        assert_eq!(worker(&self.dev), self.worker, "{}", self.dev.said());
        assert!(!self.dev.said().contains("panicked"), "{}", self.dev.said());
    }
}

/// Who is connected, and since when.
fn worker(dev: &Dev) -> String {
    loop {
        let listed = dev.run(&["worker", "list", "-o", "json"]).ok();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let workers = listed.as_array().or_else(|| listed["workers"].as_array());
        if let Some(worker) = workers.and_then(|workers| workers.first()) {
            assert_eq!(worker["connected"], true, "{worker}");
            return format!("{} {}", worker["id"], worker["connected_ms"]);
        }
    }
}

#[track_caller]
fn has(told: &str, words: &[&str]) {
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[test]
fn scripts_that_misbehave_are_told_and_nobody_else_notices() {
    let street = Street::new();
    let script = |text: &str, more: &[&str]| street.script(text, more).failed(10);
    let told = script("export default (x) => x.a.b", &[]);
    has(&told, &["TypeError", "bad.js:1:", "failed twice in the same way"]);
    let told = script(
        "export default () => { for (;;); }",
        &["--attempts", "1", "--time-ms", "300"],
    );
    has(&told, &["time"]);
    let told = script("export default () => new Promise(() => {})", &[]);
    has(&told, &["promise"]);
    let told = script("export default function f(x) { return f(x) + 1 }", &[]);
    has(&told, &["RangeError", "bad.js:1:"]);
    let text = "export default () => { const all = []; for (;;) all.push(new Uint8Array(1 << 20)) }";
    has(&script(text, &["--memory-mib", "64"]), &["memory"]);
    // 10 GiB, had it not been stopped.
    let text = "const piece = 'x'.repeat(1 << 20); export default () => piece";
    std::fs::write(street.dev.path().join("bad.js"), text).unwrap();
    let args = ["run", "bad.js", "--range", "0:10240", "--grain", "10240"];
    has(&street.dev.run(&args).failed(10), &["output"]);
    // What looks like a function from outside.
    let text = "const make = () => 5; export const sum = make(); export default (x) => x";
    let told = street.script(text, &["--reduce", "sum", "2", "3"]).failed(10);
    has(&told, &["sum", "function"]);
    let told = street
        .script("export default (x) => x", &["--reduce", "sum"])
        .failed(4);
    has(&told, &["reduce.entry", "no entry 'sum'"]);
    street.ends();
}

#[test]
fn modules_and_lines_that_do_not_fit_are_told_and_nobody_else_notices() {
    let street = Street::new();
    let kernel =
        |more: &str| format!("(module (memory (export \"memory\") 1 16) (func (export \"e\")) {more})");
    let module = |text: &str| street.module(text).failed(2);
    has(
        &module(r#"(module (import "env" "now" (func)) (memory (export "memory") 1 2) (func (export "e")))"#),
        &["'env'.'now'", "define the function in the program"],
    );
    let threads = r#"(module (memory (export "memory") 1 2 shared) (func (export "e")))"#;
    has(&module(threads), &["thread"]);
    let nested = format!("(func {} {})", "loop ".repeat(2_000), "end ".repeat(2_000));
    has(
        &module(&kernel(&nested)),
        &["129", "loops inside each other", "in function 1"],
    );
    std::fs::write(street.dev.path().join("bad.wasm"), b"\0asm\x07\0\0\0").unwrap();
    has(
        &street.dev.run(&["run", "bad.wasm", "1"]).failed(2),
        &["may not run here"],
    );
    // Memory without a bound of its own gets one, and what wants more is told so.
    let grows = r#"(module (memory (export "memory") 1)
        (func (export "e") (loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) unreachable))"#;
    let told = street.module(grows).failed(10);
    has(&told, &["memory"]);
    let line = "7".repeat(100 << 20);
    let told = street
        .dev
        .run_with(&["run", "null"], &format!("1\n2\n{line}"))
        .failed(2);
    has(&told, &["item 3 of standard input is longer than 1048576 bytes"]);
    std::fs::write(street.dev.path().join("long.txt"), &line[..2 << 20]).unwrap();
    let told = street.dev.run(&["run", "null", "--lines", "long.txt"]).failed(2);
    has(&told, &["item 0: has 2097152 bytes"]);
    street.ends();
}
