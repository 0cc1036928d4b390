//! Which blob worker holds which shards, what it has reported, and since when it works on the next: the watchdog.
//!
//! A slot is the heart's number. The blob worker behind it has a number of its own, which is never used again:
//! ending one that does not come back, and putting a fresh one in its place, is the only way to stop a program.
//!
//! A slot reports before a shard begins when its last report is some milliseconds old. So when it hangs, the shard
//! it hangs in is one of the few begun since. Where more than one is left, the rest of the batch is run again in a
//! fresh worker that reports before every shard; the second time there is no doubt.
use std::collections::HashMap;
use worker::{Batch, ShardInput};

/// A tab measures wall time, which other programs of the machine stretch; the limit is CPU time.
const WALL_PER_CPU: u32 = 2;
/// How long a shard that is to be stopped may take to end by itself before its worker is ended: a batch is 30 ms.
const STOP_GRACE_MS: f64 = 60.0;

/// A slot that dies for the second time waits so long for its next worker; it doubles with each death.
const RESPAWN_MS_MIN: u32 = 200;
const RESPAWN_MS_MAX: u32 = 10_000;
/// A slot that lived for so long has no deaths behind it.
const LIVED_MS: f64 = 30_000.0;

/// The slots of a tab.
#[derive(Debug, Default)]
pub struct Slots {
    slots: HashMap<u16, Slot>,
    /// How often slots died one after the other, and when last.
    deaths: HashMap<u16, (u32, f64)>,
    next_worker: u32,
    next_batch: u32,
}

#[derive(Debug)]
struct Slot {
    worker: u32,
    running: Option<Running>,
    /// Programs its worker holds.
    programs: Vec<u32>,
}

/// A batch in a slot.
#[derive(Debug)]
struct Running {
    /// This hand-out of it.
    id: u32,
    batch: Batch,
    /// Shards of the batch before this one are over.
    next: usize,
    /// Where this hand-out began.
    base: usize,
    careful: bool,
    /// Time watched since the last report.
    watched_ms: f64,
    /// Time left until the worker is ended, when some of its shards are to be stopped.
    stop_in_ms: Option<f64>,
}

/// What the watchdog wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The worker's shard ran out of time: tell it, and replace the worker.
    OutOfTime(u16),
    /// One of several shards hangs: replace the worker and run what is left carefully.
    Doubtful(u16),
    /// Shards that are to be stopped still run: replace the worker.
    Stop(u16),
}

/// A batch as it goes to a worker.
#[derive(Debug)]
pub struct Handout<'a> {
    /// The blob worker.
    pub worker: u32,
    /// Its id, to be repeated in reports.
    pub id: u32,
    /// The batch it belongs to.
    pub batch: &'a Batch,
    /// The shards of it to run.
    pub shards: &'a [ShardInput],
    /// Report before every shard.
    pub careful: bool,
}

impl Slots {
    /// The blob worker of a slot, and whether it is new and has to be started.
    pub fn worker(&mut self, slot: u16) -> (u32, bool) {
        let next = &mut self.next_worker;
        let mut fresh = false;
        let entry = self.slots.entry(slot).or_insert_with(|| {
            fresh = true;
            Slot::new(take(next))
        });
        (entry.worker, fresh)
    }

