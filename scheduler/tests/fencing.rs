//! Promise 2: each shard counts once, whatever comes late, twice, under another's lease or from an epoch
//! before. A store with commits that are lost in a crash, workers that come and go, and chance from a seed.
use protocol::cut::{Cut, ShardRun};
use protocol::ids::{AccountId, ClaimId, JobId, LeaseId, ProgramHash, SessionId, WorkerId};
use protocol::job::{Grain, JobState, Needs, OnFailure};
use protocol::run::{Outputs, OutputsBuilder};
use protocol::totals::Totals;
use protocol::trust::{NetworkPrefix, Trust};
use protocol::wire::{Cause, Failure, FromWorker, JobHandle, WorkerKind};
use scheduler::{Effect, Input, JobSeed, Output, Scheduler, SchedulerConfig, WorkerSeed};
use std::collections::{BTreeMap, VecDeque};

const JOB: JobHandle = JobHandle(0);
const WORKERS: u64 = 12;
/// Reports that are remembered to be sent again.
const PAST_MAX: usize = 256;

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// The answer of a shard: no two neighbours share it.
fn answer(shard: u32) -> u64 {
    u64::from(shard) * 2_654_435_761 % 1_000_003
}

/// What is durable.
#[derive(Default)]
struct Store {
    state: Option<JobState>,
    cut: Cut,
    totals: Totals,
    settled: Vec<bool>,
    sum: u64,
    claims_made: u64,
    /// Claims of coordinators before this one are void.
    claims_from: u64,
    left: VecDeque<ShardRun>,
    twice: u64,
}

impl Store {
    fn new(shards: u32) -> Self {
        let totals = Totals {
            items: u64::from(shards),
            items_closed: true,
            ..Totals::default()
        };
        Self {
            totals,
            settled: vec![false; shards as usize],
            ..Self::default()
        }
    }

    fn claim(&mut self, shards_max: u32, grain: u32) -> (ClaimId, Vec<ShardRun>) {
        self.claims_made += 1;
        let runs = match self.left.pop_front() {
            Some(run) => vec![run],
            None => {
                let piece = self.cut.take(shards_max, grain, self.totals.items);
                piece.into_iter().map(|piece| piece.run).collect()
            }
        };
        (self.totals.shards_cut, self.totals.items_cut) = (self.cut.next_shard, self.cut.next_item);
        (ClaimId(self.claims_made), runs)
    }

    fn accept(&mut self, claim: ClaimId, outputs: &Outputs) -> u32 {
        if claim.0 < self.claims_from {
            return 0;
        }
        for (shard, bytes) in outputs.iter() {
            let place = &mut self.settled[shard as usize];
            self.twice += u64::from(*place);
            *place = true;
            self.sum += u64::from_le_bytes(bytes.as_ref().try_into().unwrap());
        }
        self.totals.shards_accepted += outputs.run.count;
        self.totals.items_accepted += u64::from(outputs.run.count);
        outputs.run.count
    }

    /// The coordinator died: everything that is cut and not settled is claimed by the next one.
    fn take_over(&mut self) -> (ClaimId, Vec<ShardRun>) {
        self.claims_made += 1;
        (self.claims_from, self.left) = (self.claims_made, VecDeque::new());
        (ClaimId(self.claims_made), self.unsettled())
    }

    /// The coordinator was silent, or the store began anew: its claims are void, and it is not told.
    fn take_back(&mut self) {
        (self.claims_from, self.left) = (self.claims_made + 1, self.unsettled().into());
    }

    fn unsettled(&self) -> Vec<ShardRun> {
        let unsettled = (0..self.cut.next_shard).filter(|shard| !self.settled[*shard as usize]);
        let mut runs: Vec<ShardRun> = Vec::new();
        for shard in unsettled {
            match runs.last_mut() {
                Some(run) if run.end() == shard => run.count += 1,
                _ => runs.push(ShardRun {
                    first: shard,
                    count: 1,
                }),
            }
        }
        runs
    }
}

/// A report that was or could be sent.
#[derive(Clone)]
struct Report {
    session: SessionId,
    lease: LeaseId,
    run: ShardRun,
    /// Whether it may still count: it was not said yet, or not all of it counted when it was.
    is_open: bool,
}

/// What was fed, and what it came to.
#[derive(Default)]
struct Seen {
    operations: u64,
    stale: u64,
    stale_counted: u64,
    crashes: u64,
    taken_back: u64,
    /// The sum of a coordinator that counts whatever it is told: it must be wrong, or this test proves nothing.
    naive_sum: u64,
}

