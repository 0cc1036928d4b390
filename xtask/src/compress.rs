//! Pages smaller on their way: beside each text or module in `dist/web` lies the same with gzip, which the
//! coordinator sends to whoever accepts it. Compressed once here, not at every request.

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What gets smaller. Pictures are compressed already.
const ENDINGS: [&str; 6] = ["wasm", "js", "css", "html", "svg", "json"];
/// Smaller files fit into one packet as they are.
const BYTES_MIN: u64 = 1_024;
const PACKED: &str = "gz";

/// Brings the compressed files below `folder` up to date: those of new or changed files are written, those of
/// files that are gone are removed.
pub(crate) fn folder(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            self::folder(&path)?;
        } else if ending == PACKED {
            remove_if_alone(&path)?;
        } else if ENDINGS.contains(&ending) {
            file(&path)?;
        }
    }
    Ok(())
}

fn file(path: &Path) -> Result<()> {
    let what = || format!("cannot compress {}", path.display());
    let metadata = fs::metadata(path).with_context(what)?;
    let place = packed(path);
    let written = fs::metadata(&place).and_then(|packed| packed.modified()).ok();
    if metadata.len() < BYTES_MIN
        || written.is_some_and(|at| metadata.modified().is_ok_and(|changed| changed <= at))
    {
        return Ok(());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(&fs::read(path).with_context(what)?)
        .with_context(what)?;
    let bytes = encoder.finish().with_context(what)?;
    fs::write(&place, bytes).with_context(|| format!("cannot write {}", place.display()))
}

fn remove_if_alone(packed: &Path) -> Result<()> {
    if packed.with_extension("").exists() {
        return Ok(());
    }
    fs::remove_file(packed).with_context(|| format!("cannot remove {}", packed.display()))
}

fn packed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(PACKED);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read as _;

    #[test]
    fn what_gets_smaller_lies_beside_and_follows() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("deep");
        fs::create_dir(&deep).unwrap();
        let text = "all work and no play ".repeat(100);
        for name in ["a.js", "b.png"] {
            fs::write(deep.join(name), &text).unwrap();
        }
        fs::write(deep.join("small.css"), "a").unwrap();
        fs::write(deep.join("gone.js.gz"), "old").unwrap();
        folder(root.path()).unwrap();
        let mut unpacked = String::new();
        let packed = fs::read(deep.join("a.js.gz")).unwrap();
        GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        for absent in ["b.png.gz", "small.css.gz", "gone.js.gz"] {
            assert!(!deep.join(absent).exists(), "{absent}");
        }
    }
}
