//! Half of the fleet vanishes at random, again and again: how soon the shards it had are handed out anew,
//! and how long the job takes against the ideal of those who are there.
use crate::chance::Chance;
use crate::network::ConnId;
use crate::plan::{Fault, JobPlan, Plan, SECOND_US, WorkerPlan};
use crate::trace::Trace;
use crate::twin::Sabotage;
use crate::world::World;
use protocol::cut::ShardRun;
use protocol::ids::SessionId;
use protocol::job::{Grain, OnFailure};
use protocol::trust::Trust;
use protocol::wire::{ItemSource, WorkerKind};
use std::collections::BTreeMap;

/// Execution time of a shard.
const SHARD_US: u64 = 250_000;
/// Slots of a worker.
const SLOTS: u16 = 2;
/// Between two times at which half of the fleet goes, from and to.
const PAUSE_US: (u64, u64) = (10 * SECOND_US, 25 * SECOND_US);
/// Between a worker's end and its next life, from and to.
const AWAY_US: (u64, u64) = (5 * SECOND_US, 60 * SECOND_US);

/// What came of it.
#[derive(Clone, Debug)]
pub struct Churn {
    /// How often half of those present vanished before the job ended.
    pub rounds: usize,
    /// Shards that were with workers when they vanished.
    pub lost: u64,
    /// The longest time until one of these was with another worker, in microseconds.
    pub again_us_max: u64,
    /// When the job was over, in microseconds.
    pub took_us: u64,
    /// When workers without any delay, who know at once what is lost, would have done the work.
    pub ideal_us: u64,
    /// Promises that were broken, and how the job ended when it did not succeed.
    pub broken: Vec<String>,
}

/// Runs one job of so much work, in seconds of the whole fleet, from a seed.
pub fn run(seed: u64, workers: usize, work_s: u64) -> Churn {
    let mut chance = Chance::new(seed);
    let rounds_max = usize::try_from(work_s / 5).unwrap_or(usize::MAX).max(3);
    let (faults, absences) = vanishings(&mut chance, workers, rounds_max);
    let shards = workers as u64 * u64::from(SLOTS) * work_s * SECOND_US / SHARD_US;
    let mut world = World::new(
        seed,
        plan(workers, shards, faults.clone()),
        Trace::new(false),
        Sabotage::None,
    );
    world.churn = Some(Watch::default());
    world.run();
    let took_us = world.over.get(&0).copied().unwrap_or(u64::MAX);
    let watch = world.churn.take().unwrap_or_default();
    let mut broken: Vec<String> = world.ledger.violations.iter().map(|v| format!("{v:?}")).collect();
    if world.ledger.accepted.len() as u64 != shards {
        broken.push(format!(
            "{} of {shards} shards are accepted",
            world.ledger.accepted.len()
        ));
    }
    let mut moments: Vec<u64> = faults
        .iter()
        .map(|(at_us, _)| *at_us)
        .filter(|us| *us < took_us)
        .collect();
    moments.dedup();
    Churn {
        rounds: moments.len(),
        lost: watch.lost,
        again_us_max: watch.again_us_max,
        took_us,
        ideal_us: ideal_us(workers, shards * SHARD_US, &absences),
        broken,
    }
}

/// Faults with their times, and from when to when somebody is away.
type Vanishings = (Vec<(u64, Fault)>, Vec<(u64, u64)>);

/// Half of those present go at each of these moments, each for a while of its own.
fn vanishings(chance: &mut Chance, workers: usize, rounds: usize) -> Vanishings {
    let (mut faults, mut absences) = (Vec::new(), Vec::new());
    let (mut back_us, mut at_us) = (vec![0; workers], 0);
    for _ in 0..rounds {
        at_us += chance.between(PAUSE_US.0, PAUSE_US.1);
        let mut present: Vec<usize> = (0..workers).filter(|worker| back_us[*worker] <= at_us).collect();
        for _ in 0..present.len() / 2 {
            let place = chance.between(0, present.len() as u64);
            let worker = present.swap_remove(usize::try_from(place).unwrap_or_default());
            let away_us = chance.between(AWAY_US.0, AWAY_US.1);
            back_us[worker] = at_us + away_us;
            absences.push((at_us, back_us[worker]));
            faults.push((
                at_us,
                Fault::Vanish {
                    worker,
                    back_us: away_us,
                },
            ));
        }
    }
    (faults, absences)
}

