//! One queue of events, one virtual clock: takes the earliest thing that happens, until all is done.
use crate::chance::Chance;
use crate::checker::{Checker, Ledger};
use crate::churn::Watch;
use crate::coordinator::Coordinator;
use crate::network::{ConnId, Network};
use crate::node::Node;
use crate::plan::{Fault, Person, Plan, SECOND_US};
use crate::store::Store;
use crate::trace::Trace;
use crate::twin::Sabotage;
use protocol::limits;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A frame arrives at the coordinator.
    ToCoordinator(ConnId, Vec<u8>),
    /// A frame arrives at a worker.
    ToWorker(ConnId, Vec<u8>),
    /// The coordinator learns that a connection is over.
    CoordinatorLearns(ConnId),
    /// Something of a worker; it happens later when the worker sleeps.
    Node(usize, NodeEvent),
    /// A batch of operations becomes durable, if the coordinator that asked still runs.
    Commit { epoch: u32 },
    /// A job is submitted.
    Submit(usize),
    /// More items of a job come.
    Append(usize, u64),
    /// Somebody steers a job.
    Steer(usize, Person),
    /// Somebody looks whether it took.
    SteerCheck(usize, Person),
    /// Nobody may work for a cancelled job any more.
    StopCheck(usize),
    /// A cancelled job must be over.
    CancelCheck(usize),
    /// Something goes wrong.
    Fault(Fault),
    /// A coordinator starts.
    Restart,
    /// Nothing goes wrong any more.
    FaultsEnd,
}

/// Something that happens to a worker.
#[derive(Debug)]
pub(crate) enum NodeEvent {
    /// Its process starts.
    Start,
    /// A connection is open.
    Opened(ConnId),
    /// A connection is over, or could not be opened.
    Ended(Option<ConnId>, &'static str),
    /// What runs in a slot ends; of an older life or an older run it is nothing.
    SlotEnds { life: u32, slot: u16, run: u64 },
    /// Something that was asked for.
    Input { life: u32, input: Box<worker::Input> },
    /// A person does something.
    Person(worker::Person),
}

/// How long after its cancellation a slot may still work for a job, besides the way of the news.
const STOP_US_MAX: u64 = 200_000;
/// How long after its cancellation a job may still be in between, besides the way of the news.
const CANCEL_US_MAX: u64 = limits::CANCELING_MS_MAX as u64 * 1_000;
/// After everything is over, connected workers must hold nothing within this time.
const GRACE_US: u64 = 100 * SECOND_US;
/// More events than any plan needs: beyond it something goes round in circles.
const EVENTS_MAX: u64 = 20_000_000;

/// Everything there is.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) now_us: u64,
    pub(crate) chance: Chance,
    pub(crate) queue: BTreeMap<(u64, u64), Event>,
    events_made: u64,
    pub(crate) network: Network,
    pub(crate) coordinator: Coordinator,
    pub(crate) store: Store,
    pub(crate) store_away_until_us: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) ledger: Ledger,
    pub(crate) trace: Trace,
    pub(crate) sabotage: Sabotage,
    pub(crate) faults_over: bool,
    /// When each job was over.
    pub(crate) over: BTreeMap<usize, u64>,
    /// When each job was cancelled by somebody and that was handed to a scheduler.
    pub(crate) cancelled: BTreeMap<usize, u64>,
    /// Jobs that somebody paused.
    pub(crate) paused: BTreeSet<usize>,
    /// When a coordinator was last started or a commit last failed: cancelling waits for these.
    pub(crate) disturbed_us: u64,
    timers_rung: VecDeque<u64>,
    /// Where shards are, when somebody wants to know.
    pub(crate) churn: Option<Watch>,
}

impl World {
    pub(crate) fn new(seed: u64, plan: Plan, trace: Trace, sabotage: Sabotage) -> Self {
        let nodes = plan
            .workers
            .iter()
            .enumerate()
            .map(|(k, plan)| Node::new(k, plan))
            .collect();
        let store = Store::new(sabotage);
        let mut world = Self {
            now_us: 0,
            chance: Chance::new(seed ^ 0x5eed),
            queue: BTreeMap::new(),
            events_made: 0,
            network: Network::default(),
            coordinator: Coordinator::default(),
            store,
            store_away_until_us: 0,
            nodes,
            ledger: Ledger::default(),
            trace,
            sabotage,
            faults_over: false,
            over: BTreeMap::new(),
            cancelled: BTreeMap::new(),
            paused: BTreeSet::new(),
            disturbed_us: 0,
            timers_rung: VecDeque::new(),
            churn: None,
            plan,
        };
        world.schedule();
        world
    }

