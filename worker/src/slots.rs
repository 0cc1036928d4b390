//! Slots: which shards run where, how many go in one message, when a slot rests, what is stopped.
use crate::bounds;
use crate::lease::HeldInput;
use crate::output::{Batch, Output};
use crate::status::CurrentJob;
use crate::worker::Worker;
use protocol::ids::LeaseId;
use protocol::limits;
use std::sync::Arc;

/// One thing that runs at a time.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// The lease of what runs, and the shards that have not been answered.
    pub(crate) running: Option<(LeaseId, Vec<Running>)>,
    /// Time spent in the batch so far.
    batch_busy_us: u64,
    /// Rest owed because of the intensity, below one millisecond.
    debt_us: u64,
    /// Until when it rests.
    pub(crate) rest_until_ms: Option<u64>,
}

/// A shard in a slot.
#[derive(Debug)]
pub(crate) struct Running {
    shard: u32,
    items: u32,
    /// Cancelled ones are only waited for.
    wanted: bool,
}

/// What came of a slot's answer.
pub(crate) struct Answered {
    /// Whether somebody still wants the shard.
    pub(crate) wanted: bool,
    /// How many items it has.
    pub(crate) items: u32,
}

impl Worker {
    /// Hands out batches as long as a slot is free and a lease has something ready.
    pub(crate) fn dispatch(&mut self) {
        while self.may_start() {
            let Some(&slot) = self.idle.range(..self.slots_used).next() else {
                return;
            };
            let Some(lease) = self.next_ready() else { return };
            self.execute(slot, lease);
        }
    }

    fn may_start(&self) -> bool {
        self.takes_work() && self.output_bytes_held < bounds::OUTPUT_BYTES_HELD_MAX
    }

    /// The oldest lease with something to start whose program and input are here.
    fn next_ready(&self) -> Option<LeaseId> {
        let ready = |id: &&LeaseId| {
            self.leases.get(id).is_some_and(|held| {
                matches!(held.input, HeldInput::Here(_)) && self.program_ready(held.job.program)
            })
        };
        self.order.iter().find(ready).copied()
    }

    fn execute(&mut self, slot: u16, lease: LeaseId) {
        let shards_max = self.batch_shards(lease);
        let Some(held) = self.leases.get_mut(&lease) else {
            return;
        };
        let HeldInput::Here(items) = &held.input else {
            return;
        };
        let (mut shards, mut bytes) = (Vec::new(), 0);
        while shards.len() < shards_max && bytes < bounds::BATCH_INPUT_BYTES_MAX {
            let Some(shard) = held.unstarted.take() else { break };
            let input = items.shard(&held.piece, shard, &held.job.params);
            bytes += input.input.len();
            shards.push(input);
        }
        let job = Arc::clone(&held.job);
        if held.unstarted.count() == 0 {
            held.queued = false;
            self.order.retain(|&id| id != lease);
        }
        if shards.is_empty() {
            return;
        }
        self.current = Some(CurrentJob::of(&job));
        let running = shards
            .iter()
            .map(|s| Running {
                shard: s.shard,
                items: s.items,
                wanted: true,
            })
            .collect();
        self.idle.remove(&slot);
        let at = &mut self.slots[usize::from(slot)];
        (at.running, at.batch_busy_us) = (Some((lease, running)), 0);
        self.outputs.push_back(Output::Execute {
            slot,
            batch: Batch { lease, job, shards },
        });
    }

    /// How many shards of a lease make about [`bounds::BATCH_TARGET_US`], but no more than leave
    /// something for the other slots. One, as long as nothing was measured.
    fn batch_shards(&self, lease: LeaseId) -> usize {
        let Some(held) = self.leases.get(&lease) else {
            return 1;
        };
        let Some(&item_ns) = self.speeds.get(&held.job.id) else {
            return 1;
        };
        let shard_ns = item_ns.saturating_mul(u64::from(held.piece.grain)).max(1);
        let batch_max = u64::from(self.config.batch_shards_max.max(1));
        let by_time = (bounds::BATCH_TARGET_US * 1_000 / shard_ns).clamp(1, batch_max);
        let slots = u64::from(self.slots_used.max(1));
        let enough = by_time * slots;
        let mut waiting = 0;
        for held in self.order.iter().filter_map(|id| self.leases.get(id)) {
            waiting += u64::from(held.unstarted.count());
            if waiting >= enough {
                break;
            }
        }
        // At most LEASE_SHARDS_MAX.
        by_time
            .min(waiting.div_ceil(slots))
            .clamp(1, u64::from(limits::LEASE_SHARDS_MAX)) as usize
    }

