//! `poll_oneoff`: nothing ever has to be waited for. Streams are ready, and sleeping moves the clocks on.
use crate::abi::{CLOCK_LAST, Errno};
use crate::memory::{GuestMemory, check, u32_at, u64_at, write_u32};
use crate::process::{Answer, Process};

/// What can be asked for in one call.
const WANTED_MAX: u32 = 1024;
const WANTED_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;
const TAG_CLOCK: u8 = 0;
const TAG_READ: u8 = 1;
const TAG_WRITE: u8 = 2;
const CLOCK_ABSOLUTE: u32 = 1;

/// One thing that the guest waits for.
struct Wanted {
    user_data: u64,
    tag: u8,
    what: What,
}

enum What {
    /// A time so many nanoseconds from now.
    Clock(Result<u64, Errno>),
    /// A descriptor to be ready; it is, if it is open.
    Descriptor(Result<(), Errno>),
}

impl Process {
    pub(crate) fn poll_oneoff(
        &mut self,
        memory: &mut dyn GuestMemory,
        wanted: u32,
        events: u32,
        count: u32,
        happened: u32,
    ) -> Answer {
        if count == 0 || count > WANTED_MAX {
            return Err(Errno::Inval.into());
        }
        check(memory, events, count * EVENT_BYTES)?;
        check(memory, happened, 4)?;
        let mut bytes = vec![0; (count * WANTED_BYTES) as usize];
        memory.read(wanted, &mut bytes)?;
        let wanted: Result<Vec<Wanted>, Errno> = bytes
            .chunks_exact(WANTED_BYTES as usize)
            .map(|one| self.wanted(one))
            .collect();
        let (written, told) = self.events(&wanted?);
        memory.write(events, &written)?;
        Ok(write_u32(memory, happened, told)?)
    }

    fn wanted(&self, bytes: &[u8]) -> Result<Wanted, Errno> {
        let (user_data, tag) = (u64_at(bytes, 0), bytes[8]);
        let what = match tag {
            TAG_CLOCK => What::Clock(self.wait_ns(bytes)),
            TAG_READ | TAG_WRITE => What::Descriptor(self.descriptors.get(u32_at(bytes, 16)).map(|_| ())),
            _ => return Err(Errno::Inval),
        };
        Ok(Wanted { user_data, tag, what })
    }

    fn wait_ns(&self, bytes: &[u8]) -> Result<u64, Errno> {
        let (clock, timeout_ns, flags) = (u32_at(bytes, 16), u64_at(bytes, 24), u32_at(bytes, 40));
        if clock > CLOCK_LAST {
            return Err(Errno::Inval);
        }
        // The flags have 16 bits; what lies behind them is padding.
        if flags & CLOCK_ABSOLUTE == 0 {
            return Ok(timeout_ns);
        }
        Ok(timeout_ns.saturating_sub(self.now_ns(clock)))
    }

    /// Sleeps until the first of them happens: the events of all that have happened then, and their number.
    fn events(&mut self, wanted: &[Wanted]) -> (Vec<u8>, u32) {
        let wait_ns = wanted.iter().map(Wanted::wait_ns).min().unwrap_or(0);
        self.sleep(wait_ns);
        let happened = wanted.iter().filter(|wanted| wanted.wait_ns() <= wait_ns);
        let events: Vec<[u8; EVENT_BYTES as usize]> = happened.map(Wanted::event).collect();
        (events.concat(), events.len() as u32)
    }
}

impl Wanted {
    fn wait_ns(&self) -> u64 {
        match self.what {
            What::Clock(Ok(wait_ns)) => wait_ns,
            _ => 0,
        }
    }

    fn event(&self) -> [u8; EVENT_BYTES as usize] {
        let errno = match self.what {
            What::Clock(Err(errno)) | What::Descriptor(Err(errno)) => errno as u16,
            _ => 0,
        };
        let mut event = [0; EVENT_BYTES as usize];
        event[..8].copy_from_slice(&self.user_data.to_le_bytes());
        event[8..10].copy_from_slice(&errno.to_le_bytes());
        event[10] = self.tag;
        // Some bytes can be read or written; how many is not promised.
        event[16] = u8::from(self.tag != TAG_CLOCK && errno == 0);
        event
    }
}
