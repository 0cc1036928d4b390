//! Sockets that do not keep to the rules: bytes by hand, over a real handshake.
use crate::support::{hello, soon};
use futures_util::StreamExt as _;
use protocol::frame::{decode_to_worker, encode_from_worker};
use protocol::wire::{RefusalCode, ToWorker};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::Role;

/// What a frame is: the first byte of its head.
pub(crate) const CONTINUED: u8 = 0x00;
pub(crate) const BINARY_FIRST: u8 = 0x02;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const PING: u8 = 0x89;

/// The head of a masked frame; the mask is zero, so the payload is itself.
pub(crate) fn head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(0x80 | u8::try_from(length).unwrap()),
        126..=0xffff => {
            head.push(0x80 | 126);
            head.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(length.to_be_bytes());
        }
    }
    head.extend([0; 4]);
    head
}

pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64);
    frame.extend(payload);
    frame
}

/// A socket of the worker protocol, with these headers besides. The error is the status of the refusal.
pub(crate) async fn upgrade(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
    receive_bytes: Option<u32>,
) -> Result<TcpStream, u16> {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    let stream = soon("connecting", socket.connect(address)).await.unwrap();
    let url = format!("ws://{address}/api/v1/work");
    let mut request = url.into_client_request().unwrap();
    let mut insert = |name: &'static str, value: &str| {
        request
            .headers_mut()
            .append(name, HeaderValue::from_str(value).unwrap());
    };
    insert("sec-websocket-protocol", protocol::WIRE_SUBPROTOCOL);
    headers.iter().for_each(|(name, value)| insert(name, value));
    match soon("the upgrade", tokio_tungstenite::client_async(request, stream)).await {
        Ok((socket, _)) => Ok(socket.into_inner()),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// A worker that said hello, by hand.
pub(crate) async fn greeted(address: SocketAddr, worker: u64, receive_bytes: Option<u32>) -> TcpStream {
    let mut stream = upgrade(address, &[], receive_bytes).await.unwrap();
    let hello = encode_from_worker(&hello(worker, None));
    stream.write_all(&frame(BINARY, &hello)).await.unwrap();
    stream
}

/// How a session ended: what was said last, and the number of the close frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) refused: Option<RefusalCode>,
    pub(crate) close: Option<u16>,
}

/// Writes all of it, whether it is taken or not, and tells how the session ended.
pub(crate) async fn ended_by(stream: TcpStream, bytes: impl IntoIterator<Item = Vec<u8>>) -> Ended {
    let (mut reading, mut writing) = stream.into_split();
    let pieces: Vec<_> = bytes.into_iter().collect();
    let written = tokio::spawn(async move {
        for piece in pieces {
            if writing.write_all(&piece).await.is_err() {
                break;
            }
        }
        writing
    });
    let mut all = Vec::new();
    // A reset is an end too.
    let _ = soon("the end of a session", reading.read_to_end(&mut all)).await;
    drop(written.await);
    told(&all).await
}

/// What these bytes of a server say.
async fn told(bytes: &[u8]) -> Ended {
    let (mut far, near) = tokio::io::duplex(bytes.len() + 1024);
    far.write_all(bytes).await.unwrap();
    drop(far);
    let mut socket = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
    let mut ended = Ended {
        refused: None,
        close: None,
    };
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Binary(frame) => {
                if let ToWorker::Refused { code, .. } = decode_to_worker(&frame).unwrap() {
                    ended.refused = Some(code);
                }
            }
            Message::Close(Some(close)) => ended.close = Some(close.code.into()),
            _ => {}
        }
    }
    ended
}

/// The resident memory of a process, in bytes.
pub(crate) fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// How long an honest reader waits for an answer, 99 times of 100.
pub(crate) async fn p99(requests: usize, mut ask: impl AsyncFnMut()) -> Duration {
    let mut took = Vec::with_capacity(requests);
    for _ in 0..requests {
        let since = Instant::now();
        ask().await;
        took.push(since.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took.sort_unstable();
    took[requests * 99 / 100]
}
