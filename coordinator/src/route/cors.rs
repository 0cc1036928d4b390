//! Pages of other origins: which may use the API, and what a browser is told of it.
//!
//! Nobody is known by a cookie here, so what an origin gains is only that its scripts may read answers; what they may
//! do is still a matter of their token. Sockets of workers are not concerned: browsers do not ask for them.
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");
const HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, last-event-id, range");
/// What scripts of another origin may read beside the few headers that all may.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("content-range, etag, location, retry-after, x-request-id");
/// How long a browser may remember the answer.
const REMEMBERED_S: HeaderValue = HeaderValue::from_static("600");

/// The layer itself; `origins` are those that may.
pub(crate) async fn around(State(origins): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let asked = request.headers().get(ORIGIN).cloned();
    let allowed = asked.filter(|asked| origins.iter().any(|origin| asked.as_bytes() == origin.as_bytes()));
    let mut response = match &allowed {
        Some(_) if is_question(&request) => told(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_name(ORIGIN));
    if let Some(origin) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

/// A browser asks before it sends what it would not send for a form.
fn is_question(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn told() -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED_S);
    (StatusCode::NO_CONTENT, headers).into_response()
}
