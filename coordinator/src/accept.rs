//! The accept loop: sockets in, one task each, with the bounds that `axum::serve` does not have.
//!
//! A connection has to send a whole request head in [`Options::head_time_max`], is turned away when
//! [`Options::connections_max`] are open or its address has [`Options::connections_per_address_max`], and is cut
//! off when it does not read what is written to it. After an upgrade its task ends, and what is left of it is the
//! session alone; its places it keeps until the socket is closed.
pub(crate) mod acme;
mod caps;
mod gate;
mod pair;
mod stream;
mod tls;

pub(crate) use caps::{Caps, Place};
pub(crate) use gate::Gate;
pub use tls::{Tls, TlsError};

use crate::metrics;
use crate::net::Networks;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Response, StatusCode};
use gate::Serving;
use hyper::Request;
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use stream::{Guarded, Places};
use tls::Transport;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tower::ServiceExt as _;

/// Longest head of a request, and most bytes of a body read ahead.
const READ_BYTES_MAX: usize = 32 << 10;
/// How long a connection may idle between two requests.
const IDLE_TIME_MAX: Duration = Duration::from_secs(60);
/// How long the greeting of TLS may take.
const TLS_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes that wait in the kernel for a peer's network. More would only wait longer, where the peer does not read.
const UNSENT_BYTES_MAX: u32 = 128 << 10;
/// How long to wait when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that wait in the kernel to be accepted. When a network is whole again, thousands knock in one second;
/// whoever finds the queue full is not answered, and knocks again a second later. The system's own bound
/// (`net.core.somaxconn`, 4096) stays.
const BACKLOG_MAX: u32 = 4_096;
const ALL_TAKEN: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const ADDRESS_TAKEN: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A listener at this address, with room for many that knock at once.
///
/// # Errors
/// The address is in use, or not this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A server that was just stopped leaves its port at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG_MAX)
}

/// What the loop is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most connections at a time, sessions of workers included.
    pub connections_max: usize,
    /// Most of them from one address.
    pub connections_per_address_max: u32,
    /// Addresses that may have any number: this machine, and proxies that speak for many.
    pub exempt: Networks,
    /// How long a connection may take for a request's head.
    pub head_time_max: Duration,
    /// How long open requests may go on after the shutdown began.
    pub drain_time_max: Duration,
    /// The certificate, where TLS is spoken.
    pub tls: Option<Arc<Tls>>,
}

/// What every connection shares.
struct Door {
    router: Router,
    options: Options,
    room: Arc<Semaphore>,
    caps: Caps,
}

/// Serves until `shutdown` says so, then lets open requests end within their time.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: Options,
    mut shutdown: watch::Receiver<bool>,
) {
    let door = Arc::new(Door {
        room: Arc::new(Semaphore::new(options.connections_max)),
        caps: Caps::new(options.connections_per_address_max, options.exempt.clone()),
        router,
        options,
    });
    if let Some(tls) = &door.options.tls {
        tokio::spawn(Arc::clone(tls).follow(shutdown.clone()));
    }
    let (alive, mut all_gone) = mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut shutdown) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(places) = door.admit(&stream, peer) else {
                    continue;
                };
                let connection = Arc::clone(&door).connection(stream, peer, places, shutdown.clone());
                tokio::spawn(counted(connection, alive.clone()));
            }
            Err(error) => pause(&error).await,
        }
    }
    drop(listener);
    drop(alive);
    let ended = tokio::time::timeout(door.options.drain_time_max, all_gone.recv()).await;
    if ended.is_err() {
        tracing::warn!("requests were cut off: they did not end in time");
    }
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Keeps the shutdown waiting until the connection ends.
async fn counted(connection: impl Future<Output = ()>, alive: mpsc::Sender<()>) {
    let open = ::metrics::gauge!(metrics::CONNECTIONS);
    open.increment(1);
    connection.await;
    open.decrement(1);
    drop(alive);
}

impl Door {
    /// Places for the connection, or a short refusal.
    fn admit(&self, stream: &TcpStream, peer: SocketAddr) -> Option<Places> {
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            self.turn_away(stream, ALL_TAKEN);
            return None;
        };
        let Some(place) = self.caps.take(peer.ip()) else {
            tracing::debug!(%peer, "the address has all the connections that one may have");
            self.turn_away(stream, ADDRESS_TAKEN);
            return None;
        };
        Some((permit, place))
    }

    fn turn_away(&self, stream: &TcpStream, told: &[u8]) {
        ::metrics::counter!(metrics::CONNECTIONS_REFUSED_TOTAL).increment(1);
        if self.options.tls.is_none() {
            // The socket is fresh, so this fits its buffer; when it does not, closing says it too.
            let _ = stream.try_write(told);
        }
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        places: Places,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let begun = Instant::now();
        let transport = match self.greet(stream).await {
            Ok(transport) => transport,
            Err(error) => {
                return tracing::debug!(%error, "a connection did not get further than its greeting");
            }
        };
        let gate = Arc::new(Gate::default());
        let stream = Guarded::new(
            transport,
            Arc::clone(&gate),
            places,
            begun,
            self.options.head_time_max,
        );
        let router = self.router.clone();
        let service = service_fn(move |request| answer(router.clone(), request, peer, Arc::clone(&gate)));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // The stream sees to the time of a head that began; this one is for none that begins.
            .header_read_timeout(IDLE_TIME_MAX)
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

    /// Sets the socket up, and speaks TLS where that is spoken.
    async fn greet(&self, stream: TcpStream) -> io::Result<Transport> {
        stream.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
        match &self.options.tls {
            None => Ok(Transport::Plain(stream)),
            Some(tls) => tokio::time::timeout(TLS_TIME_MAX, tls.accept(stream)).await?,
        }
    }
}

/// Has the router answer; the gate knows of it until the answer is written.
async fn answer(
    router: Router,
    mut request: Request<Incoming>,
    peer: SocketAddr,
    gate: Arc<Gate>,
) -> Result<Response<Body>, std::convert::Infallible> {
    let serving = gate.begin();
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(gate);
    let response = router.oneshot(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        serving.gate().upgrade();
        return Ok(response);
    }
    Ok(response.map(|body| {
        Body::new(Held {
            body,
            _serving: serving,
        })
    }))
}

/// The body of an answer that is being written.
struct Held {
    body: Body,
    _serving: Serving,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Resolves when the shutdown begins (or its sender is gone, which comes to the same).
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    drop(shutdown.wait_for(|stop| *stop).await);
}
