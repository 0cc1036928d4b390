//! What happens round every request: an id, a count, a line in the log, problems in one shape, and the headers that
//! keep an answer from being taken for something else.
use super::problem::{self, ApiError};
use crate::metrics;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Of answers that are no page: whoever opens one in a browser, or puts it into a page, gets nothing that runs.
const API_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; sandbox; base-uri 'none'; frame-ancestors 'none'");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Longest request id that is taken over from a caller.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// The layer itself.
pub(crate) async fn around(request: Request, next: Next) -> Response {
    let id = id_of(&request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("static", MatchedPath::as_str);
    let since = Instant::now();
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|panic| panicked(&*panic).into_response());
    if let Some(cause) = response.extensions().get::<ApiError>().and_then(ApiError::cause) {
        tracing::error!(request = id, cause, "a request failed");
    }
    if wants_problem(&response) {
        response = problem::write_body(response, &id);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    wall(response.headers_mut());
    tell(&id, &method, route, response.status(), since.elapsed());
    response
}

/// A handler that panics costs its own request, and the caller is told as of any other failure.
fn panicked(panic: &(dyn Any + Send)) -> ApiError {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ApiError::internal(format!(
        "a handler panicked: {}",
        words.unwrap_or("it did not say why")
    ))
}

/// Other sites cannot embed what is answered, nobody guesses its type, and no address of ours is told to others.
fn wall(headers: &mut HeaderMap) {
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(API_POLICY);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
}

/// Ours, or an error that the framework wrote as text.
fn wants_problem(response: &Response) -> bool {
    let made_here = response.extensions().get::<ApiError>().is_some();
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let typed = response.headers().get(header::CONTENT_TYPE);
    let is_text = typed.is_none_or(|t| t.as_bytes().starts_with(b"text/plain"));
    made_here || (is_error && is_text)
}

fn id_of(request: &Request) -> String {
    let given = request.headers().get(&REQUEST_ID).and_then(|v| v.to_str().ok());
    let fits = |id: &&str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !id.is_empty() && id.len() <= REQUEST_ID_CHARS_MAX && id.bytes().all(plain)
    };
    match given.filter(fits) {
        Some(id) => id.to_owned(),
        None => format!("{:016x}", getrandom::u64().unwrap_or_default()),
    }
}

fn tell(request: &str, method: &Method, route: &str, status: StatusCode, took: Duration) {
    let status = status.as_u16();
    metrics::request(route, method, status, took);
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match status {
        500.. => tracing::warn!(request, %method, route, status, ms, "request"),
        400.. => tracing::info!(request, %method, route, status, ms, "request"),
        _ => tracing::debug!(request, %method, route, status, ms, "request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::{Options, serve};
    use crate::net::Networks;
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use promise::{amount, kept};
    use tokio::net::TcpListener;
    use tokio::sync::watch;

    async fn panics() -> &'static str {
        panic!("at /secret/place.rs:7")
    }

    /// The same handlers behind the layer, and, as the twin, without it.
    fn router(walled: bool) -> Router {
        let router = Router::new()
            .route("/panics", get(panics))
            .route("/fine", get(|| async { "fine" }));
        if walled {
            router.layer(from_fn(around))
        } else {
            router
        }
    }

    #[tokio::test]
    async fn panic_isolated() {
        let options = Options {
            connections_max: 100,
            connections_per_address_max: 100,
            exempt: Networks::default(),
            head_time_max: Duration::from_secs(5),
            drain_time_max: Duration::ZERO,
            tls: None,
        };
        let (_stop, stopping) = watch::channel(false);
        let mut addresses = Vec::new();
        for walled in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            tokio::spawn(serve(listener, router(walled), options.clone(), stopping.clone()));
        }
        let http = tls::plain_http().unwrap().build().unwrap();
        let ask = |at: std::net::SocketAddr, path: &str| http.get(format!("http://{at}{path}")).send();
        let count = amount(50, 10_000);
        for _ in 0..count {
            let response = ask(addresses[0], "/panics").await.unwrap();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let id = response.headers()[REQUEST_ID].to_str().unwrap().to_owned();
            let body = response.text().await.unwrap();
            assert!(body.contains(&id) && !body.contains("secret"), "{body}");
        }
        assert!(ask(addresses[0], "/fine").await.unwrap().status().is_success());
        assert!(
            ask(addresses[1], "/panics").await.is_err(),
            "without the layer the connection is gone"
        );
        let others = ask(addresses[1], "/fine").await.unwrap();
        assert!(others.status().is_success(), "and still no other one");
        kept(
            "panic_isolated",
            &format!("{count} panics in handlers: {count} answers with an id, everybody else served"),
        );
    }
}
