//! The door for workers: an upgrade to a WebSocket, and from there on the session's own.
use super::App;
use super::problem::{ApiError, ApiResult, kind};
use crate::session::{self, WorkerAccess};
use axum::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderValue;
use axum::response::Response;
use protocol::limits::FRAME_BYTES_MAX;
use protocol::problem::Problem;
use protocol::trust::NetworkPrefix;
use protocol::{PREPARE_HEADER, WIRE_SUBPROTOCOL};
use std::net::SocketAddr;
use std::sync::Arc;

/// Zero-filled before every read, so larger is slower.
const READ_BUFFER_BYTES: usize = 4 << 10;
/// Frames are gathered up to here before they are written.
const WRITE_BUFFER_BYTES: usize = 8 << 10;
/// Bytes that may wait for a slow reader before it is closed: one frame, and some messages.
const WRITE_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX + WRITE_BUFFER_BYTES;

/// Becomes a WebSocket that speaks the worker protocol; the token, where one is needed, comes with
/// the first message.
#[utoipa::path(get, path = "/work", tag = "workers",
    responses((status = 101, description = "The worker protocol, binary, subprotocol `elytra.v1`"),
        (status = "default", body = Problem)))]
pub(crate) async fn work(
    State(app): State<Arc<App>>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    let upgrade = upgrade.map_err(|error| {
        let detail = format!(
            "{}. Connect with the subprotocol {WIRE_SUBPROTOCOL}.",
            error.body_text()
        );
        ApiError::new(kind::UPGRADE, detail)
    })?;
    let who = WorkerAccess {
        token_required: app.worker_token_required,
        // Peers whose address is not known count as neighbours of each other.
        network: peer.map_or(NetworkPrefix(0), |peer| NetworkPrefix::of(peer.0.0.ip())),
        auth: app.auth.clone(),
        blobs: app.blobs.clone(),
        programs: app.programs.clone(),
    };
    let engine = app.engine.clone();
    let mut response = upgrade
        .protocols([WIRE_SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        // Boxed, so that the waiting for the upgrade does not keep room for a whole session.
        .on_upgrade(move |socket| Box::pin(session::serve(socket, engine, who)));
    // Every script runs in it, and a worker that never ran one would compile it while somebody waits.
    let ahead = app.programs.script_engine().map(|engine| engine.to_string());
    if let Some(Ok(ahead)) = ahead.map(HeaderValue::try_from) {
        response.headers_mut().insert(PREPARE_HEADER, ahead);
    }
    Ok(response)
}
