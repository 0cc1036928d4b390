//! What only the shared store promises: several coordinators, and a Redis that goes and comes back.
use crate::server::RedisServer;
use crate::world::{NOW_MS, World, add, job_id, outputs, run};
use coordinator::store::{
    COORDINATOR_HEARTBEAT_MS, COORDINATOR_SILENCE_MS_MAX, Done, Op, RedisOptions, RedisStore, Store,
    StoreError,
};
use protocol::cut::ShardRun;
use protocol::ids::{ClaimId, JobId};
use protocol::job::JobState;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

const JOB_SCRIPT: &str = include_str!("../../src/store/redis/job.lua");

fn coordinator(server: &RedisServer) -> World {
    let store = RedisStore::open(&RedisOptions::new(server.url())).unwrap();
    World {
        store: Box::new(store),
        job: job_id(0),
    }
}

fn beat(world: &mut World, time_ms: u64) -> Vec<JobId> {
    match world.one(Op::Heartbeat { time_ms }) {
        Done::Changes { jobs } => jobs,
        other => panic!("{other:?}"),
    }
}

/// Beats of one coordinator from `from_ms` on until the others must be taken for silent.
fn outlast(world: &mut World, from_ms: u64) {
    let beats = COORDINATOR_SILENCE_MS_MAX / COORDINATOR_HEARTBEAT_MS + 1;
    for k in 0..=beats {
        beat(world, from_ms + k * COORDINATOR_HEARTBEAT_MS);
    }
}

#[test]
fn a_redis_that_speaks_tls_is_believed_by_its_authority_alone() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let [own, other] =
        [(); 2].map(|()| rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap());
    let certificate = write("own.pem", &own.cert.pem());
    let key = write("key.pem", &own.signing_key.serialize_pem());
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let settings = [
        ("--appendonly", "yes"),
        ("--tls-port", &port.to_string()),
        ("--tls-cert-file", certificate.to_str().unwrap()),
        ("--tls-key-file", key.to_str().unwrap()),
        ("--tls-auth-clients", "no"),
    ];
    let _server = RedisServer::start(&settings.map(|(name, value)| [name, value]).concat());
    let open = |ca_file| {
        let options = RedisOptions {
            ca_file: Some(ca_file),
            ..RedisOptions::new(format!("rediss://localhost:{port}/0"))
        };
        RedisStore::open(&options)
    };
    let mut world = World {
        store: Box::new(open(certificate).unwrap()),
        job: job_id(0),
    };
    world.one(add(world.job, 100));
    let told = open(write("other.pem", &other.cert.pem()))
        .err()
        .unwrap()
        .to_string();
    assert!(
        told.contains("is not believed") && told.contains("CA_FILE"),
        "{told}"
    );
    let told = open(folder.path().join("none.pem")).err().unwrap().to_string();
    assert!(told.contains("none.pem"), "{told}");
}

#[test]
fn two_coordinators_share_a_job() {
    let server = RedisServer::durable();
    let (mut a, mut b) = (coordinator(&server), coordinator(&server));
    a.one(add(a.job, 100));
    assert_eq!(beat(&mut b, NOW_MS), [a.job], "b hears of the job");
    assert_eq!(beat(&mut b, NOW_MS), [], "once");
    assert_eq!(beat(&mut a, NOW_MS), [], "a knows it already");
    let mut seen = BTreeSet::new();
    for round in 0..10 {
        let world = if round % 2 == 0 { &mut a } else { &mut b };
        let claimed = world.claim(10, 1);
        for run in claimed.runs {
            assert!(
                (run.first..run.end()).all(|shard| seen.insert(shard)),
                "claimed twice: {run:?}"
            );
            world.accept(claimed.claim, outputs(run, 2), 1);
        }
    }
    assert_eq!(seen.len(), 100);
    assert!(b.stored().totals.is_complete());
    b.set(JobState::Succeeded);
    assert_eq!(beat(&mut a, NOW_MS), [a.job], "a hears that it is over");
    assert!(a.store.restore().unwrap().is_empty());
}

