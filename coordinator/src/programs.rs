//! The programs there are: those the binary carries, and those that were uploaded.
use crate::assets;
use crate::blobs::{BlobError, Blobs};
use crate::engine::Engine;
use crate::store::{Op, Reader, StoreError};
use anyhow::Context;
use axum::body::Bytes;
use protocol::api::Program;
use protocol::description::nearest;
use protocol::ids::{BlobHash, ProgramHash};
use protocol::limits::PROGRAM_BYTES_MAX;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The name of the standard kernels.
const RUST_CORE: &str = "rust-core";

/// Why the engine of a script cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineMissing {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// It is neither carried nor stored.
    #[error(
        "the script was built for script engine {0}, which this coordinator does not have: upload the script again, \
         which builds it for the engine that is here"
    )]
    Unknown(String),
}

/// Finds programs by name or hash. Uploaded ones are read once and kept: a program never changes.
pub(crate) struct Programs {
    built_in: Vec<BuiltIn>,
    uploaded: RwLock<HashMap<ProgramHash, Arc<Program>>>,
    /// Script engines of other versions that were looked for and found, by what scripts call them.
    engines: RwLock<HashMap<String, ProgramHash>>,
    /// What uploads came to, by the SHA-256 of their name and bytes.
    admitted: Mutex<HashMap<[u8; 32], Program>>,
    reader: Arc<dyn Reader>,
}

/// Uploads that are remembered; when there are more, all are forgotten.
const ADMITTED_MAX: usize = 1_024;

struct BuiltIn {
    name: &'static str,
    module: Bytes,
    program: Arc<Program>,
}

impl Programs {
    /// Admits what the binary carries.
    pub(crate) fn new(reader: Arc<dyn Reader>) -> anyhow::Result<Self> {
        let mut built_in = Vec::new();
        match assets::rust_core() {
            Some(module) => built_in.push(admit_built_in(RUST_CORE, module)?),
            None => tracing::warn!("no standard kernels: run `cargo xtask build-web` and build again"),
        }
        let engine = Bytes::from_static(script_engine::WASM);
        built_in.push(admit_built_in(script_engine::NAME, engine)?);
        Ok(Self {
            built_in,
            uploaded: RwLock::default(),
            engines: RwLock::default(),
            admitted: Mutex::default(),
            reader,
        })
    }

    /// What the same upload came to before: a second run need not wait for admission.
    pub(crate) fn admitted_before(&self, file: &str, bytes: &[u8]) -> Option<Program> {
        let admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        admitted.get(&upload_key(file, bytes)).cloned()
    }

    /// Remembers it; the program has to be stored by now.
    pub(crate) fn note_admitted(&self, file: &str, bytes: &[u8], program: &Program) {
        let key = upload_key(file, bytes);
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if admitted.len() >= ADMITTED_MAX {
            admitted.clear();
        }
        admitted.insert(key, program.clone());
    }

    /// Stores the carried programs beside the uploaded ones, so that their jobs outlive an update of
    /// the binary.
    pub(crate) async fn keep_built_in(&self, blobs: &Blobs, engine: &Engine) -> anyhow::Result<()> {
        let stored = self.stored().await?;
        for carried in &self.built_in {
            let program = &carried.program;
            if stored.contains_key(&program.hash) {
                continue;
            }
            blobs
                .put(carried.module.clone())
                .await
                .context("the standard kernels could not be stored")?;
            engine
                .write(add(program))
                .await
                .context("the standard kernels could not be stored")?;
        }
        Ok(())
    }

