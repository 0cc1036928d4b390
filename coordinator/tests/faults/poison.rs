//! Shards that trap, hang, or take the tab with them: they cost their own answer, and nobody else's.
use crate::site::{Site, until};
use crate::worker::{Socket, connect_from, frame, hello, shard_output};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::frame::decode_to_worker;
use protocol::ids::JobId;
use protocol::job::JobState;
use protocol::run::Outputs;
use protocol::wire::{Cause, Failure, FromWorker, Lease, ToWorker};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NETWORKS: u8 = 5;
const WORKERS_EACH: u8 = 2;
/// On so many networks at least a shard is tried before it is given up.
const NETWORKS_MIN: usize = 3;
/// Attempts of a job, as it is when nothing is said, and what may be added: a tab that had other shards too may have
/// vanished over those, so that it does not count, and a network may be on its way back.
const TRIES: usize = 5;
const TRIES_MAX: usize = 9;

/// Which networks tried a poisoned shard, each time.
type Tries = Arc<Mutex<BTreeMap<u32, Vec<u8>>>>;

/// What is wrong with which shard.
#[derive(Clone)]
struct Poison {
    /// On while the program is bad.
    bad: Arc<AtomicBool>,
    tries: Tries,
}

/// The kinds, by the shard's number.
const TRAPS: u64 = 7;
const HANGS: u64 = 13;
const CRASHES: u64 = 21;
const EVERY: u64 = 100;

impl Poison {
    fn of(&self, shard: u32) -> Option<u64> {
        let kind = u64::from(shard) % EVERY;
        let is_bad = self.bad.load(Ordering::SeqCst) && [TRAPS, HANGS, CRASHES].contains(&kind);
        is_bad.then_some(kind)
    }

    fn note(&self, shard: u32, network: u8) -> usize {
        let mut tries = self.tries.lock().unwrap();
        let tries = tries.entry(shard).or_default();
        tries.push(network);
        tries.len()
    }
}

/// A worker that comes back, as tabs do.
async fn always(address: SocketAddr, network: u8, number: u8, poison: Poison) {
    let source = Ipv4Addr::new(127, 0, 10 + network, 1 + number);
    let worker = 1 + u64::from(network) * 100 + u64::from(number);
    loop {
        if let Ok(mut socket) = connect_from(address, source).await {
            let greeted = socket.send(frame(&hello(worker, None, 8))).await;
            if greeted.is_ok() {
                work(&mut socket, network, &poison).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn work(socket: &mut Socket, network: u8, poison: &Poison) {
    while let Some(Ok(message)) = socket.next().await {
        let tokio_tungstenite::tungstenite::Message::Binary(bytes) = message else {
            continue;
        };
        if let ToWorker::Lease(lease) = decode_to_worker(&bytes).unwrap()
            && !execute(socket, &lease, network, poison).await
        {
            return;
        }
    }
}

/// One shard after the other; false when the tab is gone.
async fn execute(socket: &mut Socket, lease: &Lease, network: u8, poison: &Poison) -> bool {
    for shard in lease.first_shard..lease.first_shard + lease.shards {
        let message = match poison.of(shard) {
            Some(CRASHES) => {
                poison.note(shard, network);
                return false;
            }
            Some(kind) => {
                let tries = poison.note(shard, network);
                let cause = if kind == HANGS {
                    Cause::OutOfTime
                } else {
                    Cause::Trapped
                };
                // Another place in the program every time: it is not known to repeat.
                let detail = format!("unreachable at {tries}");
                let failure = Failure { cause, detail };
                FromWorker::Failed {
                    lease: lease.lease,
                    shard,
                    failure,
                    busy_us: 10,
                }
            }
            None => {
                let outputs = Outputs::single(shard, shard_output(lease, shard, 0).into());
                FromWorker::Finished {
                    lease: lease.lease,
                    outputs,
                    busy_us: 10,
                }
            }
        };
        if socket.send(frame(&message)).await.is_err() {
            return false;
        }
    }
    true
}

/// What the submitter sees of failed items: which, and why the ones over which tabs vanished.
async fn failed_items(site: &Site, id: JobId) -> BTreeSet<u64> {
    let path = format!("/jobs/{id}/results?order=index&limit=10000");
    let response = site.api(Method::GET, &path).send().await.unwrap();
    let text = response.text().await.unwrap();
    assert!(
        text.contains("workers vanished while they computed this shard"),
        "{text}"
    );
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter_map(|line| line["failed"]["first_item"].as_u64())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_shard_dead_letters() {
    let hundreds: u64 = promise::amount(2, 50);
    let items = hundreds * EVERY;
    let site = Site::start(&[]).await;
    let poison = Poison {
        bad: Arc::new(AtomicBool::new(true)),
        tries: Tries::default(),
    };
    let spawn = |(network, number)| tokio::spawn(always(site.address, network, number, poison.clone()));
    let places = (0..NETWORKS).flat_map(|network| (0..WORKERS_EACH).map(move |number| (network, number)));
    let workers: Vec<_> = places.map(spawn).collect();
    let mut body = site.job_body(json!({"range": {"end": items}})).await;
    body["on_failure"] = "skip".into();
    let (status, job) = site.post("/jobs", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{job}");
    let id: JobId = job["id"].as_str().unwrap().parse().unwrap();
    let job = site.until_over(id).await;
    assert_eq!(job.state, JobState::Succeeded, "the others finish");
    let wanted: BTreeSet<u64> = (0..items)
        .filter(|item| [TRAPS, HANGS, CRASHES].contains(&(item % EVERY)))
        .collect();
    assert_eq!(job.counts.accepted, items - wanted.len() as u64);
    assert_eq!(
        failed_items(&site, id).await,
        wanted,
        "the submitter sees which, and no other"
    );
    let tries = poison.tries.lock().unwrap().clone();
    for (shard, networks) in &tries {
        let places: BTreeSet<u8> = networks.iter().copied().collect();
        let is_enough = places.len() >= NETWORKS_MIN && (TRIES..=TRIES_MAX).contains(&networks.len());
        assert!(is_enough, "shard {shard} was tried on {networks:?}");
    }
    let errors = site.get(&format!("/jobs/{id}/errors")).await.to_string();
    assert!(
        errors.contains("out_of_time") && errors.contains("trapped"),
        "{errors}"
    );
    // The program is mended: the failed ones go once more.
    poison.bad.store(false, Ordering::SeqCst);
    let (status, told) = site.post(&format!("/jobs/{id}/retry"), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let mended = || async { Some(site.job(id).await).filter(|job| job.counts.accepted == items) };
    until("the failed shards are retried", mended).await;
    workers.iter().for_each(tokio::task::JoinHandle::abort);
    site.assert_no_panic();
    let counts: Vec<usize> = tries.values().map(Vec::len).collect();
    promise::kept(
        "poison_shard_dead_letters",
        &format!(
            "{} poisoned shards (trap, hang, crash) among {items}: given up after {} to {} tries, all of them on at least \
             {NETWORKS_MIN} of {NETWORKS} networks; all others finished; mended by retry",
            wanted.len(),
            counts.iter().min().unwrap_or(&0),
            counts.iter().max().unwrap_or(&0)
        ),
    );
}