    /// A slot answered for a shard; `None` when it never had it.
    pub(crate) fn slot_answered(
        &mut self,
        slot: u16,
        lease: LeaseId,
        shard: u32,
        busy_us: u64,
    ) -> Option<Answered> {
        let at = self.slots.get_mut(usize::from(slot))?;
        let (of, running) = at.running.as_mut().filter(|(of, _)| *of == lease)?;
        debug_assert_eq!(*of, lease);
        let place = running.iter().position(|r| r.shard == shard)?;
        let answered = running.remove(place);
        let ended = running.is_empty();
        at.batch_busy_us += busy_us;
        self.counts.busy_us += busy_us;
        if ended {
            self.slot_free(slot);
        }
        Some(Answered {
            wanted: answered.wanted,
            items: answered.items,
        })
    }

    /// Learns how long an item of a job takes.
    pub(crate) fn measure(&mut self, lease: LeaseId, items: u32, busy_us: u64) {
        let Some(held) = self.leases.get(&lease) else {
            return;
        };
        let sample_ns = busy_us.saturating_mul(1_000) / u64::from(items.max(1));
        let speed = self.speeds.entry(held.job.id).or_insert(sample_ns);
        *speed = (speed.saturating_mul(3).saturating_add(sample_ns)) / 4;
    }

    fn slot_free(&mut self, slot: u16) {
        let intensity = u64::from(self.intensity_percent);
        let at = &mut self.slots[usize::from(slot)];
        at.running = None;
        at.debt_us += at.batch_busy_us * (100 - intensity) / intensity;
        let rest_ms = (at.debt_us / 1_000).min(bounds::REST_MS_MAX);
        at.debt_us %= 1_000;
        if rest_ms == 0 {
            self.idle.insert(slot);
        } else {
            at.rest_until_ms = Some(self.now_ms + rest_ms);
            self.resting += 1;
        }
    }

    /// Wakes the slots that have rested long enough.
    pub(crate) fn wake_slots(&mut self) {
        if self.resting == 0 {
            return;
        }
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.rest_until_ms.is_some_and(|until_ms| until_ms <= self.now_ms) {
                slot.rest_until_ms = None;
                self.resting -= 1;
                // There are at most SLOTS_MAX slots.
                self.idle.insert(at as u16);
            }
        }
    }

    /// When the next slot has rested enough.
    pub(crate) fn next_wake_ms(&self) -> Option<u64> {
        match self.resting {
            0 => None,
            _ => self.slots.iter().filter_map(|slot| slot.rest_until_ms).min(),
        }
    }

    /// Asks slots to stop shards of a lease (all of them where none are named); says how many were
    /// still wanted.
    pub(crate) fn stop_shards(&mut self, lease: LeaseId, only: Option<&[u32]>) -> u32 {
        let mut stopped = 0;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let Some((_, running)) = slot.running.as_mut().filter(|(of, _)| *of == lease) else {
                continue;
            };
            let named = |r: &&mut Running| r.wanted && only.is_none_or(|only| only.contains(&r.shard));
            let mut shards = Vec::new();
            for running in running.iter_mut().filter(named) {
                running.wanted = false;
                shards.push(running.shard);
            }
            if !shards.is_empty() {
                // There are at most SLOTS_MAX slots with LEASE_SHARDS_MAX shards.
                stopped += shards.len() as u32;
                self.outputs.push_back(Output::StopSlot {
                    slot: at as u16,
                    lease,
                    shards,
                });
            }
        }
        stopped
    }

    /// Whether a slot has a shard of this lease, wanted or not.
    pub(crate) fn lease_runs(&self, lease: LeaseId) -> bool {
        self.slots
            .iter()
            .any(|slot| slot.running.as_ref().is_some_and(|(of, _)| *of == lease))
    }

    /// A shard was not executed although nobody asked to stop it: it is handed out again.
    pub(crate) fn start_again(&mut self, lease: LeaseId, shard: u32) {
        let Some(held) = self.leases.get_mut(&lease) else {
            return;
        };
        held.unstarted.put_back(shard);
        if !held.queued {
            held.queued = true;
            self.order.push_front(lease);
        }
    }

    /// A slot is fresh: what it had and was wanted is handed out again, in order.
    pub(crate) fn on_slot_reset(&mut self, slot: u16) {
        let Some(at) = self.slots.get_mut(usize::from(slot)) else {
            return;
        };
        let Some((lease, running)) = at.running.take() else {
            return;
        };
        self.slot_free(slot);
        for running in running.into_iter().rev().filter(|r| r.wanted) {
            self.start_again(lease, running.shard);
        }
    }

    /// From now on this many slots are used; those beyond end what they have.
    pub(crate) fn use_slots(&mut self, slots: u16) {
        self.slots_used = slots.clamp(1, limits::SLOTS_MAX);
        while self.slots.len() < usize::from(self.slots_used) {
            // There are at most SLOTS_MAX slots.
            self.idle.insert(self.slots.len() as u16);
            self.slots.push(Slot::default());
        }
    }

    pub(crate) fn slots_busy(&self) -> u16 {
        let resting = self.resting as usize;
        // There are at most SLOTS_MAX slots.
        (self.slots.len() - self.idle.len() - resting) as u16
    }
}
