//! Items that come while their job runs, and the word that no more come.
use super::App;
use super::caller::Caller;
use super::extract::{Id, whole};
use super::problem::{ApiError, ApiResult, kind};
use super::sight::steered;
use super::{submit, view};
use crate::store::Source;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use protocol::api::{ItemsAdded, Job};
use protocol::description::{Entry, ParamProblem};
use protocol::ids::JobId;
use protocol::job::Encoding;
use protocol::limits;
use protocol::problem::Problem;
use std::sync::Arc;

/// Adds items, one a line, to an open job.
#[utoipa::path(post, path = "/jobs/{id}/items", tag = "jobs", params(("id" = JobId, Path)),
    request_body(content = String, content_type = "application/x-ndjson", description = "One item a line"),
    security(("bearer" = ["submit"])),
    responses((status = 200, body = ItemsAdded), (status = 429, body = Problem, description = "Too many wait"),
        (status = "default", body = Problem)))]
pub(crate) async fn append(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
    body: Body,
) -> ApiResult<Json<ItemsAdded>> {
    let job = steered(&app, &caller, id).await?;
    let Source::Lines(encoding) = job.record.source else {
        return Err(ApiError::new(
            kind::REFUSED,
            "The job's items are computed; only an open job takes more.",
        ));
    };
    let body = whole(body, limits::BODY_BYTES_MAX).await?;
    let program = app.programs.get(job.record.program).await?;
    let entries = program.iter().flat_map(|program| &program.description.entries);
    let entry = entries
        .into_iter()
        .find(|entry| entry.name == job.record.spec.entry);
    let (lines, count) = lines(&body, encoding, entry)?;
    let blob = app.blobs.put(lines).await?;
    Ok(Json(app.engine.append(id, blob, count).await?))
}

/// The lines, each ended by a line feed, and how many there are.
fn lines(body: &[u8], encoding: Encoding, entry: Option<&Entry>) -> ApiResult<(Bytes, u64)> {
    let mut taken = Vec::with_capacity(body.len() + 1);
    let mut count = 0;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if encoding == Encoding::Json && line.trim_ascii().is_empty() {
            continue;
        }
        if let Some(wrong) = line_problem(line, encoding, entry, count) {
            return Err(ApiError::with_fields(kind::ITEMS, vec![wrong]));
        }
        taken.extend_from_slice(line);
        taken.push(b'\n');
        count += 1;
    }
    if count == 0 {
        return Err(ApiError::field(
            kind::EMPTY,
            "body",
            "holds no item: send one a line",
        ));
    }
    Ok((taken.into(), count))
}

fn line_problem(line: &[u8], encoding: Encoding, entry: Option<&Entry>, number: u64) -> Option<ParamProblem> {
    let wrong = |problem| {
        Some(ParamProblem {
            field: format!("line {}", number + 1),
            problem,
        })
    };
    if line.len() > limits::ITEM_BYTES_MAX {
        return wrong(format!(
            "has {} bytes; at most {} are allowed",
            line.len(),
            limits::ITEM_BYTES_MAX
        ));
    }
    if encoding == Encoding::Text {
        return None;
    }
    match serde_json::from_slice(line) {
        Err(error) => wrong(format!("is not JSON ({error})")),
        Ok(value) => entry.and_then(|entry| submit::item_problem(entry, &value, number)),
    }
}

/// Says that no more items come.
#[utoipa::path(post, path = "/jobs/{id}/close", tag = "jobs", params(("id" = JobId, Path)),
    security(("bearer" = ["submit"])),
    responses((status = 200, body = Job), (status = "default", body = Problem)))]
pub(crate) async fn close(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<Job>> {
    steered(&app, &caller, id).await?;
    app.engine.close(id).await?;
    view::job(&app, id).await.map(Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_ended() {
        let (bytes, count) = lines(b"1\n\n2", Encoding::Json, None).unwrap();
        assert_eq!((&bytes[..], count), (&b"1\n2\n"[..], 2));
        let (bytes, count) = lines(b"a\n\nb\n", Encoding::Text, None).unwrap();
        assert_eq!(
            (&bytes[..], count),
            (&b"a\n\nb\n"[..], 3),
            "an empty text is a text"
        );
        let told = format!("{:?}", lines(b"1\n{", Encoding::Json, None).unwrap_err());
        assert!(told.contains("line 2"), "{told}");
        assert!(lines(b"\n", Encoding::Json, None).is_err());
    }
}
