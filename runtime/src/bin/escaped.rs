//! What native code can do in a guest process: the tests' stand-in for a program that has broken out of the engine.
//!
//! `escaped WALLS PORT SOCKET FILE`: with `locked` it first does what a guest process does before it reads a
//! program, with `open` it does not. Then it tries everything, and prints a line `attempt: done` or
//! `attempt: denied` for each. PORT is a listener's on this machine, SOCKET a listener's path, FILE a file.
use runtime::guest::lock::{Room, confine};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [walls, port, socket, file] = &arguments[..] else {
        return ExitCode::FAILURE;
    };
    let Ok(port) = port.parse() else {
        return ExitCode::FAILURE;
    };
    let parent = std::os::unix::process::parent_id();
    if walls == "locked" {
        let room = Room {
            slots: 1,
            memory_bytes_max: 1 << 30,
        };
        let missing = confine().lock(&room);
        say(&format!("missing: {}", missing.join(", ")));
    }
    for (name, attempt) in attempts(parent, port, socket, file) {
        let outcome = attempt().map_or_else(|error| format!("denied ({error})"), |()| "done".to_owned());
        say(&format!("{name}: {outcome}"));
    }
    ExitCode::SUCCESS
}

/// Standard output is all that is left; without it the test sees too few lines.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

type Attempt<'a> = (&'static str, Box<dyn Fn() -> io::Result<()> + 'a>);

fn attempts<'a>(parent: u32, port: u16, socket: &'a str, file: &'a str) -> Vec<Attempt<'a>> {
    let beside = format!("{file}-made");
    let memory = format!("/proc/{parent}/maps");
    vec![
        ("read a file", Box::new(move || fs::read(file).map(drop))),
        ("make a file", Box::new(move || File::create(&beside).map(drop))),
        ("list a folder", Box::new(|| fs::read_dir("/").map(drop))),
        (
            "read its parent's maps",
            Box::new(move || fs::read(&memory).map(drop)),
        ),
        (
            "read its own environment",
            Box::new(|| fs::read("/proc/self/environ").map(drop)),
        ),
        (
            "connect by TCP",
            Box::new(move || TcpStream::connect(("127.0.0.1", port)).map(drop)),
        ),
        (
            "connect to a path",
            Box::new(move || UnixStream::connect(socket).map(drop)),
        ),
        (
            "send by UDP",
            Box::new(move || {
                UdpSocket::bind("127.0.0.1:0")?
                    .send_to(b"x", ("127.0.0.1", port))
                    .map(drop)
            }),
        ),
        (
            "make a pair of sockets",
            Box::new(|| UnixStream::pair().map(drop)),
        ),
        (
            "start a thread",
            Box::new(|| std::thread::Builder::new().spawn(|| ()).map(drop)),
        ),
        (
            "start a process",
            Box::new(|| Command::new("/bin/true").status().map(drop)),
        ),
        ("fork", Box::new(fork)),
        (
            "signal its parent",
            Box::new(move || call(libc::SYS_kill, [id(parent), 0, 0, 0])),
        ),
        (
            "hold its parent",
            Box::new(move || call(libc::SYS_pidfd_open, [id(parent), 0, 0, 0])),
        ),
        (
            "trace its parent",
            Box::new(move || call(libc::SYS_ptrace, [PTRACE_SEIZE, id(parent), 0, 0])),
        ),
        (
            "become dumpable",
            Box::new(|| call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE.into(), 1, 0, 0])),
        ),
        (
            "a user namespace",
            Box::new(|| call(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0])),
        ),
    ]
}

const PTRACE_SEIZE: libc::c_long = 0x4206;

fn id(process: u32) -> libc::c_long {
    libc::c_long::from(process)
}

/// A call whose arguments are numbers.
fn call(number: libc::c_long, [a, b, c, d]: [libc::c_long; 4]) -> io::Result<()> {
    // SAFETY: none of the calls above takes a pointer here.
    match unsafe { libc::syscall(number, a, b, c, d) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn fork() -> io::Result<()> {
    // SAFETY: the child does nothing but end, which is allowed after a fork of any process.
    unsafe {
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => libc::_exit(0),
            child => {
                libc::waitpid(child, std::ptr::null_mut(), 0);
                Ok(())
            }
        }
    }
}
