//! The coordinators' own secret, and what it is good for: names of blobs that only workers get, and tickets.
//!
//! It lies beside the blobs, because every coordinator of a site reads those. Nothing that is stored depends on it:
//! when it is lost, tickets and leases that are under way fail once and are asked for again.
use crate::blobs::BlobError;
use hmac::{Hmac, KeyInit as _, Mac as _};
use protocol::ids::BlobHash;
use sha2::Sha256;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

const KEY_BYTES: usize = 32;
/// Beside the folders of blobs, whose names are hex digits.
const FOLDER: &str = "own";
const FILE: &str = "key";
/// Only for who runs the coordinator.
const MODE: u32 = 0o600;
/// Rounds of a permutation that nobody can tell from a random one, whichever way they ask (Luby and Rackoff).
const ROUNDS: [u8; 4] = [0, 1, 2, 3];
const HALF: usize = 16;

/// The secret. Never shown.
#[derive(Clone)]
pub(crate) struct Secret([u8; KEY_BYTES]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads the secret of these blobs; the first coordinator makes it.
    pub(crate) fn open(blob_dir: &Path) -> Result<Self, BlobError> {
        let path = blob_dir.join(FOLDER).join(FILE);
        let io_error = |error| BlobError::Io {
            path: path.display().to_string(),
            error,
        };
        match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&path).map_err(io_error)?;
                read(&path).map_err(io_error)
            }
            read => read.map_err(io_error),
        }
    }

    /// The digest of something that only coordinators can compute; `purpose` keeps the uses apart.
    pub(crate) fn digest(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.mac();
        for part in [purpose.as_bytes()].iter().chain(parts) {
            // With its length before it, a part can never run into the next.
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The name under which a worker may read a blob. Whoever knows the bytes knows the blob's hash, but not this.
    pub(crate) fn seal(&self, blob: BlobHash) -> BlobHash {
        let (mut left, mut right) = halves(blob);
        for round in ROUNDS {
            let mixed = self.mix(round, &right);
            (left, right) = (right, xor(left, mixed));
        }
        joined(left, right)
    }

    /// The blob behind such a name; what is no name becomes a hash that nothing has.
    pub(crate) fn unseal(&self, name: BlobHash) -> BlobHash {
        let (mut left, mut right) = halves(name);
        for round in ROUNDS.into_iter().rev() {
            let mixed = self.mix(round, &left);
            (left, right) = (xor(right, mixed), left);
        }
        joined(left, right)
    }

    fn mix(&self, round: u8, half: &[u8; HALF]) -> [u8; HALF] {
        let digest = self.digest("blob", &[&[round], half]);
        let mut mixed = [0; HALF];
        mixed.copy_from_slice(&digest[..HALF]);
        mixed
    }

    fn mac(&self) -> Hmac<Sha256> {
        // A key may have any length: only the type does not say so.
        Hmac::new_from_slice(&self.0).unwrap_or_else(|_| Hmac::new(&Default::default()))
    }
}

fn halves(hash: BlobHash) -> ([u8; HALF], [u8; HALF]) {
    let (mut left, mut right) = ([0; HALF], [0; HALF]);
    left.copy_from_slice(&hash.0[..HALF]);
    right.copy_from_slice(&hash.0[HALF..]);
    (left, right)
}

fn joined(left: [u8; HALF], right: [u8; HALF]) -> BlobHash {
    let mut bytes = [0; 2 * HALF];
    bytes[..HALF].copy_from_slice(&left);
    bytes[HALF..].copy_from_slice(&right);
    BlobHash(bytes)
}

fn xor(mut a: [u8; HALF], b: [u8; HALF]) -> [u8; HALF] {
    a.iter_mut().zip(b).for_each(|(a, b)| *a ^= b);
    a
}

fn read(path: &Path) -> io::Result<Secret> {
    let bytes = fs::read(path)?;
    let wrong = |_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "remove it: the next start makes a new one",
        )
    };
    bytes.try_into().map(Secret).map_err(wrong)
}

/// Written whole under another name first: of two coordinators that start together, both read the one that was named
/// first.
fn make(path: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let own = path.with_extension(std::process::id().to_string());
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(MODE)
        .open(&own)?;
    file.write_all(&key)?;
    file.sync_all()?;
    let named = match fs::hard_link(&own, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        named => named,
    };
    fs::remove_file(&own)?;
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_name_leads_back_to_its_blob_and_only_with_the_same_secret() {
        let (one, other) = (Secret([1; 32]), Secret([2; 32]));
        for text in ["", "a", "b", "salary: 50000"] {
            let blob = BlobHash::of(text.as_bytes());
            let name = one.seal(blob);
            assert_ne!(name, blob);
            assert_eq!(one.unseal(name), blob);
            assert_ne!(other.unseal(name), blob);
            assert_ne!(one.unseal(blob), blob, "a hash is no name");
        }
        let mut near = BlobHash::of(b"x");
        let name = one.seal(near);
        near.0[31] ^= 1;
        let differ = name.0.iter().zip(one.seal(near).0).filter(|(a, b)| **a != *b);
        assert!(differ.count() > 16, "one bit changes the whole name");
    }

    #[test]
    fn the_secret_is_made_once_and_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let first = Secret::open(folder.path()).unwrap();
        assert_eq!(Secret::open(folder.path()).unwrap().0, first.0);
        let path = folder.path().join(FOLDER).join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(format!("{first:?}"), "Secret");
        fs::write(&path, "short").unwrap();
        assert!(
            Secret::open(folder.path())
                .unwrap_err()
                .to_string()
                .contains("remove it")
        );
    }

    #[test]
    fn parts_and_purposes_do_not_run_into_each_other() {
        let secret = Secret([7; 32]);
        assert_ne!(
            secret.digest("x", &[b"ab", b"c"]),
            secret.digest("x", &[b"a", b"bc"])
        );
        assert_ne!(secret.digest("x", &[b"a"]), secret.digest("y", &[b"a"]));
    }
}