    /// Every blob worker.
    pub fn workers(&self) -> impl Iterator<Item = (u16, u32)> + '_ {
        self.slots.iter().map(|(&slot, held)| (slot, held.worker))
    }

    /// The slot of a blob worker; none when it was ended.
    pub fn slot_of(&self, worker: u32) -> Option<u16> {
        self.workers()
            .find(|&(_, held)| held == worker)
            .map(|(slot, _)| slot)
    }

    /// Notes that a slot's worker gets a program; says whether it did not have it.
    pub fn needs_program(&mut self, slot: u16, program: u32) -> bool {
        let Some(slot) = self.slots.get_mut(&slot) else {
            return false;
        };
        let known = slot.programs.contains(&program);
        if !known {
            slot.programs.push(program);
        }
        !known
    }

    /// Notes that a program is forgotten; the workers that hold it.
    pub fn forget_program(&mut self, program: u32) -> Vec<u32> {
        let holders = self
            .slots
            .values_mut()
            .filter(|slot| slot.programs.contains(&program));
        holders
            .map(|slot| {
                slot.programs.retain(|&held| held != program);
                slot.worker
            })
            .collect()
    }

    /// Puts a batch into a slot.
    pub fn begin(&mut self, slot: u16, batch: Batch) {
        let id = take(&mut self.next_batch);
        if let Some(slot) = self.slots.get_mut(&slot) {
            slot.running = Some(Running::new(id, batch));
        }
    }

    /// What a slot's worker is to run now.
    pub fn handout(&self, slot: u16) -> Option<Handout<'_>> {
        let held = self.slots.get(&slot)?;
        let running = held.running.as_ref()?;
        Some(Handout {
            worker: held.worker,
            id: running.id,
            batch: &running.batch,
            shards: &running.batch.shards[running.base..],
            careful: running.careful,
        })
    }

    /// A worker reports on `finished` shards from `first` (of its hand-out) on, and on one behind them if it
    /// failed. Gives the batch and the place of the first in it; nothing when the report is of an older hand-out.
    pub fn report(&mut self, slot: u16, id: u32, first: u32, shards: usize) -> Option<(&Batch, usize)> {
        let running = self
            .slots
            .get_mut(&slot)?
            .running
            .as_mut()
            .filter(|running| running.id == id)?;
        let from = running.base + first as usize;
        if from != running.next || from + shards > running.batch.shards.len() {
            return None;
        }
        running.next += shards;
        running.watched_ms = 0.0;
        Some((&running.batch, from))
    }

    /// A worker is through with a hand-out.
    pub fn end(&mut self, slot: u16, id: u32) {
        if let Some(slot) = self.slots.get_mut(&slot) {
            slot.running
                .take_if(|running| running.id == id && running.next == running.batch.shards.len());
        }
    }

    /// Some shards of a slot's batch are to be stopped; says whether it has a batch.
    pub fn stop(&mut self, slot: u16) -> bool {
        let running = self.slots.get_mut(&slot).and_then(|slot| slot.running.as_mut());
        running.is_some_and(|running| {
            running.stop_in_ms.get_or_insert(STOP_GRACE_MS);
            true
        })
    }

    /// Time passed: said before anything begins or is reported, so that no shard is charged for what was before it.
    /// A machine that slept, or a hub that was held up, must not charge a program for it: the caller hands in at
    /// most a few times its interval.
    pub fn pass(&mut self, passed_ms: f64) {
        let running = self.slots.values_mut().filter_map(|held| held.running.as_mut());
        running.for_each(|running| running.pass(passed_ms));
    }

    /// What hangs.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.slots
            .iter()
            .filter_map(|(&slot, held)| held.running.as_ref()?.alarm().map(|alarm| alarm(slot)))
            .collect()
    }

    /// How long until the next alarm, unless a worker reports before.
    pub fn time_left_ms(&self) -> Option<f64> {
        let running = self.slots.values().filter_map(|held| held.running.as_ref());
        running.map(Running::time_left_ms).reduce(f64::min)
    }

    /// The shard a slot's worker works on.
    pub fn current(&self, slot: u16) -> Option<(&Batch, &ShardInput)> {
        let running = self.slots.get(&slot)?.running.as_ref()?;
        Some((&running.batch, running.batch.shards.get(running.next)?))
    }

    /// A slot's worker died by itself: how long to wait before the next one, in milliseconds. A frame whose
    /// process is gone, or a device without memory, must not be asked for workers without end.
    pub fn died(&mut self, slot: u16, now_ms: f64) -> u32 {
        let (deaths, last_ms) = self.deaths.get(&slot).copied().unwrap_or_default();
        let deaths = if now_ms - last_ms < LIVED_MS { deaths } else { 0 };
        self.deaths.insert(slot, (deaths + 1, now_ms));
        match deaths {
            0 => 0,
            _ => (RESPAWN_MS_MIN << (deaths - 1).min(16)).min(RESPAWN_MS_MAX),
        }
    }

    /// Puts a fresh worker in place of a slot's, with nothing to do: the old one and the new one.
    pub fn replace(&mut self, slot: u16) -> Option<(u32, u32)> {
        let fresh = Slot::new(take(&mut self.next_worker));
        let new = fresh.worker;
        self.slots.insert(slot, fresh).map(|old| (old.worker, new))
    }

    /// The same, but what is left of its batch is to be run again, carefully.
    pub fn replace_carefully(&mut self, slot: u16) -> Option<(u32, u32)> {
        let mut running = self.slots.get_mut(&slot)?.running.take()?;
        let workers = self.replace(slot)?;
        running.id = take(&mut self.next_batch);
        running.base = running.next;
        running.careful = true;
        running.watched_ms = 0.0;
        self.slots.get_mut(&slot)?.running = Some(running);
        Some(workers)
    }

    /// The batches that run now.
    pub fn running(&self) -> impl Iterator<Item = (u16, &Batch)> {
        self.slots
            .iter()
            .filter_map(|(&slot, held)| Some((slot, &held.running.as_ref()?.batch)))
    }

    /// Workers of slots from `slots` on that have nothing to do: fewer slots are wanted. They are taken out.
    pub fn take_idle_beyond(&mut self, slots: u16) -> Vec<u32> {
        let beyond = self
            .slots
            .iter()
            .filter(|&(&slot, held)| slot >= slots && held.running.is_none());
        let numbers: Vec<u16> = beyond.map(|(&slot, _)| slot).collect();
        numbers
            .iter()
            .filter_map(|slot| self.slots.remove(slot))
            .map(|held| held.worker)
            .collect()
    }
}

