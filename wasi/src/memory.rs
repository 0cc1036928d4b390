//! The guest's linear memory, as the functions see it: bytes that may or may not be there.

/// An address range that is not inside the guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address outside the program's memory")]
pub struct Fault;

/// A guest's memory. It may grow between two calls, never within one.
pub trait GuestMemory {
    /// Its length in bytes.
    fn len(&mut self) -> u64;

    /// Whether it has no bytes at all.
    fn is_empty(&mut self) -> bool {
        self.len() == 0
    }

    /// Copies bytes out of it. A fault copies nothing.
    fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), Fault>;

    /// Copies bytes into it. A fault copies nothing.
    fn write(&mut self, address: u32, from: &[u8]) -> Result<(), Fault>;
}

/// Memory that this process can see as a slice.
pub struct SliceMemory<'a>(pub &'a mut [u8]);

impl GuestMemory for SliceMemory<'_> {
    fn len(&mut self) -> u64 {
        self.0.len() as u64
    }

    fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), Fault> {
        let from = self.0.get(address as usize..).ok_or(Fault)?;
        into.copy_from_slice(from.get(..into.len()).ok_or(Fault)?);
        Ok(())
    }

    fn write(&mut self, address: u32, from: &[u8]) -> Result<(), Fault> {
        let into = self.0.get_mut(address as usize..).ok_or(Fault)?;
        into.get_mut(..from.len()).ok_or(Fault)?.copy_from_slice(from);
        Ok(())
    }
}

/// Whether a range lies inside the memory.
pub(crate) fn check(memory: &mut dyn GuestMemory, address: u32, length: u32) -> Result<(), Fault> {
    let inside = u64::from(address) + u64::from(length) <= memory.len();
    if inside { Ok(()) } else { Err(Fault) }
}

pub(crate) fn write_u32(memory: &mut dyn GuestMemory, address: u32, value: u32) -> Result<(), Fault> {
    memory.write(address, &value.to_le_bytes())
}

pub(crate) fn write_u64(memory: &mut dyn GuestMemory, address: u32, value: u64) -> Result<(), Fault> {
    memory.write(address, &value.to_le_bytes())
}

/// A buffer that the guest named: where it is and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buffer {
    pub(crate) address: u32,
    pub(crate) length: u32,
}

/// Buffers of one call; more answer `EINVAL`, as on other systems.
pub(crate) const BUFFERS_MAX: u32 = 1024;
/// A pointer and a length, 32 bits each.
const BUFFER_BYTES: usize = 8;

/// Reads the list of buffers of a call, each checked to lie inside the memory; none when there are too many.
pub(crate) fn read_buffers(
    memory: &mut dyn GuestMemory,
    address: u32,
    count: u32,
) -> Result<Option<Vec<Buffer>>, Fault> {
    if count > BUFFERS_MAX {
        return Ok(None);
    }
    let mut bytes = vec![0; count as usize * BUFFER_BYTES];
    memory.read(address, &mut bytes)?;
    let buffers: Vec<Buffer> = bytes.chunks_exact(BUFFER_BYTES).map(buffer).collect();
    for buffer in &buffers {
        check(memory, buffer.address, buffer.length)?;
    }
    Ok(Some(buffers))
}

fn buffer(bytes: &[u8]) -> Buffer {
    Buffer {
        address: u32_at(bytes, 0),
        length: u32_at(bytes, 4),
    }
}

/// A number in bytes that are known to be long enough; 0 where they are not.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map_or(0, |&four| u32::from_le_bytes(four))
}

/// The same for 64 bits.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
    found.map_or(0, |&eight| u64::from_le_bytes(eight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_where_the_memory_ends() {
        let mut bytes = [7; 8];
        let mut memory = SliceMemory(&mut bytes);
        let mut two = [0; 2];
        assert_eq!(memory.read(6, &mut two), Ok(()));
        assert_eq!(two, [7, 7]);
        assert_eq!(memory.read(7, &mut two), Err(Fault));
        assert_eq!(memory.write(u32::MAX, &two), Err(Fault));
        assert_eq!(
            memory.write(8, &[]),
            Ok(()),
            "an empty range at the end is inside"
        );
        assert_eq!(check(&mut memory, u32::MAX, u32::MAX), Err(Fault));
    }

    #[test]
    fn a_list_of_buffers_is_bounded_and_checked() {
        let mut bytes = [0; 64];
        bytes[4] = 64;
        bytes[8] = 1;
        bytes[12] = 64;
        let mut memory = SliceMemory(&mut bytes);
        let one = Buffer {
            address: 0,
            length: 64,
        };
        assert_eq!(read_buffers(&mut memory, 0, 1), Ok(Some(vec![one])));
        assert_eq!(read_buffers(&mut memory, 0, 2), Err(Fault), "one byte too far");
        assert_eq!(read_buffers(&mut memory, 0, BUFFERS_MAX), Err(Fault));
        assert_eq!(read_buffers(&mut memory, 0, BUFFERS_MAX + 1), Ok(None));
    }
}
