//! A backup is a folder: the database as it stood at one moment, and every blob. It is taken while the
//! coordinator works, and brought back into a data folder that holds no database.
//!
//! The order makes it whole. A blob is durable before a row names it, so the database is copied first and
//! the blobs after it: every blob that the copy names is among them. The note is written last: a folder
//! without it is not a backup. Taken again into the same folder, it copies only the blobs that are new.
use crate::store::{StoreError, copy_database, restore_database};
use protocol::ids::BlobHash;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The database in a backup.
const DATABASE: &str = "elytra.db";
/// The blobs in a backup, named as in a data folder.
const BLOBS: &str = "blobs";
/// What says that a backup is whole.
const NOTE: &str = "backup.json";
/// Files that are not finished end in this.
const PART: &str = "part";
/// The layout of a backup; a newer one is refused.
const LAYOUT: u32 = 1;
/// Bytes copied at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Why a backup could not be taken or brought back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The disk said no.
    #[error("{path}: {error}. Free some space or mend the disk, and try again")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The database cannot be copied.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder is no whole backup.
    #[error("{0} is not a whole backup: {1}")]
    NotWhole(PathBuf, String),
    /// A blob is not what its name says.
    #[error("the blob {0} of the backup is damaged. Bring back another backup")]
    Damaged(BlobHash),
}

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupNote {
    /// The layout of the folder.
    pub layout: u32,
    /// The moment at which the database was copied, in milliseconds since 1970.
    pub taken_ms: u64,
    /// Length of the database.
    pub database_bytes: u64,
    /// How many blobs there are.
    pub blobs: u64,
    /// Length of all of them.
    pub blob_bytes: u64,
}

type Result<T> = std::result::Result<T, BackupError>;

/// Takes a backup of the embedded store in `data_dir` into the folder `to`.
///
/// # Errors
/// There is no database in `data_dir`, it cannot be read, or `to` cannot be written.
pub fn take(data_dir: &Path, blob_dir: &Path, to: &Path) -> Result<BackupNote> {
    fs::create_dir_all(to).map_err(at(to))?;
    let (note, database) = (to.join(NOTE), to.join(DATABASE));
    // From here on, until it is whole again, the folder is not a backup.
    remove(&note)?;
    remove(&database)?;
    let taken_ms = now_ms();
    copy_database(data_dir, &database)?;
    let (blobs, blob_bytes) = copy_blobs(blob_dir, &to.join(BLOBS), false)?;
    let written = BackupNote {
        layout: LAYOUT,
        taken_ms,
        database_bytes: fs::metadata(&database).map_err(at(&database))?.len(),
        blobs,
        blob_bytes,
    };
    write_note(&note, &written)?;
    Ok(written)
}

/// Brings a backup back into `data_dir`, which holds no database yet. Every page and every blob is checked.
///
/// # Errors
/// `from` is no whole backup, something in it is damaged, or `data_dir` is in use.
pub fn restore(from: &Path, data_dir: &Path, blob_dir: &Path) -> Result<BackupNote> {
    let note = read_note(from)?;
    let database = from.join(DATABASE);
    let length = fs::metadata(&database).map_err(at(&database))?.len();
    if length != note.database_bytes {
        let why = format!("{DATABASE} has {length} bytes instead of {}", note.database_bytes);
        return Err(BackupError::NotWhole(from.into(), why));
    }
    // Blobs first: a database is never there without them.
    let (blobs, _) = copy_blobs(&from.join(BLOBS), blob_dir, true)?;
    if blobs < note.blobs {
        let why = format!("it has {blobs} blobs instead of {}", note.blobs);
        return Err(BackupError::NotWhole(from.into(), why));
    }
    restore_database(&database, data_dir)?;
    Ok(note)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Io { path, error }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

fn write_note(path: &Path, note: &BackupNote) -> Result<()> {
    let text = serde_json::to_vec_pretty(note).map_err(|error| at(path)(error.into()))?;
    let part = path.with_extension(PART);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&part, path)
    });
    written.map_err(at(path))
}

