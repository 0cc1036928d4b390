//! Calls that name a file by its path, and the directory that is open from the start.
use crate::abi::{Errno, OFLAG_CREAT, OFLAG_DIRECTORY, OFLAG_EXCL, OFLAG_TRUNC, RIGHT_FD_WRITE};
use crate::descriptors::{Descriptor, file_type, inode};
use crate::files::{Node, NodeIndex, PATH_BYTES_MAX, ROOT};
use crate::memory::{GuestMemory, check, write_u32};
use crate::process::{Answer, Process, Stop};

/// The directory's name for the guest.
const ROOT_NAME: &[u8] = b"/";
/// A listing's entry before its name.
const ENTRY_BYTES: usize = 24;

impl Process {
    pub(crate) fn fd_prestat_get(&mut self, memory: &mut dyn GuestMemory, fd: u32, stat: u32) -> Answer {
        self.preopened(fd)?;
        // A directory, and the length of its name.
        let fields = [0, ROOT_NAME.len() as u32];
        Ok(memory.write(stat, &fields.map(u32::to_le_bytes).concat())?)
    }

    pub(crate) fn fd_prestat_dir_name(
        &mut self,
        memory: &mut dyn GuestMemory,
        fd: u32,
        name: u32,
        length: u32,
    ) -> Answer {
        self.preopened(fd)?;
        if (length as usize) < ROOT_NAME.len() {
            return Err(Errno::Nametoolong.into());
        }
        Ok(memory.write(name, ROOT_NAME)?)
    }

    /// Only the first descriptor of the root is told to the guest, however often it opens it.
    fn preopened(&self, fd: u32) -> Answer {
        let is_root = fd == 3 && self.descriptors.get(fd)? == Descriptor::Directory(ROOT);
        if is_root { Ok(()) } else { Err(Errno::Badf.into()) }
    }

    #[allow(clippy::too_many_arguments, reason = "the signature is WASI's")]
    pub(crate) fn path_open(
        &mut self,
        memory: &mut dyn GuestMemory,
        fd: u32,
        _follow: u32,
        path: u32,
        length: u32,
        how: u32,
        base: u64,
        _inheriting: u64,
        _flags: u32,
        opened: u32,
    ) -> Answer {
        check(memory, opened, 4)?;
        let node = match self.find(memory, fd, path, length) {
            Err(Stop::Errno(Errno::Noent)) if how & OFLAG_CREAT != 0 => return Err(Errno::Rofs.into()),
            found => found?,
        };
        let descriptor = self.opened(node, how, base)?;
        let fd = self.descriptors.add(descriptor)?;
        Ok(write_u32(memory, opened, fd)?)
    }

    fn opened(&self, node: NodeIndex, how: u32, rights: u64) -> Result<Descriptor, Errno> {
        if how & OFLAG_CREAT != 0 && how & OFLAG_EXCL != 0 {
            return Err(Errno::Exist);
        }
        match self.params.files.node(node) {
            Node::Directory { .. } if how & OFLAG_TRUNC != 0 => Err(Errno::Isdir),
            Node::Directory { .. } => Ok(Descriptor::Directory(node)),
            Node::File(_) if how & OFLAG_DIRECTORY != 0 => Err(Errno::Notdir),
            Node::File(_) if how & OFLAG_TRUNC != 0 || rights & RIGHT_FD_WRITE != 0 => Err(Errno::Rofs),
            Node::File(_) => Ok(Descriptor::File { node, at: 0 }),
        }
    }

    pub(crate) fn path_filestat_get(
        &mut self,
        memory: &mut dyn GuestMemory,
        fd: u32,
        _flags: u32,
        path: u32,
        length: u32,
        stat: u32,
    ) -> Answer {
        let node = self.find(memory, fd, path, length)?;
        self.write_filestat(memory, self.described(node), stat)
    }

    /// There are no links: what exists is none, and what does not is missing.
    #[allow(clippy::too_many_arguments, reason = "the signature is WASI's")]
    pub(crate) fn path_readlink(
        &mut self,
        memory: &mut dyn GuestMemory,
        fd: u32,
        path: u32,
        length: u32,
        _buffer: u32,
        _buffer_length: u32,
        _used: u32,
    ) -> Answer {
        self.find(memory, fd, path, length)?;
        Err(Errno::Inval.into())
    }

    pub(crate) fn fd_readdir(
        &mut self,
        memory: &mut dyn GuestMemory,
        fd: u32,
        buffer: u32,
        length: u32,
        cookie: u64,
        used: u32,
    ) -> Answer {
        check(memory, buffer, length)?;
        check(memory, used, 4)?;
        let folder = self.descriptors.directory(fd)?;
        let (mut place, mut done) = (cookie, 0);
        // An entry that does not fit is cut: a full buffer tells the guest to ask again.
        while done < length {
            let Some((name, node)) = self.params.files.entry(folder, place) else {
                break;
            };
            place += 1;
            let entry = listed(name, inode(node), file_type(self.described(node)), place);
            let fits = entry.len().min((length - done) as usize);
            memory.write(buffer + done, &entry[..fits])?;
            done += fits as u32;
        }
        Ok(write_u32(memory, used, done)?)
    }

    fn described(&self, node: NodeIndex) -> Descriptor {
        match self.params.files.node(node) {
            Node::Directory { .. } => Descriptor::Directory(node),
            Node::File(_) => Descriptor::File { node, at: 0 },
        }
    }

    fn find(&self, memory: &mut dyn GuestMemory, fd: u32, path: u32, length: u32) -> Result<NodeIndex, Stop> {
        let from = self.descriptors.directory(fd)?;
        if length > PATH_BYTES_MAX {
            return Err(Errno::Nametoolong.into());
        }
        let mut bytes = vec![0; length as usize];
        memory.read(path, &mut bytes)?;
        // Names are text, so what is none names nothing.
        let path = std::str::from_utf8(&bytes).map_err(|_| Errno::Noent)?;
        Ok(self.params.files.find(from, path)?)
    }
}

fn listed(name: &str, inode: u64, file_type: u8, next: u64) -> Vec<u8> {
    let mut entry = Vec::with_capacity(ENTRY_BYTES + name.len());
    entry.extend_from_slice(&next.to_le_bytes());
    entry.extend_from_slice(&inode.to_le_bytes());
    entry.extend_from_slice(&(name.len() as u32).to_le_bytes());
    entry.extend_from_slice(&u32::from(file_type).to_le_bytes());
    entry.extend_from_slice(name.as_bytes());
    entry
}
