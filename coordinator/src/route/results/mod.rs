//! A job's results as a stream of lines: in order, or as they are accepted.
//!
//! One task reads the store piece by piece and fills the body; a reader that is slow makes it wait,
//! so memory stays bounded whatever the length of the stream. Every page ends with a cursor line.
mod cursor;
mod lines;
mod pages;

use super::App;
use super::caller::Caller;
use super::extract::{Id, Query};
use super::problem::{ApiError, ApiResult, kind};
use super::sight::seen;
use crate::holds::{self, Hold};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use cursor::Cursor;
use futures_util::{StreamExt as _, stream};
use lines::Lines;
use pages::Pages;
use protocol::api::ResultLine;
use protocol::description::OutputKind;
use protocol::ids::JobId;
use protocol::limits;
use protocol::problem::Problem;
use serde::Deserialize;
use std::io;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Pieces of a body that wait for a slow reader.
const PIECES_WAITING_MAX: usize = 2;

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// As the items.
    #[default]
    Index,
    /// As the shards were accepted.
    Completed,
}

/// Which results.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResultsQuery {
    /// In the order of the items (otherwise), or as they are accepted.
    order: Option<Order>,
    /// From a cursor line of an earlier stream of the same order.
    cursor: Option<String>,
    /// Most items; without it a page is 10,000, and a stream that follows has no end but the job's.
    limit: Option<u32>,
    /// Whether to wait for what is not there yet, until the job is over.
    follow: Option<bool>,
}

/// Results, one JSON object a line. The last line says where to go on.
#[utoipa::path(get, path = "/jobs/{id}/results", tag = "jobs",
    params(("id" = JobId, Path), ResultsQuery), security(("bearer" = ["read"]), ("bearer" = ["submit"])),
    responses((status = 200, body = ResultLine, content_type = "application/x-ndjson"),
        (status = "default", body = Problem)))]
pub(crate) async fn results(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
    Query(query): Query<ResultsQuery>,
) -> ApiResult<impl IntoResponse> {
    let job = seen(&app, &caller, id).await?;
    let order = query.order.unwrap_or_default();
    let cursor = match &query.cursor {
        Some(text) => Cursor::read(text, order).ok_or_else(foreign_cursor)?,
        None => Cursor::start(order),
    };
    let follow = query.follow.unwrap_or_default();
    let limit = query.limit.map(|limit| limit.clamp(1, limits::RESULTS_PAGE_MAX));
    let limit = limit
        .or((!follow).then_some(limits::RESULTS_PAGE_MAX))
        .map(u64::from);
    let program = app.programs.get(job.record.program).await?;
    let entries = program.iter().flat_map(|program| &program.description.entries);
    let entry = entries
        .into_iter()
        .find(|entry| entry.name == job.record.spec.entry);
    let kind = entry.map_or(OutputKind::Json, |entry| entry.output);
    let hold = app.auth.hold(caller.bearer());
    let (sink, pieces) = mpsc::channel(PIECES_WAITING_MAX);
    let pages = Pages::new(app, id, cursor, follow, Lines::new(sink, kind, limit));
    tokio::spawn(pages.run());
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(in_turn(pieces, hold))))
}

fn foreign_cursor() -> ApiError {
    let advice = "use the `cursor` of a cursor line from a stream of the same job and order";
    ApiError::field(kind::CURSOR, "cursor", advice)
}

/// The pieces, until the token of who reads them is worth nothing any more; then the body is cut off, so that nobody
/// takes it for whole.
fn in_turn(
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    hold: Option<Hold>,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    let pieces = stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((piece, pieces))
    });
    let (over, is_over) = oneshot::channel();
    let revoked = async move {
        holds::over(hold).await;
        // The end is told behind the last piece.
        let _ = over.send(());
    };
    let cut_off = stream::once(is_over).filter_map(|told| {
        let error = io::Error::other("the token is worth nothing any more");
        std::future::ready(told.ok().map(|()| Err(error)))
    });
    pieces.take_until(Box::pin(revoked)).chain(cut_off)
}