    fn schedule(&mut self) {
        self.at(0, Event::Restart);
        for k in 0..self.plan.workers.len() {
            self.at(self.plan.workers[k].joins_us, Event::Node(k, NodeEvent::Start));
        }
        for k in 0..self.plan.jobs.len() {
            let job = self.plan.jobs[k].clone();
            self.at(job.submitted_us, Event::Submit(k));
            for (after_us, person) in job.steers {
                self.at(job.submitted_us + after_us, Event::Steer(k, person));
            }
            if job.open {
                self.at(
                    job.submitted_us + 5 * SECOND_US,
                    Event::Append(k, job.items * 2 / 3),
                );
                self.at(job.submitted_us + 12 * SECOND_US, Event::Append(k, job.items));
            }
        }
        for (at_us, fault) in self.plan.faults.clone() {
            self.at(at_us, Event::Fault(fault));
        }
        self.at(self.plan.faults_end_us, Event::FaultsEnd);
    }

    /// Something will happen then.
    pub(crate) fn at(&mut self, at_us: u64, event: Event) {
        self.events_made += 1;
        self.queue.insert((at_us, self.events_made), event);
    }

    /// Something will happen after some time.
    pub(crate) fn after(&mut self, wait_us: u64, event: Event) {
        self.at(self.now_us + wait_us, event);
    }

    pub(crate) fn line(&mut self, text: &str) {
        self.trace.line(self.now_us, text);
    }

    pub(crate) fn broken(&mut self, checker: Checker, what: String) {
        self.trace
            .line(self.now_us, &format!("BROKEN {checker:?}: {what}"));
        self.ledger.broken(checker, self.now_us, what);
    }

    /// Runs until every job is over and everybody is quiet, or something is wrong.
    pub(crate) fn run(&mut self) {
        let bound_us = self.bound_us();
        let mut quiet_us = None;
        for _ in 0..EVENTS_MAX {
            let all_over = self.over.len() == self.plan.jobs.len() && self.faults_over;
            if all_over && quiet_us.is_none() {
                quiet_us = Some(self.now_us + GRACE_US);
            }
            let Some(next_us) = self.next_us() else { break };
            if quiet_us.is_some_and(|quiet_us| next_us > quiet_us) || !self.ledger.violations.is_empty() {
                break;
            }
            if next_us > bound_us {
                break;
            }
            self.step(next_us);
        }
        self.finish();
    }

    /// Far more than a plan needs when nothing stands still: the work on its first worker alone, and four
    /// messages for every item.
    fn bound_us(&self) -> u64 {
        let slowness = self
            .plan
            .workers
            .iter()
            .map(|worker| worker.slowness_percent)
            .max()
            .unwrap_or(100);
        let work_us: u64 = self
            .plan
            .jobs
            .iter()
            .map(|job| job.items * job.item_us * slowness / 100)
            .sum();
        let items: u64 = self.plan.jobs.iter().map(|job| job.items).sum();
        let turn_us = 4 * self.plan.delay_us.1 + 2 * self.plan.commit_us.1;
        self.plan.faults_end_us + 400 * SECOND_US + 10 * work_us + items * turn_us
    }

    fn next_us(&self) -> Option<u64> {
        let event = self.queue.first_key_value().map(|(&(at_us, _), _)| at_us);
        let nodes = self.nodes.iter().filter_map(Node::timer_us).min();
        [event, self.coordinator.timer_us(), nodes]
            .into_iter()
            .flatten()
            .min()
    }

