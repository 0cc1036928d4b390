//! Scripts: from an author's JavaScript or TypeScript to a program, and from a failure back to the author's line.
//!
//! [`build`] checks the text, takes its types away and puts it into a container: a WebAssembly module
//! with one custom section and no code. The container is the program that jobs name; what runs is the
//! script engine, a kernel, whose params [`Script::run_params`] makes. [`Script::trace`] turns the positions
//! in the engine's words into the author's file, line and column.
mod compose;
mod container;
mod error;
mod exports;
mod frame;
mod front;
mod trace;

pub use container::SECTION;
pub(crate) use container::is_container;
pub use error::ScriptError;

use protocol::description::{Description, ProgramKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The module as it travels to the engine with every lease, as JSON text.
pub const SOURCE_BYTES_MAX: usize = 400 << 10;
/// What an author sends: types, comments and a source map inside the text included.
pub const TEXT_BYTES_MAX: usize = 4 << 20;
/// The source map that is kept; without it, positions are those of the built module.
pub const MAP_BYTES_MAX: usize = 2 << 20;
/// A file's name.
pub const FILE_CHARS_MAX: usize = 200;

/// A script as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The SHA-256 of the engine it was built for, in hexadecimal.
    pub engine: String,
    /// The author's file.
    pub file: String,
    /// One JavaScript module without imports.
    pub source: String,
    /// The source map from `source` to the author's files, where the two differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
}

/// Makes a program of one file of JavaScript or TypeScript; the file's ending says which.
pub fn build(file_name: &str, source_text: &str) -> Result<Vec<u8>, ScriptError> {
    let file = file_name_of(file_name)?;
    let front = front::front(&file, source_text)?;
    let script = Script {
        engine: script_engine::SHA256.to_owned(),
        file,
        source: front.source,
        map: front.map,
    };
    script.check()?;
    Ok(container::write(&script))
}

/// The script in a container. Checks the container's form only; [`crate::admit`] checks the script.
pub fn open(bytes: &[u8]) -> Result<Script, ScriptError> {
    container::read(bytes)
}

/// A container from somewhere: everything is checked again, and the bytes are written anew.
pub(crate) fn admit(bytes: &[u8]) -> Result<(Vec<u8>, Description), ScriptError> {
    let script = container::read(bytes)?;
    if script.engine != script_engine::SHA256 {
        return Err(ScriptError::Engine);
    }
    file_name_of(&script.file)?;
    let description = script.check()?;
    Ok((container::write(&script), description))
}

/// Cut and cleaned, because it stands in every error.
fn file_name_of(name: &str) -> Result<String, ScriptError> {
    let fits =
        !name.is_empty() && name.chars().count() <= FILE_CHARS_MAX && !name.chars().any(char::is_control);
    if fits {
        Ok(name.to_owned())
    } else {
        Err(ScriptError::FileName)
    }
}

impl Script {
    fn check(&self) -> Result<Description, ScriptError> {
        let bytes = serde_json::to_string(&self.source).map_or(usize::MAX, |json| json.len());
        if bytes > SOURCE_BYTES_MAX {
            return Err(ScriptError::TooLong { bytes });
        }
        if self.map.as_ref().is_some_and(|map| map.len() > MAP_BYTES_MAX) {
            return Err(ScriptError::Container("its source map is longer than 2 MiB"));
        }
        Ok(Description {
            name: self.name().to_owned(),
            version: String::new(),
            kind: ProgramKind::Script,
            entries: exports::entries(self)?,
            ..Description::default()
        })
    }

    /// The file's name without folders and ending.
    fn name(&self) -> &str {
        let last = self.file.rsplit(['/', '\\']).next().unwrap_or(&self.file);
        last.split_once('.').map_or(last, |(name, _)| name)
    }

    /// The engine's params for calling the export `entry` with `params`. With `reduce` an item is a list of outputs,
    /// and the function folds it from left to right: `fn(a, b, params)`.
    pub fn run_params(&self, entry: &str, params: &Value, reduce: bool) -> Vec<u8> {
        let engine = EngineParams {
            source: &self.source,
            entry,
            params,
            file: &self.file,
            reduce,
        };
        serde_json::to_vec(&engine).unwrap_or_default()
    }

    /// What the engine said about a failure, with every position in the built module replaced by the author's,
    /// and the first of them shown.
    pub fn trace(&self, detail: &str) -> String {
        trace::trace(self, detail)
    }
}

/// See the description of the engine.
#[derive(Serialize)]
struct EngineParams<'a> {
    source: &'a str,
    entry: &'a str,
    params: &'a Value,
    file: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reduce: bool,
}
