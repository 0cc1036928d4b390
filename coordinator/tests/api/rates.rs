//! Promise 22: one client cannot take more than its share, and cannot pretend to be many.
use crate::raw::{BINARY, frame, upgrade};
use crate::support::{Server, hello, soon};
use crate::tokens::token;
use coordinator::net::Networks;
use promise::{amount, kept};
use protocol::frame::encode_from_worker;
use reqwest::Method;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;

/// Requests a second; a second's worth may come at once.
const PER_SECOND: u32 = 100;

async fn behind_a_proxy() -> Server {
    Server::start_with(|settings| {
        settings.requests_per_second_max = PER_SECOND;
        settings.proxies = Networks::new(vec!["127.0.0.1".parse().unwrap()]);
    })
    .await
}

/// Whether a request that the proxy says comes from these is answered.
async fn is_answered(server: &Server, from: &str, token: Option<&str>) -> bool {
    let mut request = server
        .bare(Method::GET, "/api/v1/whoami")
        .header("x-forwarded-for", from);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    if status == 429 {
        assert!(response.headers().contains_key("retry-after"));
        assert!(response.text().await.unwrap().contains("too_many_requests"));
    }
    assert!(matches!(status, 200 | 429), "{status}");
    status == 200
}

/// Asks as fast as it can for so long: how many were answered, and how many may have been.
async fn flood(
    server: &Server,
    seconds: u64,
    from: impl Fn(u64) -> String,
    token: Option<&str>,
) -> (u64, u64, u64) {
    let since = Instant::now();
    let (mut asked, mut answered) = (0, 0);
    while since.elapsed() < Duration::from_secs(seconds) {
        answered += u64::from(is_answered(server, &from(asked), token).await);
        asked += 1;
    }
    let may = f64::from(PER_SECOND) * (1.0 + since.elapsed().as_secs_f64());
    #[allow(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "a small positive number"
    )]
    let may = may as u64;
    (asked, answered, may)
}

fn within_5_percent(answered: u64, may: u64) -> bool {
    answered.abs_diff(may) * 20 <= may
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rate_limits_hold() {
    let server = behind_a_proxy().await;
    let seconds = amount(1, 20);
    let (asked, by_address, may) = flood(&server, seconds, |_| "203.0.113.1".into(), None).await;
    assert!(
        asked > may && within_5_percent(by_address, may),
        "{by_address} of {asked} answered, {may} may be"
    );
    assert!(
        is_answered(&server, "203.0.113.2", None).await,
        "a neighbour is not touched"
    );
    let (asked, by_prefix, may) =
        flood(&server, seconds, |n| format!("2001:db8::{:x}", n % 60_000), None).await;
    assert!(
        asked > may && within_5_percent(by_prefix, may),
        "{by_prefix} of {asked} answered, {may} may be"
    );
    assert!(is_answered(&server, "2001:db8:0:1::1", None).await);
    let (busy, _) = token(&server, "busy", &["read"], None).await;
    // From a thousand addresses: the token is one.
    let from = |n: u64| format!("198.51.{}.{}", n / 250 % 4, n % 250);
    let (asked, by_token, may) = flood(&server, seconds, from, Some(&busy)).await;
    // A token that was not heard of for a second is counted to its address once more.
    assert!(
        asked > may && within_5_percent(by_token, may),
        "{by_token} of {asked} answered, {may} may be"
    );
    assert!(is_answered(&server, "198.51.0.1", None).await);
    // The twin: where everybody may do more, more is done.
    let free = Server::start().await;
    let (asked, answered, _) = flood(&free, 1, |_| "203.0.113.1".into(), None).await;
    assert_eq!(asked, answered, "this machine is not counted");
    server.stop().await;
    free.stop().await;
    let seen = format!(
        "floods of {seconds} s at {PER_SECOND}/s: {by_address} answered by address, {by_prefix} by /64, {by_token} by \
         token, each within 5 %"
    );
    kept("rate_limits_hold", &seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xff_cannot_spoof() {
    let server = behind_a_proxy().await;
    let seconds = amount(1, 20);
    // The proxy adds whom it heard from at the right; what stands before that is the sender's invention.
    let spoof = |n: u64| format!("10.{}.{}.{}, 203.0.113.9", n % 200, n / 200 % 200, n % 7);
    let (asked, answered, may) = flood(&server, seconds, spoof, None).await;
    assert!(
        asked > may && within_5_percent(answered, may),
        "{answered} of {asked} answered, {may} may be"
    );
    // The twin: addresses that the proxy itself names are clients of their own.
    let (asked, real, _) = flood(
        &server,
        1,
        |n| format!("10.9.{}.{}", n / 250 % 250, n % 250),
        None,
    )
    .await;
    assert_eq!(asked, real);
    server.stop().await;
    let seen =
        format!("{answered} answered where {may} may be, under {asked} invented addresses: nothing gained");
    kept("xff_cannot_spoof", &seen);
}

/// Sockets that have not said who they are: sixteen for each address.
#[tokio::test]
async fn who_says_nothing_does_not_hold_every_door() {
    let server = behind_a_proxy().await;
    let knock = async |from: &str| upgrade(server.address, &[("x-forwarded-for", from)], None).await;
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(knock("203.0.113.5").await.unwrap());
    }
    assert_eq!(knock("203.0.113.5").await.unwrap_err(), 429);
    assert!(knock("203.0.113.6").await.is_ok(), "a neighbour is let in");
    let mut leaver = silent.pop().unwrap();
    let hello = encode_from_worker(&hello(1, None));
    leaver.write_all(&frame(BINARY, &hello)).await.unwrap();
    let again = async {
        while knock("203.0.113.5").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("a place of one that said hello", again).await;
    server.stop().await;
}
