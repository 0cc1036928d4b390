//! A job comes in: everything that can be wrong with it is told here, before anything is stored.
mod check;
mod input;

use super::App;
use super::caller::Caller;
use super::extract::Json as Body;
use super::problem::{ApiError, ApiResult, kind};
use super::view;
use crate::auth::now_ms;
use crate::engine::NewJob;
use crate::launch::script_of;
use crate::store::JobRecord;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use protocol::api::{Job, Scope};
use protocol::description::{Description, Entry, ProgramKind, nearest};
use protocol::ids::{JobId, ProgramHash};
use protocol::job::JobSpec;
use protocol::limits::NAME_CHARS_MAX;
use protocol::problem::Problem;
use std::sync::Arc;

pub(super) use check::item_problem;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Submits a job. With an `Idempotency-Key`, sending it again gives the job that is there already.
#[utoipa::path(post, path = "/jobs", tag = "jobs", request_body = JobSpec, security(("bearer" = ["submit"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "At most 200 characters, chosen by the caller")),
    responses((status = 201, body = Job), (status = 200, body = Job, description = "It was there already"),
        (status = "default", body = Problem)))]
pub(crate) async fn submit(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Body(spec): Body<JobSpec>,
) -> ApiResult<impl IntoResponse> {
    let owner = caller.need(Scope::Submit)?.name.clone();
    let key = idempotency_key(&headers)?;
    check::input_is_the_callers(&app, &caller.sight()?, &spec.input).await?;
    let job = accept(&app, spec, owner, key).await?;
    let spec = job.record.spec.clone();
    let submitted = app.engine.submit(job).await?;
    let job = view::job(&app, submitted.id).await?;
    if submitted.already && job.spec != spec {
        let detail = format!(
            "It belongs to {}, which asks for something else. Use a new key.",
            job.id
        );
        return Err(ApiError::new(kind::KEY_REUSED, detail));
    }
    let status = if submitted.already {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let place = AppendHeaders([(header::LOCATION, format!("/api/v1/jobs/{}", job.id))]);
    Ok((status, place, Json(job)))
}

fn idempotency_key(headers: &HeaderMap) -> ApiResult<Option<String>> {
    let Some(value) = headers.get(&IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let fits = |key: &&str| !key.is_empty() && key.len() <= NAME_CHARS_MAX;
    match value.to_str().ok().filter(fits) {
        Some(key) => Ok(Some(key.into())),
        None => {
            let wanted = format!("must be 1 to {NAME_CHARS_MAX} ASCII characters");
            Err(ApiError::field(kind::HEADER, "Idempotency-Key", wanted))
        }
    }
}

/// Checks a job, fills in its defaults and counts its items.
async fn accept(app: &App, mut spec: JobSpec, owner: String, key: Option<String>) -> ApiResult<NewJob> {
    let program = app.programs.resolve(&spec.program).await?;
    let program = program.map_err(|why| ApiError::field(kind::PROGRAM_FIELD, "program", why))?;
    let entry = find_entry(&program.description, &spec.entry, "entry")?;
    if program.description.kind == ProgramKind::Script {
        engine_is_here(app, program.hash).await?;
    }
    spec.trust = spec.trust.max(app.trust_min);
    check::limits(&spec)?;
    check::reduction(&program.description, entry, spec.reduce.as_ref())?;
    spec.params = check::params(entry, &spec.params)?;
    if spec.name.trim().is_empty() {
        spec.name = name_of(&program.description, &spec.entry);
    }
    let items = input::take(app, entry, &mut spec).await?;
    let time_ms = now_ms();
    let chance = getrandom::u32().map_err(ApiError::internal)?;
    let record = JobRecord {
        id: JobId::new(time_ms, chance),
        spec,
        program: program.hash,
        owner,
        submitted_ms: time_ms,
        taken_by: 0,
        source: items.source,
        picture: entry.picture.is_some(),
        stage_of: None,
    };
    Ok(NewJob {
        record,
        items: items.count,
        closed: items.closed,
        chunk: items.chunk,
        key,
    })
}

/// A script whose engine is gone is refused before anybody waits for it.
async fn engine_is_here(app: &App, script: ProgramHash) -> ApiResult<()> {
    match script_of(&app.programs, &app.blobs, script).await {
        Ok(_) => Ok(()),
        Err(error) if error.may_pass() => Err(ApiError::hiding(kind::STORE, error, "Try again in a moment.")),
        Err(error) => {
            let why = error.to_string();
            Err(ApiError::field(kind::PROGRAM_REFUSED, "program", why))
        }
    }
}

/// What people call a job when they do not say: its entry, or its program where the entry is its only door.
fn name_of(program: &Description, entry: &str) -> String {
    match program.kind {
        ProgramKind::Command => program.name.clone(),
        ProgramKind::Script if entry == "default" => program.name.clone(),
        _ => entry.into(),
    }
}

fn find_entry<'a>(program: &'a Description, name: &str, field: &str) -> ApiResult<&'a Entry> {
    if let Some(entry) = program.entries.iter().find(|entry| entry.name == name) {
        return Ok(entry);
    }
    let known = || program.entries.iter().map(|entry| entry.name.as_str());
    let hint = match nearest(name, known()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
    };
    Err(ApiError::field(
        kind::ENTRY,
        field,
        format!("'{}' has no entry '{name}'; {hint}", program.name),
    ))
}
