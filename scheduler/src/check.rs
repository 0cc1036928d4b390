//! Every invariant, derived afresh from the tables: called by tests and the simulator after each input.
use crate::job::Job;
use crate::lease::Twin;
use crate::runs::RunSet;
use crate::scheduler::Scheduler;
use protocol::cut::ShardRun;
use protocol::wire::JobHandle;

impl Scheduler {
    /// Says which invariant does not hold; an empty list means that all do.
    pub fn check(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for (handle, job) in &self.jobs {
            self.check_places(*handle, &mut broken);
            check_checks(job, &mut broken);
            if !job.claims.are_apart() {
                broken.push(format!("{}: a shard is under two claims", job.seed.id));
            }
            if job
                .leases
                .iter()
                .any(|id| self.leases.get(id).is_none_or(|l| l.job != *handle))
            {
                broken.push(format!(
                    "{}: a lease in its list is not in the table",
                    job.seed.id
                ));
            }
        }
        self.check_workers(&mut broken);
        self.check_twins(&mut broken);
        broken
    }

    /// A shard is pending, or waits for a retry, or is in one first lease: never in two of them.
    fn check_places(&self, handle: JobHandle, broken: &mut Vec<String>) {
        let Some(job) = self.jobs.get(&handle) else { return };
        let mut seen = job.pending.clone();
        let mut leased = 0;
        let mut add = |seen: &mut RunSet, run, what: &str| {
            if !seen.remove(run).is_empty() {
                broken.push(format!(
                    "{}: a shard of {run:?} is {what} and somewhere else too",
                    job.seed.id
                ));
            }
            seen.insert(run);
        };
        for shard in job
            .retries
            .iter()
            .filter(|(_, r)| !r.leased)
            .map(|(shard, _)| *shard)
        {
            add(
                &mut seen,
                protocol::cut::ShardRun {
                    first: shard,
                    count: 1,
                },
                "waiting for a retry",
            );
        }
        for lease in job
            .leases
            .iter()
            .filter_map(|id| self.leases.get(id))
            .filter(|l| l.is_first())
        {
            leased += lease.left.count();
            for run in lease.left.iter() {
                add(&mut seen, run, "leased");
            }
        }
        for run in held_runs(job) {
            add(&mut seen, run, "held back");
        }
        if leased != job.leased {
            broken.push(format!(
                "{}: {leased} shards are leased, {} are counted",
                job.seed.id, job.leased
            ));
        }
        for run in seen.iter() {
            if (run.first..run.end()).any(|shard| job.claims.over(shard).is_none()) {
                broken.push(format!("{}: {run:?} is held without a claim", job.seed.id));
            }
        }
    }

    fn check_workers(&self, broken: &mut Vec<String>) {
        for (session, worker) in &self.workers {
            let left = worker
                .leases
                .iter()
                .filter_map(|id| self.leases.get(id))
                .map(|l| l.left.count())
                .sum::<u32>();
            if left != worker.in_flight {
                broken.push(format!(
                    "{}: {left} shards in flight, {} counted",
                    worker.seed.id, worker.in_flight
                ));
            }
            if worker.in_flight > worker.seed.window_max {
                broken.push(format!(
                    "{}: {} shards exceed its window",
                    worker.seed.id, worker.in_flight
                ));
            }
            if self.sessions.get(&worker.seed.id) != Some(session) {
                broken.push(format!("{}: its session is not in the table", worker.seed.id));
            }
        }
        for (id, lease) in &self.leases {
            if self
                .workers
                .get(&lease.session)
                .is_none_or(|w| !w.leases.contains(id))
            {
                broken.push(format!("{id}: leased to a session that does not know it"));
            }
            if lease.left.is_empty() {
                broken.push(format!("{id}: owes nothing and lives on"));
            }
        }
    }

    fn check_twins(&self, broken: &mut Vec<String>) {
        for (id, lease) in &self.leases {
            let mutual = match &lease.twin {
                Twin::First(backups) => backups
                    .iter()
                    .all(|b| self.leases.get(b).is_some_and(|l| l.twin == Twin::BackupOf(*id))),
                Twin::Check => true,
                Twin::BackupOf(first) => self.leases.get(first).is_some_and(|l| match &l.twin {
                    Twin::First(backups) => backups.contains(id),
                    Twin::BackupOf(_) | Twin::Check => false,
                }),
            };
            if !mutual {
                broken.push(format!("{id}: its twin does not know it"));
            }
        }
    }
}

/// Shards whose output is held back, and those of which somebody said that they trap.
fn held_runs(job: &Job) -> Vec<ShardRun> {
    let Some(checks) = &job.checks else {
        return Vec::new();
    };
    let traps = checks.checks.iter().filter(|(_, check)| check.batch.is_none());
    let traps = traps.map(|(shard, _)| crate::trust::one(*shard));
    let batches = checks.batches.values();
    batches
        .flat_map(|batch| batch.shards.iter())
        .chain(traps)
        .collect()
}

/// Counts of what is held back against the tables they are counts of.
fn check_checks(job: &Job, broken: &mut Vec<String>) {
    let Some(checks) = &job.checks else { return };
    let id = job.seed.id;
    let shards: u32 = checks.batches.values().map(|b| b.shards.count()).sum();
    let bytes: usize = checks.batches.values().map(|b| b.bytes).sum();
    if shards != checks.held_shards || bytes != checks.held_bytes {
        let counted = (checks.held_shards, checks.held_bytes);
        broken.push(format!(
            "{id}: {shards} shards, {bytes} B are held, {counted:?} are counted"
        ));
    }
    for (shard, check) in &checks.checks {
        let batch = check.batch.and_then(|id| checks.batches.get(&id));
        if check.batch.is_some() && !batch.is_some_and(|b| b.owed.contains(*shard)) {
            broken.push(format!(
                "{id}: shard {shard} is checked for a batch that does not know it"
            ));
        }
        if check.lease.is_some() == checks.waiting.contains(shard) {
            broken.push(format!(
                "{id}: the check of shard {shard} waits and is leased, or neither"
            ));
        }
    }
    let owed: u32 = checks.batches.values().map(|b| b.owed.count()).sum();
    let asked = checks.checks.values().filter(|c| c.batch.is_some()).count();
    if owed as usize != asked {
        broken.push(format!("{id}: {owed} checks are owed, {asked} are in the table"));
    }
}
