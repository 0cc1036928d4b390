//! Commands of several languages in the native sandbox: right answers, the same as in a tab (`cases.json` is read
//! by the tab's tests, too), and what a command that misbehaves comes to.
use bytes::Bytes;
use kernel_abi::{Encoding, encode_list, encode_range, split_framed};
use protocol::ids::Digest;
use runtime::{Limits, Prepared, RunOutcome, RunReport, Runtime, RuntimeConfig, StopHandle};
use serde::{Deserialize, Serialize};
use std::fs;
use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/commands");

const LIMITS: Limits = Limits {
    memory_bytes: 64 << 20,
    time_ms: 10_000,
    wall_ms: 60_000,
    output_bytes: 4 << 20,
    log_bytes: 4 << 10,
};

fn prepare(module: Vec<u8>) -> Prepared {
    let admitted = program::admit(module).expect("the command is admitted");
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    runtime.prepare(admitted.hash, &admitted.bytes).unwrap()
}

fn example(name: &str) -> Prepared {
    prepare(fs::read(format!("{FOLDER}/built/{name}.wasm")).unwrap())
}

fn run(program: &Prepared, input: Vec<u8>, limits: &Limits) -> RunReport {
    program.run("main", Bytes::from(input), limits, &StopHandle::new())
}

fn text(params: &str, items: &[impl AsRef<str>]) -> Vec<u8> {
    let items = items.iter().map(|item| item.as_ref().as_bytes());
    encode_list(params.as_bytes(), Encoding::Text, items)
}

/// The outputs of the items.
fn outputs(report: RunReport) -> Vec<String> {
    let RunOutcome::Finished(output) = report.outcome else {
        panic!("{:?}", report.outcome)
    };
    let frames = split_framed(&output);
    frames
        .map(|frame| String::from_utf8(frame.unwrap().to_vec()).unwrap())
        .collect()
}

#[derive(Serialize, Deserialize)]
struct Case {
    program: String,
    params: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<(i64, i64, u32)>,
    sha256: String,
}

impl Case {
    fn input(&self) -> Vec<u8> {
        match (&self.items, self.range) {
            (Some(items), _) => text(&self.params, items),
            (None, Some((first, step, count))) => encode_range(self.params.as_bytes(), first, step, count),
            (None, None) => panic!("a case has items or a range"),
        }
    }

    fn digest(&self) -> String {
        let report = run(&example(&self.program), self.input(), &LIMITS);
        let RunOutcome::Finished(output) = report.outcome else {
            panic!("{} {}: {:?}", self.program, self.params, report.outcome)
        };
        Digest::of(&output).to_string()
    }
}

#[test]
fn commands_give_the_digests_of_the_file() {
    let file = format!("{FOLDER}/cases.json");
    let mut cases: Vec<Case> = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    if std::env::var_os("ELYTRA_WRITE_DIGESTS").is_some() {
        cases.iter_mut().for_each(|case| case.sha256 = case.digest());
        fs::write(&file, serde_json::to_string_pretty(&cases).unwrap() + "\n").unwrap();
    }
    for case in &cases {
        assert_eq!(case.digest(), case.sha256, "{} {}", case.program, case.params);
    }
}

#[test]
fn a_hundred_thousand_lines_are_sorted_as_this_side_sorts_them() {
    let lines: Vec<String> = (0..100_000u64)
        .map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    let mut sorted = lines.clone();
    sorted.sort_unstable();
    let report = run(&example("sortlines"), text("", &lines), &LIMITS);
    assert!(report.cpu_us < 10_000_000, "{} µs", report.cpu_us);
    let found: Vec<String> = outputs(report)
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect();
    assert_eq!(found, sorted);
}

#[test]
fn languages_answer_what_their_programs_say() {
    let lines = ["a b  c", "", "d"];
    assert_eq!(
        outputs(run(&example("words"), text("", &lines), &LIMITS)),
        ["3 4 10\n", "", ""]
    );
    let each_line = text(r#"{"args":["-l"]}"#, &lines);
    assert_eq!(
        outputs(run(&example("words"), each_line, &LIMITS)),
        ["3\n", "0\n", "1\n"]
    );
    let numbers = encode_range(b"", 97, 3, 2);
    assert_eq!(
        outputs(run(&example("factors"), numbers, &LIMITS)),
        ["97: 97\n", "100: 2 2 5 5\n"]
    );
    let params = r#"{"files":{"stopwords.txt":"x"},"each":true}"#;
    let counted = run(&example("frequent"), text(params, &["b a b x", "x"]), &LIMITS);
    assert_eq!(outputs(counted), ["2 b\n1 a\n", ""]);
}

#[test]
fn a_command_sees_what_the_job_gives_it_and_nothing_else() {
    let params = r#"{"args":["one"],"env":{"A":"1"},"files":{"f/x.txt":"hello"}}"#;
    let shown = outputs(run(&example("show"), text(params, &["item"]), &LIMITS)).concat();
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("chance")).collect();
    let expected = [
        "argument 0: command",
        "argument 1: one",
        "variable A=1",
        "entry //f: folder, 0 bytes",
        "entry //f/x.txt: file, 5 bytes",
        "file //f/x.txt: hello",
        "  from its end, 3: l",
        "time 1577836800.000001000, an hour later 3600.000002000",
        "writing: Read-only file system",
        "terminal: no",
        "item",
    ];
    assert_eq!(lines, expected);
}

