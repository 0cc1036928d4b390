//! Why something does not move, and what would change it.
use crate::executor::Executor;
use crate::job::{ClaimState, Job};
use crate::place::{Unfit, fits};
use crate::scheduler::Scheduler;
use protocol::api::{Explanation, Reason};
use protocol::ids::{JobId, WorkerId};
use protocol::job::JobState;
use protocol::wire::PauseReason;
use std::collections::BTreeMap;

fn reason(code: &str, text: impl Into<String>, remedy: impl Into<String>) -> Reason {
    Reason {
        code: code.into(),
        text: text.into(),
        remedy: remedy.into(),
    }
}

impl Scheduler {
    /// Why a job that is not over stands as it does; `None` when it is not known here.
    pub fn explain_job(&self, id: JobId) -> Option<Explanation> {
        let job = self.jobs.get(self.job_ids.get(&id)?)?;
        let mut reasons = Vec::new();
        self.explain_state(job, &mut reasons);
        self.explain_workers(job, &mut reasons);
        self.explain_shards(job, &mut reasons);
        if reasons.is_empty() {
            let text = format!(
                "shards with workers: {}, waiting: {}",
                job.leased,
                job.pending.count()
            );
            reasons.push(reason("moving", text, ""));
        }
        Some(Explanation { reasons })
    }

    fn explain_state(&self, job: &Job, reasons: &mut Vec<Reason>) {
        if self.draining {
            reasons.push(reason(
                "draining",
                "the coordinator is shutting down",
                "it goes on after the restart",
            ));
        }
        if job.state == JobState::Paused {
            reasons.push(reason(
                "paused",
                "the job is paused",
                "resume it: elytra job resume",
            ));
        }
        if job.reducing && !job.ending {
            let text = "every output is there, and they are being reduced";
            reasons.push(reason("reducing", text, ""));
        }
        if job.ending {
            reasons.push(reason("ending", "the job ends; the store is being told", ""));
        }
    }

    fn explain_workers(&self, job: &Job, reasons: &mut Vec<Reason>) {
        if self.workers.is_empty() {
            let remedy = "open the Contribute page and press Start, or run native-worker";
            reasons.push(reason("no_worker", "no worker is connected", remedy));
            return;
        }
        if self
            .workers
            .values()
            .any(|w| w.takes_work() && fits(job, w).is_ok())
        {
            return;
        }
        let mut unfit: BTreeMap<String, u32> = BTreeMap::new();
        for worker in self.workers.values() {
            *unfit.entry(unfit_words(job, worker)).or_default() += 1;
        }
        for (words, count) in unfit {
            let text = format!(
                "{count} of {} workers cannot take it: {words}",
                self.workers.len()
            );
            reasons.push(reason(
                "no_worker_fits",
                text,
                "connect a worker that can, or ask for less in `needs` and `limits`",
            ));
        }
    }

    fn explain_shards(&self, job: &Job, reasons: &mut Vec<Reason>) {
        if job.reducing {
            return;
        }
        let higher = self
            .jobs
            .values()
            .filter(|o| o.is_live() && o.has_waiting() && o.seed.priority > job.seed.priority);
        let higher = higher.count();
        if job.has_waiting() && higher > 0 {
            let text = format!("{higher} jobs with a higher priority go first");
            reasons.push(reason("behind_others", text, "raise its priority, or wait"));
        }
        if job.storing > 0 && job.leased == 0 && !job.has_waiting() {
            let text = format!("{} shards wait for the store", job.storing);
            reasons.push(reason("storing", text, "see store_problem on the overview"));
        }
        let here = job.leased + job.storing + job.undecided();
        if job.claim == ClaimState::Dry && here == 0 && !job.has_waiting() {
            let open = !job.totals.items_closed;
            let (code, text, remedy) = if open {
                (
                    "waiting_for_items",
                    "every item so far is done, and more may come",
                    "add items, or close the job",
                )
            } else {
                ("elsewhere", "the rest is with other coordinators", "")
            };
            reasons.push(reason(code, text, remedy));
        }
        self.explain_checks(job, reasons);
        let waiting = job.retries.values().filter(|r| !r.leased).count();
        if waiting > 0 {
            let text = format!("{waiting} shards failed and wait for another attempt");
            reasons.push(reason("retrying", text, "see the errors: elytra job info"));
        }
        let given_up = job.totals.shards_skipped;
        if given_up > 0 {
            let text = format!("{given_up} shards failed for good and are left out");
            let remedy =
                "see the errors: elytra job info; elytra retry tries them again once the job is over";
            reasons.push(reason("given_up", text, remedy));
        }
    }

