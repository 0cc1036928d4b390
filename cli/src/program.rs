//! Checks a program here, without a server: what admission finds, and what it does to it.
use crate::args::Format;
use crate::failure::{Code, Failure};
use crate::output::{facts, one};
use crate::programs::{entry_text, kind_word};
use crate::say::{Paint, bytes};
use anyhow::{Context as _, anyhow};
use program::Admitted;
use protocol::description::{Description, ModuleReport};
use protocol::ids::ProgramHash;
use serde::Serialize;
use std::path::Path;

/// What WebAssembly modules begin with; all else is text.
const WASM_MAGIC: &[u8] = b"\0asm";

/// What was found.
#[derive(Serialize)]
struct Checked {
    hash: ProgramHash,
    /// Bytes of the file, and of what would be shipped.
    file_length: u64,
    length: u64,
    description: Description,
}

/// `elytra program check`.
pub(crate) fn check(file: &Path, format: Format) -> Result<Code, Failure> {
    let content = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let file_length = content.len() as u64;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let admitted = admit(&name, content).map_err(|why| anyhow!("{name} is refused: {why}"))?;
    let checked = Checked {
        hash: admitted.hash,
        file_length,
        length: admitted.bytes.len() as u64,
        description: admitted.description,
    };
    one(format, &checked, told)?;
    Ok(Code::Done)
}

/// What a program's engine said, in the words of its author: positions in a script's built module become
/// those in its author's files. Of other programs everything is their author's already.
pub(crate) fn in_authors_words(module: &[u8], detail: &str) -> String {
    match program::script::open(module) {
        Ok(script) => script.trace(detail),
        Err(_) => detail.to_owned(),
    }
}

fn admit(name: &str, content: Vec<u8>) -> Result<Admitted, String> {
    let module = if content.starts_with(WASM_MAGIC) {
        content
    } else {
        let source = std::str::from_utf8(&content)
            .map_err(|_| "it is neither a WebAssembly module nor text: give a .wasm, .js or .ts file")?;
        program::script::build(name, source).map_err(|error| error.to_string())?
    };
    program::admit(module).map_err(|refusal| refusal.to_string())
}

fn told(checked: &Checked) -> String {
    let paint = Paint::stdout();
    let description = &checked.description;
    let module = description.module.clone().unwrap_or_default();
    let mut lines = vec![
        ("program", checked.hash.to_string()),
        ("name", description.name.clone()),
        ("version", description.version.clone()),
        ("kind", kind_word(description.kind).into()),
        (
            "size",
            format!(
                "{}, admitted {}",
                bytes(checked.file_length),
                bytes(checked.length)
            ),
        ),
    ];
    if description.module.is_some() {
        lines.extend([("memory", memory(&module)), ("uses", module.features.join(", "))]);
    }
    let mut text = facts(&lines, paint);
    for note in &module.notes {
        text += &format!("- {note}\n");
    }
    for entry in &description.entries {
        text += &entry_text(entry, paint);
    }
    text
}

fn memory(module: &ModuleReport) -> String {
    format!(
        "begins with {}, at most {}",
        bytes(module.memory_bytes_min),
        bytes(module.memory_bytes_max)
    )
}
