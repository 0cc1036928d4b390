//! Why a script is not accepted.
use super::{FILE_CHARS_MAX, SOURCE_BYTES_MAX, TEXT_BYTES_MAX};

/// Why a script is not accepted; what to do stands behind the colon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The name cannot be shown.
    #[error("a script needs a file name of at most {FILE_CHARS_MAX} characters that can be printed")]
    FileName,
    /// The ending says neither JavaScript nor TypeScript.
    #[error("'{file}' is not a script: its name must end in .js, .mjs, .jsx, .ts, .mts or .tsx")]
    Ending {
        /// The file.
        file: String,
    },
    /// The text is longer than anybody writes.
    #[error(
        "the script has {bytes} bytes, more than {TEXT_BYTES_MAX}: bundle only what the task needs, and give data as items"
    )]
    TextTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The built module is too long for a worker's params.
    #[error(
        "the built script has {bytes} bytes as JSON text, more than {SOURCE_BYTES_MAX}: minify the bundle, import less, \
         and give data as items or params"
    )]
    TooLong {
        /// Its length as JSON text.
        bytes: usize,
    },
    /// The text cannot be parsed, or says something the language does not allow.
    #[error("{place}: {message}\n{shown}")]
    Syntax {
        /// `file:line:column`.
        place: String,
        /// What is wrong.
        message: String,
        /// The line with a caret below the place.
        shown: String,
    },
    /// A value is imported from elsewhere.
    #[error(
        "{place}: import of '{name}': a script is one file; bundle it first (`npx esbuild {file} --bundle --format=esm \
         --sourcemap=inline`; the SDK does it by itself)\n{shown}"
    )]
    Import {
        /// What is imported.
        name: String,
        /// The author's file.
        file: String,
        /// `file:line:column`.
        place: String,
        /// The line with a caret below the place.
        shown: String,
    },
    /// Nothing can be called.
    #[error("{file} exports no function: write `export function task(item, params) {{ … }}`")]
    NoEntry {
        /// The author's file.
        file: String,
    },
    /// The bytes are not what [`super::build`] writes.
    #[error("the bytes are no script container: {0}; send the script's text")]
    Container(&'static str),
    /// Built for another engine.
    #[error("the script was built for another version of the script engine: send its text again")]
    Engine,
}
