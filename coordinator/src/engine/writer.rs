//! The thread that commits: one batch at a time, the same batch again until the store takes it.
use crate::metrics;
use crate::store::{Done, Op, Store, StoreError};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc as async_mpsc;

/// News that wait for the core; the writer waits while there are more.
const TOLD_MAX: usize = 16;
/// First and longest pause before a batch is tried again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What the writer tells the core.
pub(super) enum Told {
    /// The batch is durable.
    Committed(Vec<Done>),
    /// The store does not take the batch at the moment; it is tried again. `None`: it did.
    Problem(Option<StoreError>),
    /// The store will never take it: the coordinator cannot go on.
    Broken(String),
}

/// The way to the writer; it holds at most one batch.
pub(super) struct Writer {
    batches: Option<mpsc::SyncSender<Vec<Op>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Starts the thread.
pub(super) fn spawn(store: Box<dyn Store>) -> (Writer, async_mpsc::Receiver<Told>) {
    // Bounded by construction: the core sends a batch only after the one before was told about.
    let (batches, waiting) = mpsc::sync_channel(1);
    let (tell, told) = async_mpsc::channel(TOLD_MAX);
    let thread = std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || run(store, &waiting, &tell));
    let thread = thread
        .map_err(|error| tracing::error!(%error, "the store's thread cannot start"))
        .ok();
    (
        Writer {
            batches: Some(batches),
            thread,
        },
        told,
    )
}

impl Writer {
    pub(super) fn send(&self, batch: Vec<Op>) {
        if let Some(batches) = &self.batches {
            // An error means that the thread ended, which it told before.
            let _ = batches.try_send(batch);
        }
    }

    /// Ends the thread and with it the store; what was sent is committed before.
    pub(super) fn stop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut store: Box<dyn Store>, batches: &mpsc::Receiver<Vec<Op>>, tell: &async_mpsc::Sender<Told>) {
    while let Ok(batch) = batches.recv() {
        let Some(done) = commit(store.as_mut(), &batch, tell) else {
            return;
        };
        if tell.blocking_send(Told::Committed(done)).is_err() {
            return;
        }
    }
    if let Err(error) = store.leave() {
        tracing::warn!(%error, "claims could not be handed back; the others wait until they end");
    }
}

fn commit(store: &mut dyn Store, batch: &[Op], tell: &async_mpsc::Sender<Told>) -> Option<Vec<Done>> {
    let mut pause = PAUSE_MIN;
    loop {
        let start = Instant::now();
        match store.commit(batch) {
            Ok(done) => {
                ::metrics::histogram!(metrics::COMMIT_SECONDS).record(start.elapsed().as_secs_f64());
                if pause > PAUSE_MIN {
                    let _ = tell.blocking_send(Told::Problem(None));
                }
                return Some(done);
            }
            Err(StoreError::Corrupt(why)) => {
                let _ = tell.blocking_send(Told::Broken(why));
                return None;
            }
            Err(error) => {
                ::metrics::counter!(metrics::COMMITS_FAILED_TOTAL).increment(1);
                if tell.blocking_send(Told::Problem(Some(error))).is_err() {
                    return None;
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}
