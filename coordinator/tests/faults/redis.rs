//! Coordinators on one Redis: one of them is killed, Redis is killed, Redis is not there.
use crate::chance::Chance;
use crate::checker::{Shown, check, digest, expected_digest};
use crate::server::RedisServer;
use crate::site::{BOUND, Site, admin_token, history, until, until_accepted};
use crate::worker::{Crew, Manner, Socket, answer, connect, frame, hello};
use coordinator::config::{Settings, StoreKind};
use coordinator::store::{COORDINATOR_SILENCE_MS_MAX, Done, Op, RedisOptions, RedisStore, Store as _};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::frame::decode_to_worker;
use protocol::job::JobState;
use protocol::wire::{Lease, ToWorker};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

const SHARDS: u64 = 200_000;
/// Shards of a job that one coordinator claims at once.
const FEW: u64 = 16;
/// After so long without another lease, a worker has all that it gets.
const QUIET: Duration = Duration::from_millis(300);
/// A claim ends when its coordinator was silent for so long, and a little later others have it.
const TAKEOVER_MAX: Duration = Duration::from_millis(COORDINATOR_SILENCE_MS_MAX + 2_000);
/// Most times that Redis is killed under load, and fewest: it may be that the work ends before.
const KILLS_MAX: usize = 6;
const KILLS_MIN: usize = 2;
/// Shards accepted between two of them, at most (and what is accepted before the next look).
const STEP: u64 = SHARDS / 16;

/// How long a coordinator is stopped: longer than the silence that ends its claims.
fn pause() -> Duration {
    Duration::from_secs(promise::amount(8, 60))
}

/// Small windows, so that there is work for all of them.
const SLOW: Manner = Manner {
    window: 64,
    run_max: 16,
    ..Manner::PLAIN
};
/// How long a coordinator that cannot start may take to say so.
const GIVE_UP_MAX: Duration = Duration::from_secs(20);

/// What coordinators share: Redis, a folder for blobs, a token.
struct Shared {
    server: RedisServer,
    blobs: TempDir,
    token: String,
}

impl Shared {
    fn new() -> Self {
        let server = RedisServer::durable();
        let token = admin_token(&Settings {
            store: StoreKind::Redis,
            redis_url: server.url(),
            ..Settings::default()
        });
        Self {
            server,
            blobs: TempDir::new().unwrap(),
            token,
        }
    }

    async fn site(&self) -> Site {
        let blobs = self.blobs.path().to_str().unwrap();
        let mut site = Site::new(&flags(&self.server.url(), blobs), self.token.clone());
        site.restart().await;
        site
    }
}

fn flags<'a>(url: &'a str, blobs: &'a str) -> [&'a str; 6] {
    ["--store", "redis", "--redis-url", url, "--blob-dir", blobs]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_kill_one_coordinator() {
    let shared = Shared::new();
    let mut takeovers = Vec::new();
    let kills = promise::amount(1, 12);
    for _ in 0..kills {
        one_is_killed(&shared).await;
        takeovers.push(takeover(&shared, Ending::Kill).await);
    }
    let pauses = promise::amount(1, 2);
    for _ in 0..pauses {
        takeovers.push(takeover(&shared, Ending::Pause).await);
    }
    let longest = takeovers.iter().max().unwrap();
    assert!(*longest <= TAKEOVER_MAX, "{takeovers:?}");
    promise::kept(
        "redis_kill_one_coordinator",
        &format!(
            "{kills} times killed under load and {pauses} times stopped for {} s: 0 lost, 0 double, what the woken one \
             sent was refused; taken over after at most {:.1} s",
            pause().as_secs(),
            longest.as_secs_f64()
        ),
    );
}

/// How a coordinator with claims goes away.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Kill,
    /// It is stopped, and goes on when all that it had is with others.
    Pause,
}