fn plan(workers: usize, shards: u64, faults: Vec<(u64, Fault)>) -> Plan {
    let worker = WorkerPlan {
        kind: WorkerKind::Tab,
        slots: SLOTS,
        window_max: 64,
        slowness_percent: 100,
        flaky_percent: 0,
        joins_us: 0,
        refuses_job: None,
        trusted: false,
        clock_ahead_ms: 0,
    };
    let job = JobPlan {
        submitted_us: 0,
        source: ItemSource::Range { start: 0, step: 1 },
        items: shards,
        open: false,
        grain: Grain::Items(1),
        item_us: SHARD_US,
        poison: None,
        on_failure: OnFailure::Fail,
        attempts_max: 5,
        priority: 0,
        weight: 100,
        padding_bytes: 0,
        trust: Trust::Private,
        steers: Vec::new(),
    };
    let faults_end_us = faults.last().map_or(0, |(at_us, _)| at_us + AWAY_US.1);
    Plan {
        workers: vec![worker; workers],
        jobs: vec![job],
        faults,
        faults_end_us,
        delay_us: (5_000, 50_000),
        commit_us: (500, 3_000),
        commits_failing_percent: 0,
        inline_bytes_max: protocol::limits::LEASE_INLINE_BYTES_MAX,
    }
}

/// When the slots that are present have done so much work.
fn ideal_us(workers: usize, work_us: u64, absences: &[(u64, u64)]) -> u64 {
    let mut turns: Vec<(u64, i64)> = absences
        .iter()
        .flat_map(|(from_us, to_us)| [(*from_us, -1), (*to_us, 1)])
        .collect();
    turns.sort_unstable();
    let (mut present, mut now_us, mut left_us) = (workers as i64, 0, work_us);
    for (at_us, change) in turns {
        let slots = present.unsigned_abs() * u64::from(SLOTS);
        let done_us = (at_us - now_us) * slots;
        if done_us >= left_us {
            return now_us + left_us / slots.max(1);
        }
        (left_us, now_us, present) = (left_us - done_us, at_us, present + change);
    }
    now_us + left_us / (present.unsigned_abs() * u64::from(SLOTS)).max(1)
}

/// Where shards are, and since when those of vanished workers wait.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    held: BTreeMap<(usize, u32), ConnId>,
    lost_us: BTreeMap<(usize, u32), u64>,
    lost: u64,
    again_us_max: u64,
}

impl World {
    /// Shards are handed out, perhaps to a connection that is dead already.
    pub(crate) fn watch_lease(&mut self, session: SessionId, job: usize, run: ShardRun) {
        let conn = self.coordinator.conn_of(session);
        let is_alive = conn.is_some_and(|conn| self.network.conns.contains_key(&conn));
        let now_us = self.now_us;
        let (Some(watch), Some(conn)) = (&mut self.churn, conn) else {
            return;
        };
        for shard in run.first..run.end() {
            if let Some(lost_us) = watch.lost_us.remove(&(job, shard)) {
                watch.again_us_max = watch.again_us_max.max(now_us - lost_us);
            }
            watch.held.insert((job, shard), conn);
            if !is_alive {
                watch.lost_us.insert((job, shard), now_us);
            }
        }
    }

    /// A worker vanishes, and what it has with it.
    pub(crate) fn watch_vanish(&mut self, node: usize) {
        let (conn, now_us) = (self.nodes[node].conn, self.now_us);
        let (Some(watch), Some(conn)) = (&mut self.churn, conn) else {
            return;
        };
        for (shard, held_by) in &watch.held {
            if *held_by == conn && !self.ledger.accepted.contains_key(shard) {
                watch.lost += 1;
                watch.lost_us.insert(*shard, now_us);
            }
        }
    }
}
