//! Compiled code on disk. Loading it is running it, so a file counts only when this machine's own
//! key authenticates it; anything else is thrown away and compiled again.
//!
//! A file is a MAC of 32 bytes, then the code. The MAC (HMAC-SHA-256) covers the settings it was
//! compiled with (engine version, features, tuning and the processor's own), the program's hash and
//! the code. The key never leaves the folder, and code is never taken from the network.
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use protocol::ids::ProgramHash;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::Engine;

const MAC_BYTES: usize = 32;
const KEY_BYTES: usize = 32;
const KEY_FILE: &str = "key";
const ENDING: &str = "code";
/// Compiled code is some 3 to 5 times as long as its module.
const FILE_BYTES_MAX: u64 = 128 << 20;

/// Why the cache's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder, or the key in it, cannot be made or read.
    #[error("the cache of compiled code at {} cannot be used: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read the key.
    #[error("{} can be read by others: remove it, or allow it to its owner only (chmod 600)", path.display())]
    KeyNotPrivate {
        /// The key's file.
        path: PathBuf,
    },
}

/// A folder of compiled code.
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    settings: [u8; 32],
    bytes_max: u64,
}

/// Code that this machine compiled with the settings of this engine. Copies share the bytes.
///
/// There are two ways to get one: to compile ([`Code::just_compiled`]), and out of a file whose MAC is right;
/// and a guest process is sent one by its parent.
#[derive(Clone)]
pub struct Code(Bytes);

impl Code {
    /// `bytes` must come from the compiler itself, on this machine.
    pub(crate) fn just_compiled(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// `bytes` must come from the parent of this guest process.
    pub(crate) fn from_parent(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// For the guest process that is to load it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Cache {
    pub(crate) fn open(folder: &Path, bytes_max: u64, engine: &Engine) -> Result<Self, CacheError> {
        let io_error = |source| CacheError::Io {
            path: folder.to_owned(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io_error)?;
        let key = read_key(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            key,
            settings: settings(engine),
            bytes_max,
        })
    }

    /// The code of a program, if it is there and authentic. A file that is not is removed.
    pub(crate) fn load(&self, program: ProgramHash) -> Option<Code> {
        let path = self.path(program);
        let code = match read(&path) {
            Ok(bytes) => self.authentic(program, bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%program, %error, "compiled code cannot be read; compiling again");
                None
            }
        };
        if code.is_none() {
            self.discard(program);
        }
        code
    }

    /// Removes a program's code.
    pub(crate) fn discard(&self, program: ProgramHash) {
        let path = self.path(program);
        tracing::warn!(%program, path = %path.display(), "compiled code is not authentic or not usable; removed");
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%program, %error, "it cannot be removed");
        }
    }

    /// Keeps code. What goes wrong is only logged: the program runs without the cache, too.
    pub(crate) fn store(&self, program: ProgramHash, code: &Code) {
        if let Err(error) = self.write(program, code) {
            tracing::warn!(%program, %error, "compiled code cannot be kept");
        }
        if let Err(error) = self.evict() {
            tracing::warn!(%error, "the cache of compiled code cannot be tidied");
        }
    }

    fn authentic(&self, program: ProgramHash, bytes: Vec<u8>) -> Option<Code> {
        let (mac, code) = bytes.split_first_chunk::<MAC_BYTES>()?;
        self.mac(program, code)?.verify_slice(mac).ok()?;
        Some(Code(Bytes::from(bytes).slice(MAC_BYTES..)))
    }

    fn mac(&self, program: ProgramHash, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        // Both parts before the code have a fixed length, so no two inputs read alike.
        Some(
            mac.chain_update(self.settings)
                .chain_update(program.0)
                .chain_update(code),
        )
    }

    fn write(&self, program: ProgramHash, code: &Code) -> io::Result<()> {
        let mac = self
            .mac(program, code.bytes())
            .ok_or(io::ErrorKind::InvalidInput)?;
        let temporary = temporary(&self.folder)?;
        let written = write_new(&temporary, &[&mac.finalize().into_bytes(), code.bytes()])
            .and_then(|()| fs::rename(&temporary, self.path(program)));
        if written.is_err() {
            // Half a file is of no use; if it cannot be removed either, the next tidying does it.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// One file for each program and settings, so that two versions side by side keep both.
    fn path(&self, program: ProgramHash) -> PathBuf {
        let settings: String = self.settings[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.folder.join(format!("{program}-{settings}.{ENDING}"))
    }

    fn evict(&self) -> io::Result<()> {
        let mut files = self.files()?;
        files.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
        let mut sum = 0;
        for (_, bytes, path) in files {
            sum += bytes;
            if sum > self.bytes_max {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn files(&self) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
        let mut files = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let path = file?.path();
            if path
                .extension()
                .is_some_and(|ending| ending == ENDING || ending == TEMPORARY_ENDING)
            {
                let about = fs::metadata(&path)?;
                files.push((about.modified()?, about.len(), path));
            }
        }
        Ok(files)
    }
}

const TEMPORARY_ENDING: &str = "part";

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).open(path)?;
    let length = file.metadata()?.len();
    if length > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    (&file).take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    // The time of last use decides what is evicted; a folder that is read-only simply keeps the old one.
    let _ = file.set_modified(SystemTime::now());
    Ok(bytes)
}

fn temporary(folder: &Path) -> io::Result<PathBuf> {
    let name = getrandom::u64()?;
    Ok(folder.join(format!("{name:016x}.{TEMPORARY_ENDING}")))
}

fn write_new(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))
}

