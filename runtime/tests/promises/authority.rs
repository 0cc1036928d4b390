//! Promise: native workers give programs nothing but input and output.
use crate::parent::{Guest, IMPORTS, LIMITS};
use bytes::Bytes;
use runtime::RunOutcome;
use std::collections::BTreeSet;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

const SHARDS: usize = 1_000;
/// No tracer takes longer to take hold, or to let go.
const TRACER_MAX: Duration = Duration::from_secs(30);
/// Whoever made one of these calls would reach beyond its own memory and socket.
const REACHING: [&str; 20] = [
    "open",
    "openat",
    "openat2",
    "creat",
    "socket",
    "socketpair",
    "connect",
    "bind",
    "sendto",
    "sendmsg",
    "execve",
    "execveat",
    "fork",
    "vfork",
    "clone",
    "clone3",
    "ptrace",
    "kill",
    "unlink",
    "mkdir",
];

#[test]
fn native_no_ambient_authority() {
    let _alone = crate::alone();
    let refused = foreign_imports_are_refused();
    let calls = calls_of_shards();
    let attempts = what_an_escaped_guest_can_do();
    promise::kept(
        "native_no_ambient_authority",
        &format!(
            "{refused} foreign imports refused at upload and at the worker; {calls}; {attempts} attempts of native \
             code behind the walls denied, and all but tracing done without them"
        ),
    );
}

/// At the door, and, should it ever stand open, by the worker's linker.
fn foreign_imports_are_refused() -> usize {
    let imports = [
        r#"(import "env" "open" (func))"#,
        r#"(import "elytra" "fetch" (func (param i32 i32)))"#,
        r#"(import "wasi_unstable" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#,
        r#"(import "elytra" "input_len" (func (param i64) (result i64)))"#,
        r#"(import "env" "memory" (memory 1 2))"#,
    ];
    let mut guest = Guest::start(1);
    for import in imports {
        let memory = if import.contains("(memory") {
            ""
        } else {
            "(memory (export \"memory\") 1 2)"
        };
        let text = format!("(module {import} {memory} (func (export \"run\")))");
        let module = wat::parse_str(&text).unwrap();
        assert!(program::admit(module).is_err(), "{import} was admitted");
        let program = guest.load_text(&text);
        guest.ask(0, program, "run", LIMITS, vec![Bytes::new()]);
        let answer = format!("{:?}", guest.next());
        assert!(answer.contains("Unfit"), "{import}: {answer}");
    }
    imports.len()
}

/// Records what a guest process asks of the kernel while it runs shards.
fn calls_of_shards() -> String {
    let mut guest = Guest::start(1);
    let body = r#"(func (export "run")
        (drop (memory.grow (i32.const 1)))
        (call $input_read (i32.const 16) (i32.const 0) (call $input_len))
        (call $log (i32.const 16) (call $input_len))
        (call $output_write (i32.const 16) (call $input_len)))"#;
    let text = format!("(module {IMPORTS} (memory (export \"memory\") 1 2) {body})");
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("calls");
    // The program is loaded under the tracer, too: that is when the engine asks for the most.
    let Some(mut tracer) = trace(guest.child.id(), &record) else {
        return "no tracer here".into();
    };
    let program = guest.load_text(&text);
    let inputs = (0..SHARDS).map(|number| number.to_string().into()).collect();
    guest.ask(0, program, "run", LIMITS, inputs);
    for number in 0..SHARDS {
        let (_, report) = guest.report();
        assert_eq!(report.outcome, RunOutcome::Finished(number.to_string().into()));
    }
    let end = ["-INT", &tracer.id().to_string()].map(str::to_owned);
    assert!(Command::new("kill").args(end).status().unwrap().success());
    tracer.wait().unwrap();
    let record = fs::read_to_string(record).unwrap();
    let calls = called(&record);
    let reaching: Vec<_> = REACHING.iter().filter(|call| calls.contains(**call)).collect();
    assert!(reaching.is_empty(), "{reaching:?} among {calls:?}");
    assert!(
        !record.contains("EPERM"),
        "something it needs is forbidden:\n{}",
        refusals(&record)
    );
    // The broken twin: a record in which something reaches out, through the same eyes.
    assert!(called("12 openat(AT_FDCWD, \"/\", O_RDONLY) = 3\n").contains("openat"));
    assert!(calls.contains("read") && calls.contains("write"), "{calls:?}");
    let all: Vec<_> = calls.into_iter().collect();
    format!(
        "{SHARDS} shards asked the kernel for nothing but {}",
        all.join(", ")
    )
}

/// Attaches a tracer and waits until it has taken hold.
fn trace(process: u32, record: &Path) -> Option<Child> {
    let tracer = Command::new("strace")
        .args(["-f", "-p", &process.to_string(), "-o"])
        .arg(record)
        .stderr(Stdio::null())
        .spawn();
    let tracer = tracer.ok()?;
    let until = Instant::now() + TRACER_MAX;
    let held = format!("TracerPid:\t{}", tracer.id());
    let is_held = |thread: io::Result<fs::DirEntry>| {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        status.lines().any(|line| line == held)
    };
    let threads = || fs::read_dir(format!("/proc/{process}/task")).unwrap();
    while !threads().all(is_held) {
        assert!(Instant::now() < until, "the tracer does not take hold");
        thread::sleep(Duration::from_millis(5));
    }
    Some(tracer)
}

/// The names of the calls in a record of lines such as `12 read(3, …) = 4` and `12 <... futex resumed>) = 0`.
fn called(record: &str) -> BTreeSet<String> {
    let calls = record.lines().filter_map(|line| {
        let call = line.split_once(' ')?.1.trim_start();
        let name = call.split_once('(')?.0;
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            .then(|| name.to_owned())
    });
    calls.collect()
}

fn refusals(record: &str) -> String {
    let lines = record.lines().filter(|line| line.contains("EPERM")).take(5);
    lines.collect::<Vec<_>>().join("\n")
}

/// Native code in a process that is locked down as a guest process is, and in one that is not.
fn what_an_escaped_guest_can_do() -> usize {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, "secret").unwrap();
    let path = folder.path().join("socket");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let unix = UnixListener::bind(&path).unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    unix.set_nonblocking(true).unwrap();
    let heard = || tcp.accept().is_ok() || udp.recv(&mut [0; 8]).is_ok() || unix.accept().is_ok();
    let made = folder.path().join("key-made");

    let locked = escaped("locked", port, &path, &file);
    let denied = locked.iter().filter(|line| line.contains(": denied")).count();
    let done: Vec<_> = locked.iter().filter(|line| line.ends_with(": done")).collect();
    assert!(done.is_empty(), "{done:?}");
    assert!(denied >= 17, "{locked:#?}");
    assert!(!heard() && !made.exists());

    let open = escaped("open", port, &path, &file);
    let may_fail = ["trace its parent", "a user namespace"];
    let denied_too: Vec<_> = open
        .iter()
        .filter(|line| line.contains(": denied") && !may_fail.iter().any(|name| line.starts_with(name)))
        .collect();
    assert!(
        denied_too.is_empty(),
        "the twin sees what it cannot do: {denied_too:?}"
    );
    assert!(heard() && made.exists());
    denied
}

fn escaped(walls: &str, port: u16, socket: &Path, file: &Path) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_escaped"))
        .args([walls, &port.to_string()])
        .args([socket, file])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {output:?}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}
