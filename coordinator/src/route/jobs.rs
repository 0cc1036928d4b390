//! Jobs: list, read, steer.
use super::App;
use super::caller::Caller;
use super::extract::{Id, Query};
use super::problem::{ApiError, ApiResult, kind};
use super::view;
use crate::engine::{EngineError, Steer};
use crate::store::{JobFilter, StoredJob};
use axum::Json;
use axum::extract::State;
use protocol::api::{ErrorGroups, Explanation, Job, JobPage, Reason, Scope};
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

/// Jobs, newest first.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(ListQuery), security(("bearer" = ["read"])),
    responses((status = 200, body = JobPage), (status = "default", body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<JobPage>> {
    caller.need(Scope::Read)?;
    let limit = query.limit.unwrap_or(PAGE_JOBS_DEFAULT).clamp(1, PAGE_JOBS_MAX);
    let filter = JobFilter {
        state: query.state,
        label: query.label.as_deref().map(label).transpose()?,
        before: query.cursor.as_deref().map(before).transpose()?,
        // One more than asked for shows whether there is a next page.
        limit: limit + 1,
    };
    let mut stored = app.read(move |reader| reader.jobs(&filter)).await?;
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
    security(("bearer" = ["read"])),
    responses((status = 200, body = Job), (status = "default", body = Problem)))]
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<Job>> {
    caller.need(Scope::Read)?;
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
    let by = caller.need(Scope::Submit)?;
    let reason = Some(format!("cancelled by {}", by.name));
    steer(&app, id, Steer::Cancel { reason }).await
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
    caller.need(Scope::Submit)?;
    steer(&app, id, Steer::Pause).await
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
    caller.need(Scope::Submit)?;
    steer(&app, id, Steer::Resume).await
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
    caller.need(Scope::Submit)?;
    steer(&app, id, Steer::RetryFailed).await
}

async fn steer(app: &App, id: JobId, steer: Steer) -> ApiResult<Json<Job>> {
    if steer == Steer::RetryFailed && view::job(app, id).await?.spec.reduce.is_some() {
        let advice = "a job that reduces cannot be retried in part: submit it again";
        return Err(ApiError::new(kind::REFUSED, advice));
    }
    app.engine.steer(id, steer).await?;
    view::job(app, id).await.map(Json)
}

/// Failed attempts by cause.
#[utoipa::path(get, path = "/jobs/{id}/errors", tag = "jobs", params(("id" = JobId, Path)),
    security(("bearer" = ["read"])),
    responses((status = 200, body = ErrorGroups), (status = "default", body = Problem)))]
pub(crate) async fn errors(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<ErrorGroups>> {
    caller.need(Scope::Read)?;
    let found = app
        .read(move |reader| Ok((reader.job(id)?.is_some(), reader.errors(id)?)))
        .await?;
    match found {
        (true, groups) => Ok(Json(ErrorGroups { groups })),
        (false, _) => Err(view::unknown(id)),
    }
}

/// Why a job does not move, and what would change it.
#[utoipa::path(get, path = "/jobs/{id}/explain", tag = "jobs", params(("id" = JobId, Path)),
    security(("bearer" = ["read"])),
    responses((status = 200, body = Explanation), (status = "default", body = Problem)))]
pub(crate) async fn explain(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> ApiResult<Json<Explanation>> {
    caller.need(Scope::Read)?;
    let stored = app.read(move |reader| reader.job(id)).await?;
    let stored = stored.ok_or_else(|| view::unknown(id))?;
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
