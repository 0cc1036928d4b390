//! Promise 4 from end to end: a live liar, an honest worker and a trusted one.
use crate::support::{RawWorker, Server, json, soon};
use protocol::trust::Trust;
use reqwest::Method;
use serde_json::{Value, json};

async fn trusted_token(server: &Server) -> String {
    let body = json!({"name": "ours", "scopes": ["trusted"]});
    let made = json(
        server
            .api(Method::POST, "/tokens")
            .json(&body)
            .send()
            .await
            .unwrap(),
    )
    .await;
    made.1["token"].as_str().expect("a token").to_owned()
}

/// How many of a job's items have an output that is not twice the item.
async fn wrong(server: &Server, id: &str, items: i64) -> usize {
    let lines = server.results(id, "?limit=10000").await;
    let outputs: Vec<&Value> = lines.iter().filter(|line| line.get("item").is_some()).collect();
    assert_eq!(i64::try_from(outputs.len()).unwrap(), items, "{lines:?}");
    let item = |line: &Value| line["item"]["item"].as_i64().unwrap();
    outputs
        .iter()
        .filter(|line| line["item"]["output"] != json!(2 * item(line)))
        .count()
}

async fn job(server: &Server, trust: Trust, items: i64) -> String {
    let program = server.program().await.to_string();
    let body = json!({"program": program, "entry": "double", "input": {"range": {"end": items}},
        "grain": {"items": 3}, "trust": trust});
    server.submit(&body).await
}

#[tokio::test]
async fn sabotage_end_to_end() {
    let server = Server::start().await;
    let token = trusted_token(&server).await;
    let mut liar = RawWorker::join(&server, 1).await;
    liar.lies = true;
    let liar = tokio::spawn(liar.work());
    let honest = tokio::spawn(RawWorker::join(&server, 2).await.work());
    let id = job(&server, Trust::Standard, 300).await;
    let trusted = RawWorker::join_as(&server, 3, Some(&token)).await;
    let trusted = tokio::spawn(trusted.work());
    let over = server.until_over(&id).await;
    assert_eq!(over["state"], "succeeded", "{over}");
    assert_eq!(wrong(&server, &id, 300).await, 0);
    let report = &over["trust"];
    assert_eq!(report["level"], "standard", "{over}");
    assert_eq!(report["workers_withdrawn"], 1, "{over}");
    assert!(report["spot_checks"].as_u64().unwrap() >= 1, "{over}");
    server.stop().await;
    for worker in [liar, honest, trusted] {
        soon("a worker", worker).await.unwrap();
    }
}

/// The same liar where every worker is trusted: the test above can fail.
#[tokio::test]
async fn a_private_job_believes_a_liar() {
    let server = Server::start().await;
    let mut liar = RawWorker::join(&server, 1).await;
    liar.lies = true;
    let liar = tokio::spawn(liar.work());
    let id = job(&server, Trust::Private, 30).await;
    let over = server.until_over(&id).await;
    assert_eq!(wrong(&server, &id, 30).await, 30, "{over}");
    assert_eq!(over["trust"], Value::Null, "{over}");
    server.stop().await;
    soon("the worker", liar).await.unwrap();
}
