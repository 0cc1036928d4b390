//! Promise 20: what is stored and logged holds no token, a token allows its scopes and nothing else, and one that is
//! revoked is worth nothing within a second, open connections included.
use crate::child::Child;
use crate::support::{Server, connect, hello, next, soon};
use futures_util::{SinkExt as _, StreamExt as _};
use promise::{amount, kept};
use protocol::frame::encode_from_worker;
use protocol::ids::{JobId, WorkerId};
use protocol::wire::{RefusalCode, ToWorker};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::Message;

const SCOPES: [&str; 5] = ["submit", "work", "trusted", "read", "admin"];
const BAD: [&str; 2] = ["expired", "revoked"];

/// Which tokens a route answers. A route that is not here fails the test: say who may use it.
const ALLOWED: &[(&str, &[&str])] = &[
    ("post /jobs", &["submit", "admin"]),
    ("get /jobs", &["submit", "read", "admin"]),
    ("get /jobs/{id}", &["submit", "read", "admin"]),
    ("post /jobs/{id}/cancel", &["submit", "admin"]),
    ("post /jobs/{id}/pause", &["submit", "admin"]),
    ("post /jobs/{id}/resume", &["submit", "admin"]),
    ("post /jobs/{id}/retry", &["submit", "admin"]),
    ("post /jobs/{id}/items", &["submit", "admin"]),
    ("post /jobs/{id}/close", &["submit", "admin"]),
    ("get /jobs/{id}/results", &["submit", "read", "admin"]),
    ("get /jobs/{id}/errors", &["submit", "read", "admin"]),
    ("get /jobs/{id}/explain", &["submit", "read", "admin"]),
    ("get /jobs/{id}/shards/{shard}", &["submit", "read", "admin"]),
    ("get /workers", &["read", "admin"]),
    ("get /workers/{id}/explain", &["read", "admin"]),
    ("get /overview", &["read", "admin"]),
    ("get /programs", &["submit", "read", "admin"]),
    ("post /programs", &["submit", "admin"]),
    ("get /programs/{hash}", &["submit", "read", "admin"]),
    (
        "get /programs/{hash}/module",
        &["none", "submit", "work", "trusted", "read", "admin"],
    ),
    (
        "post /blobs",
        &["none", "submit", "work", "trusted", "read", "admin"],
    ),
    (
        "get /blobs/{hash}",
        &["none", "submit", "work", "trusted", "read", "admin"],
    ),
    ("get /events", &["submit", "read", "admin"]),
    ("post /tokens", &["admin"]),
    ("get /tokens", &["admin"]),
    ("delete /tokens/{id}", &["admin"]),
    (
        "get /whoami",
        &["none", "submit", "work", "trusted", "read", "admin"],
    ),
    (
        "get /accounts/{id}",
        &["none", "submit", "work", "trusted", "read", "admin"],
    ),
    (
        "get /accounts/{id}/receipts",
        &["none", "submit", "work", "trusted", "read", "admin"],
    ),
    (
        "get /receipts/{id}",
        &["none", "submit", "work", "trusted", "read", "admin"],
    ),
    ("get /receipts/{id}/digests", &["read", "admin"]),
    (
        "get /leaders",
        &["none", "submit", "work", "trusted", "read", "admin"],
    ),
    (
        "post /tickets",
        &["none", "submit", "work", "trusted", "read", "admin"],
    ),
    (
        "get /work",
        &["none", "submit", "work", "trusted", "read", "admin"],
    ),
];

/// A token's text and id.
pub(crate) async fn token(
    server: &Server,
    name: &str,
    scopes: &[&str],
    expires_ms: Option<u64>,
) -> (String, String) {
    let body = json!({"name": name, "scopes": scopes, "expires_ms": expires_ms});
    let (status, made) = server.post("/tokens", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["token"]), text(&made["info"]["id"]))
}

async fn revoke(server: &Server, id: &str) {
    let gone = server.api(Method::DELETE, &format!("/tokens/{id}")).send().await;
    assert_eq!(gone.unwrap().status(), StatusCode::NO_CONTENT);
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// A token that is over by now.
pub(crate) async fn expired(server: &Server) -> String {
    let soon_ms = now_ms() + 300;
    let (text, _) = token(server, "expired", &["admin"], Some(soon_ms)).await;
    while now_ms() <= soon_ms {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    text
}

/// Every route there is, as `method path`.
pub(crate) async fn routes(server: &Server) -> BTreeSet<String> {
    let document = server
        .bare(Method::GET, "/api/v1/openapi.json")
        .send()
        .await
        .unwrap();
    let document: Value = document.json().await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    let routes = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| format!("{method} {path}"))
    });
    routes.collect()
}

