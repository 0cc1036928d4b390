//! The clock, the store and the scheduler among its visitors.
use super::adversary::Sight;
use super::fleet::Visitor;
use super::{Case, Figures, Twin};
use crate::chance::Chance;
use bytes::Bytes;
use protocol::cut::Cut;
use protocol::ids::{ClaimId, JobId, LeaseId, ProgramHash, SessionId};
use protocol::job::{Grain, JobState, Needs, OnFailure};
use protocol::run::Outputs;
use protocol::totals::Totals;
use protocol::trust::Trust;
use protocol::wire::{Cause, Failure, FromWorker, JobHandle};
use scheduler::{Effect, Input, JobSeed, Output, Scheduler, SchedulerConfig};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// The only job.
const JOB: JobHandle = JobHandle(0);
/// Milliseconds of a shard on an ordinary slot.
const SHARD_MS: u64 = 250;
/// How often workers say that they live, in milliseconds.
const HEARTBEAT_MS: u64 = 30_000;
/// Virtual time after which a job counts as stuck, in milliseconds for each shard and in all.
const STUCK_MS: u64 = 3_600_000;
/// Slots of a trusted worker.
const TRUSTED_SLOTS: u16 = 4;
/// Networks of liars that come back.
const LIARS_NETWORKS: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Done {
        visitor: u64,
        lease: LeaseId,
        shard: u32,
    },
    Leave {
        visitor: u64,
    },
    Heartbeat,
}

/// Who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Trusted,
    Honest,
    Liar,
    /// Patient, under one of many names.
    Sybil,
}

/// What was said of a shard before, by whom.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    handed_out: bool,
    first_was_lie: bool,
    friend_said: Option<bool>,
    returned_ms: u64,
}

/// One run.
pub(crate) struct Field {
    case: Case,
    scheduler: Scheduler,
    chance: Chance,
    now_ms: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    events_made: u64,
    visitors: BTreeMap<u64, Visitor>,
    visitors_made: u64,
    before: Vec<Before>,
    totals: Totals,
    cut: Cut,
    claims_made: u64,
    waits_ms: Vec<u32>,
    /// Who ever said something wrong.
    wrong: BTreeSet<u64>,
    /// Executions by patient visitors, network by network.
    by_network: BTreeMap<u64, u64>,
    figures: Figures,
    over: bool,
}

impl Field {
    pub(crate) fn new(case: Case) -> Self {
        let config = SchedulerConfig {
            epoch: 0,
            seed: case.seed ^ 0x5eed,
            same_network: case.twin == Twin::NoShares,
            shared: false,
        };
        Self {
            case,
            scheduler: Scheduler::new(config),
            chance: Chance::new(case.seed),
            now_ms: 0,
            events: BinaryHeap::new(),
            events_made: 0,
            visitors: BTreeMap::new(),
            visitors_made: 0,
            before: vec![Before::default(); case.shards as usize],
            totals: Totals {
                items: u64::from(case.shards),
                items_closed: true,
                ..Totals::default()
            },
            cut: Cut::default(),
            claims_made: 0,
            waits_ms: Vec::new(),
            wrong: BTreeSet::new(),
            by_network: BTreeMap::new(),
            figures: Figures::default(),
            over: false,
        }
    }

    pub(crate) fn run(mut self) -> Figures {
        for _ in 0..self.case.trusted {
            self.arrive(Kind::Trusted);
        }
        // They were there first.
        for _ in 0..self.case.sybils {
            self.arrive(Kind::Sybil);
        }
        for _ in 0..self.case.visitors {
            let liar = self.chance.percent(self.case.adversary.liars_percent());
            self.arrive(if liar { Kind::Liar } else { Kind::Honest });
        }
        self.at(HEARTBEAT_MS, Event::Heartbeat);
        let seed = self.job_seed();
        self.input(Input::JobAdded(Box::new(seed)));
        let patience_ms =
            STUCK_MS + u64::from(self.case.shards) * SHARD_MS * 4 / u64::from(self.case.visitors);
        while !self.over {
            if self.now_ms > patience_ms {
                let why = self.scheduler.explain_job(JobId(1));
                self.figures.stuck = Some(format!("{why:?}"));
                break;
            }
            self.step();
        }
        self.finish()
    }

