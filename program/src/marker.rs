//! The mark of an admitted module: its last section, which takes admission back.
//!
//! Admitting an admitted module must change nothing, and a forged mark must not save a module from a
//! check. So the mark is no claim to be believed: it holds the way back to the module as it was before
//! admission and that module's hash, and admission goes back and begins there. A mark whose way does
//! not lead to its hash is dropped like any other section of no use.
use crate::edit;
use protocol::ids::ProgramHash;
use wasmparser::{Parser, Payload};

/// The section's name.
pub const MARKER_SECTION: &str = "elytra.admitted";
/// In which form the record is written.
const VERSION: u8 = 1;
const CUSTOM_SECTION: u8 = 0;
const HASH_BYTES: usize = 32;

/// Appends the mark to `admitted`.
pub(crate) fn append(admitted: &mut Vec<u8>, undo: &[u8]) {
    let Some(original) = edit::take_back(admitted, undo, usize::MAX) else {
        return;
    };
    let mut section = edit::leb(MARKER_SECTION.len());
    section.extend_from_slice(MARKER_SECTION.as_bytes());
    section.push(VERSION);
    section.extend_from_slice(&ProgramHash::of(&original).0);
    section.extend_from_slice(undo);
    admitted.push(CUSTOM_SECTION);
    edit::write_leb(admitted, section.len());
    admitted.extend_from_slice(&section);
}

/// The module as it was before admission, if `module` bears a true mark.
pub(crate) fn before_admission(module: &[u8]) -> Option<Vec<u8>> {
    let (start, record) = last_section(module)?;
    let (&version, record) = record.split_first()?;
    let (hash, undo) = record.split_at_checked(HASH_BYTES)?;
    if version != VERSION {
        return None;
    }
    let original = edit::take_back(&module[..start], undo, crate::limits::MODULE_BYTES_MAX)?;
    (ProgramHash::of(&original).0 == hash).then_some(original)
}

/// Where the mark begins and what it holds. Only the headers of the sections are read.
fn last_section(module: &[u8]) -> Option<(usize, &[u8])> {
    let mut start = 0;
    let mut last = None;
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        if let Payload::CustomSection(section) = &payload {
            last = (section.name() == MARKER_SECTION).then(|| (start, section.data()));
        }
        match payload {
            Payload::Version { range, .. } => start = range.end,
            Payload::CodeSectionStart { range, .. } => start = range.end,
            Payload::CodeSectionEntry(_) | Payload::End(_) => {}
            other => {
                if let Some((_, range)) = other.as_section() {
                    start = range.end;
                }
            }
        }
    }
    last
}
