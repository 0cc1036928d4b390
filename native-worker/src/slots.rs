//! A thread for each slot, where programs run in this process: they block, so they never run where the socket is
//! served.
use crate::report::{self, Ended};
use crate::shell::Event;
use protocol::ids::LeaseId;
use protocol::job;
use protocol::limits;
use protocol::wire::{Cause, Failure};
use runtime::{Limits, Prepared, StopHandle};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use tokio::sync::mpsc::Sender;
use worker::{Batch, Input, ShardInput};

/// The sandbox wants 1 MiB of stack; the rest is for what calls it.
const STACK_BYTES: usize = 2 << 20;
/// Batches that wait for a slot: it is given one only when it has nothing to do.
const BATCHES_MAX: usize = 1;
/// Wall time a shard may take for each millisecond of CPU time: a busy machine is no fault of it.
const WALL_PER_CPU: u64 = 4;

/// All slots; a slot's thread starts when the slot is first used.
pub(crate) struct Threads {
    slots: Vec<Option<Slot>>,
    events: Sender<Event>,
}

struct Slot {
    work: mpsc::SyncSender<Work>,
    lease: LeaseId,
    stops: Vec<(u32, StopHandle)>,
}

struct Work {
    slot: u16,
    program: Prepared,
    batch: Batch,
    stops: Vec<StopHandle>,
}

impl Threads {
    pub(crate) fn new(events: Sender<Event>) -> Self {
        Self {
            slots: Vec::new(),
            events,
        }
    }

    /// Executes a batch in a slot that has nothing to do. Where no thread can be had for it, every shard
    /// is answered all the same: with what is returned.
    pub(crate) fn execute(&mut self, slot: u16, program: Prepared, batch: Batch) -> Vec<Input> {
        let stops: Vec<StopHandle> = batch.shards.iter().map(|_| StopHandle::new()).collect();
        let (lease, shards) = (batch.lease, batch.shards.iter().map(|shard| shard.shard));
        let named = shards.zip(stops.iter().cloned()).collect();
        let at = usize::from(slot);
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, || None);
        }
        let thread = match self.slots[at].take() {
            Some(known) => Ok(known.work),
            None => start(slot, self.events.clone()),
        };
        let work = Work {
            slot,
            program,
            batch,
            stops,
        };
        let thread = match thread {
            Ok(thread) => thread,
            Err(error) => return refuse(slot, &work.batch, &error.to_string()),
        };
        if let Err(mpsc::TrySendError::Full(work) | mpsc::TrySendError::Disconnected(work)) =
            thread.try_send(work)
        {
            return refuse(slot, &work.batch, "its thread does not answer");
        }
        self.slots[at] = Some(Slot {
            work: thread,
            lease,
            stops: named,
        });
        Vec::new()
    }

    /// Stops shards where they run; those not begun are skipped.
    pub(crate) fn stop(&self, slot: u16, lease: LeaseId, shards: &[u32]) {
        let Some(Some(slot)) = self.slots.get(usize::from(slot)) else {
            return;
        };
        if slot.lease == lease {
            slot.stops
                .iter()
                .filter(|(shard, _)| shards.contains(shard))
                .for_each(|(_, stop)| stop.stop());
        }
    }
}

impl Drop for Threads {
    /// What still runs is stopped; the threads end by themselves when their senders are gone.
    fn drop(&mut self) {
        let stops = self.slots.iter().flatten().flat_map(|slot| &slot.stops);
        stops.for_each(|(_, stop)| stop.stop());
    }
}

fn start(slot: u16, events: Sender<Event>) -> std::io::Result<mpsc::SyncSender<Work>> {
    let (sender, receiver) = mpsc::sync_channel::<Work>(BATCHES_MAX);
    std::thread::Builder::new()
        .name(format!("slot-{slot}"))
        .stack_size(STACK_BYTES)
        .spawn(move || {
            for work in receiver {
                execute_batch(&work, &events);
            }
        })?;
    Ok(sender)
}

fn execute_batch(work: &Work, events: &Sender<Event>) {
    let limits = limits_of(&work.batch.job.limits);
    for (shard, stop) in work.batch.shards.iter().zip(&work.stops) {
        // A shard that was cancelled before its turn is not begun.
        let (ended, busy_us) = if stop.is_stopped() {
            (Ended::Stopped, 0)
        } else {
            execute(work, shard, &limits, stop)
        };
        // The shell is gone only when the process leaves; nobody waits for the answer then.
        let _ = events.blocking_send(Event::Input(answer(
            work.slot,
            work.batch.lease,
            shard.shard,
            ended,
            busy_us,
        )));
    }
}

fn execute(work: &Work, shard: &ShardInput, limits: &Limits, stop: &StopHandle) -> (Ended, u64) {
    let run = || {
        work.program
            .run(&work.batch.job.entry, shard.input.clone(), limits, stop)
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(report) => {
            let busy_us = report.wall_us;
            (report::ended(report), busy_us)
        }
        Err(_) => {
            let detail = String::from("the sandbox itself failed; see this worker's log");
            (
                Ended::Failed(Failure {
                    cause: Cause::Lost,
                    detail,
                }),
                0,
            )
        }
    }
}

/// The answers of a batch that cannot be executed.
pub(crate) fn refuse(slot: u16, batch: &Batch, reason: &str) -> Vec<Input> {
    let detail = format!("the worker cannot start a slot: {reason}");
    let failure = || Failure {
        cause: Cause::Lost,
        detail: detail.clone(),
    };
    let shards = batch.shards.iter().map(|shard| shard.shard);
    shards
        .map(|shard| answer(slot, batch.lease, shard, Ended::Failed(failure()), 0))
        .collect()
}

/// What the heart is told of a shard that is over.
pub(crate) fn answer(slot: u16, lease: LeaseId, shard: u32, ended: Ended, busy_us: u64) -> Input {
    match ended {
        Ended::Finished(output) => Input::SlotFinished {
            slot,
            lease,
            shard,
            output,
            busy_us,
        },
        Ended::Failed(failure) => Input::SlotFailed {
            slot,
            lease,
            shard,
            failure,
            busy_us,
        },
        Ended::Stopped => Input::SlotStopped { slot, lease, shard },
    }
}

/// A job's limits, as the sandbox has them.
pub(crate) fn limits_of(limits: &job::Limits) -> Limits {
    let time_ms = u64::from(limits.shard_time_ms);
    Limits {
        memory_bytes: (limits.memory_mib as usize) << 20,
        time_ms,
        wall_ms: time_ms * WALL_PER_CPU,
        output_bytes: limits::OUTPUT_BYTES_MAX,
        ..Limits::default()
    }
}
