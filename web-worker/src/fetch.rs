//! Programs, inputs and large outputs over HTTP. What comes by name is checked against its name before use.
use crate::options::Options;
use gloo::net::http::{Request, RequestBuilder, Response};
use gloo_timers::future::TimeoutFuture;
use js_sys::Uint8Array;
use protocol::api::Ticket;
use protocol::ids::{BlobHash, ProgramHash};
use protocol::limits::PROGRAM_BYTES_MAX;

/// Waits before the second, third … attempt.
const RETRY_AFTER_MS: [u32; 3] = [200, 1_000, 4_000];

/// Why something could not be fetched or stored.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The coordinator cannot be reached.
    #[error("the coordinator cannot be reached: {0}")]
    Unreachable(String),
    /// It answered, but not with what was asked for.
    #[error("the coordinator answered with status {0}")]
    Status(u16),
    /// What came is not what was asked for.
    #[error("{0}")]
    Wrong(String),
}

impl FetchError {
    fn retry_helps(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Status(status) => *status == 429 || *status >= 500,
            Self::Wrong(_) => false,
        }
    }
}

/// What this tab shows in place of a token when it says hello: good once, and for a minute.
pub async fn ticket(options: &Options) -> Result<String, FetchError> {
    let request = authorized(options, Request::post(&options.url("tickets")));
    let answer = good(request.send().await)?;
    let ticket: Ticket = answer
        .json()
        .await
        .map_err(|error| FetchError::Wrong(format!("what came is no ticket: {error}")))?;
    Ok(ticket.ticket)
}

/// A program's admitted bytes; they have the SHA-256 that names it.
pub async fn program(options: &Options, program: ProgramHash) -> Result<Vec<u8>, FetchError> {
    let url = options.url(&format!("programs/{program}/module"));
    let bytes = with_retries(|| get(options, &url, None)).await?;
    if bytes.len() > PROGRAM_BYTES_MAX {
        return Err(FetchError::Wrong(format!(
            "the program has {} bytes, more than any may have",
            bytes.len()
        )));
    }
    if ProgramHash::of(&bytes) == program {
        Ok(bytes)
    } else {
        Err(FetchError::Wrong(format!(
            "what came is not program {program}: its SHA-256 differs"
        )))
    }
}

/// `length` bytes of a blob from `offset` on.
pub async fn input(
    options: &Options,
    blob: BlobHash,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, FetchError> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let url = options.url(&format!("blobs/{blob}"));
    let range = format!("bytes={offset}-{}", offset.saturating_add(length - 1));
    let bytes = with_retries(|| get(options, &url, Some(&range))).await?;
    if bytes.len() as u64 == length {
        Ok(bytes)
    } else {
        Err(FetchError::Wrong(format!(
            "of blob {blob} came {} bytes instead of {length}",
            bytes.len()
        )))
    }
}

/// Stores an output; gives its name.
pub async fn upload(options: &Options, bytes: &[u8]) -> Result<BlobHash, FetchError> {
    with_retries(|| post(options, bytes)).await?;
    Ok(BlobHash::of(bytes))
}

async fn with_retries<T, F: Future<Output = Result<T, FetchError>>>(
    attempt: impl Fn() -> F,
) -> Result<T, FetchError> {
    for wait_ms in RETRY_AFTER_MS {
        match attempt().await {
            Err(error) if error.retry_helps() => TimeoutFuture::new(wait_ms).await,
            settled => return settled,
        }
    }
    attempt().await
}

async fn get(options: &Options, url: &str, range: Option<&str>) -> Result<Vec<u8>, FetchError> {
    let mut request = authorized(options, Request::get(url));
    if let Some(range) = range {
        request = request.header("range", range);
    }
    let answer = good(request.send().await)?;
    if range.is_some() && answer.status() != 206 {
        return Err(FetchError::Wrong(
            "the coordinator ignored the range that was asked for".into(),
        ));
    }
    answer
        .binary()
        .await
        .map_err(|error| FetchError::Unreachable(error.to_string()))
}

async fn post(options: &Options, bytes: &[u8]) -> Result<(), FetchError> {
    let request = authorized(options, Request::post(&options.url("blobs")));
    let request = request
        .header("content-type", "application/octet-stream")
        .body(Uint8Array::from(bytes));
    let request = request.map_err(|error| FetchError::Wrong(error.to_string()))?;
    good(request.send().await).map(drop)
}

fn authorized(options: &Options, request: RequestBuilder) -> RequestBuilder {
    match &options.token {
        Some(token) => request.header("authorization", &format!("Bearer {token}")),
        None => request,
    }
}

fn good(answer: Result<Response, gloo::net::Error>) -> Result<Response, FetchError> {
    let answer = answer.map_err(|error| FetchError::Unreachable(error.to_string()))?;
    if answer.ok() {
        Ok(answer)
    } else {
        Err(FetchError::Status(answer.status()))
    }
}
