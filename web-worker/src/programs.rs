//! Programs of this tab: a short number for each (slots know them by it), and their bytes, checked and waiting
//! for slots that need them.
use protocol::ids::ProgramHash;
use std::collections::HashMap;

/// Bytes of a WebAssembly page.
const PAGE_BYTES_LOG2: u32 = 16;

/// Every program that is ready or on its way.
#[derive(Debug, Default)]
pub struct Programs {
    next: u32,
    held: HashMap<u32, Held>,
}

#[derive(Debug)]
struct Held {
    hash: ProgramHash,
    bytes: Vec<u8>,
    ready: bool,
}

impl Programs {
    /// Takes a program's bytes in and gives it a number.
    pub fn insert(&mut self, hash: ProgramHash, bytes: Vec<u8>) -> u32 {
        let number = self.next;
        self.next += 1;
        let ready = false;
        self.held.insert(number, Held { hash, bytes, ready });
        number
    }

    /// A program's number.
    pub fn number(&self, hash: ProgramHash) -> Option<u32> {
        self.held
            .iter()
            .find(|(_, held)| held.hash == hash)
            .map(|(&number, _)| number)
    }

    /// A program's bytes.
    pub fn bytes(&self, number: u32) -> Option<&[u8]> {
        self.held.get(&number).map(|held| held.bytes.as_slice())
    }

    /// A slot has compiled it: its name, the first time.
    pub fn compiled(&mut self, number: u32) -> Option<ProgramHash> {
        let held = self.held.get_mut(&number)?;
        let first = !std::mem::replace(&mut held.ready, true);
        first.then_some(held.hash)
    }

    /// A slot cannot compile it, so none can: its name.
    pub fn refused(&mut self, number: u32) -> Option<ProgramHash> {
        self.held.remove(&number).map(|held| held.hash)
    }

    /// Forgets a program: its number.
    pub fn forget(&mut self, hash: ProgramHash) -> Option<u32> {
        let number = self.number(hash)?;
        self.held.remove(&number);
        Some(number)
    }
}

/// Pages of memory in so many MiB.
pub fn pages(memory_mib: u32) -> u32 {
    memory_mib << (20 - PAGE_BYTES_LOG2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_ready_once() {
        let hash = ProgramHash::of(b"program");
        let mut programs = Programs::default();
        let number = programs.insert(hash, b"program".to_vec());
        assert_eq!(programs.compiled(number), Some(hash));
        assert_eq!(
            programs.compiled(number),
            None,
            "the second slot tells nothing new"
        );
        assert_eq!(programs.forget(hash), Some(number));
        assert_eq!(programs.compiled(number), None);
    }
}
