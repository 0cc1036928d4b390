//! What a seed stands for: who takes part, what is to be done, and everything that goes wrong when.
use crate::chance::Chance;
use protocol::job::{Encoding, Grain, OnFailure};
use protocol::trust::Trust;
use protocol::wire::{ItemSource, WorkerKind};

/// One second of virtual time, in microseconds.
pub const SECOND_US: u64 = 1_000_000;

/// How long faults last in [`Plan::of_an_hour`], in microseconds.
const HOUR_US: u64 = 3_600 * SECOND_US;

/// A whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who takes part.
    pub workers: Vec<WorkerPlan>,
    /// What is to be done.
    pub jobs: Vec<JobPlan>,
    /// What goes wrong, and when, in microseconds.
    pub faults: Vec<(u64, Fault)>,
    /// From then on nothing goes wrong any more.
    pub faults_end_us: u64,
    /// How long a message takes, from and to, in microseconds.
    pub delay_us: (u64, u64),
    /// How long a commit takes, from and to, in microseconds.
    pub commit_us: (u64, u64),
    /// Commits out of a hundred that fail and are tried again, while faults last.
    pub commits_failing_percent: u64,
    /// Inputs of leases longer than this travel as blobs.
    pub inline_bytes_max: usize,
}

/// A worker.
#[derive(Clone, Debug)]
pub struct WorkerPlan {
    /// Tab or native.
    pub kind: WorkerKind,
    /// How many slots.
    pub slots: u16,
    /// Its window.
    pub window_max: u32,
    /// How much longer an item takes here, in percent.
    pub slowness_percent: u64,
    /// Attempts out of a hundred that fail here for no good reason, while faults last.
    pub flaky_percent: u64,
    /// When it comes.
    pub joins_us: u64,
    /// Whether it cannot run a certain program.
    pub refuses_job: Option<usize>,
    /// Whether its answers stand.
    pub trusted: bool,
    /// How far its clock is from the coordinator's, in milliseconds.
    pub clock_ahead_ms: u64,
}

/// A job.
#[derive(Clone, Debug)]
pub struct JobPlan {
    /// When it is submitted.
    pub submitted_us: u64,
    /// Where its items come from.
    pub source: ItemSource,
    /// How many items it has in the end.
    pub items: u64,
    /// Whether its items come in several parts.
    pub open: bool,
    /// Items in a shard.
    pub grain: Grain,
    /// Execution time of an item on an ordinary slot, in microseconds.
    pub item_us: u64,
    /// An item on which the program always fails.
    pub poison: Option<u64>,
    /// What a poisoned shard does.
    pub on_failure: OnFailure,
    /// Attempts until a shard fails for good.
    pub attempts_max: u8,
    /// Priority.
    pub priority: i8,
    /// Weight.
    pub weight: u16,
    /// Bytes of an item's output beyond what says which item it was.
    pub padding_bytes: usize,
    /// How far workers are trusted with it.
    pub trust: Trust,
    /// What people do to it, and when after its submission.
    pub steers: Vec<(u64, Person)>,
}

/// What people do to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// Pause it.
    Pause,
    /// Resume it.
    Resume,
    /// Cancel it.
    Cancel,
}