/// How long until another one has done what a coordinator had claimed: nobody else was given it before.
async fn takeover(shared: &Shared, ending: Ending) -> Duration {
    let (mut gone, other) = (shared.site().await, shared.site().await);
    let id = gone.submit(FEW).await;
    let mut holder = connect(gone.address).await.unwrap();
    holder.send(frame(&hello(1, None, 64))).await.unwrap();
    let leases = leases_of(&mut holder).await;
    let start = Instant::now();
    match ending {
        Ending::Kill => gone.kill(),
        Ending::Pause => gone.process().signal("STOP"),
    }
    let crew = Crew::new(other.address, 11, 2, Manner::default());
    crew.open();
    until_accepted(&other, id, FEW).await;
    let took = start.elapsed();
    if ending == Ending::Pause {
        // Its worker answers at once when it goes on: too late, and with something else.
        tokio::time::sleep(pause().saturating_sub(start.elapsed())).await;
        gone.process().signal("CONT");
        for lease in &leases {
            let wrong = Manner {
                output_bytes: 40,
                ..Manner::PLAIN
            };
            let _ = answer(&mut holder, lease, wrong).await;
        }
        let knows = || async { gone.try_job(id).await.filter(|job| job.state.is_over()) };
        until("the woken coordinator hears that it is over", knows).await;
    }
    assert_eq!(other.until_over(id).await.state, JobState::Succeeded);
    assert_eq!(crew.executed(), FEW, "each shard was executed once more, by one");
    let outputs = other.results(id, "index").await;
    assert_eq!(
        digest(outputs.into_iter().map(|(_, output)| output)),
        expected_digest(FEW)
    );
    gone.assert_no_panic();
    other.assert_no_panic();
    took
}

/// The leases of a worker that does not answer them: all that it gets.
async fn leases_of(socket: &mut Socket) -> Vec<Lease> {
    let mut leases = Vec::new();
    loop {
        let wait = if leases.is_empty() { BOUND } else { QUIET };
        let Ok(message) = tokio::time::timeout(wait, socket.next()).await else {
            assert!(!leases.is_empty(), "no lease came");
            return leases;
        };
        let Message::Binary(bytes) = message.unwrap().unwrap() else {
            continue;
        };
        if let ToWorker::Lease(lease) = decode_to_worker(&bytes).unwrap() {
            leases.push(lease);
        }
    }
}

async fn one_is_killed(shared: &Shared) {
    let mut chance = Chance::new();
    let (mut killed, other) = (shared.site().await, shared.site().await);
    let id = killed.submit(SHARDS).await;
    let crews = [
        Crew::new(killed.address, 1, 2, Manner::default()),
        Crew::new(other.address, 11, 2, Manner::default()),
    ];
    crews.iter().for_each(Crew::open);
    for site in [&killed, &other] {
        // Both take part before one of them ends.
        let works = || async { (site.get("/overview").await["accepted"].as_u64()? > 0).then_some(()) };
        until("each coordinator takes part", works).await;
    }
    until_accepted(&killed, id, chance.below(SHARDS / 2)).await;
    let page = killed.page(id, "completed", None, 1_000).await;
    let accepted_before = killed.job(id).await.counts.accepted;
    killed.kill();
    let job = other.job(id).await;
    assert!(!job.state.is_over(), "killed under load");
    let shown = Shown {
        accepted_before,
        accepted_after: job.counts.accepted,
        results_before: page.items,
        results_after: other.page(id, "completed", None, 1_000).await.items,
    };
    println!(
        "killed with {accepted_before} accepted; {} are stored",
        shown.accepted_after
    );
    assert_eq!(other.until_over(id).await.state, JobState::Succeeded);
    assert_eq!(check(&history(&other, id, vec![shown]).await), Ok(()));
    killed.assert_no_panic();
    other.assert_no_panic();
}

