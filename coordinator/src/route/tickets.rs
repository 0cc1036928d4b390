//! Tickets for pages that want to be workers; see [`crate::ticket`].
use super::App;
use super::caller::Caller;
use super::problem::{ApiError, ApiResult, kind};
use crate::auth::now_ms;
use crate::ticket::{TICKET_MS_MAX, TicketError};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use protocol::api::{Scope, Ticket};
use protocol::problem::Problem;
use std::sync::Arc;

/// Gives the page that asks a ticket: its worker shows it in place of a token, once and within a minute.
#[utoipa::path(post, path = "/tickets", tag = "workers", security((), ("bearer" = ["work"])),
    responses((status = 201, body = Ticket), (status = "default", body = Problem)))]
pub(crate) async fn give(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    let Some(origin) = app.door.page(&headers)? else {
        let detail =
            "Only pages need a ticket. A program sends its token, where one is needed, in its first message.";
        return Err(ApiError::new(kind::ORIGIN, detail));
    };
    if app.worker_token_required {
        caller.need(Scope::Work)?;
    }
    let expires_ms = now_ms() + TICKET_MS_MAX;
    let given = app.door.tickets.give(&origin, caller.bearer().token.as_deref());
    let ticket = given.map_err(|error: TicketError| ApiError::internal(error))?;
    let fresh = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::CREATED, fresh, Json(Ticket { ticket, expires_ms })))
}
