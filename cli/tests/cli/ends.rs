//! How commands end: exit codes, and what is said.
use crate::house::{Dev, elytra, wait_for};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

#[test]
fn wrong_input_names_the_thing_and_what_to_do() {
    let dev = Dev::without_worker();
    let told = dev
        .run(&[
            "run",
            "mandelbrot",
            "--param",
            "widht=3",
            "--param",
            "height=0",
            "1",
        ])
        .failed(2);
    assert!(
        told.contains("widht: is not a parameter; did you mean 'width'?"),
        "{told}"
    );
    assert!(told.contains("height: must be a whole number from 1"), "{told}");
    let told = dev.run(&["run", "mersene", "3"]).failed(4);
    assert!(told.contains("did you mean 'mersenne'?"), "{told}");
    let told = dev.run(&["run", "null", "--program", "rust-cor", "3"]).failed(4);
    assert!(told.contains("did you mean 'rust-core'?"), "{told}");
    let told = dev.run(&["run", "null", "--range", "5:5"]).failed(2);
    assert!(told.contains("The input has no items"), "{told}");
    let told = dev.run(&["run", "null", "--range", "0:5:0"]).failed(2);
    assert!(told.contains("use 1, or -1 to count down"), "{told}");
    let told = dev.run(&["run", "null", "--range", "0:x"]).failed(2);
    assert!(told.contains("START:END"), "{told}");
    let told = dev.run(&["run", "null", "1", "--memory-mib", "100000"]).failed(2);
    assert!(told.contains("memory_mib"), "{told}");
    let told = dev.run(&["run", "mersenne", "seven"]).failed(2);
    assert!(told.contains("--text"), "{told}");
    dev.run(&["run", "null", "--lines", "missing"]).failed(2);
    dev.run(&["run", "null", "--grain", "0", "1"]).failed(2);
    dev.run(&["frobnicate"]).failed(2);
}

#[test]
fn what_is_not_there_is_not_found() {
    let dev = Dev::without_worker();
    for command in [
        &["job", "info"][..],
        &["wait"],
        &["cancel"],
        &["results"],
        &["explain"],
        &["watch"],
    ] {
        let told = dev.run(&[command, &["j-0000000000000"]].concat()).failed(4);
        assert!(told.contains("elytra job list"), "{told}");
    }
    let told = dev.run(&["explain", "w-0000000000000"]).failed(4);
    assert!(told.contains("elytra worker list"), "{told}");
    dev.run(&["job", "info", "nonsense"]).failed(2);
    dev.run(&["token", "revoke", "0123456789abcdef"]).failed(4);
}

#[test]
fn a_server_that_is_not_there_cannot_be_reached() {
    let folder = tempfile::tempdir().unwrap();
    // Bound and let go: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = elytra(folder.path())
        .args(["job", "list", "--server", &format!("http://{free}")])
        .output();
    let ended = crate::house::Ended::of(output.unwrap());
    let told = ended.failed(6);
    assert!(
        told.contains(&free.to_string()) && told.contains("elytra dev"),
        "{told}"
    );
    for wrong in ["127.0.0.1:1", "https://", "ftp://example.org"] {
        let output = elytra(folder.path())
            .args(["job", "list", "--server", wrong])
            .output()
            .unwrap();
        crate::house::Ended::of(output).failed(2);
    }
}