/// Something that goes wrong: with which worker, and for how long, in microseconds.
#[derive(Clone, Copy, Debug)]
#[allow(
    missing_docs,
    reason = "`worker`, `for_us` and `back_us` say what the variants say"
)]
pub enum Fault {
    /// A worker's connection is cut; each side learns of it after so long.
    Cut {
        worker: usize,
        worker_learns_us: u64,
        coordinator_learns_us: u64,
    },
    /// A worker cannot be reached for so long.
    Partition { worker: usize, for_us: u64 },
    /// A worker vanishes, and comes back without its memory after so long.
    Vanish { worker: usize, back_us: u64 },
    /// A worker does nothing for so long, as a hidden tab.
    Sleep { worker: usize, for_us: u64 },
    /// A contributor presses Pause, and Start after so long.
    Rest { worker: usize, for_us: u64 },
    /// A contributor presses Finish, and Start after so long.
    Finish { worker: usize, for_us: u64 },
    /// A contributor changes slots and intensity.
    Adjust { worker: usize, slots: u16, percent: u8 },
    /// The coordinator is killed, and started again after so long.
    Crash { down_us: u64 },
    /// The coordinator is told to stop, goes two seconds later, and is started again after so long.
    Drain { down_us: u64 },
    /// The store takes nothing for so long.
    StoreAway { for_us: u64 },
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let c = &mut chance;
        let faults_end_us = c.between(20, 120) * SECOND_US;
        let workers: Vec<WorkerPlan> = (0..c.between(1, 8)).map(|_| worker(c, faults_end_us)).collect();
        let mut jobs: Vec<JobPlan> = (0..c.between(1, 5)).map(|_| job(c, faults_end_us)).collect();
        let mut workers = with_refusals(c, workers, jobs.len());
        // A third of the seeds are quiet, a third rough, a third terrible.
        let count = c.one_of(&[0, 1, 3]) * workers.len() as u64 + c.between(0, 4);
        let faults = (0..count)
            .map(|_| (c.between(0, faults_end_us), fault(c, workers.len())))
            .collect();
        let delay_us = c.magnitude(50, 200_000);
        let commit_us = c.magnitude(200, 300_000);
        with_trust(seed, &mut workers, &mut jobs);
        Self {
            workers,
            jobs,
            faults,
            faults_end_us,
            delay_us: (delay_us, delay_us + c.magnitude(1, 200_000)),
            commit_us: (commit_us, commit_us * c.between(2, 5)),
            commits_failing_percent: c.one_of(&[0, 0, 5, 40]),
            inline_bytes_max: c.one_of(&[64, 4_096, protocol::limits::LEASE_INLINE_BYTES_MAX]),
        }
    }

    /// The same participants and the same network for an hour, with jobs and faults all through it.
    pub fn of_an_hour(seed: u64) -> Self {
        let mut plan = Self::new(seed);
        let mut chance = Chance::new(seed.rotate_left(32));
        let c = &mut chance;
        plan.faults_end_us = HOUR_US;
        plan.jobs = (0..c.between(10, 40)).map(|_| job(c, HOUR_US)).collect();
        for job in &mut plan.jobs {
            job.submitted_us = c.between(0, HOUR_US);
        }
        let count = c.one_of(&[1, 10, 30]) * plan.workers.len() as u64;
        plan.faults = (0..count)
            .map(|_| (c.between(0, HOUR_US), fault(c, plan.workers.len())))
            .collect();
        with_trust(seed, &mut plan.workers, &mut plan.jobs);
        plan
    }
}

fn worker(c: &mut Chance, end_us: u64) -> WorkerPlan {
    let slow = c.one_of(&[100, 100, 130, 300, 2_000]);
    WorkerPlan {
        kind: c.one_of(&[WorkerKind::Tab, WorkerKind::Native]),
        slots: c.one_of(&[1, 1, 2, 4]),
        window_max: c.one_of(&[1, 4, 64, 1_024]),
        slowness_percent: slow,
        flaky_percent: c.one_of(&[0, 0, 0, 2, 20]),
        joins_us: if c.percent(60) { 0 } else { c.between(0, end_us) },
        refuses_job: None,
        trusted: false,
        clock_ahead_ms: c.magnitude(1, 1 << 40),
    }
}

/// A few workers cannot run a few programs; the first one can run all, so that there is progress.
fn with_refusals(c: &mut Chance, mut workers: Vec<WorkerPlan>, jobs: usize) -> Vec<WorkerPlan> {
    for worker in workers.iter_mut().skip(1) {
        worker.refuses_job = c.percent(10).then(|| c.between(0, jobs as u64) as usize);
    }
    workers[0].joins_us = 0;
    workers
}

/// Half of the jobs are checked, by a trusted worker where there is one. Their own
/// sequence of chance, so that the seeds kept from before stand for what they stood for.
fn with_trust(seed: u64, workers: &mut [WorkerPlan], jobs: &mut [JobPlan]) {
    let mut chance = Chance::new(!seed);
    let poisoned = jobs.iter().any(|job| job.poison.is_some());
    let refused = workers.iter().any(|worker| worker.refuses_job.is_some());
    // Without a trusted worker, two strangers at least must be there, and nothing that takes a vote.
    let strangers_do = workers.len() >= 3 && !poisoned && !refused;
    workers[0].trusted = chance.percent(50) || !strangers_do;
    for job in jobs {
        job.trust = match chance.between(0, 6) {
            0 => Trust::Fast,
            1 => Trust::Standard,
            2 if workers[0].trusted => Trust::Verified,
            _ => Trust::Private,
        };
    }
}

