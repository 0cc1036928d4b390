//! Who may do what.
use crate::support::{RawWorker, Server, connect, hello, json, next, soon};
use futures_util::SinkExt as _;
use protocol::frame::encode_from_worker;
use protocol::wire::{RefusalCode, ToWorker};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

async fn token(server: &Server, name: &str, scopes: Value) -> (String, String) {
    let (status, made) = server
        .post("/tokens", &json!({"name": name, "scopes": scopes}))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["token"]), text(&made["info"]["id"]))
}

async fn kind(request: RequestBuilder) -> (u16, String) {
    let (status, body) = json(request.send().await.unwrap()).await;
    (
        status.as_u16(),
        body["type"].as_str().unwrap_or_default().to_owned(),
    )
}

#[tokio::test]
async fn without_a_token_only_what_a_tab_needs_is_open() {
    let server = Server::start().await;
    let program = server.program().await;
    for (method, path) in [
        (Method::GET, "/jobs".to_owned()),
        (Method::POST, "/jobs".to_owned()),
        (Method::GET, "/workers".to_owned()),
        (Method::GET, "/overview".to_owned()),
        (Method::GET, "/events".to_owned()),
        (Method::GET, "/programs".to_owned()),
        (Method::POST, "/programs".to_owned()),
        (Method::GET, "/tokens".to_owned()),
    ] {
        let request = server.bare(method, &format!("/api/v1{path}")).json(&json!({
            "program": "p", "entry": "e", "input": {"range": {"end": 1}}
        }));
        let response = request.send().await.unwrap();
        let challenge = response.headers().get("www-authenticate").cloned();
        assert!(
            challenge.is_some_and(|c| c.as_bytes().starts_with(b"Bearer")),
            "{path}"
        );
        assert_eq!(json(response).await.1["type"], "token_missing", "{path}");
    }
    let open = async |path: String| server.bare(Method::GET, &path).send().await.unwrap().status();
    assert_eq!(
        open(format!("/api/v1/programs/{program}/module")).await,
        StatusCode::OK
    );
    assert_eq!(open("/api/v1/openapi.json".into()).await, StatusCode::OK);
    assert_eq!(open("/api/v1/whoami".into()).await, StatusCode::OK);
    let blob = server.blob("input").await;
    let path = format!("/api/v1/blobs/{blob}");
    assert_eq!(
        open(path).await,
        StatusCode::NOT_FOUND,
        "to know a hash is no right"
    );
    let output = server
        .bare(Method::POST, "/api/v1/blobs")
        .body("output")
        .send()
        .await
        .unwrap();
    assert_eq!(output.status(), StatusCode::CREATED);
    server.stop().await;
}

