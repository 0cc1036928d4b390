//! Numbers of WASI preview 1: error codes, file types, flags and rights, as far as they are used.

/// What a function answers when it does not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Errno {
    Badf = 8,
    Exist = 20,
    Fault = 21,
    Inval = 28,
    Isdir = 31,
    Mfile = 33,
    Nametoolong = 37,
    Noent = 44,
    Nosys = 52,
    Notdir = 54,
    Notsup = 58,
    Rofs = 69,
    Spipe = 70,
    Notcapable = 76,
}

/// A stream, and whatever else is not a file: never a terminal, so libraries write in blocks.
pub(crate) const FILETYPE_UNKNOWN: u8 = 0;
pub(crate) const FILETYPE_DIRECTORY: u8 = 3;
pub(crate) const FILETYPE_REGULAR_FILE: u8 = 4;

pub(crate) const RIGHT_FD_READ: u64 = 1 << 1;
pub(crate) const RIGHT_FD_SEEK: u64 = 1 << 2;
pub(crate) const RIGHT_FD_TELL: u64 = 1 << 5;
pub(crate) const RIGHT_FD_WRITE: u64 = 1 << 6;
pub(crate) const RIGHT_FD_ADVISE: u64 = 1 << 7;
pub(crate) const RIGHT_PATH_OPEN: u64 = 1 << 13;
pub(crate) const RIGHT_FD_READDIR: u64 = 1 << 14;
pub(crate) const RIGHT_PATH_FILESTAT_GET: u64 = 1 << 18;
pub(crate) const RIGHT_FD_FILESTAT_GET: u64 = 1 << 21;
pub(crate) const RIGHT_POLL: u64 = 1 << 27;

pub(crate) const OFLAG_CREAT: u32 = 1;
pub(crate) const OFLAG_DIRECTORY: u32 = 2;
pub(crate) const OFLAG_EXCL: u32 = 4;
pub(crate) const OFLAG_TRUNC: u32 = 8;

pub(crate) const CLOCK_REALTIME: u32 = 0;
/// The last of the four clocks; all but the first begin at 0.
pub(crate) const CLOCK_LAST: u32 = 3;