impl Slot {
    fn new(worker: u32) -> Self {
        Self {
            worker,
            running: None,
            programs: Vec::new(),
        }
    }
}

impl Running {
    fn new(id: u32, batch: Batch) -> Self {
        Self {
            id,
            batch,
            next: 0,
            base: 0,
            careful: false,
            watched_ms: 0.0,
            stop_in_ms: None,
        }
    }

    fn pass(&mut self, passed_ms: f64) {
        self.watched_ms += passed_ms;
        if let Some(left_ms) = &mut self.stop_in_ms {
            *left_ms -= passed_ms;
        }
    }

    fn shard_left_ms(&self) -> f64 {
        f64::from(self.batch.job.limits.shard_time_ms.saturating_mul(WALL_PER_CPU)) - self.watched_ms
    }

    fn time_left_ms(&self) -> f64 {
        self.stop_in_ms
            .map_or(self.shard_left_ms(), |left_ms| left_ms.min(self.shard_left_ms()))
    }

    fn alarm(&self) -> Option<fn(u16) -> Alarm> {
        if self.stop_in_ms.is_some_and(|left_ms| left_ms <= 0.0) {
            return Some(Alarm::Stop);
        }
        if self.shard_left_ms() > 0.0 {
            return None;
        }
        let certain = self.careful || self.batch.shards.len() - self.next == 1;
        Some(if certain {
            Alarm::OutOfTime
        } else {
            Alarm::Doubtful
        })
    }
}