    fn explain_checks(&self, job: &Job, reasons: &mut Vec<Reason>) {
        let Some(checks) = &job.checks else { return };
        if checks.held_shards > 0 {
            let text = format!(
                "outputs held back until their workers were checked: {}; checks to do: {}",
                checks.held_shards,
                checks.checks.len()
            );
            reasons.push(reason("checking", text, ""));
        }
        self.explain_shares(job, reasons);
        let Some(shard) = checks.waiting.first() else {
            return;
        };
        let helper = |w: &&Executor| w.takes_work() && fits(job, w).is_ok() && self.check_for_anyone(job, w);
        if self.workers.values().find(helper).is_none() {
            let text = format!(
                "nobody can check shard {shard}: a second copy goes to another account on another network, \
                 or to a trusted worker"
            );
            let remedy = "connect a native worker with a trusted token, or a worker elsewhere; a pool of \
                          your own can use the level private";
            reasons.push(reason("no_checker", text, remedy));
        }
    }

    /// Where all who could go on have had their share.
    fn explain_shares(&self, job: &Job, reasons: &mut Vec<Reason>) {
        let able = || {
            self.workers
                .values()
                .filter(|w| w.takes_work() && fits(job, w).is_ok())
        };
        if job.has_waiting() && able().next().is_some() && able().all(|w| self.share_room(job, w) == 0) {
            let text = "the workers that are here come from few networks, whose share of a job is bounded, so that \
                        nobody who has many names at one place can outvote the others";
            let remedy = "connect workers elsewhere, or a native worker with a trusted token; a pool of your \
                        own can use the level private";
            reasons.push(reason("networks_crowded", text, remedy));
        }
    }

    /// Why a connected worker does what it does; `None` when it is not connected here.
    pub fn explain_worker(&self, id: WorkerId) -> Option<Explanation> {
        let worker = self.workers.get(self.sessions.get(&id)?)?;
        let mut reasons = Vec::new();
        if let Some(pause) = worker.pause.filter(|_| worker.slots == 0) {
            reasons.push(reason("paused", pause_words(pause), "resume it where it runs"));
        }
        if worker.in_flight > 0 {
            let text = format!(
                "it has {} shards in {} leases",
                worker.in_flight,
                worker.leases.len()
            );
            reasons.push(reason("working", text, ""));
        } else if worker.slots > 0 {
            reasons.extend(self.why_idle(worker));
        }
        Some(Explanation { reasons })
    }

    /// Whether some job has work, and none for a newcomer like this.
    fn is_held_up(&self, worker: &Executor, live: &[&Job]) -> bool {
        live.iter().any(|job| {
            let none = self.fresh_room(job.seed.handle, job, worker) == 0;
            none && job.has_waiting() && fits(job, worker).is_ok()
        })
    }

    fn why_idle(&self, worker: &Executor) -> Vec<Reason> {
        let live: Vec<&Job> = self.jobs.values().filter(|j| j.is_live()).collect();
        if live.is_empty() {
            return vec![reason(
                "no_job",
                "no job wants work done at the moment",
                "submit one",
            )];
        }
        let unfit: Vec<String> = live
            .iter()
            .filter(|j| fits(j, worker).is_err())
            .map(|j| format!("{}: {}", j.seed.id, unfit_words(j, worker)))
            .collect();
        if self.is_held_up(worker, &live) {
            let text = "it is new here, and its first answer is being checked; or wrong answers came from its \
                        network, or that had its share";
            return vec![reason("newcomer", text, "")];
        }
        if unfit.len() == live.len() {
            return vec![reason("fits_no_job", unfit.join("; "), "")];
        }
        vec![reason(
            "nothing_pending",
            "every shard is with other workers or done",
            "",
        )]
    }
}

fn unfit_words(job: &Job, worker: &Executor) -> String {
    match fits(job, worker) {
        Err(Unfit::NeedsNative) => "it wants native workers".into(),
        Err(Unfit::NeedsTrusted) => "it wants trusted workers".into(),
        Err(Unfit::NeedsSimd) => "it wants SIMD".into(),
        Err(Unfit::NeedsMemory) => {
            format!(
                "it wants {} MiB, the worker gives {}",
                job.seed.memory_mib, worker.seed.memory_mib
            )
        }
        Err(Unfit::Withdrawn) => "its account gave wrong answers".into(),
        Err(Unfit::ProgramRefused) => {
            let failure = job.refused_by.get(&worker.seed.id);
            format!(
                "its program does not run there: {}",
                failure.map_or("", |f| f.detail.as_str())
            )
        }
        Ok(()) => worker.pause.map_or("it is leaving", pause_words).into(),
    }
}

fn pause_words(pause: PauseReason) -> &'static str {
    match pause {
        PauseReason::Person => "its contributor paused it",
        PauseReason::Finishing => "it finishes what it has and takes nothing new",
        PauseReason::Battery => "it runs on battery",
        PauseReason::Hidden => "its tab is hidden",
        PauseReason::Schedule => "it is outside the hours its contributor chose",
        PauseReason::Stopping => "it is stopping",
    }
}
