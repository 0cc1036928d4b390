//! What a guest process gives up before it sees anything of a tenant. There is no way back from any of it.
//!
//! In two steps, because some of it binds only the thread that asks, and must be there when the others start,
//! and some of it forbids starting them: [`confine`], then the threads, then [`Confined::lock`].
//!
//! | wall | what it leaves |
//! |---|---|
//! | descriptors | its own end of the socket |
//! | namespaces | a network without any interface; no processes' signals or memory but its own |
//! | user | nobody, where the worker is root; no capabilities |
//! | Landlock | no path, no port, no signal to others |
//! | limits | memory for its slots; no core file, no further process, few descriptors (for what is in memory) |
//! | seccomp | memory, its socket, clocks, its threads' timers, locks among its threads |
//!
//! The filter alone forbids nearly all of it; the other walls stand behind it, for the day on which a call that it
//! allows does more than it should, or a kernel lacks it.
mod calls;
mod identity;
mod limits;

use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetStatus, Scope};
use std::fs::{self, File};
use std::io;

/// What a guest process needs room for.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Runs at the same time.
    pub slots: u32,
    /// The most memory any run can have.
    pub memory_bytes_max: usize,
}

/// A process that has taken the first of two steps.
#[derive(Debug)]
pub struct Confined {
    missing: Vec<String>,
    /// Opened while files could be: how large this process is.
    size: Option<File>,
}

/// Gives up everything that can be given up before there are threads. The first thing a process does, because
/// it closes all descriptors but the standard streams.
pub fn confine() -> Confined {
    let mut missing = Missing::default();
    // First, while it is certain that nothing of this process is open but its standard streams.
    missing.unless("closing what was inherited", close_inherited());
    missing.unless("a session of its own", own_session());
    let size = File::open("/proc/self/statm").ok();
    // Where memory runs out, this process goes before the worker does. No wall, and no harm where it cannot be.
    let _ = fs::write("/proc/self/oom_score_adj", "500");
    identity::give_up(&mut missing);
    missing.unless("limits of files", limits::before_threads());
    missing.unless("no new privileges", prctl(libc::PR_SET_NO_NEW_PRIVS, 1));
    missing.unless("Landlock", landlock());
    // Changing the user takes it back, so it comes after that.
    missing.unless(
        "dying with its parent",
        prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL),
    );
    Confined {
        missing: missing.0,
        size,
    }
}

impl Confined {
    /// Shuts the door, for all threads. The walls that the kernel did not give, with its reasons.
    pub fn lock(self, room: &Room) -> Vec<String> {
        let mut missing = Missing(self.missing);
        missing.unless(
            "limits of memory",
            limits::after_threads(self.size.as_ref(), room),
        );
        drop(self.size);
        missing.unless("hidden memory", prctl(libc::PR_SET_DUMPABLE, 0));
        missing.unless("seccomp", calls::forbid_others());
        missing.0
    }
}

/// Collects what was not given.
#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    fn unless(&mut self, wall: &str, built: io::Result<()>) {
        if let Err(error) = built {
            self.0.push(format!("{wall} ({error})"));
        }
    }
}

/// What `-1` means.
fn checked(result: libc::c_int) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn close_inherited() -> io::Result<()> {
    let (first, last, flags): (libc::c_long, libc::c_long, libc::c_long) = (3, libc::c_uint::MAX.into(), 0);
    // SAFETY: this is the first thing that the process does, so no part of it owns a descriptor beyond the
    // standard streams, which stay.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    checked(if result == 0 { 0 } else { -1 })
}

/// Away from the terminal, whose signals are meant for the worker: it finishes what runs here first. So does a
/// service manager's signal to all processes. The end of the socket is what ends this process.
fn own_session() -> io::Result<()> {
    // SAFETY: none of these calls takes a pointer; the dispositions are the system's own.
    unsafe {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGXFSZ] {
            libc::signal(signal, libc::SIG_IGN);
        }
        checked(libc::setsid())
    }
}

fn prctl(option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let value = libc::c_ulong::try_from(value).unwrap_or(0);
    let none: libc::c_ulong = 0;
    // SAFETY: none of the options used here takes a pointer.
    checked(unsafe { libc::prctl(option, value, none, none, none) })
}

/// No rule is added, so whatever is handled is forbidden.
fn landlock() -> io::Result<()> {
    let newest = ABI::V6;
    let rules = Ruleset::default()
        .handle_access(AccessFs::from_all(newest))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(newest)))
        .and_then(|rules| rules.scope(Scope::from_all(newest)))
        .and_then(Ruleset::create);
    let bound = rules.and_then(landlock::RulesetCreated::restrict_self);
    match bound.map_err(io::Error::other)?.ruleset {
        RulesetStatus::NotEnforced => Err(io::ErrorKind::Unsupported.into()),
        // Older kernels know paths only; the rest is forbidden by the other walls.
        RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
    }
}
