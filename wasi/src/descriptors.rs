//! Open descriptors and the calls on them: three streams, the directory of the files, and what was opened from it.
use crate::abi::{
    Errno, FILETYPE_DIRECTORY, FILETYPE_REGULAR_FILE, FILETYPE_UNKNOWN, RIGHT_FD_ADVISE,
    RIGHT_FD_FILESTAT_GET, RIGHT_FD_READ, RIGHT_FD_READDIR, RIGHT_FD_SEEK, RIGHT_FD_TELL, RIGHT_FD_WRITE,
    RIGHT_PATH_FILESTAT_GET, RIGHT_PATH_OPEN, RIGHT_POLL,
};
use crate::files::{Node, NodeIndex, ROOT};
use crate::memory::{Buffer, GuestMemory, check, read_buffers, write_u32, write_u64};
use crate::process::{Answer, EPOCH_NS, Ended, Process, STDERR_BYTES_KEPT, Stop, clamped};

/// Descriptors open at a time.
const OPEN_MAX: usize = 256;

const STREAM_RIGHTS: u64 = RIGHT_FD_FILESTAT_GET | RIGHT_POLL;
const FILE_RIGHTS: u64 =
    RIGHT_FD_READ | RIGHT_FD_SEEK | RIGHT_FD_TELL | RIGHT_FD_ADVISE | RIGHT_FD_FILESTAT_GET | RIGHT_POLL;
const DIRECTORY_RIGHTS: u64 =
    RIGHT_PATH_OPEN | RIGHT_FD_READDIR | RIGHT_PATH_FILESTAT_GET | RIGHT_FD_FILESTAT_GET;

/// The device numbers tell streams from files.
const STREAM_DEVICE: u64 = 0;
const FILE_DEVICE: u64 = 1;

/// What a number stands for. `at` is the place where the next read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Descriptor {
    Stdin { at: u64 },
    Stdout,
    Stderr,
    Directory(NodeIndex),
    File { node: NodeIndex, at: u64 },
}

#[derive(Debug)]
pub(crate) struct Descriptors {
    open: Vec<Option<Descriptor>>,
}

impl Descriptors {
    pub(crate) fn new() -> Self {
        let first = [
            Descriptor::Stdin { at: 0 },
            Descriptor::Stdout,
            Descriptor::Stderr,
            Descriptor::Directory(ROOT),
        ];
        Self {
            open: first.map(Some).to_vec(),
        }
    }

    pub(crate) fn get(&self, fd: u32) -> Result<Descriptor, Errno> {
        self.open.get(fd as usize).copied().flatten().ok_or(Errno::Badf)
    }

    pub(crate) fn directory(&self, fd: u32) -> Result<NodeIndex, Errno> {
        match self.get(fd)? {
            Descriptor::Directory(node) => Ok(node),
            _ => Err(Errno::Notdir),
        }
    }

    /// Opens under the lowest number that is free.
    pub(crate) fn add(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let free = self.open.iter().position(Option::is_none);
        let at = free.unwrap_or(self.open.len());
        if at >= OPEN_MAX {
            return Err(Errno::Mfile);
        }
        if free.is_none() {
            self.open.push(None);
        }
        self.open[at] = Some(descriptor);
        Ok(clamped(at))
    }

    fn take(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        self.open
            .get_mut(fd as usize)
            .and_then(Option::take)
            .ok_or(Errno::Badf)
    }

    /// Puts another descriptor in an open one's place.
    fn set(&mut self, fd: u32, descriptor: Descriptor) -> Result<(), Errno> {
        self.get(fd)?;
        self.open[fd as usize] = Some(descriptor);
        Ok(())
    }
}