/// A coordinator that is told to stop: what it had claimed, and nobody else knows, waits in Redis when it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_stops_hands_its_claims_back() {
    let shared = Shared::new();
    let mut site = shared.site().await;
    let id = site.submit(1).await;
    let mut socket = connect(site.address).await.unwrap();
    socket.send(frame(&hello(1, None, 1))).await.unwrap();
    let leased = || async { (site.job(id).await.counts.leased > 0).then_some(()) };
    until("its only shard is leased", leased).await;
    drop(socket);
    site.terminate();
    let status = site.process().ended(GIVE_UP_MAX).expect("it stops");
    assert!(status.success(), "{}", site.log());
    // No coordinator is left that could have noticed a silence.
    let mut store = RedisStore::open(&RedisOptions::new(shared.server.url())).unwrap();
    let claim = Op::Claim {
        job: id,
        stage: 0,
        shards_max: 1,
        grain: 1,
    };
    match store.commit(&[claim]).unwrap().as_slice() {
        [Done::Claimed { runs, .. }] => assert_eq!(runs.len(), 1, "nothing was handed back"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_goes_away_and_comes_back() {
    let mut chance = Chance::new();
    let mut shared = Shared::new();
    let site = shared.site().await;
    let id = site.submit(SHARDS).await;
    let body = site.job_body(json!({"range": {"end": 5}})).await;
    let crew = Crew::new(site.address, 1, 4, SLOW);
    crew.open();
    let mut kills = Vec::new();
    let (mut accepted, mut told) = (0, 0);
    while kills.len() < KILLS_MAX {
        let wanted = accepted + 1 + chance.below(STEP);
        if until_accepted(&site, id, wanted.min(SHARDS))
            .await
            .state
            .is_over()
        {
            break;
        }
        let before = site.page(id, "completed", None, 1_000).await.items;
        let accepted_before = site.job(id).await.counts.accepted;
        shared.server.kill();
        // The next commit fails, and then it is said.
        let problem = until("the problem is said", || site.unready()).await;
        assert!(problem["detail"].as_str().unwrap().contains("away"), "{problem}");
        let request = site.api(Method::POST, "/jobs").json(&body).send().await.unwrap();
        assert_eq!(request.status(), StatusCode::SERVICE_UNAVAILABLE);
        let refused = request.text().await.unwrap();
        assert!(
            refused.contains("store_unavailable") && !refused.contains("Redis at"),
            "{refused}"
        );
        // Who is known says what is wrong; a second later the token cannot be checked any more, see promise 20.
        let overview = site.get("/overview").await.to_string();
        let is_told = overview.contains("Redis at 127.0.0.1");
        assert!(is_told || overview.contains("store_unavailable"), "{overview}");
        told += usize::from(is_told);
        shared.server.start_again();
        let restored = until("it goes on", || site.try_job(id)).await;
        accepted = restored.counts.accepted;
        kills.push(Shown {
            accepted_before,
            accepted_after: accepted,
            results_before: before,
            results_after: site.page(id, "completed", None, 1_000).await.items,
        });
        println!("Redis killed with {accepted_before} accepted; {accepted} are stored");
    }
    assert!(
        kills.len() >= KILLS_MIN,
        "the work ended after {} kills",
        kills.len()
    );
    assert!(told > 0, "the overview never said what is wrong");
    assert_eq!(site.until_over(id).await.state, JobState::Succeeded);
    assert!(site.is_ready().await);
    assert_eq!(check(&history(&site, id, kills).await), Ok(()));
    site.assert_no_panic();
}

/// What a coordinator says that does not start.
fn last_words(url: &str) -> String {
    let mut site = Site::new(&flags(url, "blobs"), String::new());
    let mut command = site.command();
    site.spawn(&mut command);
    let status = site.process().ended(GIVE_UP_MAX).expect("it gives up");
    assert!(!status.success());
    site.assert_no_panic();
    site.log()
}

#[test]
fn a_redis_that_is_not_there_is_named() {
    let port = crate::process::free_port();
    let said = last_words(&format!("redis://:secret@127.0.0.1:{port}/0"));
    assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
    assert!(
        said.contains("cannot be reached") && said.contains("Start it"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn a_redis_that_would_forget_is_refused() {
    let server = RedisServer::start(&[]);
    let said = last_words(&server.url());
    assert!(said.contains("CONFIG SET appendonly yes"), "{said}");
}

/// Promise 20, at another coordinator: what stays open there under a token that is revoked here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_revoked_at_one_coordinator_is_dead_at_the_other() {
    let shared = Shared::new();
    let (here, there) = (shared.site().await, shared.site().await);
    let (_, made) = here
        .post("/tokens", &json!({"name": "leaver", "scopes": ["work", "read"]}))
        .await;
    let (text, id) = (
        made["token"].as_str().unwrap(),
        made["info"]["id"].as_str().unwrap(),
    );
    let mut socket = connect(there.address).await.unwrap();
    socket.send(frame(&hello(7, Some(text), 8))).await.unwrap();
    socket.next().await.unwrap().unwrap();
    let url = format!("http://{}/api/v1/events", there.address);
    let events = tls::plain_http()
        .unwrap()
        .build()
        .unwrap()
        .get(url)
        .bearer_auth(text)
        .send()
        .await
        .unwrap();
    assert_eq!(events.status(), StatusCode::OK);
    let mut events = events.bytes_stream();
    let since = Instant::now();
    let gone = here
        .api(Method::DELETE, &format!("/tokens/{id}"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let ended = async {
        while let Some(Ok(_)) = socket.next().await {}
        while let Some(Ok(_)) = events.next().await {}
    };
    tokio::time::timeout(BOUND, ended).await.expect("they end");
    let (http, url) = (
        tls::plain_http().unwrap().build().unwrap(),
        format!("http://{}/api/v1/whoami", there.address),
    );
    let refused = || async {
        let response = http.get(&url).bearer_auth(text).send().await.unwrap();
        (response.status() == StatusCode::UNAUTHORIZED).then_some(())
    };
    until("the token is refused", refused).await;
    let took = since.elapsed();
    assert!(took <= Duration::from_secs(1), "{took:?}");
}
