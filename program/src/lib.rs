//! Admission: checks a module, makes it compute the same everywhere, and describes it.
//!
//! [`admit`] is called once, when a program is uploaded. What it lets through imports nothing but
//! the kernel ABI or WASI, has one bounded memory, uses only features that every engine computes alike,
//! and compiles in bounded time. Its NaNs are canonical where they can be seen, its calls are counted
//! and its large fills and copies are done in pieces; its hash is the program's name ever after. Nothing here does IO.
#![forbid(unsafe_code)]

mod begin;
mod bulk;
mod check;
mod depth;
mod describe;
mod edit;
pub mod limits;
mod marker;
mod nan;
mod refusal;
mod report;
mod rewrite;
pub mod script;
mod types;

pub use bulk::{PIECE_BYTES_MAX, PIECE_ELEMENTS_MAX};
pub use check::imports::{WASI, WASI_MODULE};
pub use depth::{EXCEEDED, STACK_BYTES_MAX, UNCOUNTED_BYTES_MAX};
pub use marker::MARKER_SECTION;
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

/// Checks a module and makes it ready to run. The error says what is wrong, where, and what to do.
/// Admitting what was admitted changes nothing.
pub fn admit(bytes: Vec<u8>) -> Result<Admitted, Refusal> {
    too_long(&bytes)?;
    if script::is_container(&bytes) {
        return admit_script(&bytes);
    }
    let module = marker::before_admission(&bytes).unwrap_or(bytes);
    let mut shape = check::check(&module).map_err(|refusal| refusal.named_from(&module))?;
    let mut description = describe::describe(&shape)?;
    let mut types = types::Types::new(&shape.signatures);
    let (signatures, functions) = (&shape.signatures, &mut shape.functions);
    let mut additions = depth::count(signatures, &mut types, functions, &shape.referenced);
    bulk::divide(signatures, &shape.segments, &mut types, functions, &mut additions);
    additions.types = types.added();
    begin::add(&shape, &mut additions);
    description.module = Some(report::report(&shape, &additions));
    let bytes = rewrite::rewrite(&module, &additions, shape.functions)?;
    too_long(&bytes)?;
    let hash = ProgramHash::of(&bytes);
    Ok(Admitted {
        bytes,
        hash,
        description,
    })
}

/// The hash that an admitted module had before its admission: what its author built.
pub fn hash_before_admission(admitted: &[u8]) -> Option<ProgramHash> {
    marker::before_admission(admitted).map(|module| ProgramHash::of(&module))
}

fn admit_script(container: &[u8]) -> Result<Admitted, Refusal> {
    let (bytes, description) = script::admit(container).map_err(Cause::Script)?;
    let hash = ProgramHash::of(&bytes);
    Ok(Admitted {
        bytes,
        hash,
        description,
    })
}

fn too_long(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() > limits::MODULE_BYTES_MAX {
        return Err(Cause::ModuleTooLong { bytes: bytes.len() }.into());
    }
    Ok(())
}