impl Process {
    pub(crate) fn fd_read(
        &mut self,
        memory: &mut dyn GuestMemory,
        fd: u32,
        buffers: u32,
        count: u32,
        read: u32,
    ) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        let (content, at) = self.content(descriptor)?;
        let done = scatter(memory, rest(content, at), buffers, count, read)?;
        self.descriptors
            .set(fd, moved(descriptor, at + u64::from(done)))?;
        Ok(())
    }

    pub(crate) fn fd_pread(
        &mut self,
        memory: &mut dyn GuestMemory,
        fd: u32,
        buffers: u32,
        count: u32,
        offset: u64,
        read: u32,
    ) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        if !matches!(descriptor, Descriptor::File { .. }) {
            return Err(no_position(descriptor).into());
        }
        let (content, _) = self.content(descriptor)?;
        scatter(memory, rest(content, offset), buffers, count, read)?;
        Ok(())
    }

    /// What can be read from a descriptor, and from where on.
    fn content(&self, descriptor: Descriptor) -> Result<(&[u8], u64), Errno> {
        match descriptor {
            Descriptor::Stdin { at } => Ok((&self.stdin, at)),
            Descriptor::File { node, at } => match self.params.files.node(node) {
                Node::File(bytes) => Ok((bytes, at)),
                Node::Directory { .. } => Err(Errno::Isdir),
            },
            Descriptor::Directory(_) => Err(Errno::Isdir),
            Descriptor::Stdout | Descriptor::Stderr => Err(Errno::Badf),
        }
    }

    pub(crate) fn fd_write(
        &mut self,
        memory: &mut dyn GuestMemory,
        fd: u32,
        buffers: u32,
        count: u32,
        written: u32,
    ) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        check(memory, written, 4)?;
        let buffers = read_buffers(memory, buffers, count)?.ok_or(Errno::Inval)?;
        let total: u64 = buffers.iter().map(|buffer| u64::from(buffer.length)).sum();
        let total = u32::try_from(total).map_err(|_| Errno::Inval)?;
        for &buffer in &buffers {
            match descriptor {
                Descriptor::Stdout => self.write_stdout(memory, buffer)?,
                Descriptor::Stderr => self.write_stderr(memory, buffer)?,
                _ => return Err(Errno::Badf.into()),
            }
        }
        Ok(write_u32(memory, written, total)?)
    }

    /// Streams have no place to write at: whoever tries turns to `fd_write` then. Files are read-only.
    pub(crate) fn fd_pwrite(
        &mut self,
        _memory: &mut dyn GuestMemory,
        fd: u32,
        _buffers: u32,
        _count: u32,
        _offset: u64,
        _written: u32,
    ) -> Answer {
        match self.descriptors.get(fd)? {
            Descriptor::Stdout | Descriptor::Stderr => Err(Errno::Spipe.into()),
            _ => Err(Errno::Badf.into()),
        }
    }

    fn write_stdout(&mut self, memory: &mut dyn GuestMemory, buffer: Buffer) -> Answer {
        let start = self.stdout.len();
        let end = start + buffer.length as usize;
        // Before the bytes have a place: what is too much must not take memory either.
        if end > self.stdout_bytes_max {
            return Err(Stop::Ended(Ended::OutputTooLarge));
        }
        self.stdout.resize(end, 0);
        Ok(memory.read(buffer.address, &mut self.stdout[start..])?)
    }

    fn write_stderr(&mut self, memory: &mut dyn GuestMemory, buffer: Buffer) -> Answer {
        let kept = buffer.length.min(clamped(STDERR_BYTES_KEPT));
        let skipped = buffer.length - kept;
        let mut bytes = vec![0; kept as usize];
        memory.read(buffer.address + skipped, &mut bytes)?;
        if skipped > 0 {
            self.stderr.skip();
        }
        self.stderr.push(&bytes);
        Ok(())
    }

    pub(crate) fn fd_seek(
        &mut self,
        memory: &mut dyn GuestMemory,
        fd: u32,
        offset: u64,
        whence: u32,
        position: u32,
    ) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        let Descriptor::File { at, .. } = descriptor else {
            return Err(no_position(descriptor).into());
        };
        let base = match whence {
            0 => 0,
            1 => at,
            2 => self.size(descriptor),
            _ => return Err(Errno::Inval.into()),
        };
        let to = base
            .checked_add_signed(offset.cast_signed())
            .ok_or(Errno::Inval)?;
        write_u64(memory, position, to)?;
        Ok(self.descriptors.set(fd, moved(descriptor, to))?)
    }

    pub(crate) fn fd_tell(&mut self, memory: &mut dyn GuestMemory, fd: u32, position: u32) -> Answer {
        match self.descriptors.get(fd)? {
            Descriptor::File { at, .. } => Ok(write_u64(memory, position, at)?),
            other => Err(no_position(other).into()),
        }
    }

    pub(crate) fn fd_close(&mut self, _memory: &mut dyn GuestMemory, fd: u32) -> Answer {
        self.descriptors.take(fd)?;
        Ok(())
    }

    pub(crate) fn fd_renumber(&mut self, _memory: &mut dyn GuestMemory, from: u32, to: u32) -> Answer {
        let (moving, _) = (self.descriptors.get(from)?, self.descriptors.get(to)?);
        self.descriptors.take(from)?;
        if from == to {
            self.descriptors.open[to as usize] = Some(moving);
            return Ok(());
        }
        Ok(self.descriptors.set(to, moving)?)
    }

    pub(crate) fn fd_advise(
        &mut self,
        _memory: &mut dyn GuestMemory,
        fd: u32,
        _offset: u64,
        _length: u64,
        _advice: u32,
    ) -> Answer {
        self.open(fd)
    }

    pub(crate) fn fd_sync(&mut self, _memory: &mut dyn GuestMemory, fd: u32) -> Answer {
        self.open(fd)
    }

    pub(crate) fn fd_datasync(&mut self, _memory: &mut dyn GuestMemory, fd: u32) -> Answer {
        self.open(fd)
    }

    fn open(&self, fd: u32) -> Answer {
        self.descriptors.get(fd)?;
        Ok(())
    }

    pub(crate) fn fd_fdstat_get(&mut self, memory: &mut dyn GuestMemory, fd: u32, stat: u32) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        let (base, inheriting) = rights(descriptor);
        let mut bytes = [0; 24];
        bytes[0] = file_type(descriptor);
        bytes[8..16].copy_from_slice(&base.to_le_bytes());
        bytes[16..24].copy_from_slice(&inheriting.to_le_bytes());
        Ok(memory.write(stat, &bytes)?)
    }

    pub(crate) fn fd_filestat_get(&mut self, memory: &mut dyn GuestMemory, fd: u32, stat: u32) -> Answer {
        let descriptor = self.descriptors.get(fd)?;
        self.write_filestat(memory, descriptor, stat)
    }

    pub(crate) fn write_filestat(
        &self,
        memory: &mut dyn GuestMemory,
        descriptor: Descriptor,
        stat: u32,
    ) -> Answer {
        let (device, inode) = match descriptor {
            Descriptor::Stdin { .. } => (STREAM_DEVICE, 0),
            Descriptor::Stdout => (STREAM_DEVICE, 1),
            Descriptor::Stderr => (STREAM_DEVICE, 2),
            Descriptor::Directory(node) | Descriptor::File { node, .. } => (FILE_DEVICE, inode(node)),
        };
        let fields = [
            device,
            inode,
            u64::from(file_type(descriptor)),
            1,
            self.size(descriptor),
            EPOCH_NS,
            EPOCH_NS,
            EPOCH_NS,
        ];
        Ok(memory.write(stat, &fields.map(u64::to_le_bytes).concat())?)
    }

    /// A file's length; 0 for everything else.
    fn size(&self, descriptor: Descriptor) -> u64 {
        match descriptor {
            Descriptor::File { .. } => self
                .content(descriptor)
                .map_or(0, |(bytes, _)| bytes.len() as u64),
            _ => 0,
        }
    }
}

