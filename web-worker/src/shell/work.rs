//! The slots' side of the shell: programs and batches to blob workers, reports back, and ending those that hang.
use super::{LOOK_CHARGED_MS_MAX, LOOK_MS, Shell, State, now_ms};
use crate::hub::{Outside, Report};
use crate::programs::pages;
use crate::shown::{self, Shown};
use crate::slots::Alarm;
use bytes::Bytes;
use gloo::timers::callback::Timeout;
use kernel_abi::split_framed;
use protocol::ids::ProgramHash;
use protocol::limits::{DETAIL_BYTES_MAX, MEMORY_MIB_DEFAULT, OUTPUT_BYTES_MAX};
use protocol::wire::{Cause, Failure};
use std::rc::Rc;
use worker::{Batch, Input, ShardInput};

impl Shell {
    pub(super) fn answer(self: &Rc<Self>, alarm: &Alarm) {
        match *alarm {
            Alarm::Stop(slot) => self.turn(self.reset(slot)),
            Alarm::OutOfTime(slot) => {
                let late = self.state.borrow().out_of_time(slot);
                let reset = self.reset(slot);
                self.turn(late.into_iter().chain(reset));
            }
            Alarm::Doubtful(slot) => {
                let mut state = self.state.borrow_mut();
                state.pass();
                let workers = state.slots.replace_carefully(slot);
                self.exchange(workers);
                self.hand_out(&mut state, slot);
            }
        }
    }

    /// Ends a slot's blob worker and puts a fresh one in its place.
    pub(super) fn reset(&self, slot: u16) -> Option<Input> {
        let workers = self.state.borrow_mut().slots.replace(slot);
        self.exchange(workers);
        workers.map(|_| Input::SlotReset { slot })
    }

    pub(super) fn exchange(&self, workers: Option<(u32, u32)>) {
        if let Some((old, new)) = workers {
            self.outside.kill(old);
            self.outside.spawn(new, false);
        }
    }

    pub(super) fn end_idle_slots(&self, state: &mut State) {
        let wanted = state.worker.status().slots;
        for worker in state.slots.take_idle_beyond(wanted) {
            self.outside.kill(worker);
        }
    }

    /// Every slot compiles at once; the first that has done so makes the program ready.
    pub(super) fn distribute(&self, program: ProgramHash, bytes: Vec<u8>) {
        let mut state = self.state.borrow_mut();
        let number = state.programs.insert(program, bytes);
        let slots: Vec<u16> = state.slots.workers().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.give_program(&mut state, slot, number, MEMORY_MIB_DEFAULT);
        }
    }

    pub(super) fn give_program(&self, state: &mut State, slot: u16, number: u32, memory_mib: u32) {
        if state.slots.needs_program(slot, number) {
            let (worker, _) = state.slots.worker(slot);
            let bytes = state.programs.bytes(number).unwrap_or_default().to_vec();
            self.outside.program(worker, number, bytes, pages(memory_mib));
        }
    }

    pub(super) fn forget_program(&self, state: &mut State, program: ProgramHash) {
        if let Some(number) = state.programs.forget(program) {
            for worker in state.slots.forget_program(number) {
                self.outside.forget(worker, number);
            }
        }
    }

    pub(super) fn execute(self: &Rc<Self>, state: &mut State, slot: u16, batch: Batch) {
        let (worker, is_new) = state.slots.worker(slot);
        if is_new {
            self.outside.spawn(worker, false);
        }
        state.pass();
        state.slots.begin(slot, batch);
        self.look_in_time(state);
        self.hand_out(state, slot);
    }

    pub(super) fn hand_out(&self, state: &mut State, slot: u16) {
        let Some((job, number)) = state.slots.handout(slot).and_then(|handout| {
            let job = handout.batch.job.clone();
            Some((job.clone(), state.programs.number(job.program)?))
        }) else {
            return;
        };
        self.give_program(state, slot, number, job.limits.memory_mib);
        state.shown.saw(slot, &job, now_ms());
        let Some(handout) = state.slots.handout(slot) else {
            return;
        };
        let (prefix, inputs, ends) = flatten(handout.shards, 4 + job.params.len());
        let (memory_pages_max, output_bytes_max) = (pages(job.limits.memory_mib), OUTPUT_BYTES_MAX);
        let output_bytes_max = u32::try_from(output_bytes_max).unwrap_or(u32::MAX);
        let (worker, id, careful) = (handout.worker, handout.id, handout.careful);
        let entry = &job.entry;
        let run = |this: &Outside| {
            this.run(
                worker,
                id,
                number,
                entry,
                prefix,
                inputs,
                ends,
                memory_pages_max,
                output_bytes_max,
                careful,
            );
        };
        run(&self.outside);
    }

    pub(super) fn stop_slot(self: &Rc<Self>, state: &mut State, slot: u16) {
        state.pass();
        if state.slots.stop(slot) {
            self.look_in_time(state);
        }
    }

    /// Sees to it that the watchdog looks when something is due before it would look anyway.
    pub(super) fn look_in_time(self: &Rc<Self>, state: &mut State) {
        // Whoever has ended looks no more.
        let left_ms = state.look.as_ref().and(state.slots.time_left_ms());
        let soon = left_ms.filter(|&left_ms| left_ms < LOOK_MS.into());
        state.soon = soon.map(|left_ms| {
            let shell = Rc::clone(self);
            // A timer may ring a little early; what is over is looked at in the next turn then.
            Timeout::new(whole_ms(left_ms), move || shell.look())
        });
    }
}