/// What is lost besides. Another life finds again what the one before forgot, so one life sees its claims taken back.
#[derive(Clone, Copy)]
enum Loses {
    Coordinators,
    Claims,
}

struct World {
    scheduler: Scheduler,
    chance: Chance,
    loses: Loses,
    now_ms: u64,
    epoch: u32,
    store: Store,
    /// Effects that are not durable yet.
    waiting: VecDeque<Effect>,
    sessions: Vec<(SessionId, WorkerId)>,
    /// Whose every session was.
    owners: BTreeMap<SessionId, WorkerId>,
    sessions_made: u64,
    held: Vec<Report>,
    past: VecDeque<Report>,
    accepts: u64,
    seen: Seen,
}

fn config(epoch: u32) -> SchedulerConfig {
    SchedulerConfig {
        epoch,
        seed: 3,
        same_network: false,
        // The store can take claims back.
        shared: true,
    }
}

impl World {
    fn new(seed: u64, shards: u32) -> Self {
        let mut world = Self {
            scheduler: Scheduler::new(config(1)),
            chance: Chance(seed),
            loses: if seed.is_multiple_of(2) {
                Loses::Coordinators
            } else {
                Loses::Claims
            },
            now_ms: 0,
            epoch: 1,
            store: Store::new(shards),
            waiting: VecDeque::new(),
            sessions: Vec::new(),
            owners: BTreeMap::new(),
            sessions_made: 0,
            held: Vec::new(),
            past: VecDeque::new(),
            accepts: 0,
            seen: Seen::default(),
        };
        world.add_job(None);
        world
    }

    fn is_over(&self) -> bool {
        self.store.state.is_some_and(JobState::is_over)
    }

    fn add_job(&mut self, claimed: Option<(ClaimId, Vec<ShardRun>)>) {
        let seed = JobSeed {
            id: JobId(1),
            handle: JOB,
            program: ProgramHash([7; 32]),
            entry: "entry".into(),
            grain: Grain::Items(1),
            priority: 0,
            weight: 100,
            on_failure: OnFailure::Fail,
            attempts_max: u8::MAX,
            memory_mib: 64,
            needs: Needs::default(),
            trust: Trust::Private,
            reduces: false,
            state: self.store.state.unwrap_or(JobState::Queued),
            stage: 0,
            cut: self.store.cut.clone(),
            totals: self.store.totals,
            report: None,
            claimed,
        };
        self.input(Input::JobAdded(Box::new(seed)));
    }

    fn input(&mut self, input: Input) {
        self.scheduler.handle(self.now_ms, input);
        while let Some(output) = self.scheduler.poll_output() {
            match output {
                Output::Lease { session, grant } => {
                    let (lease, run) = (grant.lease, grant.piece.run);
                    self.held.push(Report {
                        session,
                        lease,
                        run,
                        is_open: true,
                    });
                }
                Output::Store { effect, .. } => {
                    if let Effect::Accept { outputs, .. } = &effect {
                        self.accepts += u64::from(outputs.run.count);
                    }
                    self.waiting.push_back(effect);
                }
                _ => {}
            }
        }
    }

    /// So many effects become durable, and the scheduler hears of them.
    fn commit(&mut self, count: usize) {
        for _ in 0..count {
            let Some(effect) = self.waiting.pop_front() else {
                return;
            };
            let (claim, shards) = match effect {
                Effect::Claim {
                    shards_max, grain, ..
                } => {
                    let (claim, runs) = self.store.claim(shards_max, grain);
                    let (cut, totals) = (self.store.cut.clone(), self.store.totals);
                    self.input(Input::Claimed {
                        job: JOB,
                        claim,
                        runs,
                        cut,
                        totals,
                    });
                    continue;
                }
                Effect::Accept { claim, outputs, .. } => {
                    let shards = self.store.accept(claim, &outputs);
                    (Some((claim, outputs.run.count)), shards)
                }
                Effect::SetState { state, .. } => {
                    self.store.state = Some(state);
                    (None, 0)
                }
                Effect::NoteFailure { .. } => continue,
                other => panic!("nothing fails for good here: {other:?}"),
            };
            let (totals, state) = (self.store.totals, self.store.state.unwrap_or(JobState::Queued));
            self.input(Input::Counted {
                job: JOB,
                claim,
                shards,
                totals,
                state,
            });
        }
    }