fn read_note(from: &Path) -> Result<BackupNote> {
    let path = from.join(NOTE);
    let not_whole = |why: String| BackupError::NotWhole(from.into(), why);
    let text = fs::read(&path).map_err(|error| not_whole(format!("{NOTE} cannot be read ({error})")))?;
    let note: BackupNote =
        serde_json::from_slice(&text).map_err(|error| not_whole(format!("{NOTE}: {error}")))?;
    if note.layout > LAYOUT {
        return Err(not_whole(
            "a newer Elytra took it; bring it back with that one".into(),
        ));
    }
    Ok(note)
}

/// Copies every blob that `to` lacks; tells how many there are, and their length. `checked`: only those whose
/// bytes are what their names say.
fn copy_blobs(from: &Path, to: &Path, checked: bool) -> Result<(u64, u64)> {
    let (mut count, mut bytes) = (0, 0);
    for hash in blobs_in(from)? {
        let (source, target) = (blob_path(from, hash), blob_path(to, hash));
        let length = fs::metadata(&source).map_err(at(&source))?.len();
        if fs::metadata(&target).is_ok_and(|there| there.len() == length) {
            // A blob is never changed.
        } else if copy_blob(&source, &target).map_err(at(&target))? != hash && checked {
            remove(&target)?;
            return Err(BackupError::Damaged(hash));
        }
        count += 1;
        bytes += length;
    }
    Ok((count, bytes))
}

fn blob_path(root: &Path, hash: BlobHash) -> PathBuf {
    let name = hash.to_string();
    root.join(&name[..2]).join(&name[2..4]).join(name)
}

/// Every blob under a folder: those in the making have other names.
fn blobs_in(root: &Path) -> Result<Vec<BlobHash>> {
    let mut found = Vec::new();
    for outer in entries(root)? {
        for inner in entries(&outer)? {
            let names = entries(&inner)?.into_iter();
            found.extend(names.filter_map(|path| path.file_name()?.to_str()?.parse::<BlobHash>().ok()));
        }
    }
    Ok(found)
}

/// What is in a folder; nothing where it is no folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| Ok(entry.map_err(at(folder))?.path()))
            .collect(),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(at(folder)(error)),
    }
}

/// Copies a file durably; tells the hash of its bytes.
fn copy_blob(from: &Path, to: &Path) -> io::Result<BlobHash> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = to.with_extension(PART);
    let (mut source, mut target) = (File::open(from)?, File::create(&part)?);
    let (mut piece, mut hash) = (vec![0; PIECE_BYTES], Sha256::new());
    loop {
        let length = source.read(&mut piece)?;
        if length == 0 {
            break;
        }
        hash.update(&piece[..length]);
        target.write_all(&piece[..length])?;
    }
    target.sync_all()?;
    fs::rename(&part, to)?;
    Ok(BlobHash(hash.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, bytes: &[u8]) -> BlobHash {
        let hash = BlobHash::of(bytes);
        let path = blob_path(root, hash);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        hash
    }

    #[test]
    fn blobs_are_copied_once_and_checked_when_they_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to, back) = (
            folder.path().join("a"),
            folder.path().join("b"),
            folder.path().join("c"),
        );
        let one = put(&from, b"one");
        fs::create_dir_all(from.join("incoming/7")).unwrap();
        fs::write(from.join("incoming/7/0"), b"half").unwrap();
        assert_eq!(copy_blobs(&from, &to, false).unwrap(), (1, 3));
        put(&from, b"three");
        assert_eq!(copy_blobs(&from, &to, false).unwrap(), (2, 8));
        assert_eq!(copy_blobs(&to, &back, true).unwrap(), (2, 8));
        fs::write(blob_path(&to, one), b"two").unwrap();
        fs::remove_dir_all(&back).unwrap();
        let error = copy_blobs(&to, &back, true).unwrap_err();
        assert!(
            matches!(error, BackupError::Damaged(hash) if hash == one),
            "{error}"
        );
    }

    #[test]
    fn a_folder_without_its_note_is_no_backup() {
        let folder = tempfile::tempdir().unwrap();
        let error = restore(
            folder.path(),
            &folder.path().join("data"),
            &folder.path().join("blobs"),
        );
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("not a whole backup") && text.contains(NOTE),
            "{text}"
        );
    }
}
