//! Whatever is wrong with a request is told by its name, with what to do; nothing panics.
use crate::support::{Server, json};
use protocol::limits;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Sends a job and checks status, kind and words of the answer.
async fn refused(server: &Server, body: Value, status: u16, kind: &str, words: &[&str]) {
    let (got, problem) = server.post("/jobs", &body).await;
    assert_eq!(
        (got.as_u16(), problem["type"].as_str()),
        (status, Some(kind)),
        "{problem}"
    );
    for word in words {
        assert!(
            problem["detail"].as_str().unwrap().contains(word),
            "'{word}' in {problem}"
        );
    }
    assert_eq!(problem["status"], status);
    assert!(!problem["request"].as_str().unwrap().is_empty(), "{problem}");
}

fn job(program: impl ToString, input: Value) -> Value {
    json!({"program": program.to_string(), "entry": "double", "input": input})
}

fn with(mut job: Value, field: &str, value: Value) -> Value {
    job[field] = value;
    job
}

#[tokio::test]
async fn programs_entries_and_parameters_are_named() {
    let server = Server::start().await;
    let program = server.program().await;
    let range = json!({"range": {"end": 5}});
    let fine = job(program, range.clone());
    let unknown = "0".repeat(64);
    refused(
        &server,
        job("rust-cor", range.clone()),
        422,
        "program_unknown",
        &["no program 'rust-cor'"],
    )
    .await;
    refused(
        &server,
        job(&unknown, range),
        422,
        "program_unknown",
        &[&unknown, "POST /api/v1/programs"],
    )
    .await;
    let entry = with(fine.clone(), "entry", json!("duble"));
    refused(
        &server,
        entry,
        422,
        "entry_unknown",
        &["no entry 'duble'", "did you mean 'double'?"],
    )
    .await;
    let entry = with(fine.clone(), "entry", json!("triple"));
    refused(&server, entry, 422, "entry_unknown", &["there are double"]).await;
    let params = with(fine.clone(), "params", json!({"width": 99, "wdth": 1}));
    let words = [
        "width: must be a whole number from 1 to 64, not 99",
        "did you mean 'width'?",
    ];
    refused(&server, params.clone(), 422, "params_invalid", &words).await;
    let (_, problem) = server.post("/jobs", &params).await;
    let fields: Vec<_> = problem["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["field"])
        .collect();
    assert_eq!(fields, [&json!("wdth"), &json!("width")]);
    let misspelt = with(fine, "grian", json!({"items": 3}));
    refused(
        &server,
        misspelt,
        422,
        "body_invalid",
        &["grian", "did you mean 'grain'?"],
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn inputs_that_make_no_job_are_told_apart() {
    let server = Server::start().await;
    let program = server.program().await;
    let try_input = async |input, status, kind, words: &[&str]| {
        refused(&server, job(program, input), status, kind, words).await;
    };
    try_input(json!({"items": []}), 422, "input_empty", &["at least one item"]).await;
    try_input(
        json!({"range": {"start": 5, "end": 5}}),
        422,
        "input_empty",
        &["from 5 before 5 by 1"],
    )
    .await;
    try_input(
        json!({"range": {"end": 5, "step": 0}}),
        422,
        "step_zero",
        &["input.range.step"],
    )
    .await;
    try_input(
        json!({"range": {"end": 5_000_000}}),
        422,
        "items_invalid",
        &["item 4999999", "1000000"],
    )
    .await;
    try_input(
        json!({"items": [1, "two"]}),
        422,
        "items_invalid",
        &["item 1: must be a whole number"],
    )
    .await;
    let huge = json!({"range": {"start": i64::MIN, "end": i64::MAX}});
    try_input(huge, 422, "over_limit", &[&limits::ITEMS_MAX.to_string()]).await;
    let missing = "ab".repeat(32);
    let words = [missing.as_str(), "upload it first with POST /api/v1/blobs"];
    try_input(json!({"blob": {"blob": missing}}), 422, "blob_missing", &words).await;
    let empty = server.blob("").await;
    try_input(json!({"blob": {"blob": empty}}), 422, "input_empty", &["empty"]).await;
    let mut long = b"1\n2\n".to_vec();
    long.resize(100 << 20, b'7');
    let long = server.blob(long).await;
    let words = ["item 2: has 104857596 bytes", "split it"];
    try_input(json!({"blob": {"blob": long}}), 422, "items_invalid", &words).await;
    let some = server.blob("1\n2\n").await;
    let split = json!({"blob": {"blob": some, "split": {"records": 0}}});
    try_input(split, 422, "over_limit", &["input.blob.split.records"]).await;
    try_input(
        json!({"blob": {"blob": "xyz"}}),
        422,
        "body_invalid",
        &["'xyz' is not a blob hash"],
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn every_limit_is_told_with_its_value() {
    let server = Server::start().await;
    let fine = job(server.program().await, json!({"range": {"end": 5}}));
    let over = async |field, value, words: &[&str]| {
        refused(
            &server,
            with(fine.clone(), field, value),
            422,
            "over_limit",
            words,
        )
        .await;
    };
    over(
        "limits",
        json!({"memory_mib": 100_000}),
        &["limits.memory_mib", "1024", "100000"],
    )
    .await;
    over("limits", json!({"shard_time_ms": 0}), &["limits.shard_time_ms"]).await;
    over("weight", json!(0), &["weight: must be from 1 to 10000, not 0"]).await;
    over("attempts_max", json!(101), &["attempts_max"]).await;
    over("grain", json!({"items": 0}), &["grain.items"]).await;
    over("name", json!("x".repeat(300)), &["name", "200"]).await;
    let long = server
        .api(Method::POST, "/jobs")
        .body(vec![b' '; limits::BODY_BYTES_MAX + 1]);
    let (status, problem) = json(long.send().await.unwrap()).await;
    assert_eq!(
        (status, &problem["type"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_long"))
    );
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains(&limits::BODY_BYTES_MAX.to_string()),
        "{problem}"
    );
    let key = server
        .api(Method::POST, "/jobs")
        .header("idempotency-key", "x".repeat(300))
        .json(&fine);
    let (status, problem) = json(key.send().await.unwrap()).await;
    assert_eq!(
        (status, &problem["type"]),
        (StatusCode::BAD_REQUEST, &json!("header_invalid"))
    );
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let server = Server::start().await;
    let none = protocol::ids::JobId(7).to_string();
    for (method, path, status, kind) in [
        (Method::GET, "/nowhere".to_owned(), 404, "no_route"),
        (Method::PUT, "/jobs".to_owned(), 405, "method_not_allowed"),
        (Method::GET, "/jobs/nonsense".to_owned(), 400, "id_invalid"),
        (Method::GET, format!("/jobs/{none}"), 404, "job_unknown"),
        (Method::GET, format!("/jobs/{none}/results"), 404, "job_unknown"),
        (Method::GET, format!("/jobs/{none}/errors"), 404, "job_unknown"),
        (Method::GET, format!("/jobs/{none}/explain"), 404, "job_unknown"),
        (Method::POST, format!("/jobs/{none}/cancel"), 404, "job_unknown"),
        (Method::POST, format!("/jobs/{none}/close"), 404, "job_unknown"),
        (
            Method::GET,
            format!("/workers/{}/explain", protocol::ids::WorkerId(1)),
            404,
            "worker_unknown",
        ),
        (
            Method::GET,
            format!("/programs/{}", "0".repeat(64)),
            404,
            "program_unknown",
        ),
        (
            Method::GET,
            format!("/programs/{}/module", "0".repeat(64)),
            404,
            "program_unknown",
        ),
        (
            Method::GET,
            format!("/blobs/{}", "0".repeat(64)),
            404,
            "blob_unknown",
        ),
        (Method::DELETE, "/tokens/none".to_owned(), 404, "token_unknown"),
        (Method::GET, "/jobs?stat=running".to_owned(), 400, "query_invalid"),
        (Method::GET, "/jobs?state=runing".to_owned(), 400, "query_invalid"),
        (Method::GET, "/jobs?cursor=5".to_owned(), 400, "query_invalid"),
        (Method::GET, "/work".to_owned(), 426, "websocket_wanted"),
    ] {
        let response = server.api(method, &path).send().await.unwrap();
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json",
            "{path}"
        );
        let id = response.headers()["x-request-id"].clone();
        let (got, problem) = json(response).await;
        assert_eq!(
            (got.as_u16(), problem["type"].as_str()),
            (status, Some(kind)),
            "{path}: {problem}"
        );
        assert_eq!(problem["request"].as_str(), id.to_str().ok(), "{path}");
    }
    let id = server
        .submit(&job(server.program().await, json!({"range": {"end": 5}})))
        .await;
    let path = format!("/jobs/{id}/results?cursor=bm9wZQ");
    let (status, problem) = json(server.api(Method::GET, &path).send().await.unwrap()).await;
    assert_eq!(
        (status.as_u16(), &problem["type"]),
        (400, &json!("cursor_invalid"))
    );
    server.stop().await;
}

#[tokio::test]
async fn a_program_that_may_not_run_is_refused_with_the_reason() {
    let server = Server::start().await;
    let upload = async |body: Vec<u8>| {
        json(
            server
                .api(Method::POST, "/programs")
                .body(body)
                .send()
                .await
                .unwrap(),
        )
        .await
    };
    let (status, problem) = upload(b"not wasm".to_vec()).await;
    assert_eq!(
        (status.as_u16(), &problem["type"]),
        (422, &json!("program_refused")),
        "{problem}"
    );
    let clock = r#"(module (import "env" "now" (func (result i64))) (memory (export "memory") 1 2) (func (export "e")))"#;
    let (_, problem) = upload(wat::parse_str(clock).unwrap()).await;
    assert!(
        problem["detail"].as_str().unwrap().contains("'env'.'now'"),
        "{problem}"
    );
    let (status, _) = upload(vec![0; limits::PROGRAM_BYTES_MAX + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    server.stop().await;
}

#[tokio::test]
async fn a_reducer_that_is_no_function_is_refused_by_name() {
    let server = Server::start().await;
    let text = "export const total = 5;\nexport default (x) => x;\nexport const add = (a, b) => a + b;\n";
    let request = server.api(Method::POST, "/programs?file=sum.js").body(text);
    let (status, program) = json(request.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::CREATED, "{program}");
    let program = program["hash"].as_str().unwrap();
    for (reducer, words) in [
        ("total", "'sum' has no entry 'total'"),
        ("ad", "did you mean 'add'?"),
    ] {
        let body = json!({"program": program, "entry": "default", "input": {"range": {"end": 5}},
            "reduce": {"entry": reducer}});
        refused(&server, body, 422, "entry_unknown", &["reduce.entry", words]).await;
    }
    server.stop().await;
}
