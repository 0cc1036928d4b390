//! Who uploaded what: an empty file for each pair, beside the blobs.
//!
//! Blobs have no owner, as equal bytes are kept once. But who may not read everything is to name only what they brought
//! themselves: a hash may be known to others, or be computed from a guess. A mark that is lost costs an upload.
use super::{BlobError, Blobs, io_error};
use protocol::ids::BlobHash;
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

/// Beside the folders of blobs, whose names are hex digits.
const FOLDER: &str = "own";
const UPLOADS: &str = "uploads";

impl Blobs {
    /// Notes that this owner uploaded the blob.
    pub async fn note_upload(&self, owner: &str, blob: BlobHash) -> Result<(), BlobError> {
        let path = self.uploads(owner).join(blob.to_string());
        let noted = async {
            tokio::fs::create_dir_all(self.uploads(owner)).await?;
            tokio::fs::write(&path, b"").await
        };
        noted.await.map_err(|error| io_error(&path, error))
    }

    /// Whether this owner uploaded the blob.
    pub async fn is_upload_of(&self, owner: &str, blob: BlobHash) -> Result<bool, BlobError> {
        let path = self.uploads(owner).join(blob.to_string());
        tokio::fs::try_exists(&path)
            .await
            .map_err(|error| io_error(&path, error))
    }

    /// All that this owner uploaded.
    pub async fn uploads_of(&self, owner: &str) -> Result<HashSet<BlobHash>, BlobError> {
        let folder = self.uploads(owner);
        let mut entries = match tokio::fs::read_dir(&folder).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
            entries => entries.map_err(|error| io_error(&folder, error))?,
        };
        let mut uploads = HashSet::new();
        while let Some(entry) = entries
            .next_entry()
            .await
            .map_err(|error| io_error(&folder, error))?
        {
            let name = entry.file_name();
            uploads.extend(name.to_str().and_then(|name| name.parse::<BlobHash>().ok()));
        }
        Ok(uploads)
    }

    /// A name may be anything; its hash is a file name.
    fn uploads(&self, owner: &str) -> PathBuf {
        let name = BlobHash(Sha256::digest(owner).into()).to_string();
        self.root.join(FOLDER).join(UPLOADS).join(&name[..32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_upload_is_its_owners_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let (one, other) = (BlobHash::of(b"one"), BlobHash::of(b"other"));
        blobs.note_upload("ana", one).await.unwrap();
        blobs.note_upload("ana", one).await.unwrap();
        blobs.note_upload("../ben", other).await.unwrap();
        assert!(blobs.is_upload_of("ana", one).await.unwrap());
        assert!(!blobs.is_upload_of("ana", other).await.unwrap());
        assert!(!blobs.is_upload_of("ben", other).await.unwrap());
        assert_eq!(blobs.uploads_of("ana").await.unwrap(), HashSet::from([one]));
        assert!(blobs.uploads_of("nobody").await.unwrap().is_empty());
    }
}
