//! Blobs: in, out, in parts, and as the items of a job.
use crate::support::{RawWorker, Server, json};
use protocol::ids::BlobHash;
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn bytes_come_back_whole_and_in_parts() {
    let server = Server::start().await;
    let bytes: Vec<u8> = (0..200_000u32).map(|k| u8::try_from(k % 251).unwrap()).collect();
    let hash = server.blob(bytes.clone()).await;
    assert_eq!(hash, BlobHash::of(&bytes).to_string());
    let path = format!("/blobs/{hash}");
    let whole = server.api(Method::GET, &path).send().await.unwrap();
    let tag = whole.headers()["etag"].clone();
    assert!(
        whole.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    let part = server
        .api(Method::GET, &path)
        .header("range", "bytes=100-199")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 100-199/200000");
    assert_eq!(part.bytes().await.unwrap(), bytes[100..200]);
    let beyond = server
        .api(Method::GET, &path)
        .header("range", "bytes=200000-")
        .send()
        .await
        .unwrap();
    assert_eq!(beyond.headers()["content-range"], "bytes */200000");
    assert_eq!(json(beyond).await.1["type"], "range_invalid");
    let same = server
        .api(Method::GET, &path)
        .header("if-none-match", tag)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (same.status(), same.content_length()),
        (StatusCode::NOT_MODIFIED, Some(0))
    );
    server.stop().await;
}

#[tokio::test]
async fn a_job_over_the_lines_of_a_blob_and_over_a_list_are_done() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let _worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    let blob = server.blob("5\n6\n7").await;
    for input in [json!({"blob": {"blob": blob}}), json!({"items": [5, 6, 7]})] {
        let body = json!({"program": program, "entry": "double", "input": input});
        let id = server.submit(&body).await;
        assert_eq!(server.until_over(&id).await["state"], "succeeded");
        let lines = server.results(&id, "").await;
        let outputs: Vec<_> = lines
            .iter()
            .filter_map(|line| line["item"]["output"].as_i64())
            .collect();
        assert_eq!(outputs, [10, 12, 14]);
    }
    server.stop().await;
}