impl State {
    /// Charges what runs for the time since this was called last.
    pub(super) fn pass(&mut self) {
        let now_ms = now_ms();
        let passed_ms = (now_ms - self.passed_ms).min(LOOK_CHARGED_MS_MAX);
        self.passed_ms = now_ms;
        self.slots.pass(passed_ms);
    }

    pub(super) fn watch(&mut self) -> Vec<Alarm> {
        self.pass();
        let now_ms = now_ms();
        for (slot, batch) in self.slots.running() {
            self.shown.saw(slot, &batch.job, now_ms);
        }
        self.slots.alarms()
    }

    pub(super) fn out_of_time(&self, slot: u16) -> Option<Input> {
        let (batch, shard) = self.slots.current(slot)?;
        let limit_ms = batch.job.limits.shard_time_ms;
        let detail = format!("the shard ran longer than its limit of {limit_ms} ms");
        let failure = Failure {
            cause: Cause::OutOfTime,
            detail,
        };
        let busy_us = u64::from(limit_ms) * 1_000;
        Some(Input::SlotFailed {
            slot,
            lease: batch.lease,
            shard: shard.shard,
            failure,
            busy_us,
        })
    }

    /// Turns a report into what the heart wants to hear, and shows tiles on the way.
    pub(super) fn report(&mut self, worker: u32, mut report: Report, outside: &Outside) -> Vec<Input> {
        let Some(slot) = self.slots.slot_of(worker) else {
            return Vec::new();
        };
        self.pass();
        let Some((batch, from)) = self
            .slots
            .report(slot, report.batch, report.first, report.shards())
        else {
            return Vec::new();
        };
        let shards = &batch.shards[from..];
        let outputs = cut(&mut report);
        if batch.job.picture {
            for (shard, output) in shards.iter().zip(&outputs) {
                show_tiles(&mut self.shown, batch, shard, output, outside);
            }
        }
        answers(slot, batch, shards, outputs, report)
    }
}

/// Every shard's answer for the heart; the time is shared out evenly among the finished ones.
fn answers(
    slot: u16,
    batch: &Batch,
    shards: &[ShardInput],
    outputs: Vec<Bytes>,
    report: Report,
) -> Vec<Input> {
    let lease = batch.lease;
    let busy_us = report.busy_us / (outputs.len().max(1) as u64);
    let finished = outputs.len();
    let mut inputs: Vec<Input> = shards
        .iter()
        .zip(outputs)
        .map(|(shard, output)| Input::SlotFinished {
            slot,
            lease,
            shard: shard.shard,
            output,
            busy_us,
        })
        .collect();
    if let (Some((failure, busy_us)), Some(shard)) = (report.failure, shards.get(finished)) {
        let failure = clip(failure);
        inputs.push(Input::SlotFailed {
            slot,
            lease,
            shard: shard.shard,
            failure,
            busy_us,
        });
    }
    inputs
}

/// Takes a report's outputs apart; one whose lengths lie has none of what is missing.
fn cut(report: &mut Report) -> Vec<Bytes> {
    let data = Bytes::from(std::mem::take(&mut report.data));
    let mut at = 0;
    let ends = report.lengths.iter().map_while(|&length| {
        let from = at;
        at += length as usize;
        (at <= data.len()).then(|| data.slice(from..at))
    });
    ends.collect()
}

fn show_tiles(shown: &mut Shown, batch: &Batch, shard: &ShardInput, output: &Bytes, outside: &Outside) {
    let Some(first) = shown::first_item(&batch.job, &shard.input) else {
        return;
    };
    for (item, tile) in (first..).zip(split_framed(output)) {
        let Ok(tile) = tile else { return };
        if shown.admits_tile(tile.len()) {
            outside.tile(&batch.job.id.to_string(), item as f64, tile.to_vec());
        }
    }
}

/// The inputs of a batch: what all begin with, the rests one behind the other, and where each rest ends.
fn flatten(shards: &[ShardInput], prefix_bytes: usize) -> (Vec<u8>, Vec<u8>, Vec<u32>) {
    let prefix = shards
        .first()
        .and_then(|shard| shard.input.get(..prefix_bytes))
        .unwrap_or_default();
    let is_common = shards.iter().all(|shard| shard.input.starts_with(prefix));
    let prefix = if is_common { prefix } else { &[] };
    let mut inputs = Vec::new();
    let mut ends = Vec::with_capacity(shards.len());
    for shard in shards {
        inputs.extend_from_slice(&shard.input[prefix.len()..]);
        ends.push(u32::try_from(inputs.len()).unwrap_or(u32::MAX));
    }
    (prefix.to_vec(), inputs, ends)
}

#[allow(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "below the watchdog's interval, and made no less than 1"
)]
fn whole_ms(ms: f64) -> u32 {
    ms.max(0.0) as u32 + 1
}

pub(super) fn clip(mut failure: Failure) -> Failure {
    if failure.detail.len() > DETAIL_BYTES_MAX {
        let end = (0..=DETAIL_BYTES_MAX)
            .rev()
            .find(|&at| failure.detail.is_char_boundary(at))
            .unwrap_or(0);
        failure.detail.truncate(end);
    }
    failure
}
