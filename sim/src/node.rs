//! A worker process around the real heart: its slots, its connection, its sleep, its death.
use crate::checker::Checker;
use crate::coordinator::{job_of, program};
use crate::network::ConnId;
use crate::plan::WorkerPlan;
use crate::store::digest;
use crate::task;
use crate::twin::Sabotage;
use crate::world::{Event, NodeEvent, World};
use protocol::frame::encode_from_worker;
use protocol::ids::{BlobHash, LeaseId, WorkerId};
use protocol::wire::{Cause, Failure, OpenJob};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use worker::{Batch, EndReason, Input, Output, ShardInput, Worker, WorkerConfig};

/// A worker process, or the lack of one.
pub(crate) struct Node {
    pub(crate) heart: Option<Worker>,
    /// Counts its lives: what was meant for an older one is nothing.
    life: u32,
    pub(crate) conn: Option<ConnId>,
    pub(crate) opening: Option<ConnId>,
    connected_us: u64,
    pub(crate) asleep_until_us: u64,
    pub(crate) unreachable_until_us: u64,
    slots: BTreeMap<u16, Slot>,
    runs_made: u64,
    clock_ahead_ms: u64,
}

struct Slot {
    job: Arc<OpenJob>,
    lease: LeaseId,
    since_us: u64,
    queue: VecDeque<ShardInput>,
    /// What runs now, and its number.
    running: Option<(ShardInput, u64, u64)>,
}

impl Node {
    pub(crate) fn new(_number: usize, plan: &WorkerPlan) -> Self {
        Self {
            heart: None,
            life: 0,
            conn: None,
            opening: None,
            connected_us: 0,
            asleep_until_us: 0,
            unreachable_until_us: 0,
            slots: BTreeMap::new(),
            runs_made: 0,
            clock_ahead_ms: plan.clock_ahead_ms,
        }
    }

    pub(crate) fn timer_us(&self) -> Option<u64> {
        let at_ms = self.heart.as_ref()?.next_timer_ms()?;
        let at_us = at_ms.saturating_sub(self.clock_ahead_ms) * 1_000;
        Some(at_us.max(self.asleep_until_us))
    }

    /// Whether it executes something for a job, and has been awake and connected since `since_us`, when
    /// it should have been told to stop. What it began in an older session ends with its lease.
    pub(crate) fn works_for(&self, job: usize, since_us: u64) -> bool {
        let could_know =
            self.conn.is_some() && self.connected_us < since_us && self.asleep_until_us < since_us;
        let works = |slot: &Slot| job_of(slot.job.id) == job && slot.since_us > self.connected_us;
        could_know && self.slots.values().any(works)
    }

    /// What it still does, although nothing is to be done.
    pub(crate) fn unquiet(&self) -> Option<String> {
        let status = self.heart.as_ref()?.status();
        let quiet = status.slots_busy == 0 && status.leases == 0;
        (!quiet).then(|| {
            format!(
                "has {} busy slots and {} leases",
                status.slots_busy, status.leases
            )
        })
    }
}

impl World {
    /// Something happens to a worker; a sleeping one notices when it wakes.
    pub(crate) fn node_event(&mut self, node: usize, event: NodeEvent) {
        let wakes_us = self.nodes[node].asleep_until_us;
        if wakes_us > self.now_us {
            return self.at(wakes_us, Event::Node(node, event));
        }
        match event {
            NodeEvent::Start => self.start(node),
            NodeEvent::Opened(conn) => self.opened(node, conn),
            NodeEvent::Ended(conn, reason) => self.connection_ended(node, conn, reason),
            NodeEvent::SlotEnds { life, slot, run } => self.slot_ends(node, life, slot, run),
            NodeEvent::Input { life, input } if life == self.nodes[node].life => self.heart(node, *input),
            NodeEvent::Input { .. } => {}
            NodeEvent::Person(person) => self.heart(node, Input::Person(person)),
        }
    }

    fn start(&mut self, number: usize) {
        let plan = &self.plan.workers[number];
        let config = WorkerConfig {
            worker: WorkerId(number as u64),
            kind: plan.kind,
            name: format!("worker {number}"),
            agent: "sim".into(),
            token: None,
            slots: plan.slots,
            window_max: plan.window_max,
            batch_shards_max: 64,
            memory_mib: 256,
            simd: true,
            cached: Vec::new(),
            account: None,
            seed: self.chance.any(),
        };
        let node = &mut self.nodes[number];
        node.life += 1;
        node.slots.clear();
        node.heart = Some(Worker::new(config, self.now_us / 1_000 + node.clock_ahead_ms));
        self.heart(number, Input::Person(worker::Person::Start));
    }

    /// The process is gone, with all it knew.
    pub(crate) fn vanish(&mut self, node: usize, back_us: u64) {
        self.watch_vanish(node);
        let learns_us = self.chance.magnitude(1_000, 80_000_000);
        self.cut(node, 0, learns_us);
        let node_mut = &mut self.nodes[node];
        node_mut.heart = None;
        (node_mut.conn, node_mut.opening) = (None, None);
        node_mut.slots.clear();
        self.after(back_us, Event::Node(node, NodeEvent::Start));
    }

