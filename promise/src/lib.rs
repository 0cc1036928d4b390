//! What the tests of Elytra's promises say of themselves, for the page `docs/reliability.md`.
//!
//! A promise's test has a short form, which `npm test` runs, and a full form, which `cargo xtask soak`
//! runs: [`amount`] chooses. When it has seen what it asks for, it calls [`kept`] with its figures.
//! Only tests know this crate.
#![forbid(unsafe_code)]

use serde_json::json;
use std::path::PathBuf;
use std::{env, fs};

/// Set to anything, it asks for the full forms.
pub const SOAK: &str = "XTASK_SOAK";
/// The folder that [`kept`] writes to; unset, nothing is written.
pub const FOLDER: &str = "XTASK_PROMISES";

/// Whether the full form runs.
pub fn is_soak() -> bool {
    env::var_os(SOAK).is_some()
}

/// How much of something the form that runs asks for.
pub fn amount<T>(short: T, full: T) -> T {
    if is_soak() { full } else { short }
}

/// Says that the test `name` has passed, and what it has seen: one line for people, such as
/// "1,000 kills, 1.2 M acknowledged shards, 0 lost". Call it last.
///
/// # Panics
/// When the folder that was asked for cannot be written.
pub fn kept(name: &str, seen: &str) {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let line = json!({ "test": name, "seen": seen, "soak": is_soak() });
    let path = folder.join(format!("{name}.json"));
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, line.to_string()));
    if let Err(error) = written {
        panic!("{}: {error}", path.display());
    }
}