    fn job_seed(&self) -> JobSeed {
        JobSeed {
            id: JobId(1),
            handle: JOB,
            program: ProgramHash([7; 32]),
            entry: "entry".into(),
            grain: Grain::Items(1),
            priority: 0,
            weight: 100,
            on_failure: OnFailure::Skip,
            attempts_max: 5,
            memory_mib: 64,
            needs: Needs::default(),
            trust: self.case.level,
            reduces: false,
            state: JobState::Queued,
            stage: 0,
            cut: Cut::default(),
            totals: self.totals,
            report: None,
            claimed: None,
        }
    }

    /// The next event, or the scheduler's timer.
    fn step(&mut self) {
        let timer_ms = self.scheduler.next_timer_ms().unwrap_or(u64::MAX);
        let event_ms = self.events.peek().map_or(u64::MAX, |Reverse((ms, ..))| *ms);
        if timer_ms < event_ms {
            self.now_ms = self.now_ms.max(timer_ms);
            return self.input(Input::TimerRang);
        }
        let Some(Reverse((at_ms, _, event))) = self.events.pop() else {
            return;
        };
        self.now_ms = self.now_ms.max(at_ms);
        match event {
            Event::Done {
                visitor,
                lease,
                shard,
            } => self.done(visitor, lease, shard),
            Event::Leave { visitor } => self.leave(visitor),
            Event::Heartbeat => self.heartbeat(),
        }
    }

    fn at(&mut self, in_ms: u64, event: Event) {
        self.events_made += 1;
        self.events
            .push(Reverse((self.now_ms + in_ms, self.events_made, event)));
    }

    fn arrive(&mut self, kind: Kind) {
        let (trusted, liar, sybil) = (kind == Kind::Trusted, kind == Kind::Liar, kind == Kind::Sybil);
        self.visitors_made += 1;
        let id = self.visitors_made;
        let errs = self.case.faulty_permille > 0 && kind == Kind::Honest;
        let faulty = errs && self.chance.between(0, 1_000) < self.case.faulty_permille;
        let slow = !trusted && self.chance.percent(self.case.slow_percent);
        let speed = self.chance.between(80, 120) * if slow { 10 } else { 1 };
        let network = match () {
            () if sybil => 1 + id % self.case.sybil_networks,
            () if liar && self.case.adversary.returns() => 1 + id % LIARS_NETWORKS,
            () => 1_000 + id,
        };
        let visitor = Visitor {
            id,
            trusted,
            liar,
            faulty,
            sybil,
            network,
            shard_ms: SHARD_MS * speed / 100,
            slots: if trusted { TRUSTED_SLOTS } else { 1 },
            queue: VecDeque::new(),
            running: Vec::new(),
            done: 0,
            here: true,
        };
        let seed = visitor.seed(self.case.twin == Twin::VerdictAtOnce);
        self.visitors.insert(id, visitor);
        if !trusted {
            self.figures.visits += 1;
            self.figures.liars += u64::from(liar);
            self.figures.faulty += u64::from(faulty);
            let unit = (self.chance.any() >> 11) as f64 / (1u64 << 53) as f64;
            let stay_ms = -(1.0 - unit).ln() * self.case.stay_ms as f64;
            self.at(stay_ms as u64 + 1, Event::Leave { visitor: id });
        }
        self.input(Input::WorkerJoined(Box::new(seed)));
    }

    /// Tabs close without a word.
    fn leave(&mut self, id: u64) {
        let Some(visitor) = self.visitors.get_mut(&id).filter(|v| v.here) else {
            return;
        };
        visitor.here = false;
        let (session, liar, sybil) = (visitor.session(), visitor.liar, visitor.sybil);
        self.visitors.remove(&id);
        self.input(Input::WorkerLeft { session });
        let again = liar && self.case.adversary.returns();
        let liar = again || self.chance.percent(self.next_liars_percent());
        self.arrive(match () {
            () if sybil => Kind::Sybil,
            () if liar => Kind::Liar,
            () => Kind::Honest,
        });
    }

    /// Where liars keep their places, nobody else's place becomes a liar's.
    fn next_liars_percent(&self) -> u64 {
        if self.case.adversary.returns() {
            0
        } else {
            self.case.adversary.liars_percent()
        }
    }

    fn heartbeat(&mut self) {
        let sessions: Vec<u64> = self.visitors.keys().copied().collect();
        for id in sessions {
            let Some(leases) = self.visitors.get(&id).map(Visitor::leases) else {
                continue;
            };
            self.say(id, FromWorker::Heartbeat { leases });
        }
        self.at(HEARTBEAT_MS, Event::Heartbeat);
    }