    fn opened(&mut self, node: usize, conn: ConnId) {
        if self.nodes[node].opening == Some(conn) && self.network.conns.contains_key(&conn) {
            self.nodes[node].opening = None;
            self.nodes[node].conn = Some(conn);
            self.nodes[node].connected_us = self.now_us;
            self.heart(node, Input::Connected);
        }
    }

    fn connection_ended(&mut self, node: usize, conn: Option<ConnId>, reason: &str) {
        let at = &mut self.nodes[node];
        let ours = conn.is_none() || at.conn == conn || at.opening == conn;
        if ours {
            (at.conn, at.opening) = (None, None);
            self.heart(
                node,
                Input::Disconnected {
                    reason: reason.into(),
                },
            );
        }
    }

    /// A frame arrives; a sleeping worker reads it later.
    pub(crate) fn at_worker(&mut self, conn: ConnId, frame: Vec<u8>) {
        let Some(node) = self.network.conns.get(&conn).map(|conn| conn.node) else {
            return;
        };
        if self.nodes[node].asleep_until_us > self.now_us {
            let wakes_us = self.nodes[node].asleep_until_us;
            return self.at(wakes_us, Event::ToWorker(conn, frame));
        }
        if self.nodes[node].conn == Some(conn) {
            let now_ms = self.node_ms(node);
            if let Some(heart) = &mut self.nodes[node].heart {
                heart.handle_frame(now_ms, &frame);
            }
            self.drain(node);
        }
    }

    fn node_ms(&self, node: usize) -> u64 {
        self.now_us / 1_000 + self.nodes[node].clock_ahead_ms
    }

    /// Hands one input to a heart, and performs everything it asks for.
    pub(crate) fn heart(&mut self, node: usize, input: Input) {
        let now_ms = self.node_ms(node);
        if let Some(heart) = &mut self.nodes[node].heart {
            heart.handle(now_ms, input);
        }
        self.drain(node);
    }

    fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].heart.as_mut().and_then(Worker::poll_output) {
            self.perform_for(node, output);
        }
    }

    fn perform_for(&mut self, node: usize, output: Output) {
        match output {
            Output::Send(message) => {
                if let Some(conn) = self.nodes[node].conn {
                    self.send_to_coordinator(conn, encode_from_worker(&message));
                }
            }
            Output::Connect => self.open(node),
            Output::Disconnect { reason } => self.disconnect(node, &reason),
            Output::Execute { slot, batch } => self.execute(node, slot, batch),
            Output::StopSlot { slot, lease, shards } => self.stop_slot(node, slot, lease, &shards),
            Output::FetchProgram { program } => self.fetch_program(node, program),
            Output::FetchInput {
                lease,
                blob,
                offset,
                length,
            } => {
                self.fetch_input(node, lease, blob, offset, length);
            }
            Output::UploadBlob { lease, shard, bytes } => {
                let blob = BlobHash::of(&bytes);
                let stored = self.coordinator.is_up() && self.nodes[node].unreachable_until_us <= self.now_us;
                let input = if stored {
                    self.store.blobs.insert(blob, digest(&bytes));
                    Input::BlobUploaded { lease, shard, blob }
                } else {
                    Input::UploadFailed {
                        lease,
                        shard,
                        reason: "the coordinator is away".into(),
                    }
                };
                self.answer(node, 100_000, input);
            }
            Output::Ended(EndReason::Refused { code, detail }) => {
                self.broken(
                    Checker::Protocol,
                    format!("worker {node} is refused: {code:?} {detail}"),
                );
            }
            Output::ForgetProgram { .. } | Output::StatusChanged | Output::Ended(EndReason::Finished) => {}
        }
    }

    fn disconnect(&mut self, node: usize, reason: &str) {
        self.line(&format!("worker {node} hangs up: {reason}"));
        if reason.contains("broke the protocol") {
            self.broken(Checker::Protocol, format!("worker {node} says: {reason}"));
        }
        let at = &mut self.nodes[node];
        let conn = at.conn.take().or(at.opening.take());
        if let Some(conn) = conn {
            self.close_from_worker(conn);
        }
    }

    /// Something that was asked for comes after a while.
    fn answer(&mut self, node: usize, wait_us_max: u64, input: Input) {
        let life = self.nodes[node].life;
        let wait_us = self.chance.magnitude(100, wait_us_max.max(200));
        self.after(
            wait_us,
            Event::Node(
                node,
                NodeEvent::Input {
                    life,
                    input: Box::new(input),
                },
            ),
        );
    }

    fn fetch_program(&mut self, node: usize, wanted: protocol::ids::ProgramHash) {
        let refuses = self.plan.workers[node]
            .refuses_job
            .is_some_and(|job| program(job) == wanted);
        let failure = || Failure {
            cause: Cause::Refused,
            detail: "it does not compile here".into(),
        };
        let input = if refuses {
            Input::ProgramFailed {
                program: wanted,
                failure: failure(),
            }
        } else {
            Input::ProgramReady { program: wanted }
        };
        self.answer(node, 500_000, input);
    }

    fn fetch_input(&mut self, node: usize, lease: LeaseId, blob: BlobHash, offset: u64, length: u64) {
        let named = |job: &usize| BlobHash::of(&job.to_le_bytes()) == blob;
        let Some(job) = (0..self.plan.jobs.len()).find(named) else {
            return;
        };
        let plan = &self.plan.jobs[job];
        let whole = task::input(plan, 0, plan.items);
        // Both lie in a plan's input, which is a few hundred KiB.
        let bytes = whole.slice(offset as usize..(offset + length) as usize);
        self.answer(node, 200_000, Input::InputFetched { lease, bytes });
    }

    fn execute(&mut self, node: usize, slot: u16, batch: Batch) {
        let (now_us, at) = (self.now_us, &mut self.nodes[node]);
        let busy = at.slots.get(&slot).is_some_and(|slot| slot.running.is_some());
        if busy {
            return self.broken(Checker::Protocol, format!("worker {node} was given a busy slot"));
        }
        let made = Slot {
            job: batch.job,
            lease: batch.lease,
            since_us: now_us,
            queue: batch.shards.into(),
            running: None,
        };
        at.slots.insert(slot, made);
        self.next_in_slot(node, slot);
    }

    /// Begins the next shard of a slot's batch.
    fn next_in_slot(&mut self, node: usize, slot: u16) {
        let at = &mut self.nodes[node];
        let Some(here) = at.slots.get_mut(&slot) else {
            return;
        };
        let Some(shard) = here.queue.pop_front() else {
            at.slots.remove(&slot);
            return;
        };
        at.runs_made += 1;
        let (run, life, job) = (at.runs_made, at.life, job_of(here.job.id));
        let item_us = self.plan.jobs[job].item_us * self.plan.workers[node].slowness_percent / 100;
        let busy_us = item_us * u64::from(shard.items) * self.chance.between(80, 140) / 100 + 5;
        if let Some(here) = self.nodes[node].slots.get_mut(&slot) {
            here.running = Some((shard, run, busy_us));
        }
        self.after(
            busy_us,
            Event::Node(node, NodeEvent::SlotEnds { life, slot, run }),
        );
    }

    fn slot_ends(&mut self, node: usize, life: u32, slot: u16, run: u64) {
        if life != self.nodes[node].life {
            return;
        }
        let Some(here) = self.nodes[node].slots.get_mut(&slot) else {
            return;
        };
        if here.running.as_ref().is_none_or(|(_, number, _)| *number != run) {
            return;
        }
        let Some((shard, _, busy_us)) = here.running.take() else {
            return;
        };
        let (lease, job) = (here.lease, job_of(here.job.id));
        let input = self.outcome(node, job, slot, lease, &shard, busy_us);
        self.next_in_slot(node, slot);
        self.heart(node, input);
    }

    fn outcome(
        &mut self,
        node: usize,
        job: usize,
        slot: u16,
        lease: LeaseId,
        shard: &ShardInput,
        busy_us: u64,
    ) -> Input {
        let flaky = !self.faults_over && self.chance.percent(self.plan.workers[node].flaky_percent);
        let result = match flaky {
            true => Err((
                Cause::OutOfMemory,
                String::from("something is wrong with this machine"),
            )),
            false => task::execute(&self.plan.jobs[job], &shard.input).map_err(|d| (Cause::Trapped, d)),
        };
        let shard = shard.shard;
        match result {
            Ok(mut output) => {
                if self.sabotage == Sabotage::WrongBytes && shard % 7 == 3 {
                    output.push(0);
                }
                Input::SlotFinished {
                    slot,
                    lease,
                    shard,
                    output: output.into(),
                    busy_us,
                }
            }
            Err((cause, detail)) => {
                let failure = Failure { cause, detail };
                Input::SlotFailed {
                    slot,
                    lease,
                    shard,
                    failure,
                    busy_us,
                }
            }
        }
    }

    /// As a native worker does it (each shard answered), or as a tab does (the slot is ended).
    fn stop_slot(&mut self, node: usize, slot: u16, lease: LeaseId, shards: &[u32]) {
        let Some(here) = self.nodes[node]
            .slots
            .get_mut(&slot)
            .filter(|here| here.lease == lease)
        else {
            return;
        };
        let runs = here
            .running
            .as_ref()
            .is_some_and(|(shard, _, _)| shards.contains(&shard.shard));
        let tab = self.plan.workers[node].kind == protocol::wire::WorkerKind::Tab;
        if tab && runs {
            self.nodes[node].slots.remove(&slot);
            return self.answer(node, 20_000, Input::SlotReset { slot });
        }
        let mut stopped: Vec<u32> = Vec::new();
        here.queue.retain(|shard| {
            let stops = shards.contains(&shard.shard);
            if stops {
                stopped.push(shard.shard);
            }
            !stops
        });
        if runs && let Some((shard, _, _)) = here.running.take() {
            stopped.push(shard.shard);
        }
        for shard in stopped {
            self.answer(node, 300, Input::SlotStopped { slot, lease, shard });
        }
        if runs {
            self.next_in_slot(node, slot);
        }
    }
}
