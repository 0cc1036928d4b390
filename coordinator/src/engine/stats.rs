//! What watchers see: samples of throughput, progress of jobs, workers that come and go.
use super::core::Core;
use protocol::api::{Event, Overview, Sample, Worker};
use protocol::ids::{JobId, WorkerId};
use protocol::job::JobState;
use protocol::trust::TrustReport;
use scheduler::{LiveJob, Sums};
use std::collections::{BTreeMap, VecDeque};

/// Seconds of throughput that are kept.
const SAMPLES_MAX: usize = 300;
const SAMPLE_MS: u64 = 1_000;

/// The last minutes, second by second.
pub(super) struct Stats {
    samples: VecDeque<Sample>,
    sampled: Sums,
    next_ms: u64,
    /// The state of each job that was last told.
    told: BTreeMap<JobId, JobState>,
}

impl Stats {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            samples: VecDeque::new(),
            sampled: Sums::default(),
            next_ms: now_ms + SAMPLE_MS,
            told: BTreeMap::new(),
        }
    }

    fn sample(&mut self, now_ms: u64, sums: Sums) -> Option<Sample> {
        if now_ms < self.next_ms {
            return None;
        }
        self.next_ms = now_ms + SAMPLE_MS;
        let before = std::mem::replace(&mut self.sampled, sums);
        let sample = Sample {
            time_ms: now_ms,
            shards: sums.accepted - before.accepted,
            items: sums.items_accepted - before.items_accepted,
            failed: sums.failed - before.failed,
        };
        self.samples.push_back(sample);
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
        Some(sample)
    }
}

impl Core {
    /// Tells watchers what moved since the last tick.
    pub(super) fn on_tick(&mut self) {
        let sums = self.scheduler.sums();
        if let Some(sample) = self.stats.sample(self.now_ms(), sums) {
            ::metrics::gauge!(crate::metrics::SESSIONS).set(f64::from(sums.workers));
            ::metrics::gauge!(crate::metrics::SHARDS_PENDING).set(sums.pending as f64);
            ::metrics::gauge!(crate::metrics::SHARDS_LEASED).set(sums.leased as f64);
            ::metrics::gauge!(crate::metrics::COMMIT_BACKLOG_BYTES).set(self.commits.bytes as f64);
            let Sums {
                workers,
                slots,
                pending,
                leased,
                ..
            } = sums;
            self.publish(Event::OverviewSample {
                sample,
                workers,
                slots,
                pending,
                leased,
            });
        }
        for handle in std::mem::take(&mut self.changed_jobs) {
            if let Some(live) = self.scheduler.live_job(handle) {
                self.publish_progress(live);
            }
        }
    }

    fn publish(&self, event: Event) {
        if self.engine.events().is_watched() {
            self.engine.events().publish(event);
        }
    }

    fn publish_progress(&mut self, live: LiveJob) {
        if self.stats.told.insert(live.id, live.state) == Some(live.state) {
            let LiveJob {
                id,
                counts,
                items_per_second,
                remaining_ms,
                ..
            } = live;
            self.publish(Event::JobProgress {
                id,
                counts,
                items_per_second,
                remaining_ms,
            });
        } else {
            self.publish_job(live.id, Some(live));
        }
    }

    /// Tells how a job stands, with everything the store knows of it.
    pub(super) fn publish_job(&mut self, id: JobId, live: Option<LiveJob>) {
        if live.is_none() {
            self.stats.told.remove(&id);
        }
        let (reader, feed) = (self.engine.reader(), self.engine.events());
        tokio::task::spawn_blocking(move || match reader.job(id) {
            // What moves in a stage of a reduction is told of the job it belongs to.
            Ok(Some(stored)) if stored.record.stage_of.is_some() => {
                let root = stored
                    .record
                    .stage_of
                    .and_then(|(root, _)| reader.job(root).ok()?);
                if let Some(root) = root {
                    let job = Box::new(crate::route::view::merge(root, None));
                    feed.publish(Event::JobChanged { job });
                }
            }
            Ok(Some(stored)) => {
                let job = Box::new(crate::route::view::merge(stored, live));
                feed.publish(Event::JobChanged { job });
            }
            Ok(None) => {}
            Err(error) => tracing::error!(job = %id, %error, "a job cannot be read"),
        });
    }

    /// Tells how a worker stands, or that it left.
    pub(super) fn publish_worker(&mut self, id: WorkerId) {
        if !self.engine.events().is_watched() {
            return;
        }
        let worker = match self.scheduler.worker(id) {
            Some(worker) => worker,
            None => match self.gone.iter().find(|worker| worker.id == id) {
                Some(gone) => gone.clone(),
                None => return,
            },
        };
        self.publish(Event::WorkerChanged {
            worker: Box::new(worker),
        });
    }

    pub(super) fn live(&self, id: JobId) -> Option<LiveJob> {
        self.scheduler.live_job(self.scheduler.handle_of(id)?)
    }

    pub(super) fn live_and_trust(&self, id: JobId) -> (Option<LiveJob>, Option<TrustReport>) {
        let live = self.live(id);
        let trust = live.as_ref().and_then(|live| live.trust);
        (live, trust.or_else(|| self.reports.get(id)))
    }

    pub(super) fn workers(&self) -> Vec<Worker> {
        let mut workers = self.scheduler.workers();
        workers.extend(self.gone.iter().cloned());
        workers
    }

    pub(super) fn overview(&self) -> Overview {
        let sums = self.scheduler.sums();
        Overview {
            durability: self.facts.durability.clone(),
            store_problem: self.commits.problem.as_ref().map(ToString::to_string),
            workers: sums.workers,
            slots: sums.slots,
            jobs_open: sums.jobs,
            pending: sums.pending,
            leased: sums.leased,
            accepted: sums.accepted,
            failed: sums.failed,
            throughput: self.stats.samples.iter().copied().collect(),
            ..Overview::default()
        }
    }
}
