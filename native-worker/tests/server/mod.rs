//! A server of raw frames: what the worker sends is decoded here, what it gets is written by hand.
#![allow(dead_code, reason = "each test takes what it needs")]
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use protocol::frame::{decode_from_worker, encode_to_worker};
use protocol::ids::{JobId, LeaseId, ProgramHash, SessionId};
use protocol::job::Limits;
use protocol::wire::{FromWorker, Hello, ItemSource, JobHandle, Lease, LeaseInput, OpenJob, ToWorker};
use protocol::{PREPARE_HEADER, WIRE_SUBPROTOCOL, limits};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// `echo` writes its input, `long` 300 KiB, `trap` traps, `spin` never ends, `twenty` never ends for the item 20.
const PROGRAM: &str = r#"(module
  (import "elytra" "input_len" (func $len (result i32)))
  (import "elytra" "input_read" (func $read (param i32 i32 i32)))
  (import "elytra" "output_write" (func $write (param i32 i32)))
  (memory (export "memory") 8 8)
  (func (export "echo")
    (call $read (i32.const 0) (i32.const 0) (call $len))
    (call $write (i32.const 0) (call $len)))
  (func (export "long") (call $write (i32.const 0) (i32.const 307200)))
  (func (export "trap") unreachable)
  (func (export "spin") (loop $again (br $again)))
  (func (export "twenty")
    (call $read (i32.const 0) (i32.const 0) (call $len))
    (if (i64.eq (i64.load (i32.const 9)) (i64.const 20)) (then (loop $again (br $again))))))"#;

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) program: ProgramHash,
    sockets: Receiver<WebSocket>,
    uploads: Receiver<Bytes>,
}

#[derive(Clone)]
struct Shared {
    module: Bytes,
    sockets: Sender<WebSocket>,
    uploads: Sender<Bytes>,
}

/// Bounds every wait of a test.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work)
        .await
        .expect("it takes too long")
}

/// An address nobody listens on, for a moment at least.
pub(crate) async fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address")
}

impl Server {
    pub(crate) async fn start(at: Option<SocketAddr>) -> Self {
        let admitted = program::admit(wat::parse_str(PROGRAM).expect("good text")).expect("admitted");
        let (sockets, taken) = channel(4);
        let (uploads, uploaded) = channel(4);
        let shared = Shared {
            module: admitted.bytes.into(),
            sockets,
            uploads,
        };
        let app = axum::Router::new()
            .route("/api/v1/work", get(work))
            .route("/api/v1/programs/{hash}/module", get(module))
            .route("/api/v1/blobs", post(upload))
            .layer(DefaultBodyLimit::max(limits::OUTPUT_BYTES_MAX))
            .with_state(shared);
        let at = at.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = TcpListener::bind(at).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            program: admitted.hash,
            sockets: taken,
            uploads: uploaded,
        }
    }

    /// The next connection and its hello.
    pub(crate) async fn session(&mut self) -> (Session, Hello) {
        let socket = within(self.sockets.recv()).await.expect("a connection");
        let mut session = Session { socket };
        match session.next().await {
            FromWorker::Hello(hello) => (session, hello),
            other => panic!("not a hello: {other:?}"),
        }
    }

    pub(crate) async fn welcome(&mut self) -> Session {
        let (mut session, _) = self.session().await;
        session.welcome().await;
        session
    }

    pub(crate) async fn uploaded(&mut self) -> Bytes {
        within(self.uploads.recv()).await.expect("an upload")
    }
}

async fn work(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.protocols([WIRE_SUBPROTOCOL]);
    let ahead = ProgramHash::of(&shared.module).to_string();
    let mut response = upgrade.on_upgrade(|socket| async move { drop(shared.sockets.send(socket).await) });
    let ahead = ahead.parse().expect("a header");
    response.headers_mut().insert(PREPARE_HEADER, ahead);
    response
}

async fn module(State(shared): State<Shared>, Path(_): Path<String>) -> Bytes {
    shared.module
}

async fn upload(State(shared): State<Shared>, body: Bytes) -> axum::http::StatusCode {
    drop(shared.uploads.send(body).await);
    axum::http::StatusCode::CREATED
}

pub(crate) struct Session {
    socket: WebSocket,
}

impl Session {
    pub(crate) async fn send(&mut self, message: ToWorker) {
        let frame = Message::Binary(encode_to_worker(&message).into());
        within(self.socket.send(frame)).await.expect("an open connection");
    }

    pub(crate) async fn welcome(&mut self) {
        self.send(ToWorker::Welcome {
            session: SessionId(1),
            heartbeat_ms: limits::HEARTBEAT_MS,
        })
        .await;
    }

    /// The next message that is no heartbeat.
    pub(crate) async fn next(&mut self) -> FromWorker {
        loop {
            let message = within(self.socket.recv())
                .await
                .expect("an open connection")
                .expect("a frame");
            let Message::Binary(frame) = message else { continue };
            match decode_from_worker(&frame).expect("a message") {
                FromWorker::Heartbeat { .. } => {}
                message => return message,
            }
        }
    }
}

pub(crate) fn open(job: u32, entry: &str, program: ProgramHash) -> OpenJob {
    OpenJob {
        job: JobHandle(job),
        id: JobId(u64::from(job)),
        name: entry.into(),
        owner: "a test".into(),
        program,
        entry: entry.into(),
        params: Bytes::new(),
        source: ItemSource::Range { start: 7, step: 1 },
        limits: Limits {
            memory_mib: 16,
            shard_time_ms: 60_000,
        },
        picture: false,
    }
}

pub(crate) fn lease(id: u64, job: u32, shards: u32, input: LeaseInput) -> Lease {
    Lease {
        lease: LeaseId(id),
        job: JobHandle(job),
        stage: 0,
        first_shard: 0,
        shards,
        first_item: 0,
        grain: 1,
        end_item: u64::from(shards),
        input,
        lease_ms: 60_000,
    }
}