    fn step(&mut self, next_us: u64) {
        self.now_us = self.now_us.max(next_us);
        if self
            .queue
            .first_key_value()
            .is_some_and(|(&(at_us, _), _)| at_us <= self.now_us)
        {
            if let Some((_, event)) = self.queue.pop_first() {
                self.happen(event);
            }
            return;
        }
        self.timers_rung.push_back(self.now_us);
        if self.timers_rung.len() > 10_000 && self.timers_rung.pop_front() == Some(self.now_us) {
            self.broken(Checker::Progress, "a timer rings for ever".into());
        }
        if self
            .coordinator
            .timer_us()
            .is_some_and(|at_us| at_us <= self.now_us)
        {
            return self.scheduler(scheduler::Input::TimerRang);
        }
        let due = self
            .nodes
            .iter()
            .position(|node| node.timer_us().is_some_and(|at_us| at_us <= self.now_us));
        if let Some(node) = due {
            self.heart(node, worker::Input::TimerRang);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToCoordinator(conn, frame) => self.at_coordinator(conn, &frame),
            Event::ToWorker(conn, frame) => self.at_worker(conn, frame),
            Event::CoordinatorLearns(conn) => self.coordinator_lost(conn),
            Event::Node(node, event) => self.node_event(node, event),
            Event::Commit { epoch } => self.commit(epoch),
            Event::Submit(job) => self.submit(job),
            Event::Append(job, items) => self.append(job, items),
            Event::Steer(job, person) => self.steer(job, person),
            Event::SteerCheck(job, person) => self.steer_check(job, person),
            Event::StopCheck(job) => self.stop_check(job),
            Event::CancelCheck(job) => self.cancel_check(job),
            Event::Fault(fault) => self.fault(fault),
            Event::Restart => self.restart(),
            Event::FaultsEnd => self.faults_end(),
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.line(&format!("FAULT {fault:?}"));
        let left_us = self.plan.faults_end_us.saturating_sub(self.now_us);
        match fault {
            Fault::Cut {
                worker,
                worker_learns_us,
                coordinator_learns_us,
            } => {
                self.cut(worker, worker_learns_us, coordinator_learns_us);
            }
            Fault::Partition { worker, for_us } => {
                let for_us = for_us.min(left_us);
                self.nodes[worker].unreachable_until_us = self.now_us + for_us;
                self.cut(worker, for_us, for_us * 2);
            }
            Fault::Vanish { worker, back_us } => self.vanish(worker, back_us.min(left_us)),
            // Who sleeps already does not fall asleep: what waits for its waking keeps its order.
            Fault::Sleep { worker, .. } if self.nodes[worker].asleep_until_us > self.now_us => {}
            Fault::Sleep { worker, for_us } => {
                self.nodes[worker].asleep_until_us = self.now_us + for_us.min(left_us);
            }
            Fault::Rest { worker, for_us } => self.person(worker, worker::Person::Pause, for_us.min(left_us)),
            Fault::Finish { worker, for_us } => {
                self.person(worker, worker::Person::Finish, for_us.min(left_us));
            }
            Fault::Adjust {
                worker,
                slots,
                percent,
            } => {
                self.node_event(worker, NodeEvent::Person(worker::Person::SetSlots(slots)));
                self.node_event(worker, NodeEvent::Person(worker::Person::SetIntensity(percent)));
            }
            Fault::Drain { down_us } => self.drain_coordinator(down_us.min(left_us)),
            Fault::Crash { down_us } => self.crash(down_us.min(left_us)),
            Fault::StoreAway { for_us } => {
                self.store_away_until_us = self.now_us + for_us.min(left_us);
                self.disturbed_us = self.disturbed_us.max(self.store_away_until_us);
            }
        }
    }

    fn person(&mut self, worker: usize, wants: worker::Person, for_us: u64) {
        self.node_event(worker, NodeEvent::Person(wants));
        let back = Event::Node(worker, NodeEvent::Person(worker::Person::Start));
        self.after(for_us, back);
    }

    fn faults_end(&mut self) {
        self.line("FAULTS END");
        self.faults_over = true;
        for node in 0..self.nodes.len() {
            self.node_event(node, NodeEvent::Person(worker::Person::SetIntensity(100)));
            self.node_event(node, NodeEvent::Person(worker::Person::Start));
        }
    }

    /// A cancelled job must be over by now.
    fn cancel_check(&mut self, job: usize) {
        let ready_us = self
            .disturbed_us
            .max(self.cancelled.get(&job).copied().unwrap_or(0));
        let due_us = ready_us + self.cancel_us_max();
        if self.now_us < due_us {
            return self.at(due_us, Event::CancelCheck(job));
        }
        if !self.over.contains_key(&job) {
            self.broken(
                Checker::CancelBounded,
                format!("job {job} was cancelled and is not over"),
            );
        }
    }

    /// Nobody who could know may work for a cancelled job by now. (After a crash the news comes with the
    /// new coordinator, in its own time.)
    fn stop_check(&mut self, job: usize) {
        let cancelled_us = self.cancelled.get(&job).copied().unwrap_or(0);
        if self.disturbed_us > cancelled_us {
            return;
        }
        for node in 0..self.nodes.len() {
            let reachable = self.nodes[node]
                .conn
                .is_some_and(|conn| self.network.conns.contains_key(&conn));
            if reachable && self.nodes[node].works_for(job, cancelled_us) {
                let what = format!("worker {node} still works for job {job}, which is cancelled");
                self.broken(Checker::StoppedMeansStopped, what);
            }
        }
    }

    /// How long the news of a cancellation may take to stop a slot.
    pub(crate) fn stop_us_max(&self) -> u64 {
        STOP_US_MAX + 4 * (self.plan.delay_us.1 + self.plan.commit_us.1)
    }

    pub(crate) fn cancel_us_max(&self) -> u64 {
        CANCEL_US_MAX + 4 * (self.plan.delay_us.1 + self.plan.commit_us.1)
    }

    /// What must hold when all is over.
    fn finish(&mut self) {
        if !self.ledger.violations.is_empty() {
            return;
        }
        self.store.check(self.now_us, &mut self.ledger);
        for job in 0..self.plan.jobs.len() {
            if !self.over.contains_key(&job) {
                let state = self
                    .store
                    .jobs
                    .get(&job)
                    .map(|stored| (stored.state, stored.totals));
                self.broken(Checker::Progress, format!("job {job} does not end: {state:?}"));
            }
        }
        for node in 0..self.nodes.len() {
            if let Some(what) = self.nodes[node]
                .unquiet()
                .filter(|_| self.over.len() == self.plan.jobs.len())
            {
                self.broken(
                    Checker::StoppedMeansStopped,
                    format!("everything is over, and worker {node} {what}"),
                );
            }
        }
    }
}
