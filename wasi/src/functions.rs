//! Every function of WASI preview 1 with its signature, in one list for all who need one: the calls below, the
//! linker of the native sandbox and the exports of the tab's.

/// Expands `$then!` with all functions but `proc_exit`, as `name(argument: type, …);` or, for one that is always
/// refused, `name(argument: type, …) = errno;`. Each answers a number, 0 when it did what it was asked for.
#[macro_export]
macro_rules! each_function {
    ($then:ident) => {
        $then! {
            args_get(pointers: u32, strings: u32);
            args_sizes_get(count: u32, length: u32);
            environ_get(pointers: u32, strings: u32);
            environ_sizes_get(count: u32, length: u32);
            clock_res_get(clock: u32, resolution: u32);
            clock_time_get(clock: u32, precision: u64, time: u32);
            fd_advise(fd: u32, offset: u64, length: u64, advice: u32);
            fd_allocate(fd: u32, offset: u64, length: u64) = Rofs;
            fd_close(fd: u32);
            fd_datasync(fd: u32);
            fd_fdstat_get(fd: u32, stat: u32);
            fd_fdstat_set_flags(fd: u32, flags: u32) = Notsup;
            fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64) = Notsup;
            fd_filestat_get(fd: u32, stat: u32);
            fd_filestat_set_size(fd: u32, size: u64) = Rofs;
            fd_filestat_set_times(fd: u32, access: u64, change: u64, flags: u32) = Rofs;
            fd_pread(fd: u32, buffers: u32, count: u32, offset: u64, read: u32);
            fd_prestat_get(fd: u32, stat: u32);
            fd_prestat_dir_name(fd: u32, name: u32, length: u32);
            fd_pwrite(fd: u32, buffers: u32, count: u32, offset: u64, written: u32);
            fd_read(fd: u32, buffers: u32, count: u32, read: u32);
            fd_readdir(fd: u32, buffer: u32, length: u32, cookie: u64, used: u32);
            fd_renumber(from: u32, to: u32);
            fd_seek(fd: u32, offset: u64, whence: u32, position: u32);
            fd_sync(fd: u32);
            fd_tell(fd: u32, position: u32);
            fd_write(fd: u32, buffers: u32, count: u32, written: u32);
            path_create_directory(fd: u32, path: u32, length: u32) = Rofs;
            path_filestat_get(fd: u32, flags: u32, path: u32, length: u32, stat: u32);
            path_filestat_set_times(fd: u32, follow: u32, path: u32, length: u32, access: u64, change: u64, flags: u32)
                = Rofs;
            path_link(from: u32, follow: u32, old: u32, old_length: u32, to: u32, new: u32, new_length: u32) = Rofs;
            path_open(
                fd: u32, follow: u32, path: u32, length: u32, how: u32, base: u64, inheriting: u64, flags: u32, opened: u32
            );
            path_readlink(fd: u32, path: u32, length: u32, buffer: u32, buffer_length: u32, used: u32);
            path_remove_directory(fd: u32, path: u32, length: u32) = Rofs;
            path_rename(from: u32, old: u32, old_length: u32, to: u32, new: u32, new_length: u32) = Rofs;
            path_symlink(old: u32, old_length: u32, fd: u32, new: u32, new_length: u32) = Rofs;
            path_unlink_file(fd: u32, path: u32, length: u32) = Rofs;
            poll_oneoff(wanted: u32, events: u32, count: u32, happened: u32);
            proc_raise(signal: u32) = Nosys;
            sched_yield();
            random_get(buffer: u32, length: u32);
            sock_accept(fd: u32, flags: u32, accepted: u32) = Notsup;
            sock_recv(fd: u32, buffers: u32, count: u32, flags: u32, read: u32, told: u32) = Notsup;
            sock_send(fd: u32, buffers: u32, count: u32, flags: u32, written: u32) = Notsup;
            sock_shutdown(fd: u32, how: u32) = Notsup;
        }
    };
}

macro_rules! call {
    ($process:ident, $memory:ident, $name:ident, $errno:ident, $($arg:ident),*) => {{
        let _ = ($memory, $($arg),*);
        Err(Stop::Errno(Errno::$errno))
    }};
    ($process:ident, $memory:ident, $name:ident, , $($arg:ident),*) => {
        $process.$name($memory, $($arg),*)
    };
}

macro_rules! define_calls {
    ($($name:ident($($arg:ident: $ty:ty),* $(,)?) $(= $errno:ident)?;)*) => {$(
        #[doc = concat!("`", stringify!($name), "` of WASI preview 1: its error code, or how the process ended.")]
        #[allow(clippy::too_many_arguments, reason = "the signature is WASI's")]
        pub fn $name(process: &mut Process, memory: &mut dyn GuestMemory, $($arg: $ty),*) -> Result<u32, Ended> {
            process.still_running()?;
            let answer: Answer = call!(process, memory, $name, $($errno)?, $($arg),*);
            process.told(answer)
        }
    )*};
}

/// What a guest can call.
pub mod calls {
    use crate::abi::Errno;
    use crate::memory::GuestMemory;
    use crate::process::{Answer, Ended, Process, Stop};

    each_function!(define_calls);

    /// `proc_exit` of WASI preview 1: the process has ended.
    pub fn proc_exit(process: &mut Process, code: u32) -> Ended {
        process.exit(code)
    }
}