/// An address of a route, with something in it that nothing has.
pub(crate) fn address(path: &str) -> String {
    let id = match path.split('/').nth(1) {
        Some("programs" | "blobs") => "ab".repeat(32),
        Some("jobs") => JobId(0x0123_4567_89ab_cdef).to_string(),
        Some("workers") => WorkerId(0x0123_4567_89ab_cdef).to_string(),
        Some("receipts") => format!("{}.0.0", JobId(0x0123_4567_89ab_cdef)),
        _ => "0123456789abcdef".into(),
    };
    let path = path
        .replace("{id}", &id)
        .replace("{hash}", &id)
        .replace("{shard}", "0");
    format!("/api/v1{path}")
}

/// A body that is read before anybody asks whose it is.
pub(crate) fn body(path: &str) -> Value {
    match path {
        "/jobs" => json!({"program": "p", "entry": "e", "input": {"range": {"end": 1}}}),
        "/tokens" => json!({"name": "made", "scopes": ["read"]}),
        _ => json!({}),
    }
}

async fn scope_matrix() -> usize {
    let server = Server::start().await;
    let routes = routes(&server).await;
    let known: BTreeSet<_> = ALLOWED.iter().map(|(route, _)| (*route).to_owned()).collect();
    let unsaid: Vec<_> = routes.difference(&known).collect();
    assert!(unsaid.is_empty(), "say who may use {unsaid:?}");
    let mut tokens = vec![("none", None), ("expired", Some(expired(&server).await))];
    let (revoked, id) = token(&server, "revoked", &["admin"], None).await;
    revoke(&server, &id).await;
    tokens.push(("revoked", Some(revoked)));
    for scope in SCOPES {
        tokens.push((scope, Some(token(&server, scope, &[scope], None).await.0)));
    }
    let mut tried = 0;
    for route in &routes {
        let (method, path) = route.split_once(' ').unwrap();
        let method: Method = method.to_uppercase().parse().unwrap();
        let allowed = ALLOWED.iter().find(|(known, _)| known == route).unwrap().1;
        for (who, token) in &tokens {
            // Where no token is needed, one that is worth nothing may be told or not.
            if allowed.contains(&"none") && BAD.contains(who) {
                continue;
            }
            let mut request = server.bare(method.clone(), &address(path)).json(&body(path));
            request = request.header("origin", format!("http://{}", server.address));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let status = request.send().await.unwrap().status();
            let refused = matches!(status.as_u16(), 401 | 403);
            assert_eq!(!refused, allowed.contains(who), "{who}: {route} answers {status}");
            tried += 1;
        }
    }
    server.stop().await;
    tried
}

/// Sockets, streams of events and of results, all under one token: how long they outlive it.
async fn revoked_under_load(sockets: usize) -> Duration {
    let server = Server::start_with(|settings| settings.worker_token_required = true).await;
    let program = server.program().await.to_string();
    let open = json!({"program": program, "entry": "double", "input": {"open": {}}});
    let job = server.submit(&open).await;
    let (text, id) = token(&server, "leaver", &["work", "read"], None).await;
    let (stays, _) = token(&server, "stays", &["work", "read"], None).await;
    let mut workers = Vec::new();
    let mut other = None;
    for worker in 0..=sockets {
        let token = if worker == 0 { &stays } else { &text };
        let mut socket = connect(&server).await;
        let hello = encode_from_worker(&hello(worker as u64 + 1, Some(token)));
        socket.send(Message::Binary(hello.into())).await.unwrap();
        assert!(matches!(next(&mut socket).await, Some(ToWorker::Welcome { .. })));
        if worker == 0 {
            other = Some(socket);
        } else {
            workers.push(socket);
        }
    }
    let follow = |path: String, token: &str| {
        let request = server
            .bare(Method::GET, &format!("/api/v1{path}"))
            .bearer_auth(token);
        async move { request.send().await.unwrap().bytes_stream() }
    };
    let results = format!("/jobs/{job}/results?follow=true");
    let mut streams = vec![
        follow("/events".into(), &text).await.boxed(),
        follow(results.clone(), &text).await.boxed(),
    ];
    let mut staying = follow("/events".into(), &stays).await.boxed();
    let since = Instant::now();
    revoke(&server, &id).await;
    for socket in &mut workers {
        let told = loop {
            match next(socket).await {
                Some(ToWorker::Refused { code, .. }) => break Some(code),
                Some(_) => {}
                None => break None,
            }
        };
        assert_eq!(told, Some(RefusalCode::TokenWrong));
    }
    for stream in &mut streams {
        while let Some(Ok(_)) = soon("the end of a stream", stream.next()).await {}
    }
    let took = since.elapsed();
    // The twin: what another token holds goes on.
    let quiet = Duration::from_millis(200);
    let mut other = other.unwrap();
    let still = tokio::time::timeout(quiet, next(&mut other)).await;
    assert!(!matches!(still, Ok(None)), "the other worker stays");
    let still = tokio::time::timeout(quiet, async { while let Some(Ok(_)) = staying.next().await {} }).await;
    assert!(still.is_err(), "the other reader stays");
    drop((workers, streams, staying, other));
    server.stop().await;
    took
}

