//! How everything stands, for whoever asks; nothing here changes anything.
use crate::executor::{Executor, Record};
use crate::job::Job;
use crate::scheduler::Scheduler;
use protocol::api::{JobCounts, Speed, Worker};
use protocol::ids::{AccountId, JobId, LeaseId, WorkerId};
use protocol::job::JobState;
use protocol::trust::TrustReport;
use protocol::wire::JobHandle;

/// A job that is not over, as this coordinator sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveJob {
    /// Its id.
    pub id: JobId,
    /// Its state.
    pub state: JobState,
    /// Why it is being ended, when it is.
    pub reason: Option<String>,
    /// Items and shards by state.
    pub counts: JobCounts,
    /// Items accepted a second, lately.
    pub items_per_second: f64,
    /// Predicted milliseconds to the end.
    pub remaining_ms: Option<u64>,
    /// What was done so that its answers can be trusted; absent at `private`.
    pub trust: Option<TrustReport>,
}

/// Sums over everything, for the overview.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Workers connected.
    pub workers: u32,
    /// Slots in use.
    pub slots: u32,
    /// Jobs that are not over.
    pub jobs: u32,
    /// Shards that wait.
    pub pending: u64,
    /// Shards with workers.
    pub leased: u64,
    /// Shards accepted since the start.
    pub accepted: u64,
    /// Items of shards accepted since the start.
    pub items_accepted: u64,
    /// Attempts failed since the start.
    pub failed: u64,
}

impl Scheduler {
    /// The short name of a job that is not over.
    pub fn handle_of(&self, id: JobId) -> Option<JobHandle> {
        self.job_ids.get(&id).copied()
    }

    /// How a job that is not over stands.
    pub fn live_job(&self, handle: JobHandle) -> Option<LiveJob> {
        let job = self.jobs.get(&handle)?;
        let items_per_second = job.items_rate.get(self.now_ms);
        let left = job.totals.items.saturating_sub(job.totals.items_accepted);
        let known = job.totals.items_closed && items_per_second > 0.01;
        let remaining_ms = known.then(|| (left as f64 * 1_000.0 / items_per_second) as u64);
        Some(LiveJob {
            id: job.seed.id,
            state: job.state,
            reason: job.reason.clone(),
            counts: counts(job),
            items_per_second,
            remaining_ms,
            trust: job.checks.as_ref().map(|checks| checks.report),
        })
    }

    /// Ids of the jobs that are not over.
    pub fn live_jobs(&self) -> impl Iterator<Item = (JobId, JobHandle)> + '_ {
        self.job_ids.iter().map(|(id, handle)| (*id, *handle))
    }

    /// Sums over everything.
    pub fn sums(&self) -> Sums {
        let jobs = || self.jobs.values();
        Sums {
            workers: u32::try_from(self.workers.len()).unwrap_or(u32::MAX),
            slots: self.workers.values().map(|w| u32::from(w.slots)).sum(),
            jobs: u32::try_from(self.jobs.len()).unwrap_or(u32::MAX),
            pending: jobs().map(waiting).sum(),
            leased: jobs().map(|j| u64::from(j.leased)).sum(),
            accepted: self.accepted,
            items_accepted: self.items_accepted,
            failed: self.failed,
        }
    }

    /// A worker, connected or lately gone; times are those given to the scheduler.
    pub fn worker(&self, id: WorkerId) -> Option<Worker> {
        let worker = self.workers.get(self.sessions.get(&id)?)?;
        Some(self.worker_view(worker))
    }

    /// The worker of a session.
    pub fn worker_of(&self, session: protocol::ids::SessionId) -> Option<Worker> {
        self.workers.get(&session).map(|worker| self.worker_view(worker))
    }

    /// Every connected worker.
    pub fn workers(&self) -> Vec<Worker> {
        self.workers
            .values()
            .map(|worker| self.worker_view(worker))
            .collect()
    }

    fn worker_view(&self, worker: &Executor) -> Worker {
        let record = &worker.record;
        Worker {
            id: worker.seed.id,
            name: worker.seed.name.clone(),
            kind: worker.seed.kind,
            agent: worker.seed.agent.clone(),
            connected: true,
            trusted: worker.seed.trusted,
            slots: worker.slots,
            pause: worker.pause,
            leased: worker.in_flight,
            window: self.window_now(worker),
            accepted: record.accepted,
            failed: record.failed,
            lost: record.lost,
            reliability: record.reliability(),
            speeds: self.speeds(record),
            connected_ms: worker.connected_ms,
            seen_ms: worker.heard_ms,
        }
    }

    /// Shards of an account that are held back until they were checked, job by job.
    pub fn held_of(&self, account: AccountId) -> Vec<(JobId, u32)> {
        let held = |job: &Job| {
            let batches = job.checks.as_ref()?.batches.values();
            let shards = batches
                .filter(|b| b.owner == account)
                .map(|b| b.shards.count())
                .sum();
            (shards > 0).then_some((job.seed.id, shards))
        };
        self.jobs.values().filter_map(held).collect()
    }

    /// The job that a lease is of, while it lasts, and the first item of one of its shards.
    pub fn place_of(&self, lease: LeaseId, shard: u32) -> Option<(JobHandle, u64)> {
        let handle = self.leases.get(&lease)?.job;
        Some((handle, self.jobs.get(&handle)?.items_of(shard).0))
    }

    fn window_now(&self, worker: &Executor) -> u32 {
        let windows = worker
            .leases
            .iter()
            .filter_map(|id| self.leases.get(id))
            .filter_map(|lease| {
                self.jobs
                    .get(&lease.job)
                    .map(|job| worker.window(job.speed_key, lease.shard_ms))
            });
        windows
            .max()
            .unwrap_or_else(|| (2 * u32::from(worker.slots)).min(worker.seed.window_max))
    }

    fn speeds(&self, record: &Record) -> Vec<Speed> {
        let speeds = record.speeds.iter().filter_map(|(key, speed)| {
            let item_ms = speed.item_ms.get()?;
            let typical_ms = self.typical.get(key)?.get()?;
            let entry = self.entry_of(*key)?.to_owned();
            let items_per_second = 1_000.0 / item_ms.max(1e-6);
            Some(Speed {
                entry,
                items_per_second,
                score: typical_ms / item_ms.max(1e-6),
            })
        });
        speeds.collect()
    }
}

fn waiting(job: &Job) -> u64 {
    let retrying = job.retries.values().filter(|r| !r.leased).count() as u64;
    u64::from(job.pending.count()) + retrying
}

fn counts(job: &Job) -> JobCounts {
    let totals = &job.totals;
    let settled = u64::from(totals.shards_accepted + totals.shards_failed + totals.shards_skipped);
    let verifying = u64::from(job.storing) + u64::from(job.undecided());
    let held = waiting(job) + u64::from(job.leased) + verifying;
    let cut = u64::from(totals.shards_cut);
    JobCounts {
        items: totals.items,
        items_open: !totals.items_closed,
        items_accepted: totals.items_accepted,
        shards: cut,
        items_uncut: totals.items - totals.items_cut,
        // What other coordinators hold is counted as pending here: it waits, seen from this one.
        pending: waiting(job) + cut.saturating_sub(settled + held),
        leased: u64::from(job.leased),
        verifying,
        accepted: u64::from(totals.shards_accepted),
        failed: u64::from(totals.shards_failed),
        skipped: u64::from(totals.shards_skipped),
        canceled: 0,
        attempts: job.attempts,
    }
}
