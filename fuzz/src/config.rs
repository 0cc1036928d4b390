//! The configuration: a file, variables and flags.
use coordinator::config::Config;
use std::sync::LazyLock;
use tempfile::NamedTempFile;

static FILE: LazyLock<NamedTempFile> = LazyLock::new(|| NamedTempFile::new().expect("a file"));

/// The text is a file; each of its lines with a `=` is a variable and a flag too. What loads can be shown.
pub(crate) fn run(bytes: &[u8]) {
    std::fs::write(FILE.path(), bytes).expect("the file is written");
    let loaded = Config::load(Some(FILE.path()), [], &[]);
    if let Ok(config) = loaded {
        assert!(!config.show().is_empty());
    }
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let pairs: Vec<(String, String)> = pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    std::fs::write(FILE.path(), b"").expect("the file is written");
    let variables = pairs
        .iter()
        .map(|(key, value)| (format!("ELYTRA_{key}"), value.clone()));
    let _ = Config::load(Some(FILE.path()), variables, &[]);
    let _ = Config::load(Some(FILE.path()), [], &pairs);
}
