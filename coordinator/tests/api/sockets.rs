//! Peers that read too slowly, write too much, or never finish: bounded, closed, and nobody else's trouble.
use crate::child::Child;
use crate::raw::{
    BINARY, BINARY_FIRST, CONTINUED, Ended, PING, ended_by, frame, greeted, head, p99, resident_bytes,
    upgrade,
};
use crate::support::{RawWorker, Server, soon};
use axum::Router;
use axum::routing::get;
use coordinator::accept::{Options, serve};
use coordinator::net::Networks;
use promise::{amount, is_soak, kept};
use protocol::limits::FRAME_BYTES_MAX;
use protocol::wire::RefusalCode;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A script long enough that what opens its job does not fit the buffers of the kernel.
const SCRIPT_BYTES: usize = 300 << 10;
/// What a hostile peer takes at most before it reads nothing more.
const RECEIVE_BYTES: u32 = 4 << 10;
const MIB: u64 = 1 << 20;

/// More than all workers together may have in flight: each of them has something to be told.
const SHARDS: u32 = 4_000_000;

/// A job that every worker is told about at length.
async fn long_job(child: &Child) {
    let text = format!(
        "const text = '{}'; export default (n) => n + text.length;",
        "x".repeat(SCRIPT_BYTES)
    );
    let request = child
        .api(Method::POST, "/programs?file=long.js", &child.token)
        .body(text);
    let made = request.send().await.unwrap().json::<Value>().await.unwrap();
    let body = json!({"program": made["hash"], "entry": "default", "trust": "private",
        "input": {"range": {"end": SHARDS}}, "grain": {"items": 1}});
    let request = child.api(Method::POST, "/jobs", &child.token).json(&body);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::CREATED);
}

async fn workers(child: &Child) -> u64 {
    child.get("/overview").await["workers"].as_u64().unwrap()
}

