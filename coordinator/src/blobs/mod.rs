//! Blobs: bytes named by their SHA-256, in a folder. Programs, long inputs and long outputs lie here.
//!
//! A blob is written to a file of its own beside the others, made durable, and only then given its
//! name: there is never half a blob. Nothing is ever changed, so readers need no lock.
mod lines;
mod uploads;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use lines::LineIndex;
pub use lines::Longest;
use protocol::ids::BlobHash;
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// Bytes read at a time when a blob is streamed.
const PIECE_BYTES: usize = 64 << 10;
/// Line indexes kept in memory; each takes 8 bytes for every 256 lines.
const INDEXES_MAX: usize = 64;

/// Why a blob could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk said no.
    #[error("{path}: {error}. Free some space or mend the disk, and try again")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// There is no such blob, or not so much of it.
    #[error("blob {0} is missing, or shorter than it should be")]
    Missing(BlobHash),
}

/// The folder of blobs.
#[derive(Debug)]
pub struct Blobs {
    root: PathBuf,
    temporary: PathBuf,
    made: AtomicU64,
    indexes: Mutex<VecDeque<(BlobHash, Arc<LineIndex>)>>,
}

impl Blobs {
    /// Opens the folder, and makes it where it is missing. Files that were being written when an
    /// earlier process ended are removed.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let root = root.into();
        let temporary = root.join("incoming").join(std::process::id().to_string());
        let _ = std::fs::remove_dir_all(&temporary);
        std::fs::create_dir_all(&temporary).map_err(|error| io_error(&temporary, error))?;
        Ok(Self {
            root,
            temporary,
            made: AtomicU64::new(0),
            indexes: Mutex::default(),
        })
    }

    fn path(&self, hash: BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.root.join(&name[..2]).join(&name[2..4]).join(name)
    }

    /// Writes a blob that is at hand.
    pub async fn put(&self, bytes: Bytes) -> Result<BlobHash, BlobError> {
        let hash = BlobHash::of(&bytes);
        if self.length(hash).await? == Some(bytes.len() as u64) {
            return Ok(hash);
        }
        let mut writer = self.writer().await?;
        writer.write(&bytes).await?;
        writer.finish().await
    }

    /// Begins a blob that comes in pieces.
    pub async fn writer(&self) -> Result<BlobWriter<'_>, BlobError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = self.temporary.join(number.to_string());
        let file = File::create(&path)
            .await
            .map_err(|error| io_error(&path, error))?;
        Ok(BlobWriter {
            blobs: self,
            path,
            file,
            hash: Sha256::new(),
            finished: false,
        })
    }

    /// A blob's length in bytes; `None` when there is no such blob.
    pub async fn length(&self, hash: BlobHash) -> Result<Option<u64>, BlobError> {
        let path = self.path(hash);
        match tokio::fs::metadata(&path).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(&path, error)),
        }
    }

    /// A whole blob of at most `bytes_max`; `None` when there is no such blob.
    pub async fn read_all(&self, hash: BlobHash, bytes_max: usize) -> Result<Option<Bytes>, BlobError> {
        match self.length(hash).await? {
            Some(length) if length <= bytes_max as u64 => self.read_at(hash, 0, length).await.map(Some),
            Some(_) => Err(BlobError::Missing(hash)),
            None => Ok(None),
        }
    }

    /// `length` bytes from `offset` on, all of them.
    pub async fn read_at(&self, hash: BlobHash, offset: u64, length: u64) -> Result<Bytes, BlobError> {
        let mut file = self
            .file_at(hash, offset)
            .await?
            .ok_or(BlobError::Missing(hash))?;
        let length = usize::try_from(length).map_err(|_| BlobError::Missing(hash))?;
        let mut bytes = BytesMut::zeroed(length);
        file.read_exact(&mut bytes)
            .await
            .map_err(|_| BlobError::Missing(hash))?;
        Ok(bytes.freeze())
    }

    async fn file_at(&self, hash: BlobHash, offset: u64) -> Result<Option<File>, BlobError> {
        let path = self.path(hash);
        let opened = async {
            let mut file = File::open(&path).await?;
            file.seek(SeekFrom::Start(offset)).await?;
            Ok(file)
        };
        match opened.await {
            Ok(file) => Ok(Some(file)),
            Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(&path, error)),
        }
    }

    /// `length` bytes from `offset` on, in pieces; `None` when there is no such blob.
    pub async fn stream(
        &self,
        hash: BlobHash,
        offset: u64,
        length: u64,
    ) -> Result<Option<impl Stream<Item = io::Result<Bytes>> + Send + use<>>, BlobError> {
        let Some(file) = self.file_at(hash, offset).await? else {
            return Ok(None);
        };
        let pieces = futures_util::stream::try_unfold((file, length), |(mut file, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let want = usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
            let mut piece = BytesMut::zeroed(want);
            let got = file.read(&mut piece).await?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            piece.truncate(got);
            Ok(Some((piece.freeze(), (file, left - got as u64))))
        });
        Ok(Some(pieces))
    }

    /// How many lines a blob has; a last line without a line feed counts.
    pub async fn count_lines(&self, hash: BlobHash) -> Result<u64, BlobError> {
        Ok(self.index(hash).await?.lines())
    }

    /// Which of its lines is the longest.
    pub async fn longest_line(&self, hash: BlobHash) -> Result<Longest, BlobError> {
        Ok(self.index(hash).await?.longest())
    }

    /// Offset and length of the lines `[first, end)`, line feeds included.
    pub async fn lines(&self, hash: BlobHash, first: u64, end: u64) -> Result<(u64, u64), BlobError> {
        let index = self.index(hash).await?;
        let path = self.path(hash);
        let found = tokio::task::spawn_blocking(move || {
            let start = index.offset_of(&path, first)?;
            Ok((start, index.offset_of(&path, end)? - start))
        });
        let found = found
            .await
            .map_err(io::Error::other)
            .and_then(|found: io::Result<_>| found);
        found.map_err(|error| io_error(&self.path(hash), error))
    }

    async fn index(&self, hash: BlobHash) -> Result<Arc<LineIndex>, BlobError> {
        if let Some(index) = self.indexed(hash) {
            return Ok(index);
        }
        let path = self.path(hash);
        let scan = tokio::task::spawn_blocking(move || LineIndex::scan(&path)).await;
        let scanned = scan.map_err(io::Error::other).and_then(|scanned| scanned);
        let index = Arc::new(scanned.map_err(|error| io_error(&self.path(hash), error))?);
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.push_back((hash, index.clone()));
        if indexes.len() > INDEXES_MAX {
            indexes.pop_front();
        }
        Ok(index)
    }

    fn indexed(&self, hash: BlobHash) -> Option<Arc<LineIndex>> {
        let indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        indexes
            .iter()
            .find(|(kept, _)| *kept == hash)
            .map(|(_, index)| index.clone())
    }
}

