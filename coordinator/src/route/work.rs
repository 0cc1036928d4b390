//! The door for workers: an upgrade to a WebSocket, and from there on the session's own.
use super::App;
use super::door::Client;
use super::problem::{ApiError, ApiResult, kind};
use crate::accept::Gate;
use crate::session::{self, WorkerAccess};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use protocol::limits::FRAME_BYTES_MAX;
use protocol::problem::Problem;
use protocol::trust::NetworkPrefix;
use protocol::{PREPARE_HEADER, WIRE_SUBPROTOCOL};
use std::sync::Arc;

/// Zero-filled before every read, so larger is slower.
const READ_BUFFER_BYTES: usize = 4 << 10;
/// Frames are gathered up to here before they are written.
const WRITE_BUFFER_BYTES: usize = 8 << 10;
/// Bytes that may wait for a slow reader: the longest frame, what was gathered before it, and answers to pings.
const WRITE_BYTES_MAX: usize = FRAME_BYTES_MAX + WRITE_BUFFER_BYTES + (32 << 10);

/// Becomes a WebSocket that speaks the worker protocol. The token, where one is needed, comes with the first message;
/// a page sends a ticket (`POST /tickets`) in its place, and only pages of this server and of the origins that its
/// operator lists are let in.
#[utoipa::path(get, path = "/work", tag = "workers",
    responses((status = 101, description = "The worker protocol, binary, subprotocol `elytra.v1`"),
        (status = "default", body = Problem)))]
pub(crate) async fn work(
    State(app): State<Arc<App>>,
    client: Option<Extension<Client>>,
    gate: Option<Extension<Arc<Gate>>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    let upgrade = upgrade.map_err(|error| {
        let detail = format!(
            "{}. Connect with the subprotocol {WIRE_SUBPROTOCOL}.",
            error.body_text()
        );
        ApiError::new(kind::UPGRADE, detail)
    })?;
    let page = app.door.page(&headers)?;
    let address = client.map(|Extension(Client(address))| address);
    let greeting = match address {
        Some(address) => Some(app.door.handshakes.take(address).ok_or_else(too_many_greetings)?),
        None => None,
    };
    let who = WorkerAccess {
        page,
        gate: gate.map(|Extension(gate)| gate).unwrap_or_default(),
        door: Arc::clone(&app.door),
        token_required: app.worker_token_required,
        host: host(&headers),
        // Peers whose address is not known count as neighbours of each other.
        network: address.map_or(NetworkPrefix(0), NetworkPrefix::of),
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
        .on_upgrade(move |socket| Box::pin(session::serve(socket, engine, who, greeting)));
    // Every script runs in it, and a worker that never ran one would compile it while somebody waits.
    let ahead = app.programs.script_engine().map(|engine| engine.to_string());
    if let Some(Ok(ahead)) = ahead.map(HeaderValue::try_from) {
        response.headers_mut().insert(PREPARE_HEADER, ahead);
    }
    Ok(response)
}

fn too_many_greetings() -> ApiError {
    let detail =
        "Too many workers of this address have not said who they are yet. Connect again in a moment.";
    ApiError::new(kind::TOO_MANY, detail)
}

/// As which the peer asked for this server; it ends up in what a contributor's key signs.
fn host(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.unwrap_or_default().to_owned()
}