    fn say(&mut self, visitor: u64, message: FromWorker) {
        self.input(Input::FromWorker {
            session: SessionId(visitor),
            message,
        });
    }

    fn is_poison(&self, shard: u32) -> bool {
        self.case.poison_every > 0 && shard.is_multiple_of(self.case.poison_every)
    }

    /// Begins what there are slots for.
    fn begin(&mut self, id: u64) {
        loop {
            let Some(visitor) = self.visitors.get_mut(&id) else {
                return;
            };
            if visitor.running.len() >= usize::from(visitor.slots) {
                return;
            }
            let Some((lease, shard)) = visitor.queue.pop_front() else {
                return;
            };
            visitor.running.push((lease, shard));
            let (ms, trusted) = (visitor.shard_ms, visitor.trusted);
            if visitor.sybil {
                self.figures.by_sybils += 1;
                *self.by_network.entry(visitor.network).or_default() += 1;
            }
            self.figures.executions += 1;
            self.figures.by_trusted += u64::from(trusted);
            self.at(
                ms,
                Event::Done {
                    visitor: id,
                    lease,
                    shard,
                },
            );
        }
    }

    fn done(&mut self, id: u64, lease: LeaseId, shard: u32) {
        let Some(visitor) = self.visitors.get_mut(&id) else {
            return;
        };
        visitor.running.retain(|work| *work != (lease, shard));
        visitor.done += 1;
        let (busy_us, done) = (visitor.shard_ms * 1_000, visitor.done);
        let (liar, trusted, faulty) = (visitor.liar, visitor.trusted, visitor.faulty);
        let failing = !trusted && self.chance.between(0, 1_000) < self.case.failing_permille;
        let message = if failing || self.is_poison(shard) {
            let cause = if failing {
                Cause::OutOfMemory
            } else {
                Cause::Trapped
            };
            let detail = String::new();
            FromWorker::Failed {
                lease,
                shard,
                failure: Failure { cause, detail },
                busy_us,
            }
        } else {
            let errs = faulty && self.chance.percent(1);
            let lie = self.answer(shard, done, liar, trusted) | errs;
            if lie {
                self.wrong.insert(id);
            }
            let outputs = Outputs::single(shard, output(shard, lie));
            FromWorker::Finished {
                lease,
                outputs,
                busy_us,
            }
        };
        self.say(id, message);
        let leaves = self
            .case
            .adversary
            .leaves_after()
            .is_some_and(|after| done >= after);
        if liar && leaves {
            self.leave(id);
        }
        self.begin(id);
    }

    /// Whether the answer is a lie.
    fn answer(&mut self, shard: u32, done: u32, liar: bool, trusted: bool) -> bool {
        let before = self.before[shard as usize];
        let lie = if trusted {
            self.case.twin == Twin::ChecksAgree && before.first_was_lie
        } else if liar {
            let sight = Sight {
                done,
                alone: !before.handed_out,
                friend_lied: before.friend_said,
                dear: shard >= self.case.shards / 3 * 2,
                checks_min: checks_min(self.case.level),
            };
            self.case.adversary.lies(&sight, &mut self.chance)
        } else {
            false
        };
        let seen = &mut self.before[shard as usize];
        if !seen.handed_out {
            seen.first_was_lie = lie;
        }
        seen.handed_out = true;
        if liar {
            seen.friend_said = Some(lie);
        }
        if !trusted {
            seen.first_was_lie = lie;
            seen.returned_ms = self.now_ms;
        }
        lie
    }

