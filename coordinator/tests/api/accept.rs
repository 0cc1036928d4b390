//! The bounds of the accept loop.
use crate::support::{Server, soon};
use axum::Router;
use axum::routing::get;
use coordinator::accept::{Options, serve};
use coordinator::net::Networks;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// Serves "hello" with these bounds until the sender says so.
async fn start(connections_max: usize, head_time_max: Duration) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(|| async { "hello" }));
    let options = Options {
        connections_max,
        connections_per_address_max: 3,
        exempt: Networks::default(),
        head_time_max,
        drain_time_max: Duration::from_secs(5),
        tls: None,
    };
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(serve(listener, router, options, stopping));
    (address, stop)
}

/// Everything the other side says until it closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is a close too.
    let _ = soon("the close", stream.read_to_end(&mut text)).await;
    String::from_utf8(text).unwrap()
}

async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(HEAD).await.unwrap();
    let mut answer = [0; 1024];
    let count = soon("an answer", stream.read(&mut answer)).await.unwrap();
    String::from_utf8(answer[..count].to_vec()).unwrap()
}

#[tokio::test]
async fn a_connection_too_many_is_turned_away_and_a_place_that_is_left_is_free() {
    let (address, _stop) = start(1, Duration::from_secs(60)).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut first).await.contains("hello"));
    let second = TcpStream::connect(address).await.unwrap();
    assert!(rest(second).await.starts_with("HTTP/1.1 503"));
    drop(first);
    let served = async {
        loop {
            let mut third = TcpStream::connect(address).await.unwrap();
            // The place is given back when the server sees the close.
            if third.write_all(HEAD).await.is_ok() && ask(&mut third).await.contains("hello") {
                return;
            }
        }
    };
    soon("a free place", served).await;
}

#[tokio::test]
async fn an_address_has_its_places_and_no_more() {
    let (address, _stop) = start(100, Duration::from_secs(60)).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut stream).await.contains("hello"));
        streams.push(stream);
    }
    let fourth = TcpStream::connect(address).await.unwrap();
    assert!(rest(fourth).await.starts_with("HTTP/1.1 429"));
}

#[tokio::test]
async fn half_a_head_does_not_hold_a_place_for_ever() {
    for (head_time_max, closes) in [
        (Duration::from_millis(200), true),
        (Duration::from_secs(600), false),
    ] {
        let (address, _stop) = start(8, head_time_max).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(&HEAD[..10]).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(3), rest(slow))
            .await
            .is_ok();
        assert_eq!(closed, closes, "with a bound of {head_time_max:?}");
    }
}

#[tokio::test]
async fn what_was_asked_before_the_shutdown_is_answered() {
    let server = Server::start().await;
    let address = server.address;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 1024];
    let count = soon("an answer", stream.read(&mut answer)).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..count]).contains("alive"));
    server.stop().await;
    assert_eq!(rest(stream).await, "", "the idle connection is closed");
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}
