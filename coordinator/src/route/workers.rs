//! Workers, and the overview.
use super::App;
use super::caller::Caller;
use super::extract::Id;
use super::problem::{ApiError, ApiResult, kind};
use crate::engine::EngineError;
use axum::Json;
use axum::extract::State;
use protocol::api::{Explanation, Overview, Scope, WorkerList};
use protocol::ids::WorkerId;
use protocol::problem::Problem;
use std::sync::Arc;

/// The workers this coordinator knows.
#[utoipa::path(get, path = "/workers", tag = "workers", security(("bearer" = ["read"])),
    responses((status = 200, body = WorkerList), (status = "default", body = Problem)))]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller) -> ApiResult<Json<WorkerList>> {
    caller.need(Scope::Read)?;
    Ok(Json(WorkerList {
        workers: app.engine.workers().await?,
    }))
}

/// Why a worker has nothing to do, and what would change it.
#[utoipa::path(get, path = "/workers/{id}/explain", tag = "workers", params(("id" = WorkerId, Path)),
    security(("bearer" = ["read"])),
    responses((status = 200, body = Explanation), (status = "default", body = Problem)))]
pub(crate) async fn explain(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<WorkerId>,
) -> ApiResult<Json<Explanation>> {
    caller.need(Scope::Read)?;
    match app.engine.explain_worker(id).await {
        Ok(explanation) => Ok(Json(explanation)),
        Err(EngineError::NotFound) => {
            let detail = format!("There is no worker {id}; GET /api/v1/workers lists those there are.");
            Err(ApiError::new(kind::NO_WORKER, detail))
        }
        Err(error) => Err(error.into()),
    }
}

/// How everything stands.
#[utoipa::path(get, path = "/overview", tag = "workers", security(("bearer" = ["read"])),
    responses((status = 200, body = Overview), (status = "default", body = Problem)))]
pub(crate) async fn overview(State(app): State<Arc<App>>, caller: Caller) -> ApiResult<Json<Overview>> {
    caller.need(Scope::Read)?;
    let mut overview = app.engine.overview().await?;
    overview.version = env!("CARGO_PKG_VERSION").into();
    overview.durability.clone_from(&app.durability);
    overview.worker_token_required = app.worker_token_required;
    overview.trust_min = app.trust_min;
    Ok(Json(overview))
}
