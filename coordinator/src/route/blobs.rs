//! Blobs: bytes in under their hash, bytes out by hash.
//!
//! A hash is no right: it may be known, or computed from a guess. With `read` one reads every blob, with `submit` what
//! one uploaded; a worker reads what it was leased, under a name that only the coordinators can make of a hash
//! ([`crate::secret`]). Everything else is not there.
use super::App;
use super::caller::Caller;
use super::extract::{Id, next_piece, too_long};
use super::problem::{ApiError, ApiResult, kind};
use axum::Json;
use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::api::{Blob, Scope};
use protocol::ids::BlobHash;
use protocol::limits::{BLOB_BYTES_MAX, OUTPUT_BYTES_MAX};
use protocol::problem::Problem;
use std::sync::Arc;

/// What is read of a refused upload before its connection is given up.
const DRAINED_BYTES_MAX: usize = 64 << 20;
/// What never changes may be kept by whoever asked. Caches that others read too are told to keep nothing that needed a
/// token.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// Uploads bytes; the answer names them by their SHA-256.
#[utoipa::path(post, path = "/blobs", tag = "blobs", security((), ("bearer" = ["submit"]), ("bearer" = ["work"])),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 201, body = Blob), (status = "default", body = Problem)))]
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Body,
) -> ApiResult<(StatusCode, Json<Blob>)> {
    let bytes_max = allowance(&app, &caller)?;
    if body.size_hint().lower() > bytes_max {
        return Err(too_long(bytes_max));
    }
    let mut pieces = body.into_data_stream();
    let taken = take(&app, &mut pieces, bytes_max).await;
    if taken.is_err() {
        drain(&mut pieces).await;
    }
    let blob = taken?;
    if caller.bearer().allows(Scope::Submit) {
        app.blobs.note_upload(&caller.bearer().name, blob.hash).await?;
    }
    Ok((StatusCode::CREATED, Json(blob)))
}

async fn take(app: &App, pieces: &mut BodyDataStream, bytes_max: u64) -> ApiResult<Blob> {
    let mut writer = app.blobs.writer().await?;
    let mut length = 0;
    while let Some(piece) = next_piece(pieces).await? {
        length += piece.len() as u64;
        if length > bytes_max {
            return Err(too_long(bytes_max));
        }
        writer.write(&piece).await?;
    }
    let hash = writer.finish().await?;
    Ok(Blob { hash, length })
}

/// Reads on for a while without keeping anything: a peer that is cut off while it still writes never sees why
/// (RFC 9112, section 9.6).
async fn drain(pieces: &mut BodyDataStream) {
    let mut left = DRAINED_BYTES_MAX;
    while let Ok(Some(piece)) = next_piece(pieces).await {
        match left.checked_sub(piece.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// How much the caller may upload: a worker no more than an output, a submitter any input.
fn allowance(app: &App, caller: &Caller) -> ApiResult<u64> {
    if caller.bearer().allows(Scope::Submit) {
        return Ok(BLOB_BYTES_MAX);
    }
    if app.worker_token_required {
        caller.need_any(&[Scope::Submit, Scope::Work])?;
    }
    Ok(OUTPUT_BYTES_MAX as u64)
}

/// A blob's bytes, or a range of them.
#[utoipa::path(get, path = "/blobs/{hash}", tag = "blobs",
    security((), ("bearer" = ["read"]), ("bearer" = ["submit"])), params(("hash" = BlobHash, Path),
        ("Range" = Option<String>, Header, description = "One range of bytes")),
    responses((status = 200, content_type = "application/octet-stream"),
        (status = 206, content_type = "application/octet-stream"), (status = 304),
        (status = "default", body = Problem)))]
pub(crate) async fn download(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(name): Id<BlobHash>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (hash, length) = found(&app, &caller, name).await?;
    if names(&headers, name) {
        return Ok(tagged(StatusCode::NOT_MODIFIED, name, Body::empty()));
    }
    let part = async |status, first, end| part(&app, status, (name, hash), first, end).await;
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    match range.map_or(Wanted::All, |range| wanted(range, length)) {
        Wanted::All => part(StatusCode::OK, 0, length).await,
        Wanted::Part { first, end } => {
            let mut response = part(StatusCode::PARTIAL_CONTENT, first, end).await?;
            set_range(&mut response, format!("bytes {first}-{}/{length}", end - 1));
            Ok(response)
        }
        Wanted::Nothing => {
            let detail = format!("The blob has {length} bytes.");
            let mut response = ApiError::new(kind::RANGE, detail).into_response();
            set_range(&mut response, format!("bytes */{length}"));
            Ok(response)
        }
    }
}

/// The blob that the caller may read under this name, and its length.
async fn found(app: &App, caller: &Caller, name: BlobHash) -> ApiResult<(BlobHash, u64)> {
    let bearer = caller.bearer();
    let may_read = bearer.allows(Scope::Read)
        || (bearer.allows(Scope::Submit) && app.blobs.is_upload_of(&bearer.name, name).await?);
    if may_read && let Some(length) = app.blobs.length(name).await? {
        return Ok((name, length));
    }
    let leased = app.door.secret.unseal(name);
    let length = app.blobs.length(leased).await?.ok_or_else(|| unknown(name))?;
    Ok((leased, length))
}

fn unknown(hash: BlobHash) -> ApiError {
    let detail = format!("There is no blob {hash} that you may read: upload it with POST /api/v1/blobs.");
    ApiError::new(kind::NO_BLOB, detail)
}

/// The bytes `[first, end)`.
async fn part(
    app: &App,
    status: StatusCode,
    (name, hash): (BlobHash, BlobHash),
    first: u64,
    end: u64,
) -> ApiResult<Response> {
    let pieces = app
        .blobs
        .stream(hash, first, end - first)
        .await?
        .ok_or_else(|| unknown(name))?;
    let mut response = tagged(status, name, Body::from_stream(pieces));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(end - first));
    Ok(response)
}

/// An answer whose bytes can never be others.
pub(super) fn tagged(status: StatusCode, hash: impl std::fmt::Display, body: Body) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, IMMUTABLE);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{hash}\"")) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Whether the caller has it already.
pub(super) fn names(headers: &HeaderMap, hash: impl std::fmt::Display) -> bool {
    let tag = format!("\"{hash}\"");
    headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value.as_bytes() == tag.as_bytes())
}

fn set_range(response: &mut Response, range: String) {
    if let Ok(value) = HeaderValue::from_str(&range) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part { first: u64, end: u64 },
    Nothing,
}

/// One range of RFC 9110, section 14.1.2; several ranges, and what is not understood, mean everything.
fn wanted(range: &str, length: u64) -> Wanted {
    let Some(Some((first, last))) = range.strip_prefix("bytes=").map(|range| range.split_once('-')) else {
        return Wanted::All;
    };
    let (first, end) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(length)),
        (Ok(first), Err(_)) if last.trim().is_empty() => (first, length),
        (Err(_), Ok(count)) if first.trim().is_empty() => (length.saturating_sub(count), length),
        _ => return Wanted::All,
    };
    if first < end {
        Wanted::Part { first, end }
    } else {
        Wanted::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        let part = |first, end| Wanted::Part { first, end };
        for (range, told) in [
            ("bytes=0-4", part(0, 5)),
            ("bytes=5-", part(5, 10)),
            ("bytes=-3", part(7, 10)),
            ("bytes=-30", part(0, 10)),
            ("bytes=2-99", part(2, 10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=4-2", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("lines=0-1", Wanted::All),
        ] {
            assert_eq!(wanted(range, 10), told, "{range}");
        }
    }
}
