//! The WebSocket: opening, frames, pings, closing.
use crate::config::Address;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use protocol::frame;
use protocol::ids::ProgramHash;
use protocol::limits::{FRAME_BYTES_MAX, HEARTBEAT_MS};
use protocol::wire::FromWorker;
use protocol::{PREPARE_HEADER, WIRE_SUBPROTOCOL, limits};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Larger buffers are filled with zeros before every read, which costs more than it saves.
const BUFFER_BYTES: usize = 8 << 10;
/// How long the server may take to read what we write before the connection counts as dead.
const WRITE_MS_MAX: u64 = 20_000;
/// How long a closing connection may take.
const CLOSE_MS_MAX: u64 = 2_000;
/// Pings without any answer after which the connection counts as dead.
const PINGS_UNANSWERED_MAX: u32 = 3;

/// How long the greeting of TLS may take.
const TLS_MS_MAX: u64 = 5_000;

/// What a connection's bytes travel on: TCP, or TLS on it.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// One open connection.
pub(crate) struct Link {
    socket: WebSocketStream<Box<dyn Stream>>,
    unflushed: bool,
    pings_unanswered: u32,
}

/// A link, and programs that are worth having ready.
pub(crate) struct Opened {
    pub(crate) link: Link,
    pub(crate) ahead: Vec<ProgramHash>,
}

/// What came over a link.
pub(crate) enum Arrived {
    Frame(bytes::Bytes),
    Ended(String),
}

impl Link {
    /// Opens a connection; the reason of a failure is for people.
    pub(crate) async fn open(address: Address) -> Result<Opened, String> {
        let at = &address.host_port;
        let stream = TcpStream::connect(at)
            .await
            .map_err(|error| format!("{at} cannot be reached: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let stream = secured(&address, stream).await?;
        let mut request = address
            .work()
            .into_client_request()
            .map_err(|error| error.to_string())?;
        let protocol = HeaderValue::from_static(WIRE_SUBPROTOCOL);
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let opened = client_async_with_config(request, stream, Some(config)).await;
        let (socket, response) = opened.map_err(|error| handshake_failed(at, &error))?;
        let link = Self {
            socket,
            unflushed: false,
            pings_unanswered: 0,
        };
        let ahead = programs_in(response.headers().get(PREPARE_HEADER));
        Ok(Opened { link, ahead })
    }

    /// The next frame, or the end.
    pub(crate) async fn next(&mut self) -> Arrived {
        loop {
            let message = self.socket.next().await;
            if let Some(arrived) = self.arrived(message) {
                return arrived;
            }
        }
    }

    /// A frame that has already arrived.
    pub(crate) fn next_now(&mut self) -> Option<Arrived> {
        self.next().now_or_never()
    }

    fn arrived(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> Option<Arrived> {
        self.pings_unanswered = 0;
        match message {
            Some(Ok(Message::Binary(bytes))) => Some(Arrived::Frame(bytes)),
            // Pings are answered by the library; a text is no message of ours and fails as a frame.
            Some(Ok(Message::Text(text))) => Some(Arrived::Frame(text.into())),
            Some(Ok(Message::Close(Some(close)))) if !close.reason.is_empty() => Some(Arrived::Ended(
                format!("the server closed the connection: {}", close.reason),
            )),
            Some(Ok(Message::Close(_))) | None => {
                Some(Arrived::Ended("the server closed the connection".into()))
            }
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(Arrived::Ended(error.to_string())),
        }
    }

    /// Takes a message to be written with the next flush.
    pub(crate) async fn feed(&mut self, message: &FromWorker) -> Result<(), String> {
        let frame = frame::encode_from_worker(message);
        debug_assert!(frame.len() <= limits::FRAME_BYTES_MAX);
        self.unflushed = true;
        bounded(self.socket.feed(Message::Binary(frame.into()))).await
    }

    /// Writes everything that was fed.
    pub(crate) async fn flush(&mut self) -> Result<(), String> {
        if !std::mem::take(&mut self.unflushed) {
            return Ok(());
        }
        bounded(self.socket.flush()).await
    }

    /// Asks for a sign of life; due every [`PING_EVERY`].
    pub(crate) async fn ping(&mut self) -> Result<(), String> {
        if self.pings_unanswered >= PINGS_UNANSWERED_MAX {
            return Err("the server has not answered for too long".into());
        }
        self.pings_unanswered += 1;
        bounded(self.socket.send(Message::Ping(bytes::Bytes::new()))).await
    }

    /// Writes what was fed and closes, within a bound and without making anybody wait.
    pub(crate) async fn close(mut self) {
        let all = async {
            // Whether the server still listens is its own affair.
            let _ = self.socket.flush().await;
            let _ = self.socket.close(None).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        let _ = timeout(Duration::from_millis(CLOSE_MS_MAX), all).await;
    }
}

/// Speaks TLS where the address asks for it.
async fn secured(address: &Address, stream: TcpStream) -> Result<Box<dyn Stream>, String> {
    let Some(config) = &address.tls else {
        return Ok(Box::new(stream));
    };
    let at = &address.host_port;
    let greeting = tls::connect(config.clone(), &address.host, stream);
    match timeout(Duration::from_millis(TLS_MS_MAX), greeting).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => {
            let why = tls::explain(&error).unwrap_or_else(|| error.to_string());
            Err(format!("{at} is not believed: {why}"))
        }
        Err(_) => Err(format!("{at} does not answer the greeting of TLS")),
    }
}

/// How often a link is pinged.
pub(crate) const PING_EVERY: Duration = Duration::from_millis(HEARTBEAT_MS as u64);

async fn bounded(write: impl Future<Output = Result<(), tungstenite::Error>>) -> Result<(), String> {
    match timeout(Duration::from_millis(WRITE_MS_MAX), write).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the server does not read".into()),
    }
}

/// What is not understood is no program to prepare.
fn programs_in(header: Option<&HeaderValue>) -> Vec<ProgramHash> {
    let listed = header.and_then(|header| header.to_str().ok()).unwrap_or_default();
    let programs = listed.split(',').filter_map(|hash| hash.trim().parse().ok());
    programs.take(limits::PREPARE_PROGRAMS_MAX).collect()
}

fn handshake_failed(at: &str, error: &tungstenite::Error) -> String {
    match error {
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            let body = String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned();
            format!(
                "{at} is no Elytra server, or another version: it answered {} {body}",
                response.status()
            )
        }
        tungstenite::Error::Protocol(problem) => {
            format!("{at} does not speak {WIRE_SUBPROTOCOL} ({problem}): update the older of the two")
        }
        error => format!("{at} did not open a connection: {error}"),
    }
}