fn read_key(folder: &Path) -> Result<[u8; KEY_BYTES], CacheError> {
    let path = folder.join(KEY_FILE);
    let io_error = |source| CacheError::Io {
        path: path.clone(),
        source,
    };
    if !path.exists() {
        create_key(folder, &path).map_err(io_error)?;
    }
    let mut file = File::open(&path).map_err(io_error)?;
    if file.metadata().map_err(io_error)?.permissions().mode() & 0o077 != 0 {
        return Err(CacheError::KeyNotPrivate { path });
    }
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key).map_err(io_error)?;
    Ok(key)
}

/// Two processes may start at once: the link succeeds for one of them only, and whole.
fn create_key(folder: &Path, path: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key)?;
    let temporary = temporary(folder)?;
    write_new(&temporary, &[&key])?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Everything that decides which code comes out: the engine's version, its settings and the
/// processor's features, as the engine itself lists them.
fn settings(engine: &Engine) -> [u8; 32] {
    struct Listed(Sha256);
    impl Hasher for Listed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        /// Not used: the whole digest is taken instead.
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut listed = Listed(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut listed);
    listed.0.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The promise `artifact_tamper`: engine version, target and settings are one digest, and any of them may differ.
    #[test]
    fn code_of_other_settings_is_never_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let engine = crate::engine::for_compiling().unwrap();
        let open = || Cache::open(folder.path(), u64::MAX, &engine).unwrap();
        let (cache, program) = (open(), ProgramHash([1; 32]));
        for byte in 0..32 {
            let mut other = open();
            other.settings[byte] ^= 1;
            other.store(program, &Code::just_compiled(vec![byte as u8; 100]));
            // Where the settings differ behind what the name shows, the file is found.
            if other.path(program) != cache.path(program) {
                fs::rename(other.path(program), cache.path(program)).unwrap();
            }
            assert!(cache.load(program).is_none(), "byte {byte}");
            assert!(!cache.path(program).exists());
        }
        // The twin: its own is loaded.
        cache.store(program, &Code::just_compiled(vec![7; 100]));
        assert_eq!(
            cache.load(program).map(|code| code.bytes().to_vec()),
            Some(vec![7; 100])
        );
    }
}