#[test]
fn what_a_dead_coordinator_claimed_passes_to_the_others() {
    let server = RedisServer::durable();
    let (mut a, mut b) = (coordinator(&server), coordinator(&server));
    a.one(add(a.job, 50));
    let old = a.claim(20, 1).claim;
    a.accept(old, outputs(run(3, 4), 2), 1);
    beat(&mut a, NOW_MS);
    // Both live, for longer than the silence that ends a claim.
    let lived_ms = 2 * COORDINATOR_SILENCE_MS_MAX;
    for k in 0..=lived_ms / COORDINATOR_HEARTBEAT_MS {
        let time_ms = NOW_MS + k * COORDINATOR_HEARTBEAT_MS;
        beat(&mut a, time_ms);
        beat(&mut b, time_ms);
    }
    assert!(b.claim_left().is_empty(), "a lives: nothing of it is given to b");
    // Now only b.
    let died_ms = NOW_MS + lived_ms;
    outlast(&mut b, died_ms);
    let again: Vec<ShardRun> = b.claim(20, 1).runs;
    assert_eq!(again, [run(0, 3), run(7, 13)]);
    // a was only asleep: what it sends now counts nothing, and it hears that it was taken for dead.
    assert_eq!(a.accept(old, outputs(run(0, 1), 2), 1).shards, 0);
    assert_eq!(beat(&mut a, died_ms + 60_000), [a.job]);
    assert_eq!(b.stored().totals.shards_accepted, 4);
}

/// What another coordinator can claim, at the very moment at which one of two ends.
fn had_at_once(leaves: bool) -> Vec<ShardRun> {
    let server = RedisServer::durable();
    let (mut a, mut b) = (coordinator(&server), coordinator(&server));
    a.one(add(a.job, 50));
    let claim = a.claim(50, 1).claim;
    a.accept(claim, outputs(run(3, 4), 2), 1);
    beat(&mut a, NOW_MS);
    beat(&mut b, NOW_MS);
    if leaves {
        a.store.leave().unwrap();
    }
    let told = beat(&mut b, NOW_MS);
    assert_eq!(told.contains(&b.job), leaves, "b is told");
    let had = b.claim(50, 1).runs;
    assert_eq!(
        a.accept(claim, outputs(run(0, 1), 2), 1).shards,
        u32::from(!leaves)
    );
    had
}

#[test]
fn what_a_coordinator_that_leaves_had_claimed_is_for_the_others_at_once() {
    assert_eq!(had_at_once(true), [run(0, 3), run(7, 43)]);
}

#[test]
fn without_a_word_the_others_have_to_wait() {
    assert!(had_at_once(false).is_empty());
}

/// What a stale claim gets accepted, with this script for jobs.
fn stale_claim_counts(script: &str) -> u32 {
    let server = RedisServer::durable();
    let options = RedisOptions::new(server.url());
    let store = RedisStore::open_with(&options, script).unwrap();
    let mut a = World {
        store: Box::new(store),
        job: job_id(0),
    };
    let mut b = coordinator(&server);
    a.one(add(a.job, 10));
    let old = a.claim(10, 1).claim;
    beat(&mut b, NOW_MS);
    outlast(&mut b, NOW_MS);
    a.accept(old, outputs(run(0, 10), 2), 1).shards
}

#[test]
fn a_stale_claim_acknowledges_nothing() {
    assert_eq!(stale_claim_counts(JOB_SCRIPT), 0);
}

#[test]
fn a_stale_claim_would_be_obeyed_without_the_fence() {
    let fence = "return claim and covers(claim, first, count) -- the fence";
    assert_eq!(JOB_SCRIPT.matches(fence).count(), 1);
    assert_eq!(stale_claim_counts(&JOB_SCRIPT.replace(fence, "return true")), 10);
}

#[test]
fn a_claim_covers_its_own_shards_only() {
    let server = RedisServer::durable();
    let mut world = coordinator(&server);
    world.one(add(world.job, 30));
    let (one, two) = (world.claim(10, 1), world.claim(10, 1));
    assert_eq!(world.accept(one.claim, outputs(run(10, 1), 1), 1).shards, 0);
    assert_eq!(world.accept(one.claim, outputs(run(9, 2), 1), 1).shards, 0);
    assert_eq!(world.accept(two.claim, outputs(run(10, 10), 1), 1).shards, 10);
}

