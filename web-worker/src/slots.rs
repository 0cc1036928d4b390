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

/// The slots of a tab.
#[derive(Debug, Default)]
pub struct Slots {
    slots: HashMap<u16, Slot>,
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
        self.workers().find(|&(_, held)| held == worker).map(|(slot, _)| slot)
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
        let holders = self.slots.values_mut().filter(|slot| slot.programs.contains(&program));
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
        let running = self.slots.get_mut(&slot)?.running.as_mut().filter(|running| running.id == id)?;
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
            slot.running.take_if(|running| running.id == id && running.next == running.batch.shards.len());
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

    /// Time passed. A machine that slept, or a hub that was held up, must not charge a program for it: the caller
    /// hands in at most a few times its interval.
    pub fn watch(&mut self, passed_ms: f64) -> Vec<Alarm> {
        let watched = self.slots.iter_mut();
        watched.filter_map(|(&slot, held)| held.running.as_mut()?.watch(passed_ms).map(|alarm| alarm(slot))).collect()
    }

    /// The shard a slot's worker works on.
    pub fn current(&self, slot: u16) -> Option<(&Batch, &ShardInput)> {
        let running = self.slots.get(&slot)?.running.as_ref()?;
        Some((&running.batch, running.batch.shards.get(running.next)?))
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
        self.slots.iter().filter_map(|(&slot, held)| Some((slot, &held.running.as_ref()?.batch)))
    }

    /// Workers of slots from `slots` on that have nothing to do: fewer slots are wanted. They are taken out.
    pub fn take_idle_beyond(&mut self, slots: u16) -> Vec<u32> {
        let beyond = self.slots.iter().filter(|&(&slot, held)| slot >= slots && held.running.is_none());
        let numbers: Vec<u16> = beyond.map(|(&slot, _)| slot).collect();
        numbers.iter().filter_map(|slot| self.slots.remove(slot)).map(|held| held.worker).collect()
    }
}

impl Slot {
    fn new(worker: u32) -> Self {
        Self { worker, running: None, programs: Vec::new() }
    }
}

impl Running {
    fn new(id: u32, batch: Batch) -> Self {
        Self { id, batch, next: 0, base: 0, careful: false, watched_ms: 0.0, stop_in_ms: None }
    }

    fn watch(&mut self, passed_ms: f64) -> Option<fn(u16) -> Alarm> {
        self.watched_ms += passed_ms;
        if let Some(left_ms) = &mut self.stop_in_ms {
            *left_ms -= passed_ms;
            if *left_ms <= 0.0 {
                return Some(Alarm::Stop);
            }
        }
        let limit_ms = f64::from(self.batch.job.limits.shard_time_ms.saturating_mul(WALL_PER_CPU));
        if self.watched_ms < limit_ms {
            return None;
        }
        let certain = self.careful || self.batch.shards.len() - self.next == 1;
        Some(if certain { Alarm::OutOfTime } else { Alarm::Doubtful })
    }
}

fn take(next: &mut u32) -> u32 {
    let number = *next;
    *next += 1;
    number
}