fn take(next: &mut u32) -> u32 {
    let number = *next;
    *next += 1;
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use protocol::ids::{JobId, LeaseId, ProgramHash};
    use protocol::job::Limits;
    use protocol::wire::{ItemSource, JobHandle, OpenJob};
    use std::sync::Arc;

    const LIMIT_MS: u32 = 1_000;

    fn batch(shards: u32) -> Batch {
        let job = OpenJob {
            job: JobHandle(1),
            id: JobId(1),
            name: String::new(),
            owner: String::new(),
            program: ProgramHash([0; 32]),
            entry: "run".into(),
            params: Bytes::new(),
            source: ItemSource::Range { start: 0, step: 1 },
            limits: Limits {
                memory_mib: 1,
                shard_time_ms: LIMIT_MS,
            },
            picture: false,
        };
        let shards = (0..shards)
            .map(|shard| ShardInput {
                shard,
                items: 1,
                input: Bytes::new(),
            })
            .collect();
        Batch {
            lease: LeaseId(1),
            job: Arc::new(job),
            shards,
        }
    }

    /// A slot with a batch; the id of its hand-out.
    fn running(shards: u32) -> (Slots, u32) {
        let mut slots = Slots::default();
        slots.worker(0);
        slots.begin(0, batch(shards));
        let id = slots.handout(0).unwrap().id;
        (slots, id)
    }

    fn shards_left(slots: &Slots) -> Vec<u32> {
        slots
            .handout(0)
            .unwrap()
            .shards
            .iter()
            .map(|shard| shard.shard)
            .collect()
    }

    /// Time passes, and somebody looks.
    fn watch(slots: &mut Slots, passed_ms: f64) -> Vec<Alarm> {
        slots.pass(passed_ms);
        slots.alarms()
    }

    const LIMIT_WALL_MS: f64 = (LIMIT_MS * WALL_PER_CPU) as f64;

    #[test]
    fn the_only_shard_left_is_the_one_that_hangs() {
        let (mut slots, id) = running(3);
        assert!(slots.report(0, id, 0, 2).is_some());
        assert_eq!(watch(&mut slots, LIMIT_WALL_MS - 1.0), []);
        assert_eq!(watch(&mut slots, 1.0), [Alarm::OutOfTime(0)]);
        assert_eq!(slots.current(0).unwrap().1.shard, 2);
    }

    #[test]
    fn a_report_starts_the_clock_anew() {
        let (mut slots, id) = running(2);
        assert_eq!(watch(&mut slots, LIMIT_WALL_MS - 1.0), []);
        assert!(slots.report(0, id, 0, 1).is_some());
        assert_eq!(watch(&mut slots, LIMIT_WALL_MS - 1.0), []);
    }

    #[test]
    fn where_several_could_hang_the_rest_is_run_again_carefully() {
        let (mut slots, id) = running(4);
        assert!(slots.report(0, id, 0, 1).is_some());
        assert_eq!(watch(&mut slots, LIMIT_WALL_MS), [Alarm::Doubtful(0)]);
        let (old, new) = slots.replace_carefully(0).unwrap();
        assert_ne!(old, new);
        assert_eq!(shards_left(&slots), [1, 2, 3]);
        assert!(slots.handout(0).unwrap().careful);
        assert!(
            slots.report(0, id, 1, 1).is_none(),
            "the ended worker's last words count no more"
        );
        let id = slots.handout(0).unwrap().id;
        assert_eq!(slots.report(0, id, 0, 1).unwrap().1, 1);
        assert_eq!(
            watch(&mut slots, LIMIT_WALL_MS),
            [Alarm::OutOfTime(0)],
            "no doubt the second time"
        );
        assert_eq!(slots.current(0).unwrap().1.shard, 2);
    }

    #[test]
    fn what_is_to_be_stopped_gets_a_moment_to_end_by_itself() {
        let (mut slots, _) = running(1);
        assert_eq!(slots.time_left_ms(), Some(LIMIT_WALL_MS));
        assert!(slots.stop(0));
        assert_eq!(slots.time_left_ms(), Some(STOP_GRACE_MS));
        assert_eq!(watch(&mut slots, STOP_GRACE_MS / 2.0), []);
        let (mut ended, ended_id) = running(1);
        assert!(ended.stop(0) && ended.report(0, ended_id, 0, 1).is_some());
        ended.end(0, ended_id);
        assert_eq!(watch(&mut ended, STOP_GRACE_MS), []);
        assert_eq!(watch(&mut slots, STOP_GRACE_MS / 2.0), [Alarm::Stop(0)]);
    }

    #[test]
    fn a_fresh_worker_holds_no_program() {
        let (mut slots, _) = running(1);
        assert!(slots.needs_program(0, 7));
        assert!(!slots.needs_program(0, 7));
        slots.replace(0);
        assert!(slots.needs_program(0, 7));
        assert_eq!(slots.forget_program(7).len(), 1);
    }

    #[test]
    fn who_dies_again_and_again_waits_ever_longer() {
        let mut slots = Slots::default();
        let waits: Vec<u32> = (0..9u32).map(|k| slots.died(0, f64::from(k) * 1_000.0)).collect();
        assert_eq!(waits, [0, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        assert_eq!(slots.died(1, 9_000.0), 0, "another slot");
        assert_eq!(slots.died(0, 8_000.0 + LIVED_MS), 0, "it lived");
    }

    #[test]
    fn reports_that_do_not_fit_are_not_believed() {
        let (mut slots, id) = running(2);
        assert!(slots.report(0, id, 1, 1).is_none(), "out of order");
        assert!(slots.report(0, id, 0, 3).is_none(), "more than there are");
        assert!(slots.report(0, id + 1, 0, 1).is_none(), "of another hand-out");
    }
}
