//! What outlives a restart: the account at the authority, and the certificate with its key.
use super::super::pair::Pair;
use super::AcmeError;
use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// In the data folder.
const FOLDER: &str = "acme";
const ACCOUNT: &str = "account.json";
/// The chain, then the key: one file, so that they always fit each other.
const CERTIFICATE: &str = "certificate.pem";
/// Whoever reads these is this server.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Keep(PathBuf);

/// An account belongs to the authority that gave it.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

impl Keep {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self(data_dir.join(FOLDER))
    }

    pub(super) fn credentials(&self, directory: &str) -> Option<AccountCredentials> {
        let text = fs::read(self.0.join(ACCOUNT)).ok()?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        (kept.directory == directory).then_some(kept.credentials)
    }

    pub(super) fn keep_credentials(
        &self,
        directory: &str,
        credentials: AccountCredentials,
    ) -> Result<(), AcmeError> {
        let kept = Kept {
            directory: directory.into(),
            credentials,
        };
        let path = self.0.join(ACCOUNT);
        let text = serde_json::to_vec(&kept).map_err(|error| keep_error(&path, error.into()))?;
        self.write(&path, &text)
    }

    pub(super) fn forget_credentials(&self) {
        // When it cannot be removed the next order fails as this one did.
        let _ = fs::remove_file(self.0.join(ACCOUNT));
    }

    /// The certificate of the last time; none where it cannot be used.
    pub(super) fn pair(&self) -> Option<Pair> {
        let path = self.0.join(CERTIFICATE);
        Pair::load(&path, &path).ok()
    }

    pub(super) fn keep_pair(&self, chain: &str, key: &str) -> Result<Pair, AcmeError> {
        let path = self.0.join(CERTIFICATE);
        self.write(&path, format!("{chain}\n{key}").as_bytes())?;
        Ok(Pair::load(&path, &path)?)
    }

    /// Whole or not at all, also when the power goes.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), AcmeError> {
        let whole = || -> io::Result<()> {
            DirBuilder::new()
                .recursive(true)
                .mode(FOLDER_MODE)
                .create(&self.0)?;
            let new = path.with_extension("new");
            let mut file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .mode(FILE_MODE)
                .open(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, path)
        };
        whole().map_err(|error| keep_error(path, error))
    }
}

fn keep_error(path: &Path, error: io::Error) -> AcmeError {
    AcmeError::Keep {
        path: path.into(),
        error,
    }
}
