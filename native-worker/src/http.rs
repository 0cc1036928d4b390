//! What is too long for a frame: programs, parts of blobs, long outputs. Each is asked for a few
//! times before it counts as missing.
use crate::RunError;
use crate::config::Address;
use bytes::{Bytes, BytesMut};
use protocol::ids::{BlobHash, ProgramHash};
use protocol::limits;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode, header};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Requests at the same time.
const REQUESTS_MAX: usize = 8;
/// Pauses between tries, in milliseconds.
const TRIES_MS: [u64; 4] = [0, 250, 1_000, 4_000];
/// How long a connection may take to open.
const CONNECT_MS_MAX: u64 = 5_000;
/// How long the server may be silent within an answer.
const READ_MS_MAX: u64 = 20_000;

/// Why something did not come, for people.
pub(crate) type Missing = String;

/// Fetches from one server; copies share their connections.
#[derive(Clone)]
pub(crate) struct Fetcher {
    client: Client,
    address: Address,
    token: Option<Arc<str>>,
    turns: Arc<Semaphore>,
}

impl Fetcher {
    pub(crate) fn new(address: &Address, token: Option<&str>) -> Result<Self, RunError> {
        let client = builder(address)?
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
            .read_timeout(Duration::from_millis(READ_MS_MAX))
            .build()?;
        let turns = Arc::new(Semaphore::new(REQUESTS_MAX));
        Ok(Self {
            client,
            address: address.clone(),
            token: token.map(Arc::from),
            turns,
        })
    }

    /// A program's bytes, checked against its name.
    pub(crate) async fn program(&self, program: ProgramHash) -> Result<Bytes, Missing> {
        let url = self.address.api(&format!("/programs/{program}/module"));
        let request = || self.client.get(&url);
        let bytes = self
            .get(request, StatusCode::OK, limits::PROGRAM_BYTES_MAX)
            .await?;
        if ProgramHash::of(&bytes) != program {
            return Err(format!("what {url} sent is not the program: its SHA-256 differs"));
        }
        Ok(bytes)
    }

    /// `length` bytes of a blob from `offset` on.
    pub(crate) async fn part(&self, blob: BlobHash, offset: u64, length: u64) -> Result<Bytes, Missing> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let url = self.address.api(&format!("/blobs/{blob}"));
        let range = format!("bytes={offset}-{}", offset.saturating_add(length - 1));
        let request = || self.client.get(&url).header(header::RANGE, &range);
        let bytes_max = usize::try_from(length).unwrap_or(usize::MAX);
        self.get(request, StatusCode::PARTIAL_CONTENT, bytes_max).await
    }

    /// Uploads an output; the answer is its name.
    pub(crate) async fn upload(&self, bytes: Bytes) -> Result<BlobHash, Missing> {
        let blob = BlobHash::of(&bytes);
        let url = self.address.api("/blobs");
        let request = || {
            let octets = (header::CONTENT_TYPE, "application/octet-stream");
            self.client
                .post(&url)
                .header(octets.0, octets.1)
                .body(bytes.clone())
        };
        self.get(request, StatusCode::CREATED, limits::BODY_BYTES_MAX)
            .await?;
        Ok(blob)
    }

    async fn get(
        &self,
        request: impl Fn() -> RequestBuilder,
        wanted: StatusCode,
        bytes_max: usize,
    ) -> Result<Bytes, Missing> {
        let mut last = String::new();
        for wait_ms in TRIES_MS {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            // Only an error while the process ends; it then counts as missing.
            let _turn = self.turns.acquire().await.map_err(|error| error.to_string())?;
            match self.try_once(request(), wanted, bytes_max).await {
                Ok(bytes) => return Ok(bytes),
                Err(Tried { reason, again: false }) => return Err(reason),
                Err(Tried { reason, again: true }) => last = reason,
            }
        }
        Err(last)
    }

    async fn try_once(
        &self,
        request: RequestBuilder,
        wanted: StatusCode,
        bytes_max: usize,
    ) -> Result<Bytes, Tried> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.map_err(Tried::network)?;
        let status = response.status();
        if status != wanted {
            let again = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            let detail = read(response, 2 << 10).await.unwrap_or_default();
            let detail = String::from_utf8_lossy(&detail).into_owned();
            return Err(Tried {
                reason: format!("the server answered {status}: {detail}"),
                again,
            });
        }
        read(response, bytes_max).await
    }
}

/// With the same authorities as the socket.
fn builder(address: &Address) -> Result<ClientBuilder, RunError> {
    match &address.tls {
        None => Ok(tls::plain_http()?),
        Some(config) => Ok(tls::http_with(config)),
    }
}

/// A try that failed, and whether another one can help.
struct Tried {
    reason: String,
    again: bool,
}

impl Tried {
    fn network(error: reqwest::Error) -> Self {
        if let Some(reason) = tls::explain(&error) {
            return Self { reason, again: true };
        }
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        Self { reason, again: true }
    }
}

/// Reads a body that must not be longer than it may be.
async fn read(mut response: Response, bytes_max: usize) -> Result<Bytes, Tried> {
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(Tried::network)? {
        if body.len() + piece.len() > bytes_max {
            let reason = format!("the server sent more than the {bytes_max} bytes it should");
            return Err(Tried { reason, again: false });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}
