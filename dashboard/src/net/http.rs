//! Requests to `/api/v1`, and what went wrong in words.
use super::storage;
use protocol::problem::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, RequestInit, Response, window};

/// How long a request may take, uploads and streams apart.
const REQUEST_MS_MAX: u32 = 20_000;

/// Why a request was not served.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// No answer.
    #[error(
        "The coordinator cannot be reached. Is it running, and is this device online? This page keeps trying."
    )]
    Offline,
    /// The coordinator said no, and why.
    #[error("{}", told(.0))]
    Refused(Box<Problem>),
    /// The answer makes no sense to this page.
    #[error(
        "The coordinator's answer was not understood ({0}). Reload the page: the two may have different versions."
    )]
    Unreadable(String),
}

impl Trouble {
    /// Whether a token would help.
    pub fn wants_token(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 401 || problem.status == 403)
    }

    /// Whether the thing that was asked for does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 404)
    }
}

fn told(problem: &Problem) -> String {
    let title = problem.title.trim_end_matches('.');
    if problem.detail.is_empty() {
        format!("{title}.")
    } else {
        format!("{title}. {}", problem.detail)
    }
}

/// Reads JSON.
pub async fn get<T: DeserializeOwned>(path: &str) -> Result<T, Trouble> {
    read(&text(path).await?)
}

/// Reads text.
pub async fn text(path: &str) -> Result<String, Trouble> {
    let init = RequestInit::new();
    init.set_signal(Some(&AbortSignal::timeout_with_u32(REQUEST_MS_MAX)));
    body(&send(path, &init, &[]).await?).await
}

/// Posts JSON (or nothing) and reads JSON. `key` makes a repetition harmless (`Idempotency-Key`).
pub async fn post<T: DeserializeOwned>(
    path: &str,
    json: Option<&impl Serialize>,
    key: Option<&str>,
) -> Result<T, Trouble> {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_signal(Some(&AbortSignal::timeout_with_u32(REQUEST_MS_MAX)));
    let mut headers = Vec::new();
    if let Some(json) = json {
        let json = serde_json::to_string(json).map_err(|error| Trouble::Unreadable(error.to_string()))?;
        init.set_body(&JsValue::from_str(&json));
        headers.push(("Content-Type", "application/json"));
    }
    headers.extend(key.map(|key| ("Idempotency-Key", key)));
    read(&body(&send(path, &init, &headers).await?).await?)
}

/// Sends a request with the token, if there is one; an answer that is no success becomes a trouble.
pub async fn send(path: &str, init: &RequestInit, headers: &[(&str, &str)]) -> Result<Response, Trouble> {
    let all = Headers::new().map_err(unreadable)?;
    for (name, value) in headers {
        all.set(name, value).map_err(unreadable)?;
    }
    if let Some(token) = storage::token() {
        all.set("Authorization", &bearer(&token)).map_err(unreadable)?;
    }
    init.set_headers(&all);
    let window = window().ok_or(Trouble::Offline)?;
    let answer = JsFuture::from(window.fetch_with_str_and_init(&address(path), init)).await;
    let response: Response = answer
        .map_err(|_| Trouble::Offline)?
        .dyn_into()
        .map_err(unreadable)?;
    if response.ok() {
        Ok(response)
    } else {
        Err(refused(&response).await)
    }
}

/// Where a path of the API lies.
pub fn address(path: &str) -> String {
    format!("/api/v1{path}")
}

/// The header's value that shows a token.
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

async fn refused(response: &Response) -> Trouble {
    let text = body(response).await.unwrap_or_default();
    said_no(response.status(), &text)
}

/// The trouble that an answer without success tells of.
pub fn said_no(status: u16, text: &str) -> Trouble {
    let problem = serde_json::from_str(text).unwrap_or_else(|_| unexplained(status));
    Trouble::Refused(Box::new(problem))
}

fn unexplained(status: u16) -> Problem {
    let detail = match status {
        401 | 403 => "Enter a token under Settings.",
        404 => "It may have been removed.",
        429 | 503 | 507 => "Wait a moment, then try again.",
        _ => "Try again; if it stays so, look into the coordinator's log.",
    };
    Problem::new(
        status,
        "unexplained",
        &format!("The coordinator answered with status {status}"),
        detail,
    )
}

async fn body(response: &Response) -> Result<String, Trouble> {
    let text = response.text().map_err(unreadable)?;
    let text = JsFuture::from(text).await.map_err(|_| Trouble::Offline)?;
    text.as_string()
        .ok_or_else(|| Trouble::Unreadable("no text".into()))
}

/// An answer's JSON.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Trouble> {
    serde_json::from_str(text).map_err(|error| Trouble::Unreadable(error.to_string()))
}

/// What the browser threw, for whoever looks into it.
pub fn unreadable(value: impl Into<JsValue>) -> Trouble {
    Trouble::Unreadable(format!("{:?}", value.into()))
}
