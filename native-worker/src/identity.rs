//! Who this worker is: an id in a file, kept across restarts and locked while the process lives; and for whom it
//! works: the key of an account, which all workers of a folder share.
use crate::RunError;
use protocol::account::AccountKey;
use protocol::ids::WorkerId;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

/// Processes that can share one folder, each with an identity of its own.
const WORKERS_PER_FOLDER_MAX: u32 = 256;
/// The file with the account's key. To work for an account that exists, write its key there.
const KEY_FILE: &str = "account-key";
/// Whoever reads it is the account.
const KEY_MODE: u32 = 0o600;

/// A worker's id, and the lock that makes it ours.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) worker: WorkerId,
    pub(crate) account: AccountKey,
    /// Held, not used: the lock ends with the file.
    _lock: File,
}

impl Identity {
    /// Takes the first identity in the folder that no other process has, or makes one.
    pub(crate) fn take(folder: &Path) -> Result<Self, RunError> {
        let at = |source| RunError::Folder {
            path: folder.into(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(at)?;
        for number in 1..=WORKERS_PER_FOLDER_MAX {
            let name = if number == 1 {
                "worker-id".into()
            } else {
                format!("worker-id.{number}")
            };
            let path = folder.join(name);
            let opened = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path);
            let mut file = opened.map_err(|source| RunError::Folder {
                path: path.clone(),
                source,
            })?;
            match file.try_lock() {
                Ok(()) => {}
                Err(std::fs::TryLockError::WouldBlock) => continue,
                Err(std::fs::TryLockError::Error(source)) => return Err(RunError::Folder { path, source }),
            }
            let worker = read_or_make(&mut file)?.map_err(|source| RunError::Folder { path, source })?;
            return Ok(Self {
                worker,
                account: account_key(folder)?,
                _lock: file,
            });
        }
        Err(at(std::io::Error::other("too many workers use it already")))
    }
}

/// The key of the folder's account; the first worker makes it.
fn account_key(folder: &Path) -> Result<AccountKey, RunError> {
    let path = folder.join(KEY_FILE);
    let at = |source| RunError::Folder {
        path: path.clone(),
        source,
    };
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, KEY_MODE);
    let mut file = options.open(&path).map_err(at)?;
    // Two workers that start together must not make two accounts. It is given back with the file.
    file.lock().map_err(at)?;
    let mut text = String::new();
    (&file).take(256).read_to_string(&mut text).map_err(at)?;
    if !text.trim().is_empty() {
        return text.parse().map_err(|error| at(std::io::Error::other(error)));
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(RunError::Chance)?;
    let key = AccountKey::new(secret);
    writeln!(file, "{}", key.text()).map_err(at)?;
    Ok(key)
}

/// The outer error is about chance, the inner one about the file.
fn read_or_make(file: &mut File) -> Result<std::io::Result<WorkerId>, RunError> {
    let mut text = String::new();
    if let Err(error) = file.take(64).read_to_string(&mut text) {
        return Ok(Err(error));
    }
    if let Ok(worker) = text.trim().parse() {
        return Ok(Ok(worker));
    }
    let worker = WorkerId(getrandom::u64().map_err(RunError::Chance)?);
    let written = file
        .rewind()
        .and_then(|()| file.set_len(0))
        .and_then(|()| writeln!(file, "{worker}"));
    Ok(written.map(|()| worker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_kept_and_never_shared() {
        let folder = tempfile::tempdir().unwrap();
        let first = Identity::take(folder.path()).unwrap();
        let second = Identity::take(folder.path()).unwrap();
        assert_ne!(first.worker, second.worker);
        assert_eq!(first.account, second.account, "one folder works for one account");
        let id = first.worker;
        drop(first);
        assert_eq!(Identity::take(folder.path()).unwrap().worker, id);
    }

    #[test]
    fn an_account_can_be_brought_and_a_damaged_key_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let key = AccountKey::new([5; 32]);
        std::fs::write(folder.path().join(KEY_FILE), format!("{}\n", key.text())).unwrap();
        assert_eq!(Identity::take(folder.path()).unwrap().account, key);
        std::fs::write(folder.path().join(KEY_FILE), "elyk_0").unwrap();
        let told = Identity::take(folder.path()).unwrap_err().to_string();
        assert!(
            told.contains(KEY_FILE) && told.contains("copy it whole"),
            "{told}"
        );
    }
}