#[tokio::test]
async fn a_token_allows_its_scopes_and_no_others() {
    let server = Server::start().await;
    let (reader, id) = token(&server, "reader", json!(["read"])).await;
    let with = |method: Method, path: &str, token: &str| {
        server
            .bare(method, &format!("/api/v1{path}"))
            .bearer_auth(token)
            .json(&json!({}))
    };
    let who = json(with(Method::GET, "/whoami", &reader).send().await.unwrap())
        .await
        .1;
    assert_eq!(who, json!({"name": "reader", "scopes": ["read"]}));
    assert_eq!(kind(with(Method::GET, "/jobs", &reader)).await.0, 200);
    let spec = json!({"program": "p", "entry": "e", "input": {"range": {"end": 1}}});
    assert_eq!(
        kind(with(Method::POST, "/jobs", &reader).json(&spec)).await,
        (403, "scope_missing".into())
    );
    assert_eq!(
        kind(with(Method::GET, "/tokens", &reader)).await,
        (403, "scope_missing".into())
    );
    let slip = format!("{}0", &reader[..reader.len() - 1]);
    let wrong = kind(with(Method::GET, "/jobs", &slip)).await;
    assert!(
        slip == reader || wrong == (401, "token_wrong".into()),
        "{wrong:?}"
    );
    let listed = server.get("/tokens").await;
    assert!(
        listed["tokens"]
            .as_array()
            .unwrap()
            .iter()
            .any(|info| info["name"] == "reader")
    );
    assert!(
        !listed.to_string().contains(&reader[20..40]),
        "no secret is listed"
    );
    let gone = server
        .api(Method::DELETE, &format!("/tokens/{id}"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        kind(with(Method::GET, "/jobs", &reader)).await,
        (401, "token_wrong".into()),
        "at once"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_token_request_that_does_not_fit_is_told() {
    let server = Server::start().await;
    for (body, word) in [
        (json!({"name": "", "scopes": ["read"]}), "name"),
        (json!({"name": "x", "scopes": []}), "scopes"),
        (json!({"name": "x", "scopes": ["raed"]}), "did you mean 'read'?"),
        (
            json!({"name": "x", "scopes": ["read"], "expires_ms": 5}),
            "expires_ms",
        ),
    ] {
        let (status, problem) = server.post("/tokens", &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            problem["detail"].as_str().unwrap().contains(word),
            "{word}: {problem}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn workers_need_a_token_where_the_operator_says_so() {
    let server = Server::start_with(|settings| settings.worker_token_required = true).await;
    let (worker, _) = token(&server, "w", json!(["work"])).await;
    let (reader, _) = token(&server, "r", json!(["read"])).await;
    let refusal = async |token: Option<&str>| {
        let mut socket = connect(&server).await;
        let hello = encode_from_worker(&hello(1, token));
        socket.send(Message::Binary(hello.into())).await.unwrap();
        next(&mut socket).await
    };
    let code = |told: Option<ToWorker>| match told {
        Some(ToWorker::Refused { code, detail }) => {
            assert!(!detail.is_empty());
            Some(code)
        }
        _ => None,
    };
    assert_eq!(code(refusal(None).await), Some(RefusalCode::TokenMissing));
    assert_eq!(
        code(refusal(Some("ely_wrong")).await),
        Some(RefusalCode::TokenWrong)
    );
    assert_eq!(
        code(refusal(Some(&reader)).await),
        Some(RefusalCode::ScopeMissing)
    );
    assert!(matches!(
        refusal(Some(&worker)).await,
        Some(ToWorker::Welcome { .. })
    ));
    let bare = server
        .bare(Method::POST, "/api/v1/blobs")
        .body("output")
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED, "nobody uploads unknown");
    server.stop().await;
}

#[tokio::test]
async fn a_tab_without_a_token_works_where_none_is_asked_for() {
    let server = Server::start().await;
    let worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    server.stop().await;
    soon("the worker is told to drain", worker).await.unwrap();
}

/// What a browser is told when a page of `origin` wants to submit a job.
async fn asked_by(server: &Server, method: Method, origin: &str) -> (u16, Option<String>) {
    let request = server
        .bare(method, "/api/v1/jobs")
        .header("origin", origin)
        .header("access-control-request-method", "POST");
    let response = request.send().await.unwrap();
    let allowed = response.headers().get("access-control-allow-origin");
    let allowed = allowed.map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), allowed)
}

#[tokio::test]
async fn pages_of_other_origins_may_only_what_the_list_says() {
    let known = "https://example.org".to_owned();
    let server = Server::start_with(|settings| settings.cors_origins = vec![known.clone()]).await;
    let yes = Some(known.clone());
    assert_eq!(
        asked_by(&server, Method::OPTIONS, &known).await,
        (204, yes.clone())
    );
    // The token is asked for all the same, and what is wrong can be read.
    assert_eq!(asked_by(&server, Method::GET, &known).await, (401, yes));
    for other in ["https://example.org.evil.net", "https://example.or", "null"] {
        assert_eq!(
            asked_by(&server, Method::OPTIONS, other).await,
            (405, None),
            "{other}"
        );
        assert_eq!(
            asked_by(&server, Method::GET, other).await,
            (401, None),
            "{other}"
        );
    }
    let closed = Server::start().await;
    assert_eq!(asked_by(&closed, Method::OPTIONS, &known).await, (405, None));
}