#[test]
fn a_redis_that_is_killed_keeps_everything_and_the_store_goes_on() {
    let mut server = RedisServer::durable();
    let mut world = coordinator(&server);
    world.one(add(world.job, 1_000));
    let claim = world.claim(500, 2).claim;
    for first in (0..100).step_by(10) {
        world.accept(claim, outputs(run(first, 10), 16), 2);
    }
    let (before, results) = (world.stored(), world.results());
    server.kill();
    let op = world.accept_op(claim, outputs(run(100, 10), 16), 2);
    let error = world.try_one(op).unwrap_err();
    let StoreError::Unavailable(text) = &error else {
        panic!("{error}")
    };
    assert!(
        text.contains("cannot be reached") && text.contains("127.0.0.1"),
        "{text}"
    );
    assert!(world.reader().job(world.job).is_err());
    server.start_again();
    assert_eq!(world.stored(), before);
    assert_eq!(world.results(), results);
    let counted = world.accept(claim, outputs(run(100, 10), 16), 2);
    assert_eq!((counted.shards, counted.totals.shards_accepted), (10, 110));
}

/// Passes bytes on, and on demand swallows the next answers, each with the connection it came on.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    swallow: Arc<AtomicU32>,
    target: Arc<Mutex<SocketAddr>>,
}

fn address_of(server: &RedisServer) -> SocketAddr {
    server.url()[8..].trim_end_matches("/0").parse().unwrap()
}

impl Proxy {
    /// New connections lead to this server from now on.
    pub(crate) fn aim(&self, server: &RedisServer) {
        *self.target.lock().unwrap() = address_of(server);
    }

    pub(crate) fn to(server: &RedisServer) -> Self {
        let target = Arc::new(Mutex::new(address_of(server)));
        let aimed_at = Arc::clone(&target);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let swallow = Arc::new(AtomicU32::new(0));
        let flag = Arc::clone(&swallow);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, flag) = (client.unwrap(), Arc::clone(&flag));
                let Ok(server) = TcpStream::connect(*target.lock().unwrap()) else {
                    continue;
                };
                let (to, from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || pass(from, to, None));
                std::thread::spawn(move || pass(server, client, Some(&flag)));
            }
        });
        Self {
            port,
            swallow,
            target: aimed_at,
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, swallow: Option<&AtomicU32>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length) = from.read(&mut buffer) {
        let one_less = |left: u32| left.checked_sub(1);
        let lost = swallow.is_some_and(|left| {
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                .is_ok()
        });
        if length == 0 || lost || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn an_answer_that_is_lost_costs_nothing() {
    let server = RedisServer::durable();
    let proxy = Proxy::to(&server);
    let options = RedisOptions::new(format!("redis://127.0.0.1:{}/0", proxy.port));
    let store = RedisStore::open(&options).unwrap();
    let mut world = World {
        store: Box::new(store),
        job: job_id(0),
    };
    let job = world.job;
    let lose = || proxy.swallow.store(1, Ordering::SeqCst);
    lose();
    world.one(crate::world::add_open(job, None));
    lose();
    assert_eq!(world.append(b"items", 20).map(|chunk| chunk.first_item), Some(0));
    lose();
    let claimed = world.claim(10, 1);
    assert_eq!(
        claimed.runs,
        [run(0, 10)],
        "the claim that was lost is found again"
    );
    lose();
    let counted = world.accept(claimed.claim, outputs(run(0, 4), 3), 1);
    assert_eq!(
        (counted.shards, counted.totals.shards_accepted),
        (4, 4),
        "fewer would say that the claim is lost, and nobody would ever compute the rest of it"
    );
    let twice = world.accept(claimed.claim, outputs(run(0, 4), 3), 1);
    assert_eq!((twice.shards, twice.totals.shards_accepted), (0, 4));
    let counted = world.accept(claimed.claim, outputs(run(4, 6), 3), 1);
    assert_eq!((counted.shards, counted.totals.shards_accepted), (6, 10));
    assert_eq!(
        world.stored().totals.items,
        20,
        "what was appended is stored once"
    );
    assert_eq!(world.results().len(), 10);
    assert_eq!(world.claim(10, 1).runs, [run(10, 10)]);
}

#[test]
fn a_claim_in_doubt_that_nobody_wants_any_more_is_given_back() {
    let server = RedisServer::durable();
    let proxy = Proxy::to(&server);
    let options = RedisOptions::new(format!("redis://127.0.0.1:{}/0", proxy.port));
    let store = RedisStore::open(&options).unwrap();
    let mut world = World {
        store: Box::new(store),
        job: job_id(0),
    };
    world.one(add(world.job, 10));
    let job = world.job;
    // The claim is taken, its answer is lost, and connecting again fails.
    proxy.swallow.store(2, Ordering::SeqCst);
    let op = Op::Claim {
        job,
        stage: 0,
        shards_max: 10,
        grain: 1,
    };
    assert!(world.try_one(op).is_err());
    assert_eq!(world.stored().totals.shards_cut, 10);
    assert_eq!(beat(&mut world, NOW_MS), []);
    assert_eq!(world.claim(10, 1).runs, [run(0, 10)]);
    assert_eq!(world.claim(10, 1).runs, []);
    assert_ne!(world.claim(1, 1).claim, ClaimId(0));
}

/// Promise 18: what Redis can promise is read from it and said, and one that would forget is refused.
#[test]
fn redis_durability_declared() {
    a_redis_that_forgets_is_refused();
    the_promise_is_read_from_redis();
    let mut server = RedisServer::durable();
    let mut world = coordinator(&server);
    let shards = promise::amount(300, 20_000);
    world.one(add(world.job, u64::from(shards)));
    let claim = world.claim(shards, 1).claim;
    let kills = promise::amount(3, 40);
    for kill in 0..kills {
        let (first, end) = (shards * kill / kills, shards * (kill + 1) / kills);
        (first..end)
            .for_each(|shard| assert_eq!(world.accept(claim, outputs(run(shard, 1), 8), 1).shards, 1));
        server.kill();
        server.start_again();
        assert_eq!(
            world.stored().totals.shards_accepted,
            end,
            "lost with appendfsync always"
        );
    }
    promise::kept(
        "redis_durability_declared",
        &format!(
            "always, everysec and no are told apart and said at start, a Redis without AOF or with eviction is \
             refused; with always, {kills} kills of Redis lost 0 of {shards} accepted shards"
        ),
    );
}

fn a_redis_that_forgets_is_refused() {
    let server = RedisServer::start(&["--appendonly", "no"]);
    let mut options = RedisOptions::new(server.url());
    let error = RedisStore::open(&options).err().unwrap().to_string();
    assert!(error.contains("CONFIG SET appendonly yes"), "{error}");
    options.allow_volatile = true;
    assert!(
        RedisStore::open(&options)
            .unwrap()
            .durability()
            .contains("is gone")
    );
}

fn the_promise_is_read_from_redis() {
    let server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    let store = RedisStore::open(&RedisOptions::new(server.url())).unwrap();
    assert!(
        store.durability().contains("last two seconds"),
        "{}",
        store.durability()
    );
    let server = RedisServer::durable();
    let store = RedisStore::open(&RedisOptions::new(server.url())).unwrap();
    assert!(
        store.durability().contains("a power cut of its machine"),
        "{}",
        store.durability()
    );
    let server = RedisServer::start(&["--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"]);
    let error = RedisStore::open(&RedisOptions::new(server.url()))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("noeviction"), "{error}");
}

