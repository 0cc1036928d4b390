//! The state of the fleet in this page: what was read, and the events that came since, folded together.
use protocol::api::{Event, Job, JobCounts, Overview, Sample, Worker};
use protocol::ids::{JobId, WorkerId};
use protocol::job::JobState;
use std::collections::BTreeMap;

/// Most jobs that are kept; beyond it the oldest that are over are forgotten.
pub const JOBS_KEPT_MAX: usize = 1_000;
/// Most workers that are kept; beyond it those that left the longest ago are forgotten.
pub const WORKERS_KEPT_MAX: usize = 2_000;
/// Most samples of the throughput that are kept: five minutes.
pub const SAMPLES_KEPT_MAX: usize = 300;

/// What this page knows.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// The overview, once it was read.
    pub overview: Option<Overview>,
    /// Jobs by id, which is by age.
    pub jobs: BTreeMap<JobId, Job>,
    /// Workers by id.
    pub workers: BTreeMap<WorkerId, Worker>,
    /// Whether the workers were read (an empty list is known to be empty).
    pub workers_read: bool,
    /// Whether the newest jobs were read.
    pub jobs_read: bool,
    /// How many announcements of jobs came so far.
    announced: u64,
    /// Which of them was the last of a job that is known.
    announced_last: BTreeMap<JobId, u64>,
}

/// When a read was begun, counted in announcements; see [`Live::put_read`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun(u64);

/// What an event asks of the reader besides what is already folded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Nothing,
    /// Events were missed: read everything afresh.
    ReadAfresh,
}

impl Live {
    /// Folds an event in.
    pub fn apply(&mut self, event: Event) -> Then {
        match event {
            Event::JobChanged { job } => self.announce(*job),
            Event::JobProgress {
                id,
                counts,
                items_per_second,
                remaining_ms,
            } => {
                if let Some(job) = self.jobs.get_mut(&id) {
                    job.counts = newer_counts(job, counts);
                    job.items_per_second = items_per_second;
                    job.remaining_ms = remaining_ms;
                }
            }
            Event::WorkerChanged { worker } => self.put_worker(*worker),
            Event::OverviewSample {
                sample,
                workers,
                slots,
                pending,
                leased,
            } => {
                self.sample(sample, [workers, slots], [pending, leased]);
            }
            Event::Missed => return Then::ReadAfresh,
        }
        Then::Nothing
    }

    /// What a read that begins now is told by afterwards.
    pub fn begin(&self) -> Begun {
        Begun(self.announced)
    }

    /// Takes a job as it was read, unless it was announced since the read began: the answer may be older than the
    /// announcement, and what changed behind the answer is announced too.
    pub fn put_read(&mut self, job: Job, begun: Begun) {
        let announced = self.announced_last.get(&job.id);
        if announced.is_none_or(|&last| last <= begun.0) {
            self.put_job(job);
        }
    }

    fn announce(&mut self, job: Job) {
        self.announced += 1;
        self.announced_last.insert(job.id, self.announced);
        self.put_job(job);
    }

