//! Reductions: stages behind the map, their states, and what goes wrong in them.
use crate::support::{RawWorker, Server, soon};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

fn body(program: &str, end: i64) -> Value {
    json!({
        "program": program, "entry": "double", "input": {"range": {"end": end}}, "grain": {"items": 7},
        "reduce": {"entry": "sum", "fan_in": 16}
    })
}

fn reduced(lines: &[Value]) -> Vec<(u64, i64)> {
    let item = |line: &Value| Some((line["item"]["item"].as_u64()?, line["item"]["output"].as_i64()?));
    lines.iter().filter_map(item).collect()
}

#[tokio::test]
async fn a_job_that_reduces_has_one_result() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let _worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    // 5,000 outputs make 313 lists, these 20, these 2, and these 1.
    for (end, stages) in [(1, 1), (16, 1), (17, 2), (5_000, 4)] {
        let id = server.submit(&body(&program, end)).await;
        let followed = server.results(&id, "?follow=true").await;
        let sum = (0..end).map(|n| 2 * n).sum();
        assert_eq!(reduced(&followed), [(0, sum)]);
        assert_eq!(
            reduced(&server.results(&id, "?order=completed").await),
            [(0, sum)]
        );
        let job = server.get(&format!("/jobs/{id}")).await;
        assert_eq!(
            (&job["state"], &job["reduction"]["stage"]),
            (&json!("succeeded"), &json!(stages))
        );
    }
    let listed = server.get("/jobs").await;
    assert_eq!(
        listed["jobs"].as_array().unwrap().len(),
        4,
        "stages are not listed as jobs"
    );
    server.stop().await;
}

/// Waits until the job's reduction has a stage.
async fn until_reducing(server: &Server, id: &str) -> Value {
    let reducing = async {
        loop {
            let job = server.get(&format!("/jobs/{id}")).await;
            if job["reduction"]["stage"].is_u64() {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("a reduction", reducing).await
}

#[tokio::test]
async fn a_reduction_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_in(folder.path(), |_| {}).await;
    let program = server.program().await.to_string();
    let id = server.submit(&body(&program, 1_000)).await;
    // One lease of 143 shards after the other, and then nobody is left for the stages.
    let mut worker = RawWorker::join(&server, 1).await;
    worker.fails_on = Some(i64::MAX);
    let working = tokio::spawn(worker.work());
    until_reducing(&server, &id).await;
    working.abort();
    server.stop().await;

    let server = Server::start_in(folder.path(), |_| {}).await;
    let _worker = tokio::spawn(RawWorker::join(&server, 2).await.work());
    assert_eq!(server.until_over(&id).await["state"], "succeeded");
    assert_eq!(reduced(&server.results(&id, "").await), [(0, 999_000)]);
    server.stop().await;
}

#[tokio::test]
async fn what_fails_in_a_stage_fails_the_job_with_its_reason() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let mut worker = RawWorker::join(&server, 1).await;
    // The sum of the first 16 doubled numbers.
    worker.fails_on = Some(240);
    let _worker = tokio::spawn(worker.work());
    let mut body = body(&program, 32);
    body["attempts_max"] = json!(1);
    let id = server.submit(&body).await;
    let job = server.until_over(&id).await;
    assert_eq!(job["state"], "failed");
    let reason = job["reason"].as_str().unwrap();
    assert!(
        reason.contains("stage 1 of its reduction") && reason.contains("cannot be doubled"),
        "{reason}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_cancelled_job_takes_its_stage_with_it() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let id = server.submit(&body(&program, 14)).await;
    let mut worker = RawWorker::join(&server, 1).await;
    worker.leases_max = 2;
    let _worker = tokio::spawn(worker.work());
    until_reducing(&server, &id).await;
    let (status, _) = server.post(&format!("/jobs/{id}/cancel"), &json!({})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(server.until_over(&id).await["state"], "canceled");
    let overview = async {
        while server.get("/overview").await["jobs_open"] != 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the stage to end", overview).await;
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_reduced_is_refused_at_submission() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let mut unknown = body(&program, 4);
    unknown["reduce"]["entry"] = json!("summ");
    let mut narrow = body(&program, 4);
    narrow["reduce"]["fan_in"] = json!(2);
    for (body, field, words) in [
        (unknown, "reduce.entry", "did you mean 'sum'?"),
        (narrow, "reduce.fan_in", "must be from 16 to 4096, not 2"),
    ] {
        let (status, problem) = server.post("/jobs", &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        let told = &problem["fields"][0];
        assert_eq!(told["field"], field, "{problem}");
        assert!(told["problem"].as_str().unwrap().contains(words), "{problem}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_shard_is_told_as_its_worker_gets_it() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let input = json!({"items": [5, 6, 7]});
    let id = server
        .submit(&json!({"program": program, "entry": "double", "input": input, "grain": {"items": 2}}))
        .await;
    let _worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    server.until_over(&id).await;
    let shard = server.get(&format!("/jobs/{id}/shards/1")).await;
    assert_eq!((&shard["first_item"], &shard["end_item"]), (&json!(2), &json!(3)));
    let input = shard["input"].as_str().unwrap();
    use base64::Engine as _;
    let input = base64::engine::general_purpose::STANDARD.decode(input).unwrap();
    let input = kernel_abi::decode(&input).unwrap();
    assert_eq!(input.params, br#"{"width":7}"#);
    let kernel_abi::Items::List(list) = input.items else {
        panic!("a list")
    };
    assert_eq!(list.iter().collect::<Vec<_>>(), [Ok(b"7".as_slice())]);
    let missing = server
        .api(Method::GET, &format!("/jobs/{id}/shards/2"))
        .send()
        .await
        .unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    server.stop().await;
}
