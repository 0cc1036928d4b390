//! Peers that break the protocol: each loses its own session, is told why, and nobody else notices.
use crate::checker::{digest, expected_digest};
use crate::site::{BOUND, Site, until};
use crate::worker::{Crew, Manner, Socket, answer, connect, frame, hello, shard_output, work};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::WIRE_VERSION;
use protocol::api::{Scope, TokenMade, WorkerList};
use protocol::frame::{decode_to_worker, encode_from_worker};
use protocol::ids::{BlobHash, JobId, LeaseId, WorkerId};
use protocol::job::JobState;
use protocol::limits::{FRAME_BYTES_MAX, HELLO_MS_MAX, LEASE_SHARDS_MAX};
use protocol::run::{Lengths, Outputs, OutputsBuilder};
use protocol::wire::{Cause, Failure, FromWorker, Hello, Lease, RefusalCode, ToWorker};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

/// Growth of the coordinator's memory that one peer may cause, whatever it does.
const GROWTH_KIB_MAX: u64 = 24 << 10;

/// Longest wait for a word of the coordinator; it closes who says nothing after half of it.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// A peer that is not to be trusted.
struct Peer(Socket);

impl Peer {
    async fn connect(site: &Site) -> Self {
        Self(connect(site.address).await.unwrap())
    }

    async fn join(site: &Site, worker: u64, window: u32) -> Self {
        let mut peer = Self::connect(site).await;
        peer.say(&hello(worker, None, window)).await;
        let welcome = peer.next().await;
        assert!(matches!(welcome, Some(ToWorker::Welcome { .. })), "{welcome:?}");
        peer
    }

    async fn say(&mut self, message: &FromWorker) {
        self.send(frame(message)).await;
    }

    async fn send(&mut self, message: Message) {
        // The coordinator may have closed already; what it said is read next.
        let _ = self.0.send(message).await;
    }

