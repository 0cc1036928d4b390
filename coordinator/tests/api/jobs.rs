//! A job's life as a caller sees it.
use crate::support::{RawWorker, Server, json, soon};
use futures_util::StreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

fn range(server_program: impl ToString, end: i64) -> Value {
    json!({"program": server_program.to_string(), "entry": "double", "input": {"range": {"end": end}},
        "grain": {"items": 3}})
}

#[tokio::test]
async fn a_job_is_done_and_says_so() {
    let server = Server::start().await;
    let id = server.submit(&range(server.program().await, 100)).await;
    let worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    let job = server.until_over(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["counts"]["items_accepted"], 100);
    assert_eq!(job["counts"]["shards"], 34);
    assert_eq!(
        job["spec"]["params"],
        json!({"width": 7}),
        "defaults are filled in"
    );
    assert_eq!(job["name"], Value::Null);
    assert_eq!(job["spec"]["name"], "double");
    assert_eq!(job["owner"], "test");
    let told = server.get(&format!("/jobs/{id}/explain")).await;
    assert_eq!(told["reasons"][0]["code"], "succeeded", "{told}");
    server.stop().await;
    soon("the worker", worker).await.unwrap();
}

#[tokio::test]
async fn the_same_key_is_the_same_job() {
    let server = Server::start().await;
    let body = range(server.program().await, 10);
    let submit = |body: Value| {
        let request = server
            .api(Method::POST, "/jobs")
            .header("idempotency-key", "once");
        async move { json(request.json(&body).send().await.unwrap()).await }
    };
    let (first_status, first) = submit(body.clone()).await;
    let (again_status, again) = submit(body.clone()).await;
    assert_eq!(
        (first_status, again_status),
        (StatusCode::CREATED, StatusCode::OK)
    );
    assert_eq!(first["id"], again["id"]);
    let other = json!({"program": body["program"], "entry": "double", "input": {"range": {"end": 11}}});
    let (status, problem) = submit(other).await;
    assert_eq!(
        (status, &problem["type"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("key_reused"))
    );
    server.stop().await;
}

#[tokio::test]
async fn jobs_are_listed_page_by_page_newest_first() {
    let server = Server::start().await;
    let program = server.program().await;
    let mut ids = Vec::new();
    for end in 1..=3 {
        let mut body = range(program, end);
        body["labels"] = json!({"round": end.to_string()});
        ids.push(server.submit(&body).await);
    }
    ids.sort();
    ids.reverse();
    let page = server.get("/jobs?limit=2").await;
    let listed = |page: &Value| -> Vec<String> {
        page["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["id"].as_str().unwrap().into())
            .collect()
    };
    assert_eq!(listed(&page), ids[..2]);
    let rest = server
        .get(&format!(
            "/jobs?limit=2&cursor={}",
            page["next"].as_str().unwrap()
        ))
        .await;
    assert_eq!(listed(&rest), ids[2..]);
    assert_eq!(rest["next"], Value::Null);
    assert_eq!(listed(&server.get("/jobs?label=round=2").await).len(), 1);
    assert_eq!(listed(&server.get("/jobs?state=succeeded").await).len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_job_is_paused_resumed_and_cancelled() {
    let server = Server::start().await;
    let id = server.submit(&range(server.program().await, 10)).await;
    let steer = |word: &str| {
        let request = server.api(Method::POST, &format!("/jobs/{id}/{word}"));
        async move { json(request.send().await.unwrap()).await }
    };
    assert_eq!(steer("pause").await.1["state"], "paused");
    assert_ne!(steer("resume").await.1["state"], "paused");
    assert_eq!(steer("cancel").await.0, StatusCode::OK);
    let job = server.until_over(&id).await;
    assert_eq!(
        (&job["state"], &job["reason"]),
        (&json!("canceled"), &json!("cancelled by test"))
    );
    let (status, problem) = steer("resume").await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    server.stop().await;
}

#[tokio::test]
async fn an_open_job_takes_items_until_it_is_closed() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let id = server
        .submit(&json!({"program": program, "entry": "double", "input": {"open": {}}}))
        .await;
    let worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    let add = |lines: &'static str| {
        let request = server.api(Method::POST, &format!("/jobs/{id}/items")).body(lines);
        async move { json(request.send().await.unwrap()).await }
    };
    let (status, added) = add("1\n2\n").await;
    assert_eq!(
        (status, &added["added"], &added["items"]),
        (StatusCode::OK, &json!(2), &json!(2)),
        "{added}"
    );
    assert_eq!(add("3").await.1["items"], 3);
    let (status, problem) = add("4\n\"five\"\n").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        problem["detail"].as_str().unwrap().contains("whole number"),
        "{problem}"
    );
    server
        .api(Method::POST, &format!("/jobs/{id}/close"))
        .send()
        .await
        .unwrap();
    let job = server.until_over(&id).await;
    assert_eq!(job["counts"]["items_accepted"], 3, "{job}");
    assert_ne!(add("6").await.0, StatusCode::OK, "a closed job takes no more");
    server.stop().await;
    soon("the worker", worker).await.unwrap();
}

#[tokio::test]
async fn errors_are_grouped_and_a_retry_finishes_the_job() {
    let server = Server::start().await;
    let mut body = range(server.program().await, 9);
    body["attempts_max"] = json!(1);
    let id = server.submit(&body).await;
    let mut worker = RawWorker::join(&server, 1).await;
    worker.fails_on = Some(4);
    let worker = tokio::spawn(worker.work());
    let job = server.until_over(&id).await;
    assert_eq!(job["state"], "failed", "{job}");
    assert!(
        job["reason"].as_str().unwrap().contains("cannot be doubled"),
        "{job}"
    );
    let groups = server.get(&format!("/jobs/{id}/errors")).await;
    assert_eq!(groups["groups"][0]["cause"], "item_failed", "{groups}");
    worker.abort();
    let better = tokio::spawn(RawWorker::join(&server, 2).await.work());
    server
        .api(Method::POST, &format!("/jobs/{id}/retry"))
        .send()
        .await
        .unwrap();
    let job = server.until_over(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    server.stop().await;
    soon("the worker", better).await.unwrap();
}

#[tokio::test]
async fn a_job_without_workers_says_why_it_waits() {
    let server = Server::start().await;
    let id = server.submit(&range(server.program().await, 10)).await;
    let told = server.get(&format!("/jobs/{id}/explain")).await;
    let reasons = told["reasons"].as_array().unwrap();
    assert!(
        !reasons.is_empty() && !reasons[0]["text"].as_str().unwrap().is_empty(),
        "{told}"
    );
    let worker = RawWorker::join(&server, 1).await;
    let workers = server.get("/workers").await;
    let worker_id = workers["workers"][0]["id"].as_str().unwrap();
    assert!(server.get(&format!("/workers/{worker_id}/explain")).await["reasons"].is_array());
    drop(worker);
    server.stop().await;
}

#[tokio::test]
async fn events_tell_of_jobs_and_can_be_taken_up_again() {
    let server = Server::start().await;
    let program = server.program().await;
    let watch = |after: Option<String>| {
        let mut request = server.api(Method::GET, "/events");
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        async move { request.send().await.unwrap() }
    };
    let events = watch(None).await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let id = server.submit(&range(program, 10)).await;
    let text = soon("an event", until(events, "event: job_changed")).await;
    assert!(text.contains(&id), "{text}");
    let seen = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("id: "))
        .unwrap()
        .to_owned();
    server.submit(&range(program, 11)).await;
    let again = soon(
        "a resumed event",
        until(watch(Some(seen)).await, "event: job_changed"),
    )
    .await;
    assert!(!again.contains("event: missed"), "{again}");
    let foreign = soon("an event", until(watch(Some("999999999".into())).await, "event:")).await;
    assert!(foreign.contains("event: missed"), "{foreign}");
    server.stop().await;
}

/// Reads a stream until a whole event with `word` was in it.
async fn until(response: reqwest::Response, word: &str) -> String {
    let mut pieces = response.bytes_stream();
    let mut text = String::new();
    while !text.find(word).is_some_and(|at| text[at..].contains("\n\n")) {
        let piece = pieces.next().await.expect("the stream goes on").unwrap();
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    text
}