/// A blob that comes in pieces; without [`finish`](Self::finish) nothing of it is kept.
#[derive(Debug)]
pub struct BlobWriter<'a> {
    blobs: &'a Blobs,
    path: PathBuf,
    file: File,
    hash: Sha256,
    finished: bool,
}

impl BlobWriter<'_> {
    /// Adds a piece.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        self.hash.update(piece);
        self.file
            .write_all(piece)
            .await
            .map_err(|error| io_error(&self.path, error))
    }

    /// Makes the blob durable and gives it its name.
    pub async fn finish(mut self) -> Result<BlobHash, BlobError> {
        let hash = BlobHash(self.hash.clone().finalize().into());
        let path = self.blobs.path(hash);
        self.keep(&path).await.map_err(|error| io_error(&path, error))?;
        self.finished = true;
        Ok(hash)
    }

    /// The order matters: bytes, then the name, then the folder that holds the name.
    async fn keep(&mut self, path: &Path) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let folder = path.parent().unwrap_or(&self.blobs.root);
        tokio::fs::create_dir_all(folder).await?;
        tokio::fs::rename(&self.path, path).await?;
        File::open(folder).await?.sync_all().await
    }
}

impl Drop for BlobWriter<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn io_error(path: &Path, error: io::Error) -> BlobError {
    BlobError::Io {
        path: path.display().to_string(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt as _;

    #[tokio::test]
    async fn a_blob_is_found_under_its_hash_whole_or_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let bytes: Bytes = (0..200_000u32)
            .map(|n| n.to_le_bytes()[0])
            .collect::<Vec<_>>()
            .into();
        let hash = blobs.put(bytes.clone()).await.unwrap();
        assert_eq!(hash, BlobHash::of(&bytes));
        assert_eq!(
            blobs.read_all(hash, bytes.len()).await.unwrap(),
            Some(bytes.clone())
        );
        assert_eq!(blobs.read_at(hash, 5, 7).await.unwrap(), bytes.slice(5..12));
        let pieces = blobs.stream(hash, 100, 150_000).await.unwrap().unwrap();
        let read: Vec<Bytes> = pieces.try_collect().await.unwrap();
        assert_eq!(read.concat(), bytes[100..150_100]);
        assert!(blobs.read_all(hash, 10).await.is_err(), "longer than wanted");
        assert_eq!(blobs.length(BlobHash::of(b"other")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_was_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let mut writer = blobs.writer().await.unwrap();
        writer.write(b"half").await.unwrap();
        let path = writer.path.clone();
        assert!(path.exists());
        drop(writer);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn lines_are_found_by_number() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let text: String = (0..1_000).map(|n| format!("line {n}\n")).collect::<String>() + "last";
        let hash = blobs.put(text.clone().into()).await.unwrap();
        assert_eq!(blobs.count_lines(hash).await.unwrap(), 1_001);
        for (first, end) in [(0, 1), (255, 258), (512, 513), (1_000, 1_001), (0, 1_001)] {
            let (offset, length) = blobs.lines(hash, first, end).await.unwrap();
            let read = blobs.read_at(hash, offset, length).await.unwrap();
            let lines = String::from_utf8(read.to_vec()).unwrap();
            let numbered: Vec<_> = text
                .lines()
                .skip(first as usize)
                .take((end - first) as usize)
                .collect();
            assert_eq!(lines.lines().collect::<Vec<_>>(), numbered);
        }
        let empty = blobs.put(Bytes::new()).await.unwrap();
        assert_eq!(blobs.count_lines(empty).await.unwrap(), 0);
    }
}
