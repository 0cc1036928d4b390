//! The accept loop: sockets in, one task each, with the bounds that `axum::serve` does not have.
//!
//! A connection has to send a whole request head in [`Options::head_time_max`] and is turned away when
//! [`Options::connections_max`] are open. After an upgrade its task ends, and what is left of it is
//! the session alone.
use crate::metrics;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tower::ServiceExt as _;

/// Longest head of a request, and most bytes of a body read ahead.
const READ_BYTES_MAX: usize = 32 << 10;
/// How long to wait when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const TURNED_AWAY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What the loop is told.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most connections at a time (sessions of workers are counted elsewhere).
    pub connections_max: usize,
    /// How long a connection may take for a request's head, and how long it may idle between requests.
    pub head_time_max: Duration,
    /// How long open requests may go on after the shutdown began.
    pub drain_time_max: Duration,
}

/// Serves until `shutdown` says so, then lets open requests end within their time.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: Options,
    mut shutdown: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(options.connections_max));
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut shutdown) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(permit) = admit(&room, &stream) else {
                    continue;
                };
                let router = router.clone();
                let connection = connection(stream, peer, router, options.head_time_max, shutdown.clone());
                tokio::spawn(guarded(connection, permit, alive.clone()));
            }
            Err(error) => pause(&error).await,
        }
    }
    drop(listener);
    drop(alive);
    let ended = tokio::time::timeout(options.drain_time_max, all_gone.recv()).await;
    if ended.is_err() {
        tracing::warn!("requests were cut off: they did not end in time");
    }
}

/// A place among the connections, or a short refusal.
fn admit(room: &Arc<Semaphore>, stream: &TcpStream) -> Option<OwnedSemaphorePermit> {
    let permit = Arc::clone(room).try_acquire_owned().ok();
    if permit.is_none() {
        ::metrics::counter!(metrics::CONNECTIONS_REFUSED_TOTAL).increment(1);
        // The socket is fresh, so this fits its buffer; when it does not, closing says it too.
        let _ = stream.try_write(TURNED_AWAY);
    }
    permit
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Holds the connection's place, and keeps the shutdown waiting, until it ends.
async fn guarded(
    connection: impl Future<Output = ()>,
    permit: OwnedSemaphorePermit,
    alive: mpsc::Sender<()>,
) {
    let open = ::metrics::gauge!(metrics::CONNECTIONS);
    open.increment(1);
    connection.await;
    open.decrement(1);
    drop((permit, alive));
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    head_time_max: Duration,
    mut shutdown: watch::Receiver<bool>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let service = TowerToHyperService::new(service);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time_max)
        .max_buf_size(READ_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Resolves when the shutdown begins (or its sender is gone, which comes to the same).
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    drop(shutdown.wait_for(|stop| *stop).await);
}