    fn put_job(&mut self, job: Job) {
        self.jobs.insert(job.id, job);
        if self.jobs.len() > JOBS_KEPT_MAX {
            let oldest_over = self
                .jobs
                .values()
                .find(|job| job.state.is_over())
                .map(|job| job.id);
            let id = oldest_over.or_else(|| self.jobs.keys().next().copied());
            if let Some(id) = id {
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: JobId) {
        self.jobs.remove(&id);
        self.announced_last.remove(&id);
    }

    /// Takes a page of jobs, by the rule of [`Live::put_read`].
    pub fn put_page(&mut self, jobs: Vec<Job>, begun: Begun) {
        jobs.into_iter().for_each(|job| self.put_read(job, begun));
        self.jobs_read = true;
    }

    /// Takes the list of workers in place of the one before.
    pub fn put_workers(&mut self, workers: Vec<Worker>) {
        self.workers.clear();
        workers.into_iter().for_each(|worker| self.put_worker(worker));
        self.workers_read = true;
    }

    fn put_worker(&mut self, worker: Worker) {
        self.workers.insert(worker.id, worker);
        if self.workers.len() > WORKERS_KEPT_MAX {
            let gone = self.workers.values().filter(|worker| !worker.connected);
            let id = gone.min_by_key(|worker| worker.seen_ms).map(|worker| worker.id);
            let id = id.or_else(|| self.workers.keys().next().copied());
            id.map(|id| self.workers.remove(&id));
        }
    }

    fn sample(&mut self, sample: Sample, [workers, slots]: [u32; 2], [pending, leased]: [u64; 2]) {
        let Some(overview) = &mut self.overview else {
            return;
        };
        (overview.workers, overview.slots) = (workers, slots);
        (overview.pending, overview.leased) = (pending, leased);
        // A reconnection may bring seconds again that the overview already had.
        if overview
            .throughput
            .last()
            .is_none_or(|last| last.time_ms < sample.time_ms)
        {
            overview.accepted += sample.shards;
            overview.failed += sample.failed;
            overview.throughput.push(sample);
        }
        let extra = overview.throughput.len().saturating_sub(SAMPLES_KEPT_MAX);
        overview.throughput.drain(..extra);
    }

    /// Jobs in a state (or all), newest first.
    pub fn jobs_in(&self, state: Option<JobState>) -> Vec<JobId> {
        let wanted = self
            .jobs
            .values()
            .rev()
            .filter(|job| state.is_none_or(|state| job.state == state));
        wanted.map(|job| job.id).collect()
    }

    /// Jobs that are not over.
    pub fn jobs_open(&self) -> usize {
        self.jobs.values().filter(|job| !job.state.is_over()).count()
    }

    /// Workers for the list: connected ones first, then by name, then by id.
    pub fn workers_in_order(&self) -> Vec<WorkerId> {
        let mut workers: Vec<&Worker> = self.workers.values().collect();
        workers.sort_by_key(|worker| {
            (
                !worker.connected,
                worker.kind as u8,
                worker.connected_ms,
                worker.id,
            )
        });
        workers.into_iter().map(|worker| worker.id).collect()
    }
}

/// A job that is over does not move any more: progress that was on its way is stale.
fn newer_counts(job: &Job, counts: JobCounts) -> JobCounts {
    if job.state.is_over() { job.counts } else { counts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(id: u64, state: &str) -> Job {
        serde_json::from_value(json!({
            "id": JobId(id), "state": state, "program": "0".repeat(64), "owner": "me", "submitted_ms": id,
            "spec": {"program": "rust-core", "entry": "null", "input": {"range": {"end": 5}}},
            "counts": JobCounts { items: 5, ..JobCounts::default() },
        }))
        .unwrap()
    }

    fn progress(id: u64, items_accepted: u64) -> Event {
        let counts = JobCounts {
            items: 5,
            items_accepted,
            ..JobCounts::default()
        };
        Event::JobProgress {
            id: JobId(id),
            counts,
            items_per_second: 2.0,
            remaining_ms: None,
        }
    }

    #[test]
    fn events_move_a_job_until_it_is_over() {
        let mut live = Live::default();
        live.apply(Event::JobChanged {
            job: Box::new(job(1, "running")),
        });
        live.apply(progress(1, 3));
        assert_eq!(live.jobs[&JobId(1)].counts.items_accepted, 3);
        live.apply(Event::JobChanged {
            job: Box::new(job(1, "succeeded")),
        });
        live.apply(progress(1, 4));
        assert_eq!(
            live.jobs[&JobId(1)].counts.items_accepted,
            0,
            "late progress is stale"
        );
        live.apply(progress(9, 1));
        assert_eq!(live.jobs.len(), 1, "progress of an unknown job invents none");
        assert_eq!(live.apply(Event::Missed), Then::ReadAfresh);
    }

    #[test]
    fn an_answer_that_was_overtaken_by_an_announcement_is_stale() {
        let mut live = Live::default();
        let announced = |live: &mut Live, state| {
            live.apply(Event::JobChanged {
                job: Box::new(job(1, state)),
            });
        };
        let begun = live.begin();
        announced(&mut live, "succeeded");
        live.put_read(job(1, "running"), begun);
        assert_eq!(live.jobs[&JobId(1)].state, JobState::Succeeded);
        // Retried: a read that began behind the last announcement knows better than it.
        let begun = live.begin();
        live.put_page(vec![job(1, "running"), job(2, "queued")], begun);
        assert_eq!(live.jobs[&JobId(1)].state, JobState::Running);
        assert_eq!(live.jobs_open(), 2);
    }

    #[test]
    fn jobs_are_newest_first_and_the_oldest_that_are_over_are_forgotten() {
        let mut live = Live::default();
        let begun = live.begin();
        live.put_page(
            (0..JOBS_KEPT_MAX as u64 + 1)
                .map(|id| job(id, if id == 0 { "running" } else { "failed" }))
                .collect(),
            begun,
        );
        assert_eq!(live.jobs.len(), JOBS_KEPT_MAX);
        assert_eq!(live.jobs_in(Some(JobState::Running)), [JobId(0)]);
        assert_eq!(live.jobs_in(None)[0], JobId(JOBS_KEPT_MAX as u64));
        assert!(!live.jobs.contains_key(&JobId(1)));
    }

    #[test]
    fn a_second_is_counted_once_and_five_minutes_are_kept() {
        let mut live = Live {
            overview: Some(Overview::default()),
            ..Live::default()
        };
        for second in 1..=400u64 {
            let sample = Sample {
                time_ms: second * 1000,
                shards: 2,
                items: 4,
                failed: 0,
            };
            let event = Event::OverviewSample {
                sample,
                workers: 1,
                slots: 2,
                pending: 3,
                leased: 4,
            };
            live.apply(event.clone());
            live.apply(event);
        }
        let overview = live.overview.unwrap();
        assert_eq!(
            (overview.throughput.len(), overview.accepted),
            (SAMPLES_KEPT_MAX, 800)
        );
        assert_eq!((overview.workers, overview.leased), (1, 4));
    }
}
