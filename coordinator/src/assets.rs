//! The pages: what the web build left in `dist/web`, carried inside the binary.
//!
//! A page may run nothing but its own scripts and WebAssembly. What lies under `frame/` is the
//! sandbox that tenants' programs run in; its own policy allows blob workers and WebAssembly only.
use crate::route::problem::{ApiError, kind};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};
use std::borrow::Cow;

#[derive(Embed)]
#[folder = "../dist/web"]
#[allow_missing = true]
struct Web;

const INDEX: &str = "index.html";
const FRAME: &str = "frame/";
/// Beside a file lies the same with gzip, where that is smaller (see `xtask`); it is no page of its own.
const PACKED: &str = ".gz";
/// The standard kernels, as built by `cargo xtask build-web`.
const RUST_CORE: &str = "kernels/rust_core.wasm";
/// Addresses that the dashboard makes a page of.
const PAGES: [&str; 8] = [
    "",
    "contribute",
    "overview",
    "jobs",
    "programs",
    "workers",
    "submit",
    "settings",
];
const MISSING: &str =
    "The pages are not in this binary. Run `npm start`, or `cargo xtask build-web` and build again.";

const APP_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; \
    worker-src 'self'; frame-src 'self'; object-src 'none'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";
/// Two policies, and what both allow is allowed. The first lets no script come from an address, for a hash alone
/// would: any address, with that hash as its `integrity`. The second lets no script run but the frame's own. A
/// slot's blob worker inherits both. Browsers do not heed `webrtc` yet, so the frame removes it by itself.
const FRAME_POLICY: &str = "sandbox allow-scripts; default-src 'none'; \
    script-src 'unsafe-inline' 'wasm-unsafe-eval'; worker-src blob:; base-uri 'none'; \
    form-action 'none'; webrtc 'block'; frame-ancestors 'self', \
    script-src 'sha256-HtV+g7TpYiMXi8+ZheKvYFUMnhdHA/TbJSbRfgMWKgo=' 'wasm-unsafe-eval'; worker-src blob:";
/// What a page never asks a person for. The dashboard copies to the clipboard, nothing else.
const APP_PERMISSIONS: &str = "accelerometer=(), bluetooth=(), camera=(), clipboard-read=(), \
    cross-origin-isolated=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), \
    idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), \
    serial=(), storage-access=(), usb=(), window-management=(), xr-spatial-tracking=()";
const FRAME_PERMISSIONS: &str = "accelerometer=(), autoplay=(), bluetooth=(), camera=(), \
    clipboard-read=(), clipboard-write=(), cross-origin-isolated=(), display-capture=(), \
    encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), gyroscope=(), hid=(), \
    idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), \
    picture-in-picture=(), publickey-credentials-create=(), publickey-credentials-get=(), \
    screen-wake-lock=(), serial=(), storage-access=(), usb=(), web-share=(), \
    window-management=(), xr-spatial-tracking=()";
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PREFETCH_CONTROL: HeaderName = HeaderName::from_static("x-dns-prefetch-control");

/// The bytes of the standard kernels, where the web part is built.
pub(crate) fn rust_core() -> Option<Bytes> {
    Web::get(RUST_CORE).map(|file| bytes(file.data))
}

/// Answers everything that is not API: a file, a page of the dashboard, or "not here".
pub(crate) async fn serve(request: axum::extract::Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        let detail = "The addresses and what they take are listed at /api/v1/openapi.json.";
        return ApiError::new(kind::NO_ROUTE, detail).into_response();
    }
    let path = if path.ends_with('/') {
        format!("{path}{INDEX}")
    } else {
        path.to_owned()
    };
    match Web::get(&path) {
        Some(found) if !path.is_empty() && !path.ends_with(PACKED) => file(&path, found, request.headers()),
        _ if is_page(&path) => index(request.headers()),
        _ => ApiError::new(kind::NO_ROUTE, "The dashboard begins at /.").into_response(),
    }
}

fn is_page(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    PAGES.contains(&first)
}

fn index(headers: &HeaderMap) -> Response {
    match Web::get(INDEX) {
        Some(found) => file(INDEX, found, headers),
        None => missing(),
    }
}

fn missing() -> Response {
    let problem = ApiError::new(kind::WEB_MISSING, MISSING);
    problem.into_response()
}

fn file(path: &str, plain: EmbeddedFile, asked: &HeaderMap) -> Response {
    let packed = accepts_gzip(asked)
        .then(|| Web::get(&format!("{path}{PACKED}")))
        .flatten();
    let is_packed = packed.is_some();
    let found = packed.unwrap_or(plain);
    let tag = tag(&found);
    let known = asked
        .get(header::IF_NONE_MATCH)
        .is_some_and(|v| v.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(bytes(found.data)))
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    // The names carry no version, so a browser asks each time and is mostly told "as before".
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if is_packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    protect(path, headers);
    response
}

/// Of the bytes that are sent, so a file and the same compressed have different ones.
fn tag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Whether the browser names gzip, and not with a weight of 0.
fn accepts_gzip(asked: &HeaderMap) -> bool {
    let given = asked.get_all(header::ACCEPT_ENCODING).iter();
    let named = given
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    named
        .filter_map(|one| {
            let (name, rest) = one.split_once(';').unwrap_or((one, "q=1"));
            let weight = rest.trim().strip_prefix("q=")?.trim().parse::<f32>().ok()?;
            name.trim().eq_ignore_ascii_case("gzip").then_some(weight)
        })
        .any(|weight| weight > 0.0)
}

/// What every answer has besides is set in [`crate::route::layer`].
fn protect(path: &str, headers: &mut HeaderMap) {
    let is_frame = path.starts_with(FRAME);
    let (policy, permissions) = if is_frame {
        (FRAME_POLICY, FRAME_PERMISSIONS)
    } else {
        (APP_POLICY, APP_PERMISSIONS)
    };
    let mut insert = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    insert(header::CONTENT_SECURITY_POLICY, policy);
    insert(PERMISSIONS_POLICY, permissions);
    insert(OPENER_POLICY, "same-origin");
    insert(PREFETCH_CONTROL, "off");
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" | "webmanifest" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => data.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    #[test]
    fn the_frames_policies_name_the_script_that_stands_in_it() {
        let page = include_str!("../../static/frame/index.html");
        let (_, rest) = page.split_once("<script>").unwrap();
        let (script, rest) = rest.split_once("</script>").unwrap();
        assert!(!rest.contains("<script"), "one script, and no other");
        let named = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)));
        assert!(FRAME_POLICY.contains(&named), "the script's hash is {named}");
        assert!(page.contains(&named), "the page's own policy is to name {named}");
    }

    #[test]
    fn gzip_goes_to_those_who_accept_it() {
        let cases = [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000, br", false),
            ("br, identity", false),
            ("x-gzip", false),
            ("", false),
        ];
        for (accepted, wanted) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(accepts_gzip(&headers), wanted, "{accepted}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