    /// The next message; nothing at the end.
    async fn next(&mut self) -> Option<ToWorker> {
        loop {
            let came = tokio::time::timeout(SILENCE_MAX, self.0.next())
                .await
                .expect("silence");
            match came? {
                Ok(Message::Binary(bytes)) => return Some(decode_to_worker(&bytes).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn lease(&mut self) -> Lease {
        loop {
            match self.next().await.expect("a lease") {
                ToWorker::Lease(lease) => return lease,
                ToWorker::Open(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Why the session was ended; it must be.
    async fn refusal(mut self) -> (RefusalCode, String) {
        loop {
            match self.next().await.expect("a reason before the end") {
                ToWorker::Refused { code, detail } => {
                    assert!(
                        self.next().await.is_none(),
                        "the session goes on after its refusal"
                    );
                    return (code, detail);
                }
                ToWorker::Open(_) | ToWorker::Lease(_) | ToWorker::Cancel { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn binary(bytes: impl Into<Vec<u8>>) -> Message {
    Message::Binary(bytes.into().into())
}

fn with_hello(change: impl FnOnce(&mut Hello)) -> Message {
    let FromWorker::Hello(mut hello) = hello(7, None, 64) else {
        unreachable!("it makes a hello")
    };
    change(&mut hello);
    frame(&FromWorker::Hello(hello))
}

/// What is wrong as the first frame and as any other.
fn wrong_always() -> Vec<(&'static str, RefusalCode, Message)> {
    use RefusalCode::{FrameMalformed, VersionWrong};
    let good = encode_from_worker(&hello(7, None, 64));
    let mut other_version = good.clone();
    other_version[0] = 9;
    let mut longer = good.clone();
    longer.push(0);
    let mut lying_list = encode_from_worker(&FromWorker::Heartbeat { leases: Vec::new() });
    lying_list.pop();
    lying_list.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
    vec![
        ("too long", FrameMalformed, binary(vec![1; FRAME_BYTES_MAX + 1])),
        ("cut off", FrameMalformed, binary(&good[..good.len() - 1])),
        ("bytes behind the end", FrameMalformed, binary(longer)),
        ("another version", VersionWrong, binary(other_version)),
        ("text", FrameMalformed, Message::Text("hello".into())),
        ("empty", FrameMalformed, binary([])),
        (
            "no such message",
            FrameMalformed,
            binary([WIRE_VERSION, 200, 3, 4]),
        ),
        (
            "a list of four thousand million",
            FrameMalformed,
            binary(lying_list),
        ),
    ]
}

fn wrong_first() -> Vec<(&'static str, RefusalCode, Message)> {
    use RefusalCode::OutOfTurn;
    let long = "x".repeat(201);
    vec![
        (
            "no hello",
            OutOfTurn,
            frame(&FromWorker::Heartbeat { leases: Vec::new() }),
        ),
        ("no slots", OutOfTurn, with_hello(|hello| hello.slots = 0)),
        ("no window", OutOfTurn, with_hello(|hello| hello.window_max = 0)),
        ("no id", OutOfTurn, with_hello(|hello| hello.worker = WorkerId(0))),
        ("a long name", OutOfTurn, with_hello(|hello| hello.name = long)),
    ]
}

fn wrong_later() -> Vec<(&'static str, RefusalCode, Message)> {
    use RefusalCode::{FrameMalformed, OutOfTurn};
    let with = |count, lengths, data: &'static [u8]| {
        let mut outputs = Outputs::single(0, data.into());
        outputs.run.count = count;
        outputs.lengths = lengths;
        let (lease, busy_us) = (LeaseId(1), 1);
        frame(&FromWorker::Finished {
            lease,
            outputs,
            busy_us,
        })
    };
    let blob = FromWorker::FinishedBlob {
        lease: LeaseId(1),
        shard: 0,
        blob: BlobHash([7; 32]),
        length: 5,
        busy_us: 1,
    };
    vec![
        ("hello twice", OutOfTurn, with_hello(|_| {})),
        (
            "lengths that lie",
            FrameMalformed,
            with(3, Lengths::Equal(4), b"seven"),
        ),
        (
            "too few lengths",
            FrameMalformed,
            with(3, Lengths::Each(vec![2, 3]), b"seven"),
        ),
        ("no shards", FrameMalformed, with(0, Lengths::Equal(0), b"")),
        (
            "more shards than a lease may have",
            OutOfTurn,
            with(LEASE_SHARDS_MAX + 1, Lengths::Equal(0), b""),
        ),
        ("an output in a blob that is not there", OutOfTurn, frame(&blob)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_frames_end_their_own_session_only() {
    let mut site = Site::start(&[]).await;
    let mut bystander = Peer::join(&site, 1, 64).await;
    for (what, code, message) in wrong_always().into_iter().chain(wrong_first()) {
        let mut peer = Peer::connect(&site).await;
        peer.send(message).await;
        let (said, detail) = peer.refusal().await;
        assert_eq!(said, code, "{what}, as the first frame: {detail}");
    }
    for (what, code, message) in wrong_always().into_iter().chain(wrong_later()) {
        let mut peer = Peer::join(&site, 2, 64).await;
        peer.send(message).await;
        let (said, detail) = peer.refusal().await;
        assert_eq!(said, code, "{what}, after the hello: {detail}");
    }
    cut_off_in_the_middle(&site).await;
    // The good worker has been there all the time.
    let id = site.submit(1_000).await;
    let working = tokio::spawn(async move { work(&mut bystander.0, Manner::default()).await });
    finish_right(&site, id, 1_000).await;
    working.abort();
    assert!(site.process().ended(Duration::ZERO).is_none());
    site.assert_no_panic();
}

/// The head of a frame of 1,000 bytes, 10 of them, and then nothing more.
async fn cut_off_in_the_middle(site: &Site) {
    let mut peer = Peer::join(site, 3, 64).await;
    let head = [
        0x82,
        0x80 | 126,
        0x03,
        0xe8,
        1,
        2,
        3,
        4,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    peer.0.get_mut().write_all(&head).await.unwrap();
    drop(peer);
    until_gone(site, 3).await;
}

async fn until_gone(site: &Site, worker: u64) {
    let gone = || async { (!is_connected(site, worker).await).then_some(()) };
    until("the worker is gone", gone).await;
}

async fn is_connected(site: &Site, worker: u64) -> bool {
    let list: WorkerList = serde_json::from_value(site.get("/workers").await).unwrap();
    let mut workers = list.workers.iter();
    workers.any(|listed| listed.id == WorkerId(worker) && listed.connected)
}

/// The job ends well, with the very outputs that good workers sent, and without a failed attempt.
async fn finish_right(site: &Site, id: JobId, items: u64) {
    let job = site.until_over(id).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.reason);
    assert_eq!((job.counts.accepted, job.counts.items_accepted), (items, items));
    let results = site.results(id, "index").await;
    assert_eq!(
        digest(results.into_iter().map(|(_, output)| output)),
        expected_digest(items)
    );
    let errors = site.get(&format!("/jobs/{id}/errors")).await;
    assert_eq!(errors["groups"], json!([]));
}

fn forged(lease: LeaseId, first: u32, count: u32) -> FromWorker {
    let mut outputs = OutputsBuilder::default();
    for shard in first..first + count {
        let mut framed = Vec::new();
        kernel_abi::write_framed(&mut framed, b"666");
        outputs.push(shard, &framed);
    }
    FromWorker::Finished {
        lease,
        outputs: outputs.finish().unwrap(),
        busy_us: 1,
    }
}

/// What a peer says of a lease that is not its own.
fn about_others(lease: &Lease) -> Vec<FromWorker> {
    let (id, shard) = (lease.lease, lease.first_shard);
    let failure = Failure {
        cause: Cause::Trapped,
        detail: "forged".into(),
    };
    let (busy_us, blob) = (1, BlobHash([7; 32]));
    let failed = FromWorker::Failed {
        lease: id,
        shard,
        failure,
        busy_us,
    };
    let unknown = LeaseId(u64::MAX);
    vec![
        forged(id, shard, lease.shards),
        forged(unknown, shard, lease.shards),
        failed.clone(),
        failed,
        FromWorker::Returned { lease: id },
        FromWorker::Returned { lease: unknown },
        FromWorker::Heartbeat {
            leases: vec![id, unknown],
        },
        FromWorker::Finished {
            lease: unknown,
            outputs: Outputs::single(u32::MAX - 1, vec![].into()),
            busy_us: u64::MAX,
        },
    ]
    .into_iter()
    .chain([FromWorker::FinishedBlob {
        lease: id,
        shard,
        blob,
        length: 5,
        busy_us,
    }])
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_touches_what_is_leased_to_others() {
    const ITEMS: u64 = 2_000;
    let site = Site::start(&[]).await;
    let id = site.submit(ITEMS).await;
    let mut good = Peer::join(&site, 1, 8).await;
    let leased = good.lease().await;
    let mut thief = Peer::join(&site, 2, 8).await;
    let own = thief.lease().await;
    for message in about_others(&leased) {
        thief.say(&message).await;
    }
    let (code, detail) = thief.refusal().await;
    assert_eq!(
        code,
        RefusalCode::OutOfTurn,
        "for the blob that is not there: {detail}"
    );
    // Its own lease went back when its session ended; under the old name it is worth nothing now.
    let mut thief = Peer::join(&site, 3, 8).await;
    thief.say(&forged(own.lease, own.first_shard, own.shards)).await;
    let own = thief.lease().await;
    thief.say(&beyond(&own)).await;
    // Once accepted, an output stays as it is, however often others are sent.
    thief.lease().await;
    thief.say(&forged(own.lease, own.first_shard, own.shards)).await;
    thief.say(&FromWorker::Goodbye).await;
    answer(&mut good.0, &leased, Manner::default()).await.unwrap();
    let crew = Crew::new(site.address, 10, 1, Manner::default());
    crew.open();
    let working = tokio::spawn(async move { work(&mut good.0, Manner::default()).await });
    finish_right(&site, id, ITEMS).await;
    working.abort();
    site.assert_no_panic();
}

/// Right outputs for the shards of a lease, wrong ones for the hundred behind it, and a time that no clock shows.
fn beyond(lease: &Lease) -> FromWorker {
    let mut outputs = OutputsBuilder::default();
    let end = lease.first_shard + lease.shards;
    for shard in lease.first_shard..end + 100 {
        let output = if shard < end {
            shard_output(lease, shard, 0)
        } else {
            b"666".to_vec()
        };
        outputs.push(shard, &output);
    }
    FromWorker::Finished {
        lease: lease.lease,
        outputs: outputs.finish().unwrap(),
        busy_us: u64::MAX,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_without_the_right_token_is_told_what_it_needs() {
    let site = Site::start(&["--worker-token-required", "true"]).await;
    let made = |scope| make_token(&site, scope);
    let (work, trusted, read) = (
        made(Scope::Work).await,
        made(Scope::Trusted).await,
        made(Scope::Read).await,
    );
    let revoked = made(Scope::Work).await;
    let path = format!("/tokens/{}", revoked.info.id);
    assert!(
        site.api(Method::DELETE, &path)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let refused = [
        (None, RefusalCode::TokenMissing),
        (Some("letmein"), RefusalCode::TokenWrong),
        (Some(revoked.token.as_str()), RefusalCode::TokenWrong),
        (Some(read.token.as_str()), RefusalCode::ScopeMissing),
    ];
    for (token, code) in refused {
        let mut peer = Peer::connect(&site).await;
        peer.say(&hello(5, token, 64)).await;
        let (said, detail) = peer.refusal().await;
        assert_eq!(said, code, "{detail}");
        assert!(detail.contains("token"), "{detail}");
    }
    for good in [&work.token, &trusted.token] {
        let mut peer = Peer::connect(&site).await;
        peer.say(&hello(5, Some(good), 64)).await;
        assert!(matches!(peer.next().await, Some(ToWorker::Welcome { .. })));
    }
    site.assert_never_logged(&[&work.token, &trusted.token, &read.token, &revoked.token]);
    site.assert_no_panic();
}

async fn make_token(site: &Site, scope: Scope) -> TokenMade {
    let (_, made) = site
        .post("/tokens", &json!({"name": "worker", "scopes": [scope]}))
        .await;
    serde_json::from_value(made).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_is_not_waited_for() {
    let site = Site::start(&[]).await;
    let start = tokio::time::Instant::now();
    let peer = Peer::connect(&site).await;
    let (code, detail) = peer.refusal().await;
    assert_eq!(code, RefusalCode::Silent, "{detail}");
    assert!(start.elapsed() >= Duration::from_millis(u64::from(HELLO_MS_MAX)));
    site.assert_no_panic();
}

/// Asks for leases of 200 KiB again and again and reads none of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_is_closed_and_not_buffered() {
    const LEASES: u64 = 2_000;
    let mut site = Site::start(&[]).await;
    let line = format!("{:<1023}\n", 5);
    let blob = site.blob(line.repeat(400)).await;
    let mut body = site.job_body(json!({"blob": {"blob": blob}})).await;
    body["grain"] = json!({"items": 200});
    let (status, job) = site.post("/jobs", &body).await;
    assert!(status.is_success(), "{job}");
    let mut peer = Peer::join(&site, 1, 1).await;
    let first = peer.lease().await.lease;
    let before = site.process().memory_kib();
    let start = tokio::time::Instant::now();
    for k in 0..LEASES {
        peer.say(&FromWorker::Returned {
            lease: LeaseId(first.0 + k),
        })
        .await;
    }
    let mut most = before;
    while is_connected(&site, 1).await {
        most = most.max(site.process().memory_kib());
        assert!(start.elapsed() < BOUND, "it is never closed");
    }
    let grown = most - before;
    println!("{grown} KiB for a reader that does not read");
    assert!(grown < GROWTH_KIB_MAX, "grew by {grown} KiB");
    site.assert_no_panic();
}
