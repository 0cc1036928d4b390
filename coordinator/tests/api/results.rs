//! Results: in order, as accepted, page by page, and while they come.
use crate::support::{RawWorker, Server, soon};
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

fn items(lines: &[Value]) -> Vec<(u64, i64)> {
    let item = |line: &Value| Some((line["item"]["item"].as_u64()?, line["item"]["output"].as_i64()?));
    lines.iter().filter_map(item).collect()
}

fn cursor(lines: &[Value]) -> (String, bool) {
    let last = &lines.last().expect("a page ends with its cursor")["cursor"];
    (
        last["cursor"].as_str().unwrap().into(),
        last["end"].as_bool().unwrap(),
    )
}

fn doubled(count: u64) -> Vec<(u64, i64)> {
    (0..count)
        .map(|item| (item, 2 * i64::try_from(item).unwrap()))
        .collect()
}

async fn job(server: &Server, end: i64) -> String {
    let program = server.program().await.to_string();
    let input = json!({"range": {"end": end}});
    let body = json!({"program": program, "entry": "double", "input": input, "grain": {"items": 3}});
    server.submit(&body).await
}

#[tokio::test]
async fn every_item_is_told_once_and_in_order() {
    let server = Server::start().await;
    let id = job(&server, 1_000).await;
    let _worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    server.until_over(&id).await;
    let lines = server.results(&id, "").await;
    assert_eq!(items(&lines), doubled(1_000));
    assert!(cursor(&lines).1, "the end is said");
    let mut accepted = items(&server.results(&id, "?order=completed").await);
    accepted.sort_unstable();
    assert_eq!(accepted, doubled(1_000));
    server.stop().await;
}

#[tokio::test]
async fn pages_join_without_a_seam_in_either_order() {
    let server = Server::start().await;
    let id = job(&server, 100).await;
    let _worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    server.until_over(&id).await;
    for order in ["index", "completed"] {
        let mut all = Vec::new();
        let mut from = String::new();
        loop {
            let lines = server
                .results(&id, &format!("?order={order}&limit=7{from}"))
                .await;
            assert!(items(&lines).len() <= 7);
            all.extend(items(&lines));
            let (cursor, end) = cursor(&lines);
            if end {
                break;
            }
            from = format!("&cursor={cursor}");
        }
        all.sort_unstable();
        assert_eq!(all, doubled(100), "{order}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_that_follows_ends_with_its_job() {
    let server = Server::start().await;
    let id = job(&server, 300).await;
    let nothing_yet = server.results(&id, "").await;
    assert_eq!((items(&nothing_yet).len(), cursor(&nothing_yet).1), (0, false));
    let request = server.api(Method::GET, &format!("/jobs/{id}/results?follow=true"));
    let mut stream = soon("the head", request.send()).await.unwrap().bytes_stream();
    let _worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    let mut text = Vec::new();
    while let Some(piece) = soon("the rest", stream.next()).await {
        text.extend_from_slice(&piece.unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(items(&lines), doubled(300));
    assert!(cursor(&lines).1);
    server.stop().await;
}

#[tokio::test]
async fn a_skipped_shard_is_told_in_its_place() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let body = json!({"program": program, "entry": "double", "input": {"range": {"end": 9}},
        "grain": {"items": 3}, "attempts_max": 1, "on_failure": "skip"});
    let id = server.submit(&body).await;
    let mut worker = RawWorker::join(&server, 1).await;
    worker.fails_on = Some(4);
    let _worker = tokio::spawn(worker.work());
    let job = server.until_over(&id).await;
    assert_eq!(
        (&job["state"], &job["counts"]["skipped"]),
        (&json!("succeeded"), &json!(1)),
        "{job}"
    );
    for order in ["index", "completed"] {
        let lines = server.results(&id, &format!("?order={order}")).await;
        let told: Vec<u64> = items(&lines).iter().map(|(item, _)| *item).collect();
        assert_eq!(told, [0, 1, 2, 6, 7, 8], "{lines:?}");
        let failed = lines
            .iter()
            .find(|line| line["failed"].is_object())
            .expect("the failed shard is told");
        assert_eq!(
            (&failed["failed"]["first_item"], &failed["failed"]["end_item"]),
            (&json!(3), &json!(6))
        );
        assert!(
            failed["failed"]["detail"]
                .as_str()
                .unwrap()
                .contains("cannot be doubled")
        );
        assert!(cursor(&lines).1);
    }
    server.stop().await;
}