    fn join(&mut self) {
        let id = WorkerId(1 + self.chance.below(WORKERS));
        self.sessions_made += 1;
        let session = SessionId(u64::from(self.epoch) << 40 | self.sessions_made);
        self.sessions.retain(|(_, worker)| *worker != id);
        self.sessions.push((session, id));
        self.owners.insert(session, id);
        let seed = WorkerSeed {
            id,
            session,
            kind: WorkerKind::Tab,
            name: String::new(),
            agent: String::new(),
            slots: 2,
            window_max: 32,
            memory_mib: 256,
            simd: true,
            trusted: false,
            account: AccountId(id.0),
            network: NetworkPrefix(id.0),
            caught: false,
            standings: Vec::new(),
            cached: Vec::new(),
        };
        self.input(Input::WorkerJoined(Box::new(seed)));
    }

    fn leave(&mut self) {
        if self.sessions.is_empty() {
            return;
        }
        let place = self.chance.below(self.sessions.len() as u64) as usize;
        let (session, _) = self.sessions.swap_remove(place);
        self.input(Input::WorkerLeft { session });
    }

    fn report(&mut self, report: &Report) {
        let mut outputs = OutputsBuilder::default();
        for shard in report.run.first..report.run.end() {
            outputs.push(shard, &answer(shard).to_le_bytes());
            self.seen.naive_sum = self.seen.naive_sum.wrapping_add(answer(shard));
        }
        let message = FromWorker::Finished {
            lease: report.lease,
            outputs: outputs.finish().unwrap(),
            busy_us: 100,
        };
        let session = report.session;
        self.input(Input::FromWorker { session, message });
    }

    /// A part of what a worker holds: in time, or late because its session is another one by now.
    fn finish(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let place = self.chance.below(self.held.len() as u64) as usize;
        let mut report = self.held[place].clone();
        let count = 1 + self.chance.below(u64::from(report.run.count)) as u32;
        let rest = &mut self.held[place].run;
        (rest.first, rest.count) = (rest.first + count, rest.count - count);
        if rest.count == 0 {
            self.held.swap_remove(place);
        }
        report.run.count = count;
        let owner = self.owners.get(&report.session);
        if let Some((session, _)) = self.sessions.iter().find(|(_, worker)| Some(worker) == owner) {
            report.session = *session;
        }
        if self.past.len() == PAST_MAX {
            self.past.pop_front();
        }
        let before = self.accepts;
        self.report(&report);
        report.is_open = self.accepts - before != u64::from(report.run.count);
        self.past.push_back(report);
    }

    /// Nothing of this may count: said before, under another's lease, or under one that was never given.
    fn stale(&mut self) {
        let Some(mut report) = self.any_past() else { return };
        match self.chance.below(4) {
            0 if report.is_open => return,
            0 => {}
            1 => report.lease = LeaseId(report.lease.0 ^ (1 + self.chance.below(1 << 20)) << 44),
            2 => report.lease = LeaseId(self.chance.below(u64::MAX)),
            _ => {
                // A lease that may live, and a worker that it was not given to.
                let Some(held) = self.any_held() else { return };
                let owner = self.owners.get(&held.session);
                let other = self.sessions.iter().find(|(_, worker)| Some(worker) != owner);
                let Some((other, _)) = other else { return };
                report = Report {
                    session: *other,
                    ..held
                };
            }
        }
        let before = self.accepts;
        self.report(&report);
        self.seen.stale += 1;
        self.seen.stale_counted += self.accepts - before;
    }

    fn any_past(&mut self) -> Option<Report> {
        let place = self.chance.below(self.past.len().max(1) as u64) as usize;
        self.past.get(place).cloned()
    }

    fn any_held(&mut self) -> Option<Report> {
        let place = self.chance.below(self.held.len().max(1) as u64) as usize;
        self.held.get(place).cloned()
    }

    fn fail(&mut self) {
        let Some(held) = self.any_held() else { return };
        let message = FromWorker::Failed {
            lease: held.lease,
            shard: held.run.first,
            failure: Failure {
                cause: Cause::OutOfTime,
                detail: "slow".into(),
            },
            busy_us: 1,
        };
        self.input(Input::FromWorker {
            session: held.session,
            message,
        });
    }

    /// Time passes: leases run out, stragglers are given to others.
    fn wait(&mut self) {
        let is_long = self.chance.below(50) == 0;
        self.now_ms += self.chance.below(if is_long { 90_000 } else { 40 });
        self.input(Input::TimerRang);
    }

