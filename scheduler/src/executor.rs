//! A connected worker as the scheduler keeps it: its window, its speed, its reliability.
use crate::rate::Average;
use crate::trust::{Standing, Voter};
use protocol::ids::{AccountId, LeaseId, ProgramHash, SessionId, WorkerId};
use protocol::limits::{LEASE_TARGET_MS, WINDOW_MAX};
use protocol::trust::NetworkPrefix;
use protocol::wire::{PauseReason, WorkerKind};
use std::collections::{BTreeMap, BTreeSet};

/// What the scheduler has to know of a worker that said a good hello.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerSeed {
    /// The worker.
    pub id: WorkerId,
    /// Its connection.
    pub session: SessionId,
    /// Tab or native.
    pub kind: WorkerKind,
    /// Its name for people.
    pub name: String,
    /// Software and version.
    pub agent: String,
    /// Shards it executes at a time.
    pub slots: u16,
    /// Most shards it wants in flight.
    pub window_max: u32,
    /// Memory it gives to an instance, in MiB.
    pub memory_mib: u32,
    /// Whether fixed-width SIMD runs there.
    pub simd: bool,
    /// Whether its token carries the `trusted` scope.
    pub trusted: bool,
    /// Whom its answers are counted for.
    pub account: AccountId,
    /// Where it connects from.
    pub network: NetworkPrefix,
    /// Whether its account was caught with a wrong answer before, as far as the operator's store knows.
    pub caught: bool,
    /// What the store knows of its account's work, for each program.
    pub standings: Vec<(ProgramHash, Standing)>,
    /// Programs it has compiled.
    pub cached: Vec<ProgramHash>,
}

/// A program's entry, under a short name of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpeedKey(pub(crate) u32);

/// Leases of work that a window holds: one that runs, and the next on its way.
const LEASES_IN_WINDOW: f64 = 2.0;
/// A window grows at most so much faster than what was finished so far: early shards may be light.
const GROWTH: u32 = 4;

#[derive(Clone, Debug)]
pub(crate) struct Executor {
    pub(crate) seed: WorkerSeed,
    pub(crate) slots: u16,
    pub(crate) pause: Option<PauseReason>,
    pub(crate) leases: BTreeSet<LeaseId>,
    pub(crate) in_flight: u32,
    /// Predicted execution time of what is in flight, in milliseconds.
    pub(crate) ahead_ms: f64,
    pub(crate) heard_ms: u64,
    pub(crate) connected_ms: u64,
    pub(crate) record: Record,
    pub(crate) leaving: bool,
    /// Its account was caught with a wrong answer.
    pub(crate) caught: bool,
}

/// What is remembered of a worker across sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) speeds: BTreeMap<SpeedKey, Speed>,
    pub(crate) accepted: u64,
    pub(crate) failed: u64,
    pub(crate) lost: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Speed {
    /// Execution time of an item, in milliseconds.
    pub(crate) item_ms: Average,
    /// Shards it finished.
    pub(crate) shards: u32,
}

impl Record {
    /// Accepted of what was not lost here. A failed attempt is the program's doing more often than the
    /// worker's, and says nothing of it.
    pub(crate) fn reliability(&self) -> f64 {
        let over = self.accepted + self.lost;
        if over == 0 {
            1.0
        } else {
            self.accepted as f64 / over as f64
        }
    }
}

impl Executor {
    pub(crate) fn new(now_ms: u64, seed: WorkerSeed, record: Record) -> Self {
        Self {
            slots: seed.slots,
            pause: None,
            leases: BTreeSet::new(),
            in_flight: 0,
            ahead_ms: 0.0,
            heard_ms: now_ms,
            connected_ms: now_ms,
            record,
            leaving: false,
            caught: seed.caught,
            seed,
        }
    }

    /// Who it is when it answers.
    pub(crate) fn voter(&self) -> Voter {
        Voter {
            account: self.seed.account,
            network: self.seed.network,
            worker: self.seed.id,
        }
    }

    pub(crate) fn takes_work(&self) -> bool {
        self.slots > 0 && !self.leaving
    }

    /// Predicted execution time of a shard, in milliseconds; `None` before the first was measured here.
    pub(crate) fn shard_ms(&self, key: SpeedKey, grain: u32) -> Option<f64> {
        let speed = self.record.speeds.get(&key)?;
        speed.item_ms.get().map(|ms| ms * f64::from(grain))
    }

    /// How many shards of this kind may be in flight: two leases of work for every slot, within what
    /// the worker asked for, and not many times more than it has finished.
    pub(crate) fn window(&self, key: SpeedKey, shard_ms: f64) -> u32 {
        let slots = u32::from(self.slots);
        let finished = self.record.speeds.get(&key).map_or(0, |s| s.shards);
        let by_time = f64::from(slots) * LEASES_IN_WINDOW * f64::from(LEASE_TARGET_MS) / shard_ms.max(1e-3);
        let by_time = by_time.ceil().min(f64::from(WINDOW_MAX)) as u32;
        let by_growth = finished.saturating_mul(GROWTH).max(2 * slots);
        let most = by_growth.min(self.seed.window_max).clamp(1, WINDOW_MAX);
        by_time.max(2 * slots).min(most)
    }

    /// Notes that shards were executed.
    pub(crate) fn measured(&mut self, key: SpeedKey, shards: u32, items: u64, busy_us: u64) -> f64 {
        let item_ms = busy_us as f64 / 1_000.0 / items.max(1) as f64;
        let speed = self.record.speeds.entry(key).or_default();
        speed.item_ms.add(item_ms);
        speed.shards = speed.shards.saturating_add(shards);
        item_ms
    }

    /// Shards left it, one way or another.
    pub(crate) fn relieved(&mut self, shards: u32, shard_ms: f64) {
        self.in_flight = self.in_flight.saturating_sub(shards);
        self.ahead_ms = if self.in_flight == 0 {
            0.0
        } else {
            (self.ahead_ms - f64::from(shards) * shard_ms).max(0.0)
        };
    }
}
