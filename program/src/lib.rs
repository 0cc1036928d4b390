//! Admission: checks and describes a WebAssembly module.
//!
//! [`admit`] is called once, when a program is uploaded. What it lets through imports nothing but
//! the kernel ABI, has one bounded memory, uses only features that every engine computes alike,
//! and compiles in bounded time; its hash is the program's name ever after. Nothing here does IO.
#![forbid(unsafe_code)]

mod body;
mod check;
mod describe;
pub mod limits;
mod refusal;

pub use refusal::{Cause, Function, Place, Refusal};

use protocol::description::Description;
use protocol::ids::ProgramHash;

/// A module that may run.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The module: what is hashed, shipped and run.
    pub bytes: Vec<u8>,
    /// Its name.
    pub hash: ProgramHash,
    /// What it says of itself; every entry is in it.
    pub description: Description,
}

/// Checks a module. The error says what is wrong, where, and what to do.
pub fn admit(bytes: Vec<u8>) -> Result<Admitted, Refusal> {
    if bytes.len() > limits::MODULE_BYTES_MAX {
        return Err(Cause::ModuleTooLong { bytes: bytes.len() }.into());
    }
    let shape = check::check(&bytes).map_err(|refusal| refusal.named_from(&bytes))?;
    let description = describe::describe(&shape.description, &shape.entries)?;
    let hash = ProgramHash::of(&bytes);
    Ok(Admitted {
        bytes,
        hash,
        description,
    })
}
