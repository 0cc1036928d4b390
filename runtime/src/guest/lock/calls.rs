//! The system calls of a process that only computes.
//!
//! Found by recording a guest process under kernels, commands and scripts, and by reading what the engine does
//! when it loads code. Whatever is not listed fails with `EPERM`, rather than ending the process, so that a C
//! library which tries something new falls back to what it did before.
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;
use std::io;

/// Allowed with any arguments.
const ANY: [libc::c_long; 26] = [
    // The socket, and what is in memory under a descriptor: a program's first memory.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_memfd_create,
    libc::SYS_ftruncate,
    // Memory. Loading code makes it executable, so that cannot be forbidden.
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // Threads among each other; there are no new ones.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Traps are signals to oneself.
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Clocks: CPU time of a thread is a call, others are not. Chance seeds hash tables.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    // The timers that each thread made for itself before: a run's end. New ones cannot be made.
    libc::SYS_timer_settime,
    libc::SYS_getrandom,
];
/// What may be asked of a descriptor: to seal memory, and whether it is open.
const FCNTL: [libc::c_int; 2] = [libc::F_ADD_SEALS, libc::F_GETFD];

/// Forbids all other calls to every thread of this process.
pub(super) fn forbid_others() -> io::Result<()> {
    let program: seccompiler::BpfProgram = filter().and_then(TryInto::try_into).map_err(io::Error::other)?;
    seccompiler::apply_filter_all_threads(&program).map_err(io::Error::other)
}

fn filter() -> Result<SeccompFilter, seccompiler::BackendError> {
    let mut allowed: BTreeMap<i64, Vec<SeccompRule>> =
        ANY.into_iter().map(|call| (call, Vec::new())).collect();
    let fcntl = FCNTL.into_iter().map(|command| with(1, command.unsigned_abs()));
    allowed.insert(libc::SYS_fcntl, fcntl.collect::<Result<_, _>>()?);
    // An abort is a signal to one's own thread; then the cause of a process's end is the true one.
    allowed.insert(libc::SYS_tgkill, vec![with(0, std::process::id())?]);
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    let processor = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(allowed, denied, SeccompAction::Allow, processor)
}

/// A call with this number as that argument.
fn with(argument: u8, number: u32) -> Result<SeccompRule, seccompiler::BackendError> {
    let is_equal = SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        u64::from(number),
    )?;
    SeccompRule::new(vec![is_equal])
}
