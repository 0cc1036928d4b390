//! Accounts over real sockets: who has the key is the account, what it gave is booked, and what it did is not
//! forgotten.
use crate::support::{RawWorker, Server, connect, hello_of, json, next, soon};
use futures_util::SinkExt as _;
use protocol::account::{AccountKey, Nonce};
use protocol::credit::{Account, LeaderList, Receipt, ReceiptDigests, ReceiptPage};
use protocol::frame::encode_from_worker;
use protocol::trust::Trust;
use protocol::wire::{FromWorker, RefusalCode, ToWorker};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

fn key(byte: u8) -> AccountKey {
    AccountKey::new([byte; 32])
}

async fn read<T: DeserializeOwned>(server: &Server, path: &str) -> T {
    serde_json::from_value(server.get(path).await).unwrap()
}

async fn account(server: &Server, key: &AccountKey) -> Account {
    read(server, &format!("/accounts/{}", key.account())).await
}

/// The account once nothing of it is being checked any more.
async fn settled(server: &Server, key: &AccountKey) -> Account {
    let settled = async {
        loop {
            let account = account(server, key).await;
            if account.checking_shards == 0 && (account.credited.shards > 0 || account.caught) {
                return account;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the verdict on an account", settled).await
}

/// What the server says to a proof that is made of its challenge.
async fn answer(server: &Server, proof: impl FnOnce(Nonce) -> FromWorker) -> ToWorker {
    let mut socket = connect(server).await;
    let hello = encode_from_worker(&hello_of(1, None, Some(&key(1))));
    socket.send(Message::Binary(hello.into())).await.unwrap();
    let Some(ToWorker::Challenge { nonce }) = next(&mut socket).await else {
        panic!("a challenge")
    };
    let proof = encode_from_worker(&proof(nonce));
    socket.send(Message::Binary(proof.into())).await.unwrap();
    next(&mut socket).await.expect("an answer")
}

fn proof(by: &AccountKey, nonce: &Nonce, audience: &str) -> FromWorker {
    FromWorker::Proof {
        audience: audience.into(),
        signature: by.prove(nonce, audience),
        display_name: None,
    }
}

#[tokio::test]
async fn only_who_has_the_key_is_the_account() {
    let server = Server::start().await;
    let here = server.address.to_string();
    let good = answer(&server, |nonce| proof(&key(1), &nonce, &here)).await;
    assert!(matches!(good, ToWorker::Welcome { .. }), "{good:?}");
    let others = [
        answer(&server, |nonce| proof(&key(2), &nonce, &here)).await,
        answer(&server, |_| proof(&key(1), &Nonce([1; 32]), &here)).await,
        // A server that passes the challenge on gets a signature with its own name.
        answer(&server, |nonce| proof(&key(1), &nonce, "evil.example")).await,
        answer(&server, |nonce| match proof(&key(1), &nonce, "evil.example") {
            FromWorker::Proof { signature, .. } => FromWorker::Proof {
                audience: here.clone(),
                signature,
                display_name: None,
            },
            other => other,
        })
        .await,
    ];
    for refused in others {
        assert!(
            matches!(
                refused,
                ToWorker::Refused {
                    code: RefusalCode::AccountWrong,
                    ..
                }
            ),
            "{refused:?}"
        );
    }
    let other = answer(&server, |_| FromWorker::Goodbye).await;
    assert!(
        matches!(
            other,
            ToWorker::Refused {
                code: RefusalCode::OutOfTurn,
                ..
            }
        ),
        "{other:?}"
    );
    server.stop().await;
}

async fn job(server: &Server, items: u32) -> String {
    let program = server.program().await.to_string();
    let body = json!({"program": program, "entry": "double", "input": {"range": {"end": items}},
        "grain": {"items": 2}, "trust": Trust::Standard});
    server.submit(&body).await
}

async fn trusted(server: &Server) -> RawWorker {
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
    let token = made.1["token"].as_str().unwrap().to_owned();
    RawWorker::join_as(server, 99, Some(&token)).await
}

#[tokio::test]
async fn what_two_tabs_of_one_person_gave_is_booked_to_one_account() {
    let server = Server::start().await;
    let tabs = [
        RawWorker::join_for(&server, 1, &key(1), Some(" Ana\n Lovelace ")).await,
        RawWorker::join_for(&server, 2, &key(1), Some("Ana Lovelace")).await,
        // Who chose no name is not listed.
        RawWorker::join_for(&server, 3, &key(3), None).await,
    ];
    let tabs = tabs.map(|tab| tokio::spawn(tab.work()));
    let id = job(&server, 400).await;
    let checker = tokio::spawn(trusted(&server).await.work());
    assert_eq!(server.until_over(&id).await["state"], "succeeded");
    let ana = settled(&server, &key(1)).await;
    let other = settled(&server, &key(3)).await;
    assert_eq!(ana.name.as_deref(), Some("Ana Lovelace"));
    assert_eq!((ana.credited.items, ana.caught), (2 * ana.credited.shards, false));
    assert!(
        ana.credited.shards + other.credited.shards <= 200,
        "the trusted worker gets no credit"
    );
    let list: LeaderList = read(&server, "/leaders").await;
    assert_eq!(list.leaders.len(), 1, "{list:?}");
    assert_eq!(
        (list.leaders[0].name.as_str(), list.leaders[0].credited),
        ("Ana Lovelace", ana.credited)
    );

    let page: ReceiptPage = read(&server, &format!("/accounts/{}/receipts", key(1).account())).await;
    assert_eq!(page.receipts.len() as u64, ana.credited.bookings);
    let booked: u64 = page.receipts.iter().map(|receipt| receipt.booking.shards).sum();
    assert_eq!(booked, ana.credited.shards);
    for receipt in &page.receipts {
        let again: Receipt = read(&server, &format!("/receipts/{}", receipt.booking.id)).await;
        assert_eq!(again, *receipt);
        let ReceiptDigests { digests } =
            read(&server, &format!("/receipts/{}/digests", receipt.booking.id)).await;
        assert!(receipt.is_sealed() && receipt.fits(&digests), "{receipt:?}");
        assert!(!receipt.fits(&digests[1..]));
    }
    server.stop().await;
    for worker in tabs.into_iter().chain([checker]) {
        soon("a worker", worker).await.unwrap();
    }
}

/// A liar is a liar also after a restart and under another worker's id; the report of his job is still there.
#[tokio::test]
async fn a_liar_is_remembered_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_in(folder.path(), |_| {}).await;
    let mut liar = RawWorker::join_for(&server, 1, &key(7), Some("Honest Joe")).await;
    liar.lies_in = 1;
    let liar = tokio::spawn(liar.work());
    let id = job(&server, 100).await;
    let checker = tokio::spawn(trusted(&server).await.work());
    let report = server.until_over(&id).await["trust"].clone();
    assert_eq!(report["workers_withdrawn"], 1, "{report}");
    assert!(settled(&server, &key(7)).await.caught);
    server.stop().await;
    for worker in [liar, checker] {
        soon("a worker", worker).await.unwrap();
    }

    let server = Server::start_in(folder.path(), |_| {}).await;
    assert_eq!(server.get(&format!("/jobs/{id}")).await["trust"], report);
    let again = RawWorker::join_for(&server, 2, &key(7), None).await;
    // The twin: a stranger is let work.
    let stranger = RawWorker::join_for(&server, 3, &key(8), None).await;
    job(&server, 100).await;
    let told = server
        .get(&format!("/workers/{}/explain", protocol::ids::WorkerId(2)))
        .await;
    assert!(
        told.to_string().contains("its account gave wrong answers"),
        "{told}"
    );
    let told = server
        .get(&format!("/workers/{}/explain", protocol::ids::WorkerId(3)))
        .await;
    assert!(!told.to_string().contains("wrong answers\""), "{told}");
    drop((again, stranger));
    server.stop().await;
}

/// An operator who is open to the world has every job checked.
#[tokio::test]
async fn the_least_level_is_raised() {
    let server = Server::start_with(|settings| settings.trust_min = Trust::Standard).await;
    let program = server.program().await.to_string();
    let spec = |trust: &str| json!({"program": program, "entry": "double", "input": {"range": {"end": 3}}, "trust": trust});
    for (asked, given) in [
        ("private", "standard"),
        ("standard", "standard"),
        ("verified", "verified"),
    ] {
        let (_, job) = server.post("/jobs", &spec(asked)).await;
        assert_eq!(job["spec"]["trust"], given, "{job}");
    }
    assert_eq!(server.get("/overview").await["trust_min"], "standard");
    server.stop().await;
}
