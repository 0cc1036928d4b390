//! Items from arguments, flags, files and standard input; results as they are written.
use crate::house::{Dev, WAIT_MAX, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use std::time::Instant;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn primes(text: &str) -> Vec<u64> {
    let is_prime = |line: &&Value| line["prime"] == true;
    lines(text)
        .iter()
        .filter(is_prime)
        .map(|line| line["exponent"].as_u64().unwrap())
        .collect()
}

#[test]
fn items_come_from_everywhere_and_results_in_their_order() {
    let dev = Dev::start();
    let known = [3, 5, 7, 13, 17, 19, 31, 61, 89];
    assert_eq!(
        primes(&dev.run(&["run", "mersenne", "7", "11", "3"]).ok()),
        [7, 3]
    );
    assert_eq!(
        primes(&dev.run(&["run", "mersenne", "--range", "3:100:2"]).ok()),
        known
    );
    let piped: String = (3..100).step_by(2).map(|n| format!("{n}\n")).collect();
    assert_eq!(primes(&dev.run_with(&["run", "mersenne"], &piped).ok()), known);
    std::fs::write(dev.path().join("lines"), &piped).unwrap();
    assert_eq!(
        primes(&dev.run(&["run", "mersenne", "--lines", "lines"]).ok()),
        known
    );
    std::fs::write(dev.path().join("list"), "[5, 6]").unwrap();
    assert_eq!(
        primes(&dev.run(&["run", "mersenne", "--items-file", "list"]).ok()),
        [5]
    );
    let id = dev.run_with(&["submit", "mersenne"], "3\n4\n").ok();
    assert_eq!(dev.run(&["wait", id.trim()]).code, Some(0));
    assert_eq!(primes(&dev.run(&["results", id.trim()]).ok()), [3]);
}

#[test]
fn results_look_as_asked_for() {
    let dev = Dev::start();
    let out = dev.run(&["run", "mersenne", "3", "4", "-o", "json"]).ok();
    let list: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    let out = dev.run(&["run", "mersenne", "3", "4", "--unordered"]).ok();
    let mut items: Vec<_> = lines(&out)
        .iter()
        .map(|line| line["item"].as_u64().unwrap())
        .collect();
    items.sort_unstable();
    assert_eq!(items, [0, 1]);
    assert_eq!(
        lines(&dev.run(&["run", "null", "--range", "0:3"]).ok()),
        [json!(""), json!(""), json!("")]
    );
    let jobs: Value = serde_json::from_str(&dev.run(&["job", "list", "-o", "json"]).ok()).unwrap();
    assert_eq!(jobs.as_array().map(Vec::len), Some(3));
    assert_eq!(dev.run(&["job", "list", "-o", "jsonl"]).ok().lines().count(), 3);
    let table = dev.run(&["job", "list", "--state", "succeeded"]).ok();
    assert!(table.starts_with("JOB ") && table.lines().count() == 4, "{table}");
    let workers = lines(&dev.run(&["worker", "list", "-o", "jsonl"]).ok());
    assert_eq!((workers.len(), &workers[0]["slots"]), (1, &json!(2)));
}

#[test]
fn an_item_that_fails_keeps_its_place() {
    let dev = Dev::start();
    let args = [
        "run",
        "mandelbrot",
        "0",
        "999999",
        "1",
        "--grain",
        "1",
        "--on-failure",
        "skip",
    ];
    let ended = dev.run(&[&args[..], &["--param", "width=128", "--param", "height=64"]].concat());
    assert!(ended.err.contains("item 1 failed: tile 999999"), "{}", ended.err);
    assert!(ended.err.contains("tile 999999 does not exist"), "{}", ended.err);
    let null: Vec<_> = lines(&ended.out).iter().map(Value::is_null).collect();
    assert_eq!(null, [false, true, false]);
    ended.failed(10);
}

#[test]
fn a_picture_is_put_together() {
    let dev = Dev::start();
    let args = [
        "run",
        "mandelbrot",
        "--param",
        "width=300",
        "--param",
        "height=200",
        "--picture",
        "set.png",
    ];
    assert_eq!(dev.run(&args).ok(), "");
    let png = std::fs::read(dev.path().join("set.png")).unwrap();
    let size = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((&png[1..4], size(16), size(20)), (&b"PNG"[..], 150, 100));
    let told = dev.run(&["run", "mersenne", "3", "--picture", "x.png"]).failed(2);
    assert!(told.contains("do not make a picture"), "{told}");
}

/// A line is answered before the next one is written: nothing waits for a full batch or a timer.
#[test]
fn a_conversation_is_possible() {
    let dev = Dev::start();
    let mut command = dev.elytra(&["run", "mersenne", "--grain", "1"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for (exponent, prime) in [(3, true), (11, false), (13, true)] {
        writeln!(stdin, "{exponent}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["exponent"], &line["prime"]),
            (&json!(exponent), &json!(prime))
        );
    }
    drop(stdin);
    assert_eq!(wait_for(child).code, Some(0));
}

/// As in `yes 7 | elytra run mersenne | head -5`: the input never ends, the reader goes away.
#[test]
fn an_endless_input_ends_with_its_reader() {
    let dev = Dev::start();
    let mut command = dev.elytra(&["run", "mersenne"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sevens = "7\n".repeat(4_096);
    let writer = std::thread::spawn(move || {
        let mut written = 0u64;
        // Ends when the command goes away.
        while stdin.write_all(sevens.as_bytes()).is_ok() {
            written += 4_096;
        }
        written
    });
    let mut head = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..20_000 {
        line.clear();
        head.read_line(&mut line).unwrap();
        assert!(line.contains(r#""prime":true"#), "{line}");
    }
    let memory_kib = resident_kib(child.id());
    drop(head);
    let ended = wait_for(child);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(writer.join().unwrap() > 20_000);
    assert!(memory_kib < 100 << 10, "{memory_kib} KiB");
    let jobs = lines(&dev.run(&["job", "list", "-o", "jsonl"]).ok());
    let id = jobs[0]["id"].as_str().unwrap();
    dev.wait_for_job(id, "canceled", |job| job["state"] == "canceled");
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_line_that_does_not_fit_is_told_by_its_place() {
    let dev = Dev::start();
    let told = dev.run_with(&["run", "mersenne"], "3\n5\nseven\n").failed(2);
    assert!(told.contains("item 3 of standard input: is not JSON"), "{told}");
    let jobs = lines(&dev.run(&["job", "list", "-o", "jsonl"]).ok());
    dev.wait_for_job(jobs[0]["id"].as_str().unwrap(), "canceled", |job| {
        job["state"] == "canceled"
    });
}

/// The pipe into the command fills up when nobody works: what waits is bounded.
#[test]
fn input_is_read_no_further_than_workers_keep_up() {
    let dev = Dev::without_worker();
    let mut command = dev.elytra(&["run", "null"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // Far more than pipe, batch and window take; ends when the command goes away.
        (0..2_000_000).try_for_each(|n| writeln!(stdin, "{n}")).is_err()
    });
    let jobs = || lines(&dev.run(&["job", "list", "-o", "jsonl"]).ok());
    let start = Instant::now();
    while jobs()
        .first()
        .is_none_or(|job| job["counts"]["items"].as_u64() < Some(9_000))
    {
        assert!(start.elapsed() < WAIT_MAX, "{:?}", jobs());
    }
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut reason = String::new();
    while !reason.contains("worker") {
        reason.clear();
        assert!(
            err.read_line(&mut reason).unwrap() > 0,
            "the reason why nothing moves was never told"
        );
    }
    let items = jobs()[0]["counts"]["items"].as_u64().unwrap();
    assert!(items <= 10_000, "{items}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        writer.join().unwrap(),
        "everything was read although nobody works"
    );
    drop(err.read_to_string(&mut reason));
}
