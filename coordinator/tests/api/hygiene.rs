//! Promise 39: errors help who made them, not who looks for a way in; each has an id that the log knows.
use crate::child::Child;
use promise::kept;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// What no answer may hold: places, the words of the store, of the system and of the compiler.
const INNER: [&str; 13] = [
    "elytra.db",
    "sqlite",
    "SELECT",
    "INSERT",
    ".rs:",
    "src/",
    "panicked",
    "unwrap",
    "backtrace",
    "os error",
    "RUST_",
    "incoming",
    "rusqlite",
];

/// Every answer to a request that fails, with what its body says.
async fn told(request: RequestBuilder) -> (u16, Value, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    for wall in [
        "x-content-type-options",
        "content-security-policy",
        "referrer-policy",
    ] {
        assert!(response.headers().contains_key(wall), "{wall}");
    }
    let text = response.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (status, body, id)
}

/// What an error tells that it should not.
fn leaks(body: &str, secrets: [&str; 2]) -> Option<String> {
    let inner = INNER.iter().copied().chain(secrets);
    inner
        .into_iter()
        .find(|word| body.contains(word))
        .map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_hygiene() {
    let child = Child::start("info").await;
    let data_dir = child.data_dir().display().to_string();
    let api = |method: Method, path: &str| child.api(method, path, &child.token);
    let job = json!({"program": "none", "entry": "e", "input": {"range": {"end": 1}}});
    let mut requests = vec![
        api(Method::GET, "/nothing"),
        api(Method::GET, "/jobs/not-an-id"),
        api(Method::GET, "/jobs?limit=x"),
        api(Method::GET, "/jobs?cursor=../../etc/passwd"),
        api(Method::PUT, "/jobs"),
        api(Method::POST, "/jobs").json(&job),
        api(Method::POST, "/jobs").body("{"),
        api(Method::POST, "/programs").body("\0asm is no module"),
        api(Method::POST, "/programs?file=..%2F..%2Fx.js").body("syntax error("),
        api(Method::GET, &format!("/blobs/{}", "ab".repeat(32))),
        api(Method::GET, "/blobs/..%2F..%2Fetc"),
        api(Method::GET, "/work"),
        api(Method::POST, "/tickets"),
        child.api(Method::GET, "/jobs", "ely_x' OR 1=1 --"),
        api(Method::DELETE, "/tokens/' OR 1=1"),
    ];
    // The disk breaks under it: where the blobs were is something else.
    let blobs = child.data_dir().join("blobs");
    std::fs::rename(&blobs, child.data_dir().join("were-blobs")).unwrap();
    std::fs::write(&blobs, "no folder").unwrap();
    requests.push(api(Method::POST, "/blobs").body("bytes"));
    requests.push(api(Method::GET, &format!("/blobs/{}", "cd".repeat(32))));
    requests.push(api(Method::POST, "/programs?file=fine.js").body("export default (n) => n;"));
    let (mut errors, mut ids, mut broken) = (0, Vec::new(), 0);
    for request in requests {
        let (status, body, id) = told(request).await;
        assert!(status >= 400, "{status} {body}");
        assert_eq!(
            leaks(&body.to_string(), [&data_dir, &child.token]),
            None,
            "{status} {body}"
        );
        assert_eq!(body["request"], id.as_str(), "{status} {body}");
        assert!(!body["detail"].as_str().unwrap().is_empty());
        broken += usize::from(status >= 500);
        errors += 1;
        ids.push((status, id));
    }
    assert!(broken >= 3, "the disk was to fail");
    let log = child.log();
    for (status, id) in &ids {
        let line = log.lines().find(|line| line.contains(id.as_str()));
        assert!(line.is_some(), "the log does not know {id} ({status})");
    }
    let causes = log
        .lines()
        .filter(|line| line.contains("a request failed"))
        .count();
    assert!(causes >= 3, "what went wrong is in the log: {causes}");
    // The twin: an error that tells where it happened is found out.
    let careless = format!("{data_dir}/elytra.db: database disk image is malformed");
    assert!(leaks(&careless, [&data_dir, &child.token]).is_some());
    kept(
        "error_hygiene",
        &format!(
            "{errors} errors, {broken} of them from a broken disk: nothing of the inside, every id in the log"
        ),
    );
}
