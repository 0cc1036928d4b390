//! `/api/v1`: one file for each thing an address is about. The table of addresses stands in
//! `protocol::api`; the OpenAPI document is made from the same declarations that the router is.
mod blobs;
mod caller;
mod cors;
mod credit;
pub(crate) mod door;
mod events;
mod extract;
mod health;
pub(crate) mod hosts;
mod items;
mod jobs;
mod layer;
mod openapi;
pub(crate) mod problem;
mod programs;
mod results;
mod shards;
mod sight;
mod submit;
mod tickets;
mod tokens;
pub(crate) mod view;
mod work;
mod workers;

use crate::assets;
use crate::auth::Auth;
use crate::blobs::Blobs;
use crate::engine::Engine;
use crate::programs::Programs;
use crate::store::{Reader, StoreError};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use door::Door;
use problem::ApiResult;
use protocol::account::AccountKey;
use protocol::trust::Trust;
use std::sync::Arc;
use tokio::sync::watch;

/// What the handlers share.
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) programs: Arc<Programs>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) worker_token_required: bool,
    /// The least level of a job.
    pub(crate) trust_min: Trust,
    /// What receipts are signed with.
    pub(crate) receipt_key: AccountKey,
    pub(crate) door: Arc<Door>,
    pub(crate) durability: String,
    /// True once the coordinator stops: endless streams end then.
    pub(crate) shutdown: watch::Receiver<bool>,
}

impl App {
    /// Asks the store, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> ApiResult<T> {
        let reader = Arc::clone(&self.reader);
        let answer = tokio::task::spawn_blocking(move || question(&*reader)).await;
        Ok(answer.map_err(problem::ApiError::internal)??)
    }
}

/// Everything the public listener serves.
pub(crate) fn router(app: Arc<App>) -> Router {
    let (api, document) = openapi::api();
    let document = openapi::text(&document);
    let router = Router::new()
        .nest("/api/v1", api)
        .route(
            "/api/v1/openapi.json",
            get(move || openapi::serve(document.clone())),
        )
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .fallback(assets::serve)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&app), door::around))
        .layer(from_fn(layer::around));
    let origins = Arc::clone(&app.door.origins);
    if origins.is_empty() {
        return router.with_state(app);
    }
    router
        .layer(from_fn_with_state(origins, cors::around))
        .with_state(app)
}

/// What the admin listener serves.
pub(crate) fn admin_router(app: Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .layer(from_fn(layer::around))
        .with_state(app)
}
