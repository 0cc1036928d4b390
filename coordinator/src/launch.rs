//! How workers start a job: its program's own entry, or, for a script, the script engine with the script.
//!
//! A worker knows nothing of scripts. It gets the engine, a kernel like any other, and parameters in which
//! the script stands; so the engine's compiled code is shared by every script there is.
use crate::blobs::{BlobError, Blobs};
use crate::engine::{JobInfo, Launch};
use crate::programs::{EngineMissing, Programs, blob_of};
use crate::store::StoreError;
use bytes::Bytes;
use program::script;
use protocol::description::ProgramKind;
use protocol::ids::ProgramHash;
use protocol::limits::PROGRAM_BYTES_MAX;
use serde_json::Value;

/// Why a job cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("program {0} is not among the blobs any more")]
    Missing(ProgramHash),
    #[error("the script cannot be read: {0}")]
    Script(#[from] script::ScriptError),
    #[error(transparent)]
    Engine(#[from] EngineMissing),
}

impl LaunchError {
    /// Whether it may be possible later, as things stand.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Store(error) => error.may_pass(),
            Self::Blob(_) => true,
            Self::Engine(EngineMissing::Store(_) | EngineMissing::Blob(_)) => true,
            Self::Missing(_) | Self::Script(_) | Self::Engine(_) => false,
        }
    }
}

/// How workers start this job.
pub(crate) async fn launch(
    programs: &Programs,
    blobs: &Blobs,
    info: &JobInfo,
) -> Result<Launch, LaunchError> {
    let (record, spec) = (&info.record, &info.record.spec);
    let program = programs.get(record.program).await?;
    if program.is_none_or(|program| program.description.kind != ProgramKind::Script) {
        return Ok(Launch {
            program: record.program,
            entry: spec.entry.clone(),
            params: params_of(&spec.params),
            script: None,
        });
    }
    let (script, engine) = script_of(programs, blobs, record.program).await?;
    Ok(Launch {
        program: engine,
        entry: script_engine::ENTRY.into(),
        params: script
            .run_params(&spec.entry, &spec.params, record.stage_of.is_some())
            .into(),
        script: Some(script),
    })
}

/// A script, and the engine it was built for: with another one the same program could answer otherwise.
pub(crate) async fn script_of(
    programs: &Programs,
    blobs: &Blobs,
    program: ProgramHash,
) -> Result<(script::Script, ProgramHash), LaunchError> {
    let container = blobs.read_all(blob_of(program), PROGRAM_BYTES_MAX).await?;
    let script = script::open(&container.ok_or(LaunchError::Missing(program))?)?;
    let engine = programs.engine_named(&script.engine, blobs).await?;
    Ok((script, engine))
}

fn params_of(params: &Value) -> Bytes {
    match params {
        Value::Null => Bytes::new(),
        params => params.to_string().into(),
    }
}