#[test]
fn an_error_never_shows_a_password() {
    let server = RedisServer::start(&["--appendonly", "yes", "--requirepass", "hunter2-right"]);
    let port = server.url();
    let wrong = port.replace("redis://", "redis://:hunter2-wrong@");
    let error = RedisStore::open(&RedisOptions::new(wrong))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("password") && !error.contains("hunter2"),
        "{error}"
    );
    let error = RedisStore::open(&RedisOptions::new("redis://:hunter2@127.0.0.1:1/0"))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("127.0.0.1:1") && !error.contains("hunter2"),
        "{error}"
    );
    let error = RedisStore::open(&RedisOptions::new("http://:hunter2@here"))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("redis://host:6379/0") && !error.contains("hunter2"),
        "{error}"
    );
}

#[test]
fn every_job_has_one_hash_tag() {
    let server = RedisServer::durable();
    let mut world = coordinator(&server);
    world.one(add(world.job, 10));
    let claim = world.claim(10, 1).claim;
    world.accept(claim, outputs(run(0, 5), 1), 1);
    world.fail(claim, 6, true);
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    let tag = format!("{{elytra:job:{:016x}}}:", world.job.0);
    assert!(keys.len() > 8, "{keys:?}");
    assert!(
        keys.iter()
            .all(|key| key.starts_with(&tag) || key.starts_with("{elytra}:")),
        "{keys:?}"
    );
}
