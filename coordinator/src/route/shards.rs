//! A single shard, as a worker gets it: for who wants to run one that failed again, elsewhere.
use super::App;
use super::caller::Caller;
use super::problem::{ApiError, ApiResult, kind};
use super::sight::seen;
use super::view;
use crate::engine::JobInfo;
use crate::launch::launch;
use crate::session::items_of;
use crate::store::{StoreError, StoredJob};
use axum::Json;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use protocol::api::Shard;
use protocol::cut::{Piece, ShardRun};
use protocol::ids::{JobId, ShardIndex};
use protocol::problem::Problem;
use protocol::wire::{JobHandle, LeaseInput};
use std::sync::Arc;

/// A shard: what is executed for it, and the bytes that its program reads.
#[utoipa::path(get, path = "/jobs/{id}/shards/{shard}", tag = "jobs",
    params(("id" = JobId, Path), ("shard" = u32, Path)),
    security(("bearer" = ["read"]), ("bearer" = ["submit"])),
    responses((status = 200, body = Shard), (status = "default", body = Problem)))]
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((job, shard)): Path<(String, String)>,
) -> ApiResult<Json<Shard>> {
    let id: JobId = job.parse().map_err(|_| not_named(&job, &shard))?;
    let shard: ShardIndex = shard.parse().map_err(|_| not_named(&job, &shard))?;
    seen(&app, &caller, id).await?;
    let (stored, info) = app
        .read(move |reader| info(reader, id))
        .await?
        .ok_or_else(|| view::unknown(id))?;
    let piece = stored.cut.piece(ShardRun {
        first: shard,
        count: 1,
    });
    let piece = piece.ok_or_else(|| no_shard(&stored, shard))?;
    let launch = launch(&app.programs, &app.blobs, &info)
        .await
        .map_err(|error| ApiError::hiding(kind::REFUSED, error, "The job cannot be started."))?;
    let bytes = bytes(&app, &info, &piece).await?;
    let input = worker::shard_input(info.record.source.into(), &piece, bytes, &launch.params);
    Ok(Json(Shard {
        job: id,
        shard,
        first_item: piece.first_item,
        end_item: piece.end_item,
        program: launch.program,
        entry: launch.entry,
        limits: info.record.spec.limits,
        input: STANDARD.encode(input.map_err(ApiError::internal)?),
    }))
}

fn info(reader: &dyn crate::store::Reader, id: JobId) -> Result<Option<(StoredJob, JobInfo)>, StoreError> {
    let Some(job) = reader.job(id)? else {
        return Ok(None);
    };
    let chunks = reader.chunks(id, 0)?;
    // The handle names it in sessions; here there is none.
    let info = JobInfo::new(JobHandle(0), job.record.clone(), chunks);
    Ok(Some((job, info)))
}

async fn bytes(app: &App, info: &JobInfo, piece: &Piece) -> ApiResult<Bytes> {
    match items_of(&app.blobs, info, piece).await? {
        LeaseInput::Computed => Ok(Bytes::new()),
        LeaseInput::Inline(bytes) => Ok(bytes),
        LeaseInput::Blob { blob, offset, length } => Ok(app.blobs.read_at(blob, offset, length).await?),
    }
}

fn not_named(job: &str, shard: &str) -> ApiError {
    let detail = format!("'{job}/{shard}' does not name a shard: a job's id and a number do.");
    ApiError::new(kind::NO_SHARD, detail)
}

fn no_shard(job: &StoredJob, shard: ShardIndex) -> ApiError {
    let detail = match job.cut.next_shard {
        0 => format!("{} has no shards yet.", job.record.id),
        count => format!("{} has shards 0 to {}, and no {shard}.", job.record.id, count - 1),
    };
    ApiError::new(kind::NO_SHARD, detail)
}
