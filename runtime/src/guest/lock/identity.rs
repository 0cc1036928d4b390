//! Who a guest process is, and whom it can see: nobody, and nobody.
use super::{Missing, checked};
use std::{io, ptr};

/// The user and group that own nothing.
const NOBODY: libc::uid_t = 65_534;
/// Version 3 of the kernel's interface: 64 capabilities in two halves.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Namespaces of its own, another user where it was root, and no capability in any of them.
pub(super) fn give_up(missing: &mut Missing) {
    let own = libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    // SAFETY: the call takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        // In this order: root may unshare what nobody may not, and a new user namespace would know no nobody.
        let unshared = unshare(own);
        missing.unless("a user without rights", become_nobody());
        match unshared {
            Ok(()) => missing.unless("a user namespace", unshare(libc::CLONE_NEWUSER)),
            // A root that is confined itself; as anybody else it may still be allowed.
            Err(_) => missing.unless("user and network namespaces", unshare(libc::CLONE_NEWUSER | own)),
        }
    } else {
        missing.unless("user and network namespaces", unshare(libc::CLONE_NEWUSER | own));
    }
    missing.unless("no capabilities", drop_capabilities());
}

fn unshare(namespaces: libc::c_int) -> io::Result<()> {
    // SAFETY: the call takes no pointer; this process has one thread, and its descriptors stay its own.
    checked(unsafe { libc::unshare(namespaces) })
}

fn become_nobody() -> io::Result<()> {
    // SAFETY: no groups are read from the pointer, because there are none to read; the others take numbers.
    unsafe {
        checked(libc::setgroups(0, ptr::null()))?;
        checked(libc::setresgid(NOBODY, NOBODY, NOBODY))?;
        checked(libc::setresuid(NOBODY, NOBODY, NOBODY))
    }
}

/// As the kernel has it; process 0 is the one that asks.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: libc::c_int,
}

/// A new user namespace gives all of them, inside it.
fn drop_capabilities() -> io::Result<()> {
    let header = CapabilityHeader {
        version: CAPABILITY_VERSION,
        pid: 0,
    };
    // Effective, permitted and inheritable ones, in each half.
    let none = [[0u32; 3]; 2];
    // SAFETY: both are of the kernel's layout for this version, and live as long as the call.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    checked(if result == 0 { 0 } else { -1 })
}