    /// The coordinator dies with what was not durable. Its workers' reports come to the next one.
    fn crash(&mut self) {
        self.seen.crashes += 1;
        self.epoch += 1;
        self.scheduler = Scheduler::new(config(self.epoch));
        self.waiting.clear();
        self.sessions.clear();
        // What the dead one leased is past: whoever says it now says it under an epoch that is over.
        let held = std::mem::take(&mut self.held).into_iter();
        let over = |report: &mut Report| report.is_open = false;
        self.past.iter_mut().for_each(over);
        self.past.extend(held.map(|report| Report {
            is_open: false,
            ..report
        }));
        while self.past.len() > PAST_MAX {
            self.past.pop_front();
        }
        let claimed = self.store.take_over();
        self.add_job(Some(claimed));
    }

    /// Just before the store is asked for more, and outputs under what it takes back are on their way: these shards come
    /// again before anything is refused. The last part of the job is without it, because the next time makes up for what
    /// was forgotten the time before.
    fn may_take_back(&self) -> bool {
        let is_late = self.store.totals.shards_accepted as usize > self.store.settled.len() / 10 * 9;
        let asks = matches!(self.waiting.front(), Some(Effect::Claim { .. }));
        matches!(self.loses, Loses::Claims) && asks && !is_late
    }

    /// The store takes back what was claimed, while this coordinator lives and goes on.
    fn take_back(&mut self) {
        self.seen.taken_back += 1;
        self.store.take_back();
        // What was said before may have been refused, and counts when it is said again.
        let open = |report: &mut Report| report.is_open = true;
        self.past.iter_mut().for_each(open);
    }

    fn step(&mut self) {
        self.seen.operations += 1;
        match self.chance.below(1_000) {
            0..400 => self.finish(),
            400..600 => self.stale(),
            600..620 => self.wait(),
            620..640 => self.fail(),
            640..655 => self.join(),
            655..668 => self.leave(),
            668 if matches!(self.loses, Loses::Coordinators) && self.chance.below(4) == 0 => self.crash(),
            _ => {
                if self.may_take_back() && self.chance.below(4) == 0 {
                    self.take_back();
                }
                let count = 1 + self.chance.below(6) as usize;
                self.commit(count);
            }
        }
        if self.sessions.is_empty() {
            self.join();
        }
    }
}

/// One job from a seed to its end; every check of it.
fn play(seed: u64, shards: u32) -> Seen {
    let mut world = World::new(seed, shards);
    let patience = u64::from(shards) * 200 + 100_000;
    while !world.is_over() {
        world.step();
        assert!(
            world.seen.operations < patience,
            "seed {seed}: the job does not end"
        );
    }
    let exact: u64 = (0..shards).map(answer).sum();
    assert_eq!(world.store.state, Some(JobState::Succeeded), "seed {seed}");
    assert_eq!(world.store.twice, 0, "seed {seed}: counted twice");
    assert!(
        world.store.settled.iter().all(|settled| *settled),
        "seed {seed}: lost"
    );
    assert_eq!(world.store.sum, exact, "seed {seed}");
    assert_eq!(
        world.seen.stale_counted, 0,
        "seed {seed}: of {} stale reports",
        world.seen.stale
    );
    assert_ne!(
        world.seen.naive_sum, exact,
        "seed {seed}: nothing would have gone wrong"
    );
    world.seen
}

#[test]
fn fenced_completion_counts_once() {
    let (operations_min, shards) = promise::amount((60_000, 2_000), (10_000_000, 50_000));
    let (mut all, mut stale, mut crashes, mut taken_back, mut seeds) = (0, 0, 0, 0, 0);
    while all < operations_min {
        let seen = play(seeds, shards);
        (all, stale, seeds) = (all + seen.operations, stale + seen.stale, seeds + 1);
        (crashes, taken_back) = (crashes + seen.crashes, taken_back + seen.taken_back);
    }
    assert!(
        crashes > 0 && taken_back > 0 && stale > all / 20,
        "{crashes} crashes, {taken_back} times taken back, {stale} stale"
    );
    promise::kept(
        "fenced_completion_counts_once",
        &format!(
            "{all} operations on {} shards, {crashes} crashes, {taken_back} times all claims taken back: 0 counted \
             twice, 0 missing, every sum exact; 0 of {stale} stale reports counted",
            seeds * u64::from(shards)
        ),
    );
}