    /// Hands one input to the scheduler and carries out what it asks for.
    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        let mut caught = Vec::new();
        while let Some(input) = inputs.pop_front() {
            self.scheduler.handle(self.now_ms, input);
            while let Some(output) = self.scheduler.poll_output() {
                match output {
                    Output::Lease { session, grant } => self.lease(session, &grant),
                    Output::Cancel {
                        session,
                        lease,
                        shards,
                    } => {
                        if let Some(visitor) = self.visitors.get_mut(&session.0) {
                            visitor.cancel(lease, &shards);
                        }
                    }
                    Output::Store { effect, .. } => inputs.extend(self.store(effect)),
                    Output::Caught { account, .. } => caught.push(account.0),
                    Output::JobOver { trust, .. } => {
                        self.over = true;
                        self.figures.report = trust;
                    }
                    _ => {}
                }
            }
        }
        for id in caught {
            self.caught(id);
        }
    }

    fn caught(&mut self, id: u64) {
        // Whoever left is remembered by what he said.
        let (liar, faulty) = (self.visitors.get(&id)).map_or((true, true), |v| (v.liar, v.faulty));
        match () {
            () if !self.wrong.contains(&id) => self.figures.honest_caught += 1,
            () if faulty && self.case.faulty_permille > 0 => self.figures.faulty_caught += 1,
            () if liar => self.figures.liars_caught += 1,
            () => self.figures.honest_caught += 1,
        }
        if self.case.adversary.returns() {
            self.leave(id);
        }
    }

    fn lease(&mut self, session: SessionId, grant: &scheduler::Grant) {
        let run = grant.piece.run;
        if let Some(visitor) = self.visitors.get_mut(&session.0) {
            visitor
                .queue
                .extend((run.first..run.end()).map(|shard| (grant.lease, shard)));
        }
        self.begin(session.0);
    }

    /// The store: commits at once, and knows what is right.
    fn store(&mut self, effect: Effect) -> Option<Input> {
        let counted = |field: &Self, claim, shards, state| {
            Some(Input::Counted {
                job: JOB,
                claim,
                shards,
                totals: field.totals,
                state,
            })
        };
        match effect {
            Effect::Claim {
                shards_max, grain, ..
            } => {
                self.claims_made += 1;
                let items = self.totals.items;
                let runs = self.cut.take(shards_max, grain, items).map(|piece| piece.run);
                let runs = runs.into_iter().collect();
                self.totals.items_cut = self.cut.next_item;
                self.totals.shards_cut = self.cut.next_shard;
                Some(Input::Claimed {
                    job: JOB,
                    claim: ClaimId(self.claims_made),
                    runs,
                    cut: self.cut.clone(),
                    totals: self.totals,
                })
            }
            Effect::Accept {
                claim,
                outputs,
                items,
                ..
            } => {
                for (shard, bytes) in outputs.iter() {
                    self.accepted(shard, &bytes);
                }
                self.totals.shards_accepted += outputs.run.count;
                self.totals.items_accepted += items;
                counted(
                    self,
                    Some((claim, outputs.run.count)),
                    outputs.run.count,
                    JobState::Running,
                )
            }
            Effect::Fail { claim, shard, .. } => {
                self.figures.failed += 1;
                self.figures.failed_wrongly += u64::from(!self.is_poison(shard));
                self.totals.shards_skipped += 1;
                self.totals.items_accepted += 0;
                counted(self, Some((claim, 1)), 1, JobState::Running)
            }
            Effect::SetState { state, .. } => counted(self, None, 0, state),
            Effect::AcceptBlob { .. } | Effect::NoteFailure { .. } => None,
        }
    }

    fn accepted(&mut self, shard: u32, bytes: &Bytes) {
        self.figures.accepted += 1;
        self.figures.wrong += u64::from(*bytes != output(shard, false));
        let waited_ms = self.now_ms - self.before[shard as usize].returned_ms.min(self.now_ms);
        self.waits_ms.push(u32::try_from(waited_ms).unwrap_or(u32::MAX));
    }

    fn finish(mut self) -> Figures {
        self.waits_ms.sort_unstable();
        let at = |share: f64| {
            let place = (self.waits_ms.len() as f64 * share) as usize;
            f64::from(self.waits_ms.get(place).copied().unwrap_or(0)) / 1e3
        };
        self.figures.verdict_s = (at(0.5), at(0.99));
        self.figures.took_s = self.now_ms as f64 / 1e3;
        self.figures.by_sybil_network_max = self.by_network.values().copied().max().unwrap_or(0);
        self.figures
    }
}

/// What a shard's output is, or what liars agreed to say of it.
fn output(shard: u32, lie: bool) -> Bytes {
    let word = if lie { !u64::from(shard) } else { u64::from(shard) };
    Bytes::copy_from_slice(&word.to_le_bytes())
}

/// How many checks a batch must pass: what a liar reads in the documentation.
fn checks_min(level: Trust) -> f64 {
    0.176 / level.wrong_share_max().unwrap_or(1.0).max(1e-9)
}
