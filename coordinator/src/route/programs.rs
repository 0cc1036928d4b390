//! Programs: list, read, upload, and the module itself.
use super::App;
use super::blobs::{names, tagged};
use super::caller::Caller;
use super::extract::{Id, Query, whole};
use super::problem::{ApiError, ApiResult, kind};
use super::sight::Sight;
use crate::programs::{add, blob_of};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use protocol::api::{Program, ProgramList, Scope};
use protocol::ids::ProgramHash;
use protocol::limits::{NAME_CHARS_MAX, PROGRAM_BYTES_MAX};
use protocol::problem::Problem;
use serde::Deserialize;
use std::sync::Arc;

/// What a WebAssembly module begins with.
const WASM_MAGIC: &[u8] = b"\0asm";
/// A module needs no token, so any cache may keep it.
const FOR_ALL: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// What a script is called when nobody says.
const FILE_DEFAULT: &str = "script.js";

/// The programs there are. Who may not read everything sees those that the server carries, and their own.
#[utoipa::path(get, path = "/programs", tag = "programs",
    security(("bearer" = ["read"]), ("bearer" = ["submit"])),
    responses((status = 200, body = ProgramList), (status = "default", body = Problem)))]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller) -> ApiResult<Json<ProgramList>> {
    let sight = caller.sight()?;
    let mut programs = app.programs.all().await?;
    if let Sight::Own(owner) = &sight {
        let own = app.blobs.uploads_of(owner).await?;
        programs.retain(|program| program.built_in || own.contains(&blob_of(program.hash)));
    }
    Ok(Json(ProgramList { programs }))
}

/// One program. To know its hash is the right to read and to run it.
#[utoipa::path(get, path = "/programs/{hash}", tag = "programs", params(("hash" = ProgramHash, Path)),
    security(("bearer" = ["read"]), ("bearer" = ["submit"])),
    responses((status = 200, body = Program), (status = "default", body = Problem)))]
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(hash): Id<ProgramHash>,
) -> ApiResult<Json<Program>> {
    caller.need_any(&[Scope::Read, Scope::Submit])?;
    let program = app.programs.get(hash).await?.ok_or_else(|| unknown(hash))?;
    Ok(Json((*program).clone()))
}

fn unknown(hash: ProgramHash) -> ApiError {
    let detail = format!("There is no program {hash}; GET /api/v1/programs lists those there are.");
    ApiError::new(kind::NO_PROGRAM, detail)
}

/// How an upload is to be read.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// The file's name: what errors call it, and whether it is JavaScript or TypeScript.
    file: Option<String>,
}

/// Uploads a program and checks that it may run: a WebAssembly module (a kernel, or a WASI command), or the
/// text of a JavaScript or TypeScript module.
#[utoipa::path(post, path = "/programs", tag = "programs", params(UploadQuery),
    security(("bearer" = ["submit"])),
    request_body(content = String, content_type = "application/wasm"),
    responses((status = 201, body = Program), (status = "default", body = Problem)))]
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<UploadQuery>,
    body: Body,
) -> ApiResult<(StatusCode, Json<Program>)> {
    let owner = caller.need(Scope::Submit)?.name.clone();
    let bytes = whole(body, PROGRAM_BYTES_MAX).await?;
    let file = query.file.unwrap_or_else(|| FILE_DEFAULT.into());
    let admitted = match app.programs.admitted_before(&file, &bytes) {
        Some(program) => program,
        None => admit_and_keep(&app, file, bytes).await?,
    };
    // What somebody else called the same bytes is theirs: the answer describes what came now.
    let known = app.programs.get(admitted.hash).await?;
    let program = Program {
        built_in: known.as_ref().is_some_and(|known| known.built_in),
        ..admitted
    };
    app.blobs.note_upload(&owner, blob_of(program.hash)).await?;
    Ok((StatusCode::CREATED, Json(program)))
}

/// Checks an upload and stores what may run, so that the same bytes need neither again.
async fn admit_and_keep(app: &App, file: String, bytes: Bytes) -> ApiResult<Program> {
    let (name, upload) = (file.clone(), bytes.clone());
    let admitted = tokio::task::spawn_blocking(move || admit(&name, &upload)).await;
    let admitted = admitted
        .map_err(ApiError::internal)?
        .map_err(|refusal| ApiError::new(kind::PROGRAM_REFUSED, refusal))?;
    let program = Program {
        hash: admitted.hash,
        length: admitted.bytes.len() as u64,
        description: admitted.description,
        built_in: false,
    };
    if app.programs.get(program.hash).await?.is_none() {
        app.blobs.put(admitted.bytes.into()).await?;
        app.engine.write(add(&program)).await?;
    }
    app.programs.note_admitted(&file, &bytes, &program);
    Ok(program)
}

/// A module as it is; anything else is taken for the text of a script. The error is for people.
fn admit(file: &str, bytes: &[u8]) -> Result<program::Admitted, String> {
    if file.to_ascii_lowercase().ends_with(".wasm") && !bytes.starts_with(WASM_MAGIC) {
        let told = "is no WebAssembly module: it does not begin with \\0asm. Build it again, or was it cut off or packed?";
        return Err(format!("{file} {told}"));
    }
    if bytes.starts_with(WASM_MAGIC) {
        let mut admitted = program::admit(bytes.to_vec()).map_err(|refusal| refusal.to_string())?;
        if admitted.description.name.is_empty() {
            admitted.description.name = stem(file).to_owned();
        }
        return Ok(admitted);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| {
        "this is neither a WebAssembly module (it would begin with \\0asm) nor text: upload a .wasm, .js or .ts file"
            .to_owned()
    })?;
    let container = program::script::build(file, text).map_err(|error| error.to_string())?;
    program::admit(container).map_err(|refusal| refusal.to_string())
}

/// A file's name without its folders and its ending, cut to what a name may have.
fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let end = name
        .char_indices()
        .nth(NAME_CHARS_MAX)
        .map_or(name.len(), |(at, _)| at);
    &name[..end]
}

/// The module's bytes, for workers.
#[utoipa::path(get, path = "/programs/{hash}/module", tag = "programs", params(("hash" = ProgramHash, Path)),
    responses((status = 200, content_type = "application/wasm"), (status = 304),
        (status = "default", body = Problem)))]
pub(crate) async fn module(
    State(app): State<Arc<App>>,
    Id(hash): Id<ProgramHash>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    if names(&headers, hash) {
        return Ok(tagged(StatusCode::NOT_MODIFIED, hash, Body::empty()));
    }
    let module = match app.programs.carried_module(hash) {
        Some(module) => module,
        None => {
            app.programs.get(hash).await?.ok_or_else(|| unknown(hash))?;
            let stored = app.blobs.read_all(blob_of(hash), PROGRAM_BYTES_MAX).await?;
            stored.ok_or_else(|| unknown(hash))?
        }
    };
    let mut response = tagged(StatusCode::OK, hash, module.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/wasm"));
    response.headers_mut().insert(header::CACHE_CONTROL, FOR_ALL);
    Ok(response)
}