fn job(c: &mut Chance, end_us: u64) -> JobPlan {
    let source = match c.between(0, 4) {
        0 | 1 => ItemSource::Range {
            start: c.between(0, 1_000) as i64 - 500,
            step: c.one_of(&[1, 3, -2]),
        },
        2 => ItemSource::Lines(c.one_of(&[Encoding::Json, Encoding::Text])),
        _ => ItemSource::Records {
            bytes: c.one_of(&[4, 7, 32]),
        },
    };
    let items = c.magnitude(1, 6_000);
    let steers = match c.between(0, 6) {
        0 => vec![(c.magnitude(50_000, 16 * SECOND_US), Person::Cancel)],
        1 => {
            let at_us = c.magnitude(50_000, 16 * SECOND_US);
            vec![
                (at_us, Person::Pause),
                (at_us + c.between(1, 30) * SECOND_US, Person::Resume),
            ]
        }
        _ => Vec::new(),
    };
    let long = c.percent(5);
    JobPlan {
        submitted_us: if c.percent(60) { 0 } else { c.between(0, end_us) },
        source,
        items,
        open: c.percent(20),
        grain: c.one_of(&[Grain::Auto, Grain::Items(1), Grain::Items(3), Grain::Items(64)]),
        // So that a job is done in a minute or so by one slow worker, and tens of thousands of attempts
        // are not exceeded.
        item_us: c.magnitude(10, 40 * SECOND_US / items.max(20)),
        poison: c.percent(12).then(|| c.between(0, items)),
        on_failure: c.one_of(&[OnFailure::Fail, OnFailure::Skip]),
        attempts_max: c.one_of(&[2, 5, 5]),
        priority: c.one_of(&[0, 0, 5, -5]),
        weight: c.one_of(&[100, 100, 10, 1_000]),
        trust: Trust::Private,
        padding_bytes: if long { 300_000 / 3 } else { c.one_of(&[0, 0, 20]) },
        steers,
    }
    .bounded()
}

impl JobPlan {
    /// Long outputs only for few items, or memory goes.
    fn bounded(mut self) -> Self {
        if self.padding_bytes > 1_000 {
            self.items = self.items.min(40);
            self.poison = self.poison.filter(|&item| item < self.items);
        }
        self
    }
}

fn fault(c: &mut Chance, workers: usize) -> Fault {
    let worker = c.between(0, workers as u64) as usize;
    match c.between(0, 13) {
        0..=2 => Fault::Cut {
            worker,
            worker_learns_us: c.magnitude(1_000, 60 * SECOND_US),
            coordinator_learns_us: c.magnitude(1_000, 90 * SECOND_US),
        },
        3 => Fault::Partition {
            worker,
            for_us: c.magnitude(100_000, 60 * SECOND_US),
        },
        4 | 5 => Fault::Vanish {
            worker,
            back_us: c.magnitude(100_000, 60 * SECOND_US),
        },
        6 => Fault::Sleep {
            worker,
            for_us: c.magnitude(1_000_000, 90 * SECOND_US),
        },
        7 => Fault::Rest {
            worker,
            for_us: c.magnitude(100_000, 30 * SECOND_US),
        },
        8 => Fault::Finish {
            worker,
            for_us: c.magnitude(100_000, 30 * SECOND_US),
        },
        9 => Fault::Adjust {
            worker,
            slots: c.one_of(&[1, 2, 5]),
            percent: c.one_of(&[5, 50, 100]),
        },
        10 => Fault::Crash {
            down_us: c.magnitude(10_000, 20 * SECOND_US),
        },
        11 => Fault::Drain {
            down_us: c.magnitude(10_000, 20 * SECOND_US),
        },
        _ => Fault::StoreAway {
            for_us: c.magnitude(10_000, 10 * SECOND_US),
        },
    }
}
