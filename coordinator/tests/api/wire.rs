//! Frames that are wrong end their session with the reason, and nobody else's.
use crate::support::{RawWorker, Server, connect, hello, next, soon};
use futures_util::SinkExt as _;
use protocol::frame::encode_from_worker;
use protocol::ids::LeaseId;
use protocol::limits::FRAME_BYTES_MAX;
use protocol::run::OutputsBuilder;
use protocol::wire::{FromWorker, RefusalCode, ToWorker};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

/// What the coordinator says to these frames, sent after a good hello where `greet` says so.
async fn told(server: &Server, greet: bool, frames: Vec<Vec<u8>>) -> Option<RefusalCode> {
    let mut socket = connect(server).await;
    if greet {
        let hello = encode_from_worker(&hello(99, None));
        socket.send(Message::Binary(hello.into())).await.unwrap();
        assert!(matches!(next(&mut socket).await, Some(ToWorker::Welcome { .. })));
    }
    for frame in frames {
        // A closed socket shows below.
        let _ = socket.send(Message::Binary(frame.into())).await;
    }
    loop {
        if let ToWorker::Refused { code, detail } = next(&mut socket).await? {
            assert!(!detail.is_empty());
            return Some(code);
        }
    }
}

#[tokio::test]
async fn wrong_frames_are_refused_and_the_others_work_on() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    let good = encode_from_worker(&hello(7, None));
    let cut = good[..good.len() - 3].to_vec();
    let mut other_version = good.clone();
    other_version[0] = 77;
    assert_eq!(
        told(&server, false, vec![cut.clone()]).await,
        Some(RefusalCode::FrameMalformed)
    );
    assert_eq!(
        told(&server, false, vec![other_version]).await,
        Some(RefusalCode::VersionWrong)
    );
    assert_eq!(
        told(&server, false, vec![Vec::new()]).await,
        Some(RefusalCode::FrameMalformed)
    );
    let early = encode_from_worker(&FromWorker::Heartbeat {
        leases: vec![LeaseId(1)],
    });
    assert_eq!(
        told(&server, false, vec![early]).await,
        Some(RefusalCode::OutOfTurn)
    );
    assert_eq!(
        told(&server, true, vec![good]).await,
        Some(RefusalCode::OutOfTurn),
        "a second hello"
    );
    assert_eq!(
        told(&server, true, vec![cut]).await,
        Some(RefusalCode::FrameMalformed)
    );
    // Too long for the socket itself: it is closed, with or without a word.
    let long = told(&server, true, vec![vec![1; FRAME_BYTES_MAX + 1]]).await;
    assert!(
        matches!(long, None | Some(RefusalCode::FrameMalformed)),
        "{long:?}"
    );
    let body = json!({"program": program, "entry": "double", "input": {"range": {"end": 50}}});
    let id = server.submit(&body).await;
    assert_eq!(server.until_over(&id).await["state"], "succeeded");
    server.stop().await;
    soon("the worker", worker).await.unwrap();
}

#[tokio::test]
async fn the_shards_of_a_worker_that_vanishes_go_to_another() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let body = json!({"program": program, "entry": "double", "input": {"range": {"end": 200}}, "grain": {"items": 1}});
    let id = server.submit(&body).await;
    let mut leaver = RawWorker::join(&server, 1).await;
    leaver.leases_max = 1;
    soon("one lease", leaver.work()).await;
    let _worker = tokio::spawn(RawWorker::join(&server, 2).await.work());
    let job = server.until_over(&id).await;
    assert_eq!(
        (&job["state"], &job["counts"]["items_accepted"]),
        (&json!("succeeded"), &json!(200))
    );
    server.stop().await;
}

/// A session takes 64 frames in a row before it writes again. What stands at that border counts.
#[tokio::test]
async fn no_frame_of_a_long_burst_is_forgotten() {
    let server = Server::start().await;
    let program = server.program().await.to_string();
    let mut worker = RawWorker::join(&server, 1).await;
    for fillers in 62..=66 {
        let body = json!({"program": program, "entry": "double",
            "input": {"range": {"start": 0, "end": 1}}, "grain": {"items": 1}});
        let job = server.submit(&body).await;
        let lease = worker.leased().await;
        let mut burst = vec![FromWorker::Heartbeat { leases: Vec::new() }; fillers];
        let mut outputs = OutputsBuilder::default();
        let mut output = Vec::new();
        kernel_abi::write_framed(&mut output, b"0");
        assert!(outputs.push(lease.first_shard, &output));
        burst.push(FromWorker::Finished {
            lease: lease.lease,
            outputs: outputs.finish().unwrap(),
            busy_us: 10,
        });
        worker.burst(&burst).await;
        let job = server.until_over(&job).await;
        assert_eq!(
            job["state"],
            "succeeded",
            "frame {} of a burst: {job}",
            fillers + 1
        );
    }
    drop(worker);
    server.stop().await;
}
