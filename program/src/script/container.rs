//! The container: a WebAssembly module with one custom section, which holds the script as JSON.
use super::{Script, ScriptError};
use crate::edit;
use wasmparser::{Parser, Payload};

/// The custom section's name.
pub const SECTION: &str = "elytra.script";
/// `\0asm` and the version of core WebAssembly.
const HEADER: &[u8] = b"\0asm\x01\0\0\0";
const CUSTOM_SECTION: u8 = 0;

pub(super) fn write(script: &Script) -> Vec<u8> {
    let json = serde_json::to_vec(script).unwrap_or_default();
    let mut section = edit::leb(SECTION.len());
    section.extend_from_slice(SECTION.as_bytes());
    section.extend_from_slice(&json);
    let mut module = HEADER.to_vec();
    module.push(CUSTOM_SECTION);
    edit::write_leb(&mut module, section.len());
    module.extend_from_slice(&section);
    module
}

/// Whether the first section is a script's; a module that computes something begins with another.
pub(crate) fn is_container(bytes: &[u8]) -> bool {
    section(bytes).is_some()
}

pub(super) fn read(bytes: &[u8]) -> Result<Script, ScriptError> {
    let (json, end) = section(bytes).ok_or(ScriptError::Container("it has no section 'elytra.script'"))?;
    if end != bytes.len() {
        return Err(ScriptError::Container("something stands behind the script"));
    }
    serde_json::from_slice(json).map_err(|_| ScriptError::Container("its section cannot be read"))
}

/// The contents of the first section if it is a script's, and where it ends.
fn section(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let mut payloads = Parser::new(0).parse_all(bytes).map_while(Result::ok);
    let Payload::Version { .. } = payloads.next()? else {
        return None;
    };
    match payloads.next()? {
        Payload::CustomSection(section) if section.name() == SECTION => {
            Some((section.data(), section.range().end))
        }
        _ => None,
    }
}