/// With `each`, an answer does not depend on the items beside it.
#[test]
fn grain_changes_nothing_where_each_item_has_a_process() {
    let (show, params) = (example("show"), r#"{"each":true,"seed":3}"#);
    let together = outputs(run(&show, text(params, &["x", "y", "x"]), &LIMITS));
    let alone = |item: &str| outputs(run(&show, text(params, &[item]), &LIMITS)).concat();
    assert_eq!(together, [alone("x"), alone("y"), alone("x")]);
    let seeded = outputs(run(&show, text(r#"{"each":true,"seed":4}"#, &["x"]), &LIMITS));
    assert_ne!(seeded[0], together[0], "another seed is other chance");
}

fn failed(report: &RunReport) -> (Option<u64>, &str) {
    match &report.outcome {
        RunOutcome::Failed { item, message } => (*item, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_exit_code_fails_with_the_end_of_standard_error() {
    let report = run(&example("words"), text(r#"{"args":["-q"]}"#, &["a"]), &LIMITS);
    let message = "the command ended with exit code 2: words: unknown option -q; the only one is -l";
    assert_eq!(failed(&report), (None, message));
    let report = run(
        &example("factors"),
        text(r#"{"each":true}"#, &["6", "six"]),
        &LIMITS,
    );
    let (item, message) = failed(&report);
    assert_eq!(item, Some(1));
    assert!(
        message.contains("exit code 1: error: InvalidCharacter"),
        "{message}"
    );
    let report = run(&example("words"), text(r#"{"argv":[]}"#, &["a"]), &LIMITS);
    assert!(failed(&report).1.contains("unknown field `argv`"), "{report:?}");
    let report = example("words").run("run", Bytes::new(), &LIMITS, &StopHandle::new());
    assert_eq!(failed(&report).1, "the program has no entry 'run'");
}

#[test]
fn a_panic_is_a_trap_and_its_words_are_in_the_log() {
    let report = run(
        &example("frequent"),
        text(r#"{"env":{"LEAST":"many"}}"#, &["a"]),
        &LIMITS,
    );
    assert!(matches!(report.outcome, RunOutcome::Trapped { .. }), "{report:?}");
    assert!(
        String::from_utf8_lossy(&report.log).contains("LEAST is a number"),
        "{report:?}"
    );
}

/// Go's modules are too large to lie beside their sources, so this one is made where Go is installed.
#[test]
fn go_runs_where_it_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("csv2json.wasm");
    let go = std::env::var_os("GO").unwrap_or("go".into());
    let mut build = Command::new(go);
    build
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        .args(["build", "-trimpath", "-o"]);
    let built = build.arg(&module).arg(format!("{FOLDER}/csv2json.go")).status();
    if !built.as_ref().is_ok_and(std::process::ExitStatus::success) {
        return println!("left out: no Go that makes WASI programs ({built:?})");
    }
    let command = prepare(fs::read(module).unwrap());
    let params = r#"{"args":["name","size"]}"#;
    let report = run(&command, text(params, &["a,1", "\"b, c\",2"]), &LIMITS);
    let lines = [
        "{\"name\":\"a\",\"size\":\"1\"}\n",
        "{\"name\":\"b, c\",\"size\":\"2\"}\n",
    ];
    assert_eq!(outputs(report), lines);
    let report = run(&command, text(params, &["a,1,2"]), &LIMITS);
    let message = "exit code 1: csv2json: record on line 1: wrong number of fields";
    assert!(failed(&report).1.contains(message), "{report:?}");
}

#[test]
fn the_log_is_the_end_of_what_all_processes_wrote() {
    let items: Vec<String> = (0..400).map(|n| n.to_string()).collect();
    let limits = Limits {
        log_bytes: 20,
        ..LIMITS
    };
    let report = run(&example("show"), text(r#"{"each":true}"#, &items), &limits);
    assert_eq!(String::from_utf8(report.log).unwrap(), "n\nshown\nshown\nshown\n");
}

/// A command of a few instructions.
fn command(body: &str) -> Prepared {
    let text = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
        (memory (export "memory") 1 16384)
        (data (i32.const 0) "\10\00\00\00\00\80\00\00")
        (func (export "_start") {body}))"#
    );
    prepare(wat::parse_str(text).unwrap())
}

#[test]
fn everything_that_admission_lets_through_is_there() {
    let types = |letters: &str| letters.replace('i', "i32 ").replace('I', "i64 ");
    let import = |&(name, params, results): &(&str, &str, &str)| {
        let (params, results) = (types(params), types(results));
        format!(
            "(import {:?} {name:?} (func (param {params}) (result {results})))",
            program::WASI_MODULE
        )
    };
    let imports: String = program::WASI.iter().map(import).collect();
    let module = format!("(module {imports} (memory (export \"memory\") 1) (func (export \"_start\")))");
    let nothing = prepare(wat::parse_str(module).unwrap());
    assert_eq!(outputs(run(&nothing, text("", &["x"]), &LIMITS)), [""]);
}

/// Ends with the error code as exit code.
fn exit_code(call: &str) -> String {
    let report = run(
        &command(&format!("(call $proc_exit {call})")),
        text("", &["x"]),
        &LIMITS,
    );
    failed(&report)
        .1
        .replace(" and wrote nothing to standard error", "")
}

#[test]
fn addresses_outside_the_memory_and_endless_lists_are_errors() {
    for (call, errno) in [
        (
            "(call $fd_write (i32.const 1) (i32.const 65532) (i32.const 1) (i32.const 8))",
            21,
        ),
        (
            "(call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const -4))",
            21,
        ),
        (
            "(call $fd_write (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 8))",
            28,
        ),
        (
            "(call $fd_write (i32.const 9) (i32.const 0) (i32.const 1) (i32.const 8))",
            8,
        ),
        ("(call $random_get (i32.const 1) (i32.const -1))", 21),
    ] {
        assert_eq!(
            exit_code(call),
            format!("the command ended with exit code {errno}"),
            "{call}"
        );
    }
}

#[test]
fn output_without_end_stops_at_its_limit() {
    let write = "(loop $more (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br $more))";
    let report = run(&command(write), text("", &["x"]), &LIMITS);
    assert_eq!(report.outcome, RunOutcome::OutputTooLarge);
    let to_stderr = write.replacen("i32.const 1", "i32.const 2", 1);
    let limits = Limits {
        time_ms: 200,
        ..LIMITS
    };
    let report = run(&command(&to_stderr), text("", &["x"]), &limits);
    assert_eq!(
        report.outcome,
        RunOutcome::OutOfTime,
        "standard error is cut, and a loop is a loop"
    );
    assert!(report.log.len() <= LIMITS.log_bytes);
}

/// Also when no process lives as long as a tick of the clock.
#[test]
fn the_time_is_that_of_all_processes() {
    let spin = "(local i32) (loop $more (local.set 0 (i32.add (local.get 0) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get 0) (i32.const 300000))))";
    let items = vec!["x"; 100_000];
    let limits = Limits {
        time_ms: 100,
        ..LIMITS
    };
    let report = run(&command(spin), text(r#"{"each":true}"#, &items), &limits);
    assert_eq!(report.outcome, RunOutcome::OutOfTime);
    assert!(report.cpu_us < 1_000_000, "{} µs", report.cpu_us);
}

#[test]
fn large_requests_for_chance_end_with_the_time_and_give_what_small_ones_give() {
    let imports = r#"(import "wasi_snapshot_preview1" "random_get" (func $get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))"#;
    let of = |body: &str| {
        let text = format!(
            r#"(module {imports} (memory (export "memory") 1000 1000) (func (export "_start") (local $at i32) {body}))"#
        );
        prepare(wat::parse_str(&text).unwrap())
    };
    let endless = of("(loop $again (drop (call $get (i32.const 0) (i32.const 65536000))) (br $again))");
    let limits = Limits {
        time_ms: 20,
        ..LIMITS
    };
    let report = run(&endless, text("{}", &[""]), &limits);
    assert_eq!(report.outcome, RunOutcome::OutOfTime);
    assert!(report.cpu_us < 60_000, "{} µs", report.cpu_us);
    // The last bytes of 3 MiB, asked for at once and a page at a time.
    let tail = r"(i32.store (i32.const 8) (i32.const 3145984)) (i32.store (i32.const 12) (i32.const 16))
        (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))";
    let at_once = of(&format!(
        "(drop (call $get (i32.const 272) (i32.const 3145728))) {tail}"
    ));
    let by_page = of(&format!(
        "(loop $again (drop (call $get (i32.add (local.get $at) (i32.const 272)) (i32.const 65536)))
            (local.set $at (i32.add (local.get $at) (i32.const 65536)))
            (br_if $again (i32.lt_u (local.get $at) (i32.const 3145728)))) {tail}"
    ));
    let last = |program: &Prepared| run(program, text("{}", &[""]), &LIMITS).outcome;
    assert_eq!(last(&at_once), last(&by_page));
    assert!(matches!(last(&at_once), RunOutcome::Finished(bytes) if bytes.len() > 16));
}

#[test]
fn a_memory_bomb_is_out_of_memory() {
    let body = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    assert_eq!(
        run(&command(body), text("", &["x"]), &LIMITS).outcome,
        RunOutcome::OutOfMemory
    );
}