/// Waits until so many workers are connected.
async fn until_workers(child: &Child, wanted: impl Fn(u64) -> bool) {
    let there = async {
        while !wanted(workers(child).await) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("the workers", there).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ws_slow_reader() {
    coordinator::raise_file_limit();
    let count = amount(50, 2_000);
    let server = Child::start("warn,coordinator=info").await;
    long_job(&server).await;
    // An honest worker reads slowly too, but it reads: it must stay.
    let mut honest = greeted(server.address, 1, Some(RECEIVE_BYTES)).await;
    let reading = tokio::spawn(async move {
        let mut piece = vec![0; 8 << 10];
        while honest.read(&mut piece).await.is_ok_and(|bytes| bytes > 0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    until_workers(&server, |there| there == 1).await;
    let calm = p99(amount(20, 200), async || drop(server.get("/overview").await)).await;
    let before = resident_bytes(server.pid());
    let mut silent = Vec::new();
    // What is freed is not given back to the system at once, so the most of both belong together.
    let (mut most_bytes, mut most_there) = (0, 1);
    let mut look = async || {
        let there = workers(&server).await.saturating_sub(1);
        most_there = most_there.max(there);
        most_bytes = most_bytes.max(resident_bytes(server.pid()).saturating_sub(before));
        there
    };
    for worker in 0..count {
        silent.push(greeted(server.address, 2 + worker as u64, Some(RECEIVE_BYTES)).await);
        if worker % 50 == 49 {
            look().await;
        }
    }
    let since = Instant::now();
    while look().await == 0 && since.elapsed() < Duration::from_secs(2) {}
    let busy = p99(amount(20, 200), async || drop(server.get("/overview").await)).await;
    let gone = async {
        while look().await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("the eviction of who does not read", gone).await;
    let evicted = since.elapsed();
    let each = most_bytes / most_there;
    assert!(evicted <= Duration::from_secs(15), "{evicted:?}");
    assert!(each <= 512 << 10, "{each} bytes for each");
    assert_eq!(workers(&server).await, 1, "who reads slowly is no non-reader");
    assert!(!reading.is_finished());
    if is_soak() {
        let bound = (2 * calm).max(calm + Duration::from_millis(10));
        assert!(busy <= bound, "{busy:?} beside them, {calm:?} alone");
    }
    reading.abort();
    let seen = format!(
        "{count} non-readers, at most {} KiB each, gone {:.1} s after the last came; p99 of others {:.1} ms, alone {:.1} ms",
        each >> 10,
        evicted.as_secs_f64(),
        busy.as_secs_f64() * 1e3,
        calm.as_secs_f64() * 1e3,
    );
    kept("ws_slow_reader", &seen);
}

fn repeated(piece: Vec<u8>, times: usize) -> Vec<Vec<u8>> {
    vec![piece; times]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ws_oversize() {
    coordinator::raise_file_limit();
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let _worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    let too_long = Ended {
        refused: Some(RefusalCode::FrameMalformed),
        close: Some(1009),
    };
    let count = amount(4, 100);
    for round in 0..count {
        let worker = 100 + 10 * round as u64;
        let one_more = frame(BINARY, &vec![1; FRAME_BYTES_MAX + 1]);
        let ended = ended_by(greeted(server.address, worker, None).await, [one_more]).await;
        assert_eq!(ended, too_long, "a byte too many");
        let endless = [head(BINARY, 1 << 40), vec![0; 1 << 20]];
        let ended = ended_by(greeted(server.address, worker + 1, None).await, endless).await;
        assert_eq!(ended, too_long, "a head that promises a tebibyte");
        let mut pieces = vec![frame(BINARY_FIRST, &vec![1; 64 << 10])];
        pieces.extend(repeated(frame(CONTINUED, &vec![1; 64 << 10]), 17));
        let ended = ended_by(greeted(server.address, worker + 2, None).await, pieces).await;
        assert_eq!(ended, too_long, "fragments without end");
        // The twin: as long as may be is not too long; it is only no message.
        let longest = frame(BINARY, &vec![1; FRAME_BYTES_MAX]);
        let ended = ended_by(greeted(server.address, worker + 3, None).await, [longest]).await;
        assert_ne!(ended.close, Some(1009));
        assert!(ended.refused.is_some());
    }
    let mut pieces = vec![frame(BINARY_FIRST, &[])];
    pieces.extend(repeated(frame(CONTINUED, &[]).repeat(10_000), amount(40, 1_000)));
    let ended = ended_by(greeted(server.address, 50, None).await, pieces).await;
    assert_eq!(ended.close, None, "empty fragments are cut off without a word");
    for worker in [51, 52] {
        let stream = match worker {
            51 => greeted(server.address, worker, None).await,
            _ => upgrade(server.address, &[], None).await.unwrap(),
        };
        let flood = repeated(frame(PING, &[7; 125]).repeat(1_000), amount(2, 100));
        let ended = ended_by(stream, flood).await;
        assert_eq!(
            (ended.refused, ended.close),
            (Some(RefusalCode::OutOfTurn), Some(1008)),
            "pings without end"
        );
    }
    let held = held_by_half_frames(amount(40, 200)).await;
    assert!(held <= MIB + (64 << 10), "{held} bytes for each");
    let body = json!({"program": program, "entry": "double", "input": {"range": {"end": 50}}});
    let id = server.submit(&body).await;
    assert_eq!(server.until_over(&id).await["state"], "succeeded");
    let seen = format!(
        "{} frames and messages over 1 MiB closed with 1009, at most {} KiB held of one; empty fragments and pings without end cut off",
        3 * count,
        held >> 10
    );
    kept("ws_oversize", &seen);
}

/// What is held of peers that stop a byte before the longest frame is whole, each.
async fn held_by_half_frames(count: usize) -> u64 {
    let server = Child::start("warn,coordinator=info").await;
    // The first of everything costs something of its own.
    let _first = greeted(server.address, 999_999, None).await;
    until_workers(&server, |there| there == 1).await;
    p99(20, async || drop(server.get("/overview").await)).await;
    let before = resident_bytes(server.pid());
    let mut half = head(BINARY, FRAME_BYTES_MAX as u64);
    half.resize(half.len() + FRAME_BYTES_MAX - 1, 1);
    let mut streams = Vec::new();
    for worker in 0..count {
        let mut stream = greeted(server.address, 1_000_000 + worker as u64, None).await;
        stream.write_all(&half).await.unwrap();
        streams.push(stream);
    }
    until_workers(&server, |there| there > count as u64).await;
    resident_bytes(server.pid()).saturating_sub(before) / count as u64
}

/// Connections that begin a request in some way and never finish it: after how long the last of them was closed;
/// `None` when one is still open after `wait_max`.
async fn half_open(address: SocketAddr, count: usize, wait_max: Duration) -> Option<Duration> {
    let mut streams = Vec::new();
    for number in 0..count {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let begun: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET / HTTP/1.1\r\nhost: x\r\n",
            _ => b"G",
        };
        stream.write_all(begun).await.unwrap();
        streams.push((number, stream, Instant::now()));
    }
    let ends = streams.into_iter().map(|(number, stream, since)| async move {
        let (mut reading, mut writing) = stream.into_split();
        // Some go on, a byte at a time: that is no reason to wait for them.
        let dribble = async {
            for byte in std::iter::repeat(b'E').take_while(|_| number % 3 == 2) {
                tokio::time::sleep(Duration::from_millis(700)).await;
                if writing.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let mut rest = Vec::new();
        tokio::select! {
            _ = reading.read_to_end(&mut rest) => since.elapsed(),
            () = dribble => Duration::MAX,
        }
    });
    let all = futures_util::future::join_all(ends);
    let gone = tokio::time::timeout(wait_max, all).await.ok()?;
    gone.into_iter().max()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_headers() {
    coordinator::raise_file_limit();
    let count = amount(60, 5_000);
    let bound = Duration::from_secs(6);
    let server = Server::start().await;
    let calm = p99(amount(20, 200), async || drop(server.get("/overview").await)).await;
    // The twin: the same peers before a loop that waits for them, at the same time.
    let (patient, _stop) = patient_loop().await;
    let (attacked, twin, busy) = tokio::join!(
        half_open(server.address, count, 5 * bound),
        half_open(patient, 3, bound),
        p99(amount(20, 200), async || drop(server.get("/overview").await)),
    );
    let gone = attacked.expect("all of them are gone");
    assert!(gone <= bound, "the last was closed after {gone:?}");
    assert_eq!(twin, None, "a loop that waits is found out");
    let health = server.bare(Method::GET, "/livez").send().await.unwrap();
    assert!(health.status().is_success());
    if is_soak() {
        let bound = (2 * calm).max(calm + Duration::from_millis(10));
        assert!(busy <= bound, "{busy:?} beside them, {calm:?} alone");
    }
    let seen = format!(
        "{count} half-open requests, each gone {:.1} s after it began, at the latest; p99 of others {:.1} ms, alone {:.1} ms",
        gone.as_secs_f64(),
        busy.as_secs_f64() * 1e3,
        calm.as_secs_f64() * 1e3,
    );
    kept("slow_headers", &seen);
}

/// An accept loop with more patience than anybody's test.
async fn patient_loop() -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options {
        connections_max: 100,
        connections_per_address_max: 100,
        exempt: Networks::default(),
        head_time_max: Duration::from_secs(600),
        drain_time_max: Duration::ZERO,
        tls: None,
    };
    let (stop, stopping) = watch::channel(false);
    let router = Router::new().route("/", get(|| async { "hello" }));
    tokio::spawn(serve(listener, router, options, stopping));
    (address, stop)
}