/// An inode number; 0 is nobody's.
pub(crate) fn inode(node: NodeIndex) -> u64 {
    node as u64 + 1
}

fn rest(content: &[u8], at: u64) -> &[u8] {
    usize::try_from(at)
        .ok()
        .and_then(|at| content.get(at..))
        .unwrap_or_default()
}

/// Copies the beginning of some bytes into the guest's buffers, tells it how many, and returns that.
fn scatter(
    memory: &mut dyn GuestMemory,
    mut from: &[u8],
    buffers: u32,
    count: u32,
    told: u32,
) -> Result<u32, Stop> {
    check(memory, told, 4)?;
    let mut done = 0;
    for buffer in read_buffers(memory, buffers, count)?.ok_or(Errno::Inval)? {
        let (piece, after) = from.split_at(from.len().min(buffer.length as usize));
        memory.write(buffer.address, piece)?;
        done += clamped(piece.len());
        from = after;
    }
    write_u32(memory, told, done)?;
    Ok(done)
}

fn moved(descriptor: Descriptor, to: u64) -> Descriptor {
    match descriptor {
        Descriptor::Stdin { .. } => Descriptor::Stdin { at: to },
        Descriptor::File { node, .. } => Descriptor::File { node, at: to },
        other => other,
    }
}

/// Why a descriptor has no place to move to.
fn no_position(descriptor: Descriptor) -> Errno {
    match descriptor {
        Descriptor::Directory(_) => Errno::Isdir,
        _ => Errno::Spipe,
    }
}

pub(crate) fn file_type(descriptor: Descriptor) -> u8 {
    match descriptor {
        Descriptor::Directory(_) => FILETYPE_DIRECTORY,
        Descriptor::File { .. } => FILETYPE_REGULAR_FILE,
        _ => FILETYPE_UNKNOWN,
    }
}

fn rights(descriptor: Descriptor) -> (u64, u64) {
    match descriptor {
        Descriptor::Stdin { .. } => (STREAM_RIGHTS | RIGHT_FD_READ, 0),
        Descriptor::Stdout | Descriptor::Stderr => (STREAM_RIGHTS | RIGHT_FD_WRITE, 0),
        Descriptor::Directory(_) => (DIRECTORY_RIGHTS, DIRECTORY_RIGHTS | FILE_RIGHTS),
        Descriptor::File { .. } => (FILE_RIGHTS, 0),
    }
}