#[test]
fn tokens_allow_what_they_say() {
    let dev = Dev::without_worker();
    let elsewhere = tempfile::tempdir().unwrap();
    let with = |token: Option<&str>, args: &[&str]| {
        let mut command = elytra(elsewhere.path());
        command
            .args(args)
            .env("ELYTRA_SERVER", dev.address())
            .stdin(Stdio::null());
        if let Some(token) = token {
            command.env("ELYTRA_TOKEN", token);
        }
        crate::house::Ended::of(command.output().unwrap())
    };
    let told = with(None, &["job", "list"]).failed(3);
    assert!(told.contains("ELYTRA_TOKEN"), "{told}");
    let told = with(Some("ely_wrong"), &["job", "list"]).failed(3);
    assert!(told.contains("token"), "{told}");
    let made = dev
        .run(&["token", "create", "--name", "ana", "--scope", "read"])
        .ok();
    let reader = made.trim();
    with(Some(reader), &["job", "list"]).ok();
    let told = with(Some(reader), &["submit", "null", "1"]).failed(3);
    assert!(told.contains("--scope"), "{told}");
    with(Some(reader), &["token", "list"]).failed(3);
    let list = dev.run(&["token", "list", "-o", "json"]).ok();
    assert!(list.contains("ana") && !list.contains(reader), "{list}");
    let id = reader.split('_').nth(1).unwrap();
    dev.run(&["token", "revoke", id]).ok();
    with(Some(reader), &["job", "list"]).failed(3);
}

#[test]
fn a_first_token_is_made_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| crate::house::Ended::of(elytra(folder.path()).args(args).output().unwrap());
    let made = run(&[
        "token",
        "create",
        "--offline",
        "--name",
        "root",
        "--scope",
        "admin",
        "--data-dir",
        "data",
    ]);
    let token = made.ok();
    assert!(token.starts_with("ely_"), "{token}");
    let mut server = elytra(folder.path());
    server
        .args(["server", "--data-dir", "data", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let mut said = BufReader::new(server.stderr.take().unwrap()).lines();
    let address = said.find_map(|line| {
        line.unwrap()
            .split_once("serves on ")
            .map(|(_, url)| url.to_owned())
    });
    std::fs::write(folder.path().join("token"), &token).unwrap();
    let listed = run(&[
        "token",
        "list",
        "--server",
        &address.unwrap(),
        "--token-file",
        "token",
    ]);
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(listed.ok().contains("root"));
}

#[test]
fn a_job_with_failed_shards_ends_with_10_and_a_cancelled_one_with_11() {
    let dev = Dev::start();
    let failing = ["mandelbrot", "999999", "--param", "width=64", "--attempts", "1"];
    let id = dev.submit(&failing);
    dev.run(&["wait", &id]).failed(10);
    dev.run(&["results", &id]).failed(10);
    let info = dev.run(&["job", "info", &id]).ok();
    assert!(info.contains("tile 999999 does not exist"), "{info}");
    dev.run(&[&["run"], &failing[..]].concat()).failed(10);
    let long = dev.submit(&["mersenne", "--range", "90001:99999:2"]);
    dev.run(&["cancel", &long]).ok();
    dev.run(&["wait", &long]).failed(11);
    dev.run(&["retry", &id]).ok();
    dev.run(&["wait", &id]).failed(10);
}

#[test]
fn a_checked_job_tells_what_was_done_for_its_answers() {
    // The worker of `elytra dev` is the operator's own: what it says counts at once.
    let dev = Dev::start();
    let id = dev.submit(&["mersenne", "--trust", "verified", "3", "5"]);
    dev.run(&["wait", &id]).ok();
    let info = dev.run(&["job", "info", &id]).ok();
    assert!(
        info.contains("verified: 1.00 executions a shard, 0 spot checks"),
        "{info}"
    );
    let refused = dev.run(&["run", "mersenne", "--trust", "blind", "3"]).failed(2);
    assert!(refused.contains("standard"), "{refused}");
}

#[test]
fn ctrl_c_cancels_the_job() {
    let dev = Dev::start();
    let mut command = dev.elytra(&["run", "mersenne", "--range", "90001:99999:2"]);
    let mut child = command
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = said.next().unwrap().unwrap();
    let id = first
        .trim_start_matches("job ")
        .split(':')
        .next()
        .unwrap()
        .to_owned();
    dev.wait_for_job(&id, "running", |job| job["state"] == "running");
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(wait_for(child).code, Some(11));
    dev.wait_for_job(&id, "canceled", |job| job["state"] == "canceled");
}
