//! Limits that the kernel holds a guest process to, whatever it does.
use super::{Room, checked};
use crate::guest::PROGRAMS_MAX;
use protocol::limits::OUTPUT_BYTES_MAX;
use std::fs::File;
use std::io::{self, Read};

/// The largest thing it keeps in memory under a descriptor: a program's first memory, when it is dense.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// One for each program's first memory, and some for what is there.
const DESCRIPTORS_MAX: u64 = PROGRAMS_MAX as u64 + 16;
/// Code, inputs, and what the allocator keeps back.
const COMMON_BYTES: u64 = 2 << 30;
/// Each slot's output and input on their way, and its share of the allocator's arenas.
const SLOT_BYTES: u64 = 4 * OUTPUT_BYTES_MAX as u64 + (192 << 20);

/// What can be set before there are threads.
pub(super) fn before_threads() -> io::Result<()> {
    limit(libc::RLIMIT_CORE, 0)?;
    limit(libc::RLIMIT_FSIZE, FILE_BYTES_MAX)?;
    limit(libc::RLIMIT_MSGQUEUE, 0)?;
    limit(libc::RLIMIT_MEMLOCK, 0)
}

/// `size` is this process's `statm`.
pub(super) fn after_threads(size: Option<&File>, room: &Room) -> io::Result<()> {
    limit(libc::RLIMIT_NPROC, 0)?;
    limit(libc::RLIMIT_NOFILE, DESCRIPTORS_MAX)?;
    let size = size.ok_or_else(|| io::Error::other("there is no /proc"))?;
    let (addresses, data) = sizes(size)?;
    let slots = u64::from(room.slots);
    let working = COMMON_BYTES + slots * SLOT_BYTES;
    // The addresses of all memories are reserved already; only what is written to counts as data.
    limit(libc::RLIMIT_AS, addresses + working)?;
    limit(
        libc::RLIMIT_DATA,
        data + working + slots * room.memory_bytes_max as u64,
    )
}

/// Addresses and writable data, in bytes.
fn sizes(mut size: &File) -> io::Result<(u64, u64)> {
    let mut text = String::new();
    size.read_to_string(&mut text)?;
    let mut pages = text.split_ascii_whitespace().map(str::parse::<u64>);
    let mut number = |at| match pages.nth(at) {
        Some(Ok(pages)) => Ok(pages * page_bytes()),
        _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
    };
    // `size resident shared text lib data dt`.
    Ok((number(0)?, number(4)?))
}

fn page_bytes() -> u64 {
    // SAFETY: the call takes a number and returns one.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).unwrap_or(4 << 10)
}

/// The C library's two kinds name the type differently.
#[cfg(target_env = "musl")]
type Resource = libc::c_int;
#[cfg(not(target_env = "musl"))]
type Resource = libc::__rlimit_resource_t;

fn limit(resource: Resource, bound: u64) -> io::Result<()> {
    let bound = libc::rlimit {
        rlim_cur: bound,
        rlim_max: bound,
    };
    // SAFETY: `bound` is a valid pointer for the call's length; the call touches nothing else.
    checked(unsafe { libc::setrlimit(resource, &raw const bound) })
}
