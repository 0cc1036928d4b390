//! `elytra dev` and `elytra demo`.
use crate::house::{Dev, ELYTRA, Ended, elytra, examples, rest};
use serde_json::Value;
use std::process::{Command, Stdio};

#[test]
fn a_killed_server_goes_on_where_it_was() {
    let mut dev = Dev::start();
    let (token, address) = (dev.token(), dev.address());
    let mut command = dev.elytra(&["run", "mersenne", "--range", "4001:4201:2", "--grain", "2"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let jobs = dev.wait_for_first_job();
    dev.wait_for_job(&jobs, "under way", |job| {
        job["counts"]["accepted"].as_u64() > Some(2)
    });
    dev.kill_and_restart(&["--slots", "2"]);
    assert_eq!((dev.token(), dev.address()), (token, address));
    let ended = crate::house::wait_for(child);
    let exponents: Vec<u64> = ended
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["exponent"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(
        exponents,
        (4001..4201).step_by(2).collect::<Vec<_>>(),
        "{}",
        ended.err
    );
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

impl Dev {
    fn wait_for_first_job(&self) -> String {
        loop {
            let list = self.run(&["job", "list", "-o", "json"]).ok();
            let list: Value = serde_json::from_str(&list).unwrap();
            if let Some(id) = list[0]["id"].as_str() {
                return id.into();
            }
        }
    }
}

#[test]
fn a_token_in_this_folder_is_nobody_elses() {
    use std::os::unix::fs::PermissionsExt as _;
    let dev = Dev::without_worker();
    let token = std::fs::metadata(dev.path().join(".elytra/token")).unwrap();
    assert_eq!(token.permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_demonstration_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let output = elytra(folder.path())
        .args(["demo", "--once", "--width", "512", "--out", "out"])
        .output();
    let ended = Ended::of(output.unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let read = |name: &str| std::fs::read(folder.path().join("out").join(name)).unwrap();
    let report: Value = serde_json::from_slice(&read("report.json")).unwrap();
    assert_eq!(
        (&report["right"], report["jobs"].as_array().map(Vec::len)),
        (&Value::Bool(true), Some(3))
    );
    let mersenne: Value = serde_json::from_slice(&read("mersenne.json")).unwrap();
    assert_eq!(mersenne["prime_exponents"].as_array().map(Vec::len), Some(19));
    assert_eq!(&read("mandelbrot.png")[1..4], b"PNG");
    assert!(
        String::from_utf8(read("report.md"))
            .unwrap()
            .contains("Seahorse Valley")
    );
    assert!(read("option.json").starts_with(b"{"));
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(
        left,
        ["out"],
        "a demonstration that runs once leaves nothing else behind"
    );
}

#[test]
fn the_examples_run() {
    let dev = Dev::start();
    let bin = std::path::Path::new(ELYTRA).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let example = |script: &str, args: &[&str]| {
        let mut command = Command::new(examples().join(script));
        command
            .args(args)
            .current_dir(dev.path())
            .env("PATH", &path)
            .env("NO_COLOR", "1");
        command
            .env("ELYTRA_SERVER", dev.address())
            .env("ELYTRA_TOKEN", dev.token());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = rest(child.stdout.take().unwrap());
        assert!(child.wait().unwrap().success(), "{script}: {out}");
        out
    };
    assert_eq!(
        example("mersenne.sh", &["130"]),
        "3\n5\n7\n13\n17\n19\n31\n61\n89\n107\n127\n"
    );
    let aligned = example("align.sh", &[]);
    assert_eq!(aligned.lines().count(), 5, "{aligned}");
    assert!(
        aligned.lines().next().unwrap().contains(r#""cigar":"50M""#),
        "{aligned}"
    );
    let price: f64 = example("option.sh", &["100", "10"]).trim().parse().unwrap();
    assert!((price - 10.45).abs() < 0.1, "{price}");
    example("path-tracer.sh", &["tracer.ppm", "40", "4"]);
    assert_eq!(
        std::fs::read(dev.path().join("tracer.ppm")).unwrap(),
        traced(40, 4)
    );
    let text = "one two three\n".repeat(300_000);
    std::fs::write(dev.path().join("text"), &text).unwrap();
    let counted = example("word-count.sh", &["text"]);
    assert_eq!(counted, format!("300000 900000 {}\n", text.len()));
    example("picture.sh", &["set.png"]);
    assert!(dev.path().join("set.png").exists());
}

/// The path tracer's picture, computed natively.
fn traced(width: u32, samples: u32) -> Vec<u8> {
    let picture = path_tracer::Picture {
        width,
        height: width,
        samples,
        bounces: 6,
        seed: 1,
    };
    let rows = (0..width).map(|row| path_tracer::row(row, &picture).unwrap().0);
    let head = format!("P6 {width} {width} 255\n").into_bytes();
    std::iter::once(head).chain(rows).flatten().collect()
}
