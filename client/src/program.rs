//! What runs: an entry of a program that the server has, or that is uploaded when it first runs.
use crate::{Client, Error};
use protocol::limits::PROGRAM_BYTES_MAX;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// A program. Cheap to clone; however many jobs use it, it is uploaded once.
#[derive(Clone, Debug)]
pub struct Program {
    source: Arc<Source>,
}

#[derive(Debug)]
enum Source {
    /// By name or hash.
    Known(String),
    Brought {
        file: String,
        bytes: Vec<u8>,
        hash: OnceCell<String>,
    },
}

/// A function of a program.
#[derive(Clone, Debug)]
pub struct Entry {
    program: Program,
    name: String,
}

impl Program {
    pub(crate) fn known(name: &str) -> Self {
        let source = Arc::new(Source::Known(name.into()));
        Self { source }
    }

    pub(crate) fn from_bytes(file: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        check_length(file, bytes.len() as u64)?;
        let source = Arc::new(Source::Brought {
            file: file.into(),
            bytes,
            hash: OnceCell::new(),
        });
        Ok(Self { source })
    }

    /// One of its functions: `default` for a script's default export, `main` for a WASI command.
    pub fn entry(&self, name: &str) -> Entry {
        Entry {
            program: self.clone(),
            name: name.into(),
        }
    }

    /// As a job names it.
    async fn reference(&self, client: &Client) -> Result<String, Error> {
        match &*self.source {
            Source::Known(name) => Ok(name.clone()),
            Source::Brought { file, bytes, hash } => {
                let push = || async {
                    let push = || client.push(file, bytes.clone());
                    let pushed = client.patiently(push, |_| {}).await?;
                    Ok::<_, Error>(pushed.hash.to_string())
                };
                hash.get_or_try_init(push).await.cloned()
            }
        }
    }
}

impl Entry {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program as a job names it; uploads it where that was not done yet.
    pub(crate) async fn program(&self, client: &Client) -> Result<String, Error> {
        self.program.reference(client).await
    }
}

/// A program's file: its name, and its bytes.
///
/// # Errors
/// [`Error::Usage`] when it cannot be read or is longer than a program may be.
pub fn read_program(path: &Path) -> Result<(String, Vec<u8>), Error> {
    let wrong = |error: std::io::Error| Error::Usage(format!("{}: {error}", path.display()));
    let length = std::fs::metadata(path).map_err(wrong)?.len();
    check_length(&path.display().to_string(), length)?;
    let bytes = std::fs::read(path).map_err(wrong)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok((name.into_owned(), bytes))
}

fn check_length(file: &str, length: u64) -> Result<(), Error> {
    if length <= PROGRAM_BYTES_MAX as u64 {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{file}: has {length} bytes; a program has at most {PROGRAM_BYTES_MAX}. Build it for size, and strip it"
    )))
}
