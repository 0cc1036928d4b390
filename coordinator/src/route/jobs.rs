//! Jobs: list, read, steer.
use super::App;
use super::caller::Caller;
use super::extract::{Id, Query};
use super::problem::{ApiError, ApiResult, kind};
use super::sight::{Sight, seen, steered};
use super::view;
use crate::engine::{EngineError, Steer};
use crate::store::{JobFilter, Reader, StoreError, StoredJob};
use axum::Json;
use axum::extract::State;
use protocol::api::{ErrorGroups, Explanation, Job, JobPage, Reason};
use protocol::ids::JobId;
use protocol::job::JobState;
use protocol::problem::Problem;
use serde::Deserialize;
use std::sync::Arc;

const PAGE_JOBS_DEFAULT: usize = 50;
const PAGE_JOBS_MAX: usize = 500;

/// Which jobs, and from where.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only jobs in this state.
    state: Option<JobState>,
    /// Only jobs with this label, as `name=value`.
    label: Option<String>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// Most jobs (1 to 500, otherwise 50).
    limit: Option<usize>,
}

/// Jobs, newest first. Who may not read everybody's sees their own.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(ListQuery),
    security(("bearer" = ["read"]), ("bearer" = ["submit"])),
    responses((status = 200, body = JobPage), (status = "default", body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<JobPage>> {
    let sight = caller.sight()?;
    let limit = query.limit.unwrap_or(PAGE_JOBS_DEFAULT).clamp(1, PAGE_JOBS_MAX);
    let filter = JobFilter {
        state: query.state,
        label: query.label.as_deref().map(label).transpose()?,
        before: query.cursor.as_deref().map(before).transpose()?,
        // One more than asked for shows whether there is a next page.
        limit: limit + 1,
    };
    let mut stored = app.read(move |reader| page(reader, filter, &sight)).await?;
    let more = stored.len() > limit;
    stored.truncate(limit);
    let next = stored
        .last()
        .filter(|_| more)
        .map(|job| job.record.id.to_string());
    stored.retain(|job| job.record.stage_of.is_none());
    Ok(Json(JobPage {
        jobs: view::jobs(&app, stored).await?,
        next,
    }))
}

/// Jobs of the page that the caller sees. Those of others are passed over, so several pages of the store may be read.
fn page(reader: &dyn Reader, mut filter: JobFilter, sight: &Sight) -> Result<Vec<StoredJob>, StoreError> {
    let wanted = filter.limit;
    if *sight != Sight::All {
        filter.limit = PAGE_JOBS_MAX;
    }
    let mut page = Vec::new();
    loop {
        let read = reader.jobs(&filter)?;
        let is_last = read.len() < filter.limit;
        filter.before = read.last().map(|job| job.record.id);
        page.extend(read.into_iter().filter(|job| sight.sees(&job.record)));
        if is_last || page.len() >= wanted {
            page.truncate(wanted);
            return Ok(page);
        }
    }
}

fn label(text: &str) -> ApiResult<(String, String)> {
    let parts = text
        .split_once('=')
        .map(|(name, value)| (name.into(), value.into()));
    parts.ok_or_else(|| ApiError::field(kind::QUERY, "label", "must be written name=value"))
}

fn before(cursor: &str) -> ApiResult<JobId> {
    let wrong = |_| ApiError::field(kind::QUERY, "cursor", "must be the `next` of a page of jobs");
    cursor.parse().map_err(wrong)
}

/// One job.
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs", params(("id" = JobId, Path)),
    security(("bearer" = ["read"]), ("bearer" = ["submit"])),
    responses((status = 200, body = Job), (status = "default", body = Problem)))]
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<Job>> {
    seen(&app, &caller, id).await?;
    view::job(&app, id).await.map(Json)
}

/// Stops a job for good.
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "jobs", params(("id" = JobId, Path)),
    security(("bearer" = ["submit"])),
    responses((status = 200, body = Job), (status = "default", body = Problem)))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<Job>> {
    let reason = Some(format!("cancelled by {}", caller.bearer().name));
    steer(&app, &caller, id, Steer::Cancel { reason }).await
}

/// Hands out nothing more until the job is resumed.
#[utoipa::path(post, path = "/jobs/{id}/pause", tag = "jobs", params(("id" = JobId, Path)),
    security(("bearer" = ["submit"])),
    responses((status = 200, body = Job), (status = "default", body = Problem)))]
pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<Job>> {
    steer(&app, &caller, id, Steer::Pause).await
}

/// Hands out shards again.
#[utoipa::path(post, path = "/jobs/{id}/resume", tag = "jobs", params(("id" = JobId, Path)),
    security(("bearer" = ["submit"])),
    responses((status = 200, body = Job), (status = "default", body = Problem)))]
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<Job>> {
    steer(&app, &caller, id, Steer::Resume).await
}

/// Gives shards that failed for good another round of attempts.
#[utoipa::path(post, path = "/jobs/{id}/retry", tag = "jobs", params(("id" = JobId, Path)),
    security(("bearer" = ["submit"])),
    responses((status = 200, body = Job), (status = "default", body = Problem)))]
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<Job>> {
    steer(&app, &caller, id, Steer::RetryFailed).await
}

async fn steer(app: &App, caller: &Caller, id: JobId, steer: Steer) -> ApiResult<Json<Job>> {
    let job = steered(app, caller, id).await?;
    if steer == Steer::RetryFailed && job.record.spec.reduce.is_some() {
        let advice = "a job that reduces cannot be retried in part: submit it again";
        return Err(ApiError::new(kind::REFUSED, advice));
    }
    app.engine.steer(id, steer).await?;
    view::job(app, id).await.map(Json)
}

/// Failed attempts by cause.
#[utoipa::path(get, path = "/jobs/{id}/errors", tag = "jobs", params(("id" = JobId, Path)),
    security(("bearer" = ["read"]), ("bearer" = ["submit"])),
    responses((status = 200, body = ErrorGroups), (status = "default", body = Problem)))]
pub(crate) async fn errors(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<ErrorGroups>> {
    seen(&app, &caller, id).await?;
    let groups = app.read(move |reader| reader.errors(id)).await?;
    Ok(Json(ErrorGroups { groups }))
}

/// Why a job does not move, and what would change it.
#[utoipa::path(get, path = "/jobs/{id}/explain", tag = "jobs", params(("id" = JobId, Path)),
    security(("bearer" = ["read"]), ("bearer" = ["submit"])),
    responses((status = 200, body = Explanation), (status = "default", body = Problem)))]
pub(crate) async fn explain(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<Explanation>> {
    let stored = seen(&app, &caller, id).await?;
    match app.engine.explain_job(id).await {
        Err(EngineError::NotFound) => Ok(Json(explain_stored(&stored))),
        told => Ok(Json(told?)),
    }
}

/// Of a job that the engine does not have in memory: it is over, or other coordinators run it.
fn explain_stored(job: &StoredJob) -> Explanation {
    let state = job.state;
    let text = match &job.reason {
        Some(why) => format!("The job is {state}: {why}."),
        None if state.is_over() => format!("The job is {state}."),
        None => format!("The job is {state}, and no worker of this coordinator has a part in it."),
    };
    let remedy = match state {
        JobState::Failed => format!(
            "POST /api/v1/jobs/{}/retry tries its failed shards again.",
            job.record.id
        ),
        _ => String::new(),
    };
    let code = state.word().to_owned();
    Explanation {
        reasons: vec![Reason { code, text, remedy }],
    }
}