    /// By name or hash; the error says which there are.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Result<Arc<Program>, String>, StoreError> {
        if let Some(carried) = self.built_in.iter().find(|b| b.name == name) {
            return Ok(Ok(Arc::clone(&carried.program)));
        }
        match name.parse() {
            Ok(hash) => Ok(self.get(hash).await?.ok_or_else(|| self.advice(name))),
            Err(_) => Ok(Err(self.advice(name))),
        }
    }

    /// The kernel that evaluates new scripts.
    pub(crate) fn script_engine(&self) -> Option<ProgramHash> {
        let engine = self.built_in.iter().find(|b| b.name == script_engine::NAME);
        engine.map(|engine| engine.program.hash)
    }

    /// The kernel that a script names by the SHA-256 of its bytes before admission: the one that is carried,
    /// or one that a former version of this binary carried and stored.
    pub(crate) async fn engine_named(&self, name: &str, blobs: &Blobs) -> Result<ProgramHash, EngineMissing> {
        if name == script_engine::SHA256 {
            return self.script_engine().ok_or(EngineMissing::Unknown(name.into()));
        }
        let engines = || self.engines.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = engines().get(name).copied() {
            return Ok(known);
        }
        let found = self.find_engine(name, blobs).await?;
        let mut engines = self.engines.write().unwrap_or_else(PoisonError::into_inner);
        engines.insert(name.into(), found);
        Ok(found)
    }

    async fn find_engine(&self, name: &str, blobs: &Blobs) -> Result<ProgramHash, EngineMissing> {
        let stored = self.stored().await?;
        let mut called_so: Vec<_> = stored
            .values()
            .filter(|program| program.description.name == script_engine::NAME)
            .map(|program| program.hash)
            .collect();
        // Where one engine was admitted by two versions, every coordinator takes the same.
        called_so.sort_unstable();
        for hash in called_so {
            let Some(module) = blobs.read_all(blob_of(hash), PROGRAM_BYTES_MAX).await? else {
                continue;
            };
            // A name is anybody's to give; the bytes are not.
            let before = program::hash_before_admission(&module);
            if before.is_some_and(|before| before.to_string() == name) {
                return Ok(hash);
            }
        }
        Err(EngineMissing::Unknown(name.into()))
    }

    fn advice(&self, name: &str) -> String {
        let known = || self.built_in.iter().map(|b| b.name);
        let upload = "or upload one with POST /api/v1/programs and use its hash";
        match nearest(name, known()) {
            Some(near) => format!("there is no program '{name}'; did you mean '{near}'?"),
            None if self.built_in.is_empty() => {
                format!(
                    "there is no program '{name}', and this binary carries none; build it with `npm start`, {upload}"
                )
            }
            None => {
                let known: Vec<_> = known().collect();
                format!(
                    "there is no program '{name}'; name one of {}, {upload}",
                    known.join(", ")
                )
            }
        }
    }

    /// By hash.
    pub(crate) async fn get(&self, hash: ProgramHash) -> Result<Option<Arc<Program>>, StoreError> {
        if let Some(carried) = self.carried(hash) {
            return Ok(Some(Arc::clone(&carried.program)));
        }
        let kept = self
            .uploaded
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .cloned();
        match kept {
            Some(program) => Ok(Some(program)),
            None => Ok(self.stored().await?.get(&hash).cloned()),
        }
    }

    /// All, carried ones first.
    pub(crate) async fn all(&self) -> Result<Vec<Program>, StoreError> {
        let stored = self.stored().await?;
        let carried = self.built_in.iter().map(|b| (*b.program).clone());
        let mut others: Vec<_> = stored
            .values()
            .filter(|p| self.carried(p.hash).is_none())
            .map(|p| (**p).clone())
            .collect();
        others.sort_by(|a, b| {
            a.description
                .name
                .cmp(&b.description.name)
                .then(a.hash.cmp(&b.hash))
        });
        Ok(carried.chain(others).collect())
    }

    /// The bytes of a carried program.
    pub(crate) fn carried_module(&self, hash: ProgramHash) -> Option<Bytes> {
        self.carried(hash).map(|carried| carried.module.clone())
    }

    fn carried(&self, hash: ProgramHash) -> Option<&BuiltIn> {
        self.built_in.iter().find(|b| b.program.hash == hash)
    }

    /// Reads what is stored, and keeps it.
    async fn stored(&self) -> Result<HashMap<ProgramHash, Arc<Program>>, StoreError> {
        let reader = Arc::clone(&self.reader);
        let stored = tokio::task::spawn_blocking(move || reader.programs()).await;
        let stored = stored.map_err(|error| StoreError::Unavailable(error.to_string()))??;
        let program = |(hash, length, description)| {
            (
                hash,
                Arc::new(Program {
                    hash,
                    length,
                    description,
                    built_in: false,
                }),
            )
        };
        let all: HashMap<_, _> = stored.into_iter().map(program).collect();
        self.uploaded
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&all);
        Ok(all)
    }
}

fn admit_built_in(name: &'static str, module: Bytes) -> anyhow::Result<BuiltIn> {
    let admitted = program::admit(module.to_vec()).with_context(|| format!("the carried program {name}"))?;
    let program = Program {
        hash: admitted.hash,
        length: admitted.bytes.len() as u64,
        description: admitted.description,
        built_in: true,
    };
    Ok(BuiltIn {
        name,
        module: admitted.bytes.into(),
        program: Arc::new(program),
    })
}

/// What is to be stored of a program.
pub(crate) fn add(program: &Program) -> Op {
    let description = Box::new(program.description.clone());
    Op::AddProgram {
        hash: program.hash,
        length: program.length,
        description,
    }
}

/// A program's bytes lie in the blobs under the same hash.
pub(crate) fn blob_of(hash: ProgramHash) -> BlobHash {
    BlobHash(hash.0)
}

/// A file's name counts: it says what a text is, and what a program without a name is called.
fn upload_key(file: &str, bytes: &[u8]) -> [u8; 32] {
    let length = (file.len() as u64).to_le_bytes();
    Sha256::new()
        .chain_update(length)
        .chain_update(file)
        .chain_update(bytes)
        .finalize()
        .into()
}
