//! Programs that people bring: scripts, WASI commands, reductions, and one shard again.
use crate::house::{Dev, examples};
use serde_json::Value;

const SQUARE: &str = "\
interface Options { plus: number }
/** Squares a number. */
export default function square(n: number, options: Options | null): number {
  if (n === 13) {
    throw new Error(`no luck with ${n}`);
  }
  console.log('squaring', n);
  return n * n + (options?.plus ?? 0);
}
export const add = (a: number, b: number): number => a + b;
export const wave = (n: number): number => Math.sin(n) / (n + 1);
";

fn house() -> Dev {
    let house = Dev::start();
    std::fs::write(house.path().join("square.ts"), SQUARE).unwrap();
    house
}

#[test]
fn a_script_runs_by_its_file() {
    let house = house();
    assert_eq!(house.run(&["run", "square.ts", "3", "4"]).ok(), "9\n16\n");
    assert_eq!(
        house
            .run(&["map", "square.ts", "--param", "plus=1", ":::", "3"])
            .ok(),
        "10\n"
    );
    assert_eq!(house.run(&["for", "square.ts", "2:6:2"]).ok(), "4\n16\n");
    let reduced = house
        .run(&["reduce", "square.ts", "--reduce", "add", "--range", "0:10"])
        .ok();
    assert_eq!(reduced, "285\n");
    let lines: String = (0..30_000).map(|n| format!("{n}\n")).collect();
    let piped = house
        .run_with(
            &["reduce", "square.ts", "--reduce", "add", "--entry", "wave"],
            &lines,
        )
        .ok();
    assert_eq!(
        piped.lines().count(),
        1,
        "more lines than may be on their way: {piped}"
    );
    // The same bits, however the shards are cut.
    let waves = ["1", "7", "500"].map(|grain| {
        let args = [
            "for",
            "square.ts",
            "700",
            "--entry",
            "wave",
            "--reduce",
            "add",
            "--grain",
            grain,
        ];
        house.run(&args).ok()
    });
    assert!(waves.iter().all(|sum| *sum == waves[0]), "{waves:?}");

    let failed = house
        .run(&["run", "square.ts", "--attempts", "1", "12", "13"])
        .failed(10);
    assert!(
        failed.contains("item 1 failed: Error: no luck with 13"),
        "{failed}"
    );
    assert!(failed.contains("(square.ts:5:"), "the author's line: {failed}");
    let listed = house.run(&["job", "list", "--output", "jsonl"]).ok();
    let job: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    let shard = format!("{}/0", job["id"].as_str().unwrap());
    let replayed = house.run(&["task", "replay", &shard]);
    assert!(replayed.err.contains("squaring 12"), "its log: {}", replayed.err);
    assert_eq!(replayed.ok(), "{\"item\":0,\"output\":144}\n");

    let shard = |number: u32| format!("{}/{number}", job["id"].as_str().unwrap());
    let replayed = [0, 1].map(|number| house.run(&["task", "replay", &shard(number)]).err);
    let failed = replayed.iter().find(|err| err.contains("no luck with 13"));
    let failed = failed.unwrap_or_else(|| panic!("{replayed:?}"));
    assert!(failed.contains("(square.ts:5:"), "the author's line: {failed}");
    assert!(failed.contains("5 | "), "it is shown: {failed}");

    let info = house.run(&["program", "info", "square"]).ok();
    assert!(info.contains("script") && info.contains("wave"), "{info}");
}

#[test]
fn a_script_that_cannot_run_is_told_by_line_and_column() {
    let house = Dev::without_worker();
    let run = |file: &str, text: &str| {
        std::fs::write(house.path().join(file), text).unwrap();
        house.run(&["run", file, "1"])
    };
    let told = run("open.ts", "export default (n: number) => {\n  return n *;\n};\n").failed(2);
    assert!(told.contains("open.ts:2:13"), "{told}");
    let told = run("imports.js", "import fs from 'fs';\nexport default () => fs;\n").failed(2);
    assert!(
        told.contains("imports.js:1:") && told.contains("bundle it first"),
        "{told}"
    );
    let told = run("nothing.js", "const a = 1;\n").failed(2);
    assert!(told.contains("exports no function"), "{told}");
    let told = run("wrong.wasm", "\0asm\u{2}\0\0\0").failed(2);
    assert!(told.contains("may not run here"), "{told}");
    let told = house.run(&["run", "missing.ts", "1"]).failed(2);
    assert!(told.contains("missing.ts"), "{told}");
    std::fs::write(
        house.path().join("two.js"),
        "export const a = () => 1, b = () => 2;",
    )
    .unwrap();
    let told = house.run(&["run", "two.js", "1"]).failed(2);
    assert!(told.contains("--entry: a, b"), "{told}");
}

