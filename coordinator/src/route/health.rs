//! Whether the coordinator lives and can work, and its metrics.
use super::App;
use super::problem::{ApiError, ApiResult, kind};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::sync::Arc;
use std::time::Duration;

/// How long the engine may take to answer before it does not count as ready.
const READY_TIME_MAX: Duration = Duration::from_secs(2);
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The process answers.
pub(crate) async fn livez() -> &'static str {
    "alive\n"
}

/// The engine answers and the store takes what it is given.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> ApiResult<&'static str> {
    if *app.shutdown.borrow() {
        return Err(ApiError::new(
            kind::GOING,
            "It finishes what runs and takes nothing new.",
        ));
    }
    let overview = tokio::time::timeout(READY_TIME_MAX, app.engine.overview()).await;
    let overview = overview.map_err(|_| ApiError::new(kind::GOING, "The engine does not answer."))??;
    match overview.store_problem {
        Some(why) => {
            let detail = "The store takes nothing: it is full, away or damaged. The overview says which.";
            Err(ApiError::hiding(kind::STORE, why, detail))
        }
        None => Ok("ready\n"),
    }
}

/// Every metric, as text for Prometheus.
pub(crate) async fn metrics() -> impl IntoResponse {
    (
        [(CONTENT_TYPE, PROMETHEUS_TEXT)],
        crate::metrics::handle().render(),
    )
}