/// Whether any of these texts is found in any file under a folder.
fn found_in(folder: &Path, needles: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(found_in(&path, needles));
            continue;
        }
        if holds(&std::fs::read(&path).unwrap(), needles) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Whether one of the needles stands in the bytes: one pass, with the eight bytes that each begins with.
fn holds(bytes: &[u8], needles: &[Vec<u8>]) -> bool {
    let start = |needle: &[u8]| {
        needle[..8]
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    };
    let mut starts: HashMap<u64, Vec<&[u8]>> = HashMap::new();
    for needle in needles {
        starts.entry(start(needle)).or_default().push(needle);
    }
    let mut last = 0;
    bytes.iter().enumerate().any(|(end, byte)| {
        last = last << 8 | u64::from(*byte);
        let begun = starts.get(&last).filter(|_| end >= 7).into_iter().flatten();
        begun
            .into_iter()
            .any(|needle| bytes[end - 7..].starts_with(needle))
    })
}

/// A token in every form in which it could be left somewhere: its text, its secret's digits, their bytes, and the
/// text as a log prints bytes.
fn forms(token: &str) -> Vec<Vec<u8>> {
    let secret = token.split('_').nth(2).unwrap();
    let digits = secret.as_bytes().chunks(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    let printed: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let listed = format!("{:?}", secret.as_bytes());
    vec![
        secret.as_bytes().to_vec(),
        bytes.collect(),
        printed.into_bytes(),
        listed.trim_matches(['[', ']']).as_bytes().to_vec(),
    ]
}

/// A run of the real program with the most talkative log there is: tokens are used in every way, right and wrong.
async fn dump_scan(tokens: usize) -> usize {
    let child = Child::start("trace").await;
    let mut secrets = vec![child.token.clone()];
    for number in 0..tokens {
        let scope = SCOPES[number % SCOPES.len()];
        let made = child
            .api(Method::POST, "/tokens", &child.token)
            .json(&json!({"name": format!("t{number}"), "scopes": [scope]}));
        let made: Value = made.send().await.unwrap().json().await.unwrap();
        let text = made["token"].as_str().unwrap().to_owned();
        let slip = format!("{}x", &text[..text.len() - 1]);
        for (path, token) in [("/jobs", &text), ("/tokens", &text), ("/jobs", &slip)] {
            drop(child.api(Method::GET, path, token).send().await.unwrap());
        }
        child.say_hello(number as u64 + 1, &text).await;
        if number % 3 == 0 {
            let id = made["info"]["id"].as_str().unwrap();
            drop(
                child
                    .api(Method::DELETE, &format!("/tokens/{id}"), &child.token)
                    .send()
                    .await,
            );
        }
        secrets.push(text);
    }
    let folder = child.stop();
    let needles: Vec<_> = secrets.iter().flat_map(|token| forms(token)).collect();
    let found = found_in(folder.path(), &needles);
    assert!(found.is_empty(), "a token stands in {found:?}");
    // The twin: where one does stand, it is found, in whichever form.
    for form in forms(&secrets[0]) {
        let left = folder.path().join("left");
        std::fs::write(&left, [b"before ".to_vec(), form, b" after".to_vec()].concat()).unwrap();
        assert_eq!(found_in(folder.path(), &needles), [left.display().to_string()]);
    }
    secrets.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_hashed_scoped_revocable() {
    coordinator::raise_file_limit();
    let tried = scope_matrix().await;
    let sockets = amount(4, 200);
    let took = revoked_under_load(sockets).await;
    assert!(took <= Duration::from_secs(1), "{took:?}");
    let scanned = dump_scan(amount(6, 60)).await;
    let seen = format!(
        "{tried} pairs of route and token as they should be; {sockets} sockets and 2 streams ended {} ms after their token; \
         none of {scanned} tokens in the store or a log at its lowest level",
        took.as_millis()
    );
    kept("tokens_hashed_scoped_revocable", &seen);
}
