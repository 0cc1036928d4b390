//! Clients that submit until they are answered, whatever happens to the server, and write down what they
//! were told.
use crate::chance::Chance;
use protocol::ids::JobId;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a client waits for an answer that it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who submits, and what.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) http: Client,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) body: Arc<Value>,
}

impl Door {
    /// One try; nothing when no answer came, or one that says to come again.
    async fn once(&self, key: Option<&str>, patience: Duration) -> Option<JobId> {
        let url = format!("http://{}/api/v1/jobs", self.address);
        let mut request = self.http.post(url).bearer_auth(&self.token).timeout(patience);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request.json(&*self.body).send().await.ok()?;
        let status = response.status();
        let job: Value = response.json().await.ok()?;
        match status {
            StatusCode::CREATED | StatusCode::OK => job["id"].as_str()?.parse().ok(),
            // Not now: the coordinator starts, stops, or its store is away.
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => None,
            other => panic!("{other}: {job}"),
        }
    }

    /// Submits under a key until an answer comes. Three tries in ten are given up before it can.
    pub(crate) async fn submit(&self, key: Option<&str>, chance: &mut Chance) -> JobId {
        loop {
            let hasty = chance.below(10) < 3;
            let patience = if hasty {
                Duration::from_micros(chance.below(20_000))
            } else {
                PATIENCE
            };
            if let Some(id) = self.once(key, patience).await {
                return id;
            }
            tokio::time::sleep(Duration::from_millis(5 + chance.below(20))).await;
        }
    }
}

/// Clients at work as long as this lives.
pub(crate) struct Submitters {
    told: Arc<Mutex<Vec<(String, JobId)>>>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Submitters {
    /// So many clients that submit a job of their own about once in `pause`.
    pub(crate) fn start(door: &Door, count: u64, pause: Duration, chance: &mut Chance) -> Self {
        let told = Arc::<Mutex<Vec<_>>>::default();
        let (stop, stopped) = watch::channel(false);
        let tasks = (0..count).map(|client| {
            let (door, told, stopped) = (door.clone(), Arc::clone(&told), stopped.clone());
            let chance = Chance::from(chance.below(u64::MAX));
            tokio::spawn(client_of(door, client, pause, chance, told, stopped))
        });
        let tasks = tasks.collect();
        Self { told, stop, tasks }
    }

    /// What they were told so far: key and job.
    pub(crate) fn told(&self) -> Vec<(String, JobId)> {
        self.told.lock().unwrap().clone()
    }

    /// Lets each have its last answer.
    pub(crate) async fn finish(mut self) -> Vec<(String, JobId)> {
        self.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
        self.told()
    }
}

impl Drop for Submitters {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn client_of(
    door: Door,
    client: u64,
    pause: Duration,
    mut chance: Chance,
    told: Arc<Mutex<Vec<(String, JobId)>>>,
    stopped: watch::Receiver<bool>,
) {
    let mut number = 0;
    while !*stopped.borrow() {
        number += 1;
        let key = format!("client {client}, job {number}");
        let id = door.submit(Some(&key), &mut chance).await;
        told.lock().unwrap().push((key, id));
        let spread = u64::try_from(pause.as_micros()).unwrap().max(1) * 2;
        tokio::time::sleep(Duration::from_micros(chance.below(spread))).await;
    }
}
