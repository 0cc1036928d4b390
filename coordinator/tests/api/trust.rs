//! Promise 4 from end to end: live liars, honest workers and a trusted one.
use crate::support::{RawWorker, Server, json, soon};
use promise::{amount, kept};
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

/// What a round came to.
struct Round {
    wrong: usize,
    withdrawn: u64,
    price: f64,
}

/// Eight honest workers, one that lies about everything, one that lies about a tenth, and a trusted one.
async fn round(level: Trust, items: i64) -> Round {
    let server = Server::start().await;
    let token = trusted_token(&server).await;
    let mut workers = Vec::new();
    for id in 1..=10 {
        let mut worker = RawWorker::join(&server, id).await;
        worker.lies_in = match id {
            1 => 1,
            2 => 10,
            _ => 0,
        };
        workers.push(tokio::spawn(worker.work()));
    }
    let id = job(&server, level, items).await;
    let trusted = RawWorker::join_as(&server, 99, Some(&token)).await;
    workers.push(tokio::spawn(trusted.work()));
    let over = server.until_over(&id).await;
    assert_eq!(over["state"], "succeeded", "{over}");
    let report = &over["trust"];
    assert_eq!(report["level"], level.word(), "{over}");
    let round = Round {
        wrong: wrong(&server, &id, items).await,
        withdrawn: report["workers_withdrawn"].as_u64().unwrap(),
        price: report["executions"].as_f64().unwrap() / over["counts"]["accepted"].as_f64().unwrap(),
    };
    server.stop().await;
    for worker in workers {
        soon("a worker", worker).await.unwrap();
    }
    round
}

#[tokio::test]
async fn sabotage_end_to_end() {
    let levels = [Trust::Fast, Trust::Standard, Trust::Strict, Trust::Verified];
    let levels = &levels[amount(1..2, 0..4)];
    let (rounds, items) = amount((1, 3_000), (10, 9_999));
    let mut told = Vec::new();
    for &level in levels {
        let (mut wrong, mut withdrawn, mut price) = (0, 0, 0.0f64);
        for _ in 0..rounds {
            let round = round(level, items).await;
            (wrong, withdrawn) = (wrong + round.wrong, withdrawn + round.withdrawn);
            price = price.max(round.price);
        }
        let (all, bound) = (rounds * items, level.wrong_share_max().unwrap());
        assert!(wrong as f64 <= bound * all as f64, "{level}: {wrong} of {all}");
        assert!(
            withdrawn >= u64::try_from(rounds).unwrap(),
            "{level}: {withdrawn} caught"
        );
        told.push(format!(
            "{level}: {wrong} of {all} answers wrong, {withdrawn} liars caught, at most {price:.2} executions"
        ));
    }
    kept(
        "sabotage_end_to_end",
        &format!(
            "2 liars among 10 workers over real sockets, one trusted worker; {}",
            told.join("; ")
        ),
    );
}

/// The same liar where every worker is trusted: the test above can fail.
#[tokio::test]
async fn a_private_job_believes_a_liar() {
    let server = Server::start().await;
    let mut liar = RawWorker::join(&server, 1).await;
    liar.lies_in = 1;
    let liar = tokio::spawn(liar.work());
    let id = job(&server, Trust::Private, 30).await;
    let over = server.until_over(&id).await;
    assert_eq!(wrong(&server, &id, 30).await, 30, "{over}");
    assert_eq!(over["trust"], Value::Null, "{over}");
    server.stop().await;
    soon("the worker", liar).await.unwrap();
}