#[test]
fn a_command_reads_lines_and_writes_what_it_writes() {
    let house = Dev::start();
    let words = examples().join("commands/built/words.wasm");
    let words = words.to_str().unwrap();
    let lines: String = (0..1_000).map(|n| format!("line {n} of many\n")).collect();
    std::fs::write(house.path().join("lines"), &lines).unwrap();
    let counted = house
        .run(&["run", words, "--grain", "1000", "--lines", "lines"])
        .ok();
    assert_eq!(counted, format!("1000 4000 {}\n", lines.len()));
    let each = house
        .run(&["run", words, "--each", ":::", "one two", "three"])
        .ok();
    assert_eq!(each, "1 2 8\n1 1 6\n");
    let per_line = house.run_with(&["run", words, "--", "-l"], &lines).ok();
    assert_eq!(per_line.lines().count(), 1_000);
    assert!(per_line.lines().all(|line| line == "4"), "{per_line}");

    let told = house.run(&["run", "mersenne", "--each", "3"]).failed(2);
    assert!(told.contains("for WASI commands"), "{told}");
}

#[test]
fn bytes_come_back_as_they_were_put() {
    let house = Dev::without_worker();
    std::fs::write(house.path().join("bytes"), [0, 1, 2, 10, 255]).unwrap();
    let hash = house.run(&["blob", "put", "bytes"]).ok();
    let back = house.elytra(&["blob", "get", hash.trim()]).output().unwrap();
    assert_eq!(back.stdout, [0, 1, 2, 10, 255]);
    let told = house.run(&["blob", "get", &"0".repeat(64)]).failed(4);
    assert!(
        told.contains("no such blob") || told.contains("There is no"),
        "{told}"
    );
}

#[test]
fn a_program_is_checked_without_a_server() {
    let house = Dev::without_worker();
    let command = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/commands/built/factors.wasm"
    );
    let told = house.run(&["program", "check", command]).ok();
    assert!(
        told.contains("command") && told.contains("at most 1.0 GiB"),
        "{told}"
    );
    let json = house.run(&["program", "check", command, "--output", "json"]).ok();
    let checked: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(checked["description"]["entries"][0]["name"], "main");
    std::fs::write(house.path().join("bad.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let told = house.run(&["program", "check", "bad.wasm"]).failed(1);
    assert!(
        told.contains("bad.wasm is refused: the module exports no memory"),
        "{told}"
    );
}

#[test]
fn a_run_goes_on_where_its_joblog_ends() {
    let dev = Dev::start();
    let run = |input: &str| dev.run_with(&["run", "mersenne", "--joblog", "log", "--resume"], input);
    assert_eq!(run("3\n4\n5\n").ok().lines().count(), 3);
    // Two more; those of the first run are not computed again.
    let more = run("3\n4\n5\n7\n11\n").ok();
    assert_eq!(more.lines().count(), 2);
    assert!(more.starts_with("{\"exponent\":7,"), "{more}");
    let log = std::fs::read_to_string(dev.path().join("log")).unwrap();
    let seqs: Vec<_> = log.lines().map(|row| row.split('\t').next().unwrap()).collect();
    assert_eq!(seqs, ["Seq", "1", "2", "3", "4", "5"], "{log}");
    let nothing = dev.run(&["run", "mersenne", "--joblog", "log", "--resume", "3", "4"]);
    assert!(nothing.err.contains("nothing is left to do"), "{}", nothing.err);
    nothing.ok();
}

/// A worker of one slot beside the server; it ends with the test.
struct Beside(std::process::Child);

impl Beside {
    /// With what `cache` holds already, so that programs are not compiled again for each of them.
    fn start(dev: &Dev, name: &str, cache: Option<&std::path::Path>) -> Self {
        let folder = dev.path().join(name);
        if let Some(cache) = cache {
            std::fs::create_dir_all(folder.join("code")).unwrap();
            for file in std::fs::read_dir(cache.join("code")).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), folder.join("code").join(file.file_name())).unwrap();
            }
        }
        let mut command = dev.elytra(&["worker", "--slots", "1", "--cache-dir", name]);
        let quiet = std::process::Stdio::null;
        Self(command.stdout(quiet()).stderr(quiet()).spawn().unwrap())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_sum_has_the_same_bits_on_one_two_and_seven_workers() {
    let dev = Dev::without_worker();
    std::fs::write(dev.path().join("square.ts"), SQUARE).unwrap();
    let mut workers = vec![Beside::start(&dev, "worker-0", None)];
    let args = [
        "for",
        "square.ts",
        "3000",
        "--entry",
        "wave",
        "--reduce",
        "add",
        "--grain",
        "5",
    ];
    let alone = dev.run(&args).ok();
    let cache = dev.path().join("worker-0");
    for count in [2, 7] {
        while workers.len() < count {
            workers.push(Beside::start(
                &dev,
                &format!("worker-{}", workers.len()),
                Some(&cache),
            ));
        }
        let connected = || {
            dev.run(&["worker", "list", "-o", "jsonl"])
                .ok()
                .matches("\"connected\":true")
                .count()
        };
        let start = std::time::Instant::now();
        while connected() < count {
            assert!(start.elapsed().as_secs() < 20, "{count} workers connect");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(dev.run(&args).ok(), alone, "{count} workers");
    }
}
