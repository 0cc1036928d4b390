//! Scenario text in, transcript out: a scheduler with a store that commits at once.
//!
//! Every message of a worker passes through the real frame codec, and every invariant of
//! `Scheduler::check` is asserted after every input.
mod store;

use self::store::Stored;
use protocol::cut::Cut;
use protocol::frame::{decode_from_worker, encode_from_worker};
use protocol::ids::{AccountId, ClaimId, JobId, LeaseId, ProgramHash, SessionId, WorkerId};
use protocol::job::{Grain, JobState, Needs, OnFailure};
use protocol::run::OutputsBuilder;
use protocol::totals::Totals;
use protocol::trust::{NetworkPrefix, Trust};
use protocol::wire::{Cause, Failure, FromWorker, JobHandle, PauseReason, WorkerKind};
use scheduler::{Effect, Grant, Input, JobSeed, Output, Scheduler, SchedulerConfig, Steer, WorkerSeed};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

struct World {
    scheduler: Scheduler,
    now_ms: u64,
    stored: BTreeMap<JobHandle, Stored>,
    job_names: Vec<String>,
    workers: BTreeMap<String, SessionId>,
    held: BTreeMap<LeaseId, (SessionId, Grant, Vec<u32>)>,
    sessions_made: u64,
    claims_made: u64,
    transcript: String,
}

pub(crate) fn play(scenario: &str) -> String {
    let mut world = World {
        scheduler: Scheduler::new(SchedulerConfig {
            epoch: 0,
            seed: 11,
            same_network: scenario.contains("same_network"),
            shared: scenario.contains("shared"),
        }),
        now_ms: 0,
        stored: BTreeMap::new(),
        job_names: Vec::new(),
        workers: BTreeMap::new(),
        held: BTreeMap::new(),
        sessions_made: 0,
        claims_made: 0,
        transcript: String::new(),
    };
    for line in scenario
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        writeln!(world.transcript, "> {line}").unwrap();
        world.step(line);
    }
    world.transcript
}

fn level(word: &str) -> Trust {
    let found = Trust::ALL.into_iter().find(|level| level.word() == word);
    found.expect("a level")
}

struct Words<'a>(Vec<&'a str>);

impl Words<'_> {
    fn value<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.0
            .iter()
            .find_map(|w| w.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
    }
    fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }
}

impl World {
    fn step(&mut self, line: &str) {
        let words = Words(line.split_whitespace().collect());
        let name = words.0.get(1).copied().unwrap_or_default();
        match words.0[0] {
            "at" => {
                self.now_ms = name.parse().unwrap();
                self.input(Input::TimerRang);
            }
            "job" => self.add_job(name, &words),
            "worker" => self.join(name, &words),
            "finish" => self.finish(name, &words),
            "late" => self.late(name, &words),
            "fail" => self.fail(name, &words),
            "return" => self.for_leases(name, |lease| FromWorker::Returned { lease }),
            "heartbeat" => {
                let leases = self.leases_of(name);
                self.send(name, &FromWorker::Heartbeat { leases });
            }
            "rest" => self.send(
                name,
                &FromWorker::Availability {
                    slots: 0,
                    pause: Some(PauseReason::Person),
                },
            ),
            "resume-worker" => {
                let slots = words.value("slots").unwrap();
                self.send(name, &FromWorker::Availability { slots, pause: None });
            }
            "refuse" => {
                let failure = Failure {
                    cause: Cause::Refused,
                    detail: "it does not compile".into(),
                };
                self.send(
                    name,
                    &FromWorker::ProgramRefused {
                        job: JobHandle(0),
                        failure,
                    },
                );
            }
            "leave" => {
                let session = self.workers[name];
                self.held.retain(|_, (s, ..)| *s != session);
                self.input(Input::WorkerLeft { session });
            }
            "pause" => self.steer(name, Steer::Pause),
            "resume" => self.steer(name, Steer::Resume),
            "reduced" => {
                let (job, failed) = (self.id_of(name), words.value("failed"));
                self.input(Input::Reduced { job, failed });
            }
            "cancel" => self.steer(name, Steer::Cancel { reason: None }),
            "take-back" => self.take_back(name),
            "explain" => self.explain(name),
            "counts" => self.counts(name),
            "report" => self.report(name),
            other => panic!("unknown step {other}"),
        }
    }

    fn add_job(&mut self, name: &str, words: &Words<'_>) {
        let handle = JobHandle(u32::try_from(self.job_names.len()).unwrap());
        self.job_names.push(name.into());
        let items = words.value("items").unwrap_or(0);
        let totals = Totals {
            items,
            items_closed: !words.has("open"),
            ..Totals::default()
        };
        let stored = Stored::new(totals);
        self.stored.insert(handle, stored);
        let on_failure = if words.has("skip") {
            OnFailure::Skip
        } else {
            OnFailure::Fail
        };
        let seed = JobSeed {
            id: JobId(u64::from(handle.0)),
            handle,
            program: ProgramHash([7; 32]),
            entry: words.value("entry").unwrap_or_else(|| "null".to_owned()),
            grain: words.value("grain").map_or(Grain::Auto, Grain::Items),
            priority: words.value("priority").unwrap_or(0),
            weight: words.value("weight").unwrap_or(100),
            on_failure,
            attempts_max: words.value("attempts").unwrap_or(5),
            memory_mib: words.value("memory").unwrap_or(64),
            needs: Needs {
                native: words.has("native"),
                ..Needs::default()
            },
            trust: words
                .value("trust")
                .map_or(Trust::Private, |word: String| level(&word)),
            reduces: words.has("reduces"),
            state: JobState::Queued,
            stage: 0,
            cut: Cut::default(),
            totals,
            report: None,
            claimed: None,
        };
        self.input(Input::JobAdded(Box::new(seed)));
    }

    fn join(&mut self, name: &str, words: &Words<'_>) {
        let session = SessionId(self.sessions_made);
        self.sessions_made += 1;
        self.workers.insert(name.into(), session);
        let id = WorkerId(1 + u64::from(name.bytes().next().unwrap()));
        let kind = if words.has("tab") {
            WorkerKind::Tab
        } else {
            WorkerKind::Native
        };
        let seed = WorkerSeed {
            id,
            session,
            kind,
            name: name.into(),
            agent: "test".into(),
            slots: words.value("slots").unwrap_or(1),
            window_max: words.value("window").unwrap_or(64),
            memory_mib: 256,
            simd: true,
            trusted: words.has("trusted"),
            account: AccountId(words.value("account").unwrap_or(id.0)),
            network: NetworkPrefix(words.value("network").unwrap_or(id.0)),
            caught: false,
            standings: Vec::new(),
            cached: Vec::new(),
        };
        self.input(Input::WorkerJoined(Box::new(seed)));
    }

    fn leases_of(&self, name: &str) -> Vec<LeaseId> {
        let session = self.workers[name];
        self.held
            .iter()
            .filter(|(_, (s, ..))| *s == session)
            .map(|(id, _)| *id)
            .collect()
    }

    fn for_leases(&mut self, name: &str, message: impl Fn(LeaseId) -> FromWorker) {
        for id in self.leases_of(name) {
            self.held.remove(&id);
            self.send(name, &message(id));
        }
    }

    /// `finish A [count=N] [ms=M] [says=W]`: its oldest N shards (all by default), M ms each, with W for
    /// an output.
    fn finish(&mut self, name: &str, words: &Words<'_>) {
        let mut count: usize = words.value("count").unwrap_or(usize::MAX);
        let ms: f64 = words.value("ms").unwrap_or(1.0);
        let says: String = words.value("says").unwrap_or_else(|| "out".into());
        for id in self.leases_of(name) {
            let Some((_, _, left)) = self.held.get_mut(&id) else {
                continue;
            };
            let shards: Vec<u32> = left.drain(..left.len().min(count)).collect();
            count -= shards.len();
            if left.is_empty() {
                self.held.remove(&id);
            }
            self.send_outputs(name, id, &shards, ms, &says);
        }
    }

    /// `late A lease=N shard=K`: an output under a lease that may be over.
    fn late(&mut self, name: &str, words: &Words<'_>) {
        let lease = LeaseId(words.value("lease").unwrap());
        self.send_outputs(name, lease, &[words.value("shard").unwrap()], 1.0, "out");
    }

    fn send_outputs(&mut self, name: &str, lease: LeaseId, shards: &[u32], ms: f64, says: &str) {
        let mut builder = OutputsBuilder::default();
        let flush = |builder: &mut OutputsBuilder, world: &mut Self| {
            if let Some(outputs) = builder.finish() {
                let busy_us = (ms * 1000.0 * f64::from(outputs.run.count)) as u64;
                world.send(
                    name,
                    &FromWorker::Finished {
                        lease,
                        outputs,
                        busy_us,
                    },
                );
            }
        };
        for shard in shards {
            if !builder.push(*shard, says.as_bytes()) {
                flush(&mut builder, self);
                builder.push(*shard, says.as_bytes());
            }
        }
        flush(&mut builder, self);
    }

    fn fail(&mut self, name: &str, words: &Words<'_>) {
        let shard = words.value("shard").unwrap();
        let found = self
            .leases_of(name)
            .into_iter()
            .find(|id| self.held[id].2.contains(&shard));
        let lease = found.expect("it holds the shard");
        if let Some((_, _, left)) = self.held.get_mut(&lease) {
            left.retain(|s| *s != shard);
        }
        self.held.retain(|_, (_, _, left)| !left.is_empty());
        let cause = if words.has("out-of-time") {
            Cause::OutOfTime
        } else {
            Cause::Trapped
        };
        let said: Option<String> = words.value("says");
        let failure = Failure {
            cause,
            detail: said.unwrap_or_else(|| "unreachable executed".into()),
        };
        self.send(
            name,
            &FromWorker::Failed {
                lease,
                shard,
                failure,
                busy_us: 10,
            },
        );
    }

    fn send(&mut self, name: &str, message: &FromWorker) {
        let message = decode_from_worker(&encode_from_worker(message)).expect("a good frame");
        self.input(Input::FromWorker {
            session: self.workers[name],
            message,
        });
    }

    fn steer(&mut self, name: &str, steer: Steer) {
        let job = self.id_of(name);
        self.input(Input::Steer { job, steer });
    }

    fn id_of(&self, name: &str) -> JobId {
        JobId(self.job_names.iter().position(|n| n == name).expect("a job") as u64)
    }

    /// `take-back J`: the store ends every claim on it and tells nobody.
    fn take_back(&mut self, name: &str) {
        let handle = self.scheduler.handle_of(self.id_of(name));
        let stored = handle.and_then(|handle| self.stored.get_mut(&handle));
        stored.expect("a live job").take_back(ClaimId(self.claims_made));
    }

    fn explain(&mut self, name: &str) {
        let session = self.workers.get(name).copied();
        let explanation = match session.and_then(|s| self.scheduler.worker_of(s)) {
            Some(worker) => self.scheduler.explain_worker(worker.id),
            None => self.scheduler.explain_job(self.id_of(name)),
        };
        for reason in explanation.map(|e| e.reasons).unwrap_or_default() {
            writeln!(
                self.transcript,
                "  {}: {} [{}]",
                reason.code, reason.text, reason.remedy
            )
            .unwrap();
        }
    }

    /// `report J`: what was done so that its answers can be trusted.
    fn report(&mut self, name: &str) {
        let handle = self.scheduler.handle_of(self.id_of(name));
        let Some(r) = handle.and_then(|h| self.scheduler.live_job(h)?.trust) else {
            return writeln!(self.transcript, "  nothing to report").unwrap();
        };
        writeln!(
            self.transcript,
            "  {} executions={} checks={} conflicts={} withdrawn={} shards_withdrawn={}",
            r.level, r.executions, r.spot_checks, r.conflicts, r.workers_withdrawn, r.shards_withdrawn
        )
        .unwrap();
    }

    fn counts(&mut self, name: &str) {
        let handle = self.scheduler.handle_of(self.id_of(name));
        let Some(live) = handle.and_then(|h| self.scheduler.live_job(h)) else {
            return writeln!(self.transcript, "  over").unwrap();
        };
        let c = live.counts;
        let (state, shards) = (live.state, c.shards);
        writeln!(
            self.transcript,
            "  {state} shards={shards} pending={} leased={} verifying={} accepted={} attempts={}",
            c.pending, c.leased, c.verifying, c.accepted, c.attempts
        )
        .unwrap();
    }

    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.scheduler.handle(self.now_ms, input);
            while let Some(output) = self.scheduler.poll_output() {
                self.record(&output);
                inputs.extend(self.answer(output));
            }
            assert_eq!(
                self.scheduler.check(),
                Vec::<String>::new(),
                "\n{}",
                self.transcript
            );
        }
    }

    fn name_of(&self, session: SessionId) -> &str {
        self.workers
            .iter()
            .find(|(_, s)| **s == session)
            .map_or("?", |(name, _)| name)
    }

    fn record(&mut self, output: &Output) {
        let job = |handle: &JobHandle| self.job_names[handle.0 as usize].clone();
        let text = match output {
            Output::JobChanged(_) | Output::WorkerChanged(_) => return,
            Output::Open { session, job: j } => format!("open {} at {}", job(j), self.name_of(*session)),
            Output::Close { session, job: j } => format!("close {} at {}", job(j), self.name_of(*session)),
            Output::Lease { session, grant } => {
                let (run, piece) = (grant.piece.run, grant.piece);
                let last = run.end() - 1;
                format!(
                    "lease {} to {}: {} shards {}..={last} items {}..{}",
                    grant.lease.0,
                    self.name_of(*session),
                    job(&grant.job),
                    run.first,
                    piece.first_item,
                    piece.end_item
                )
            }
            Output::Cancel {
                session,
                lease,
                shards,
            } => {
                format!(
                    "cancel lease {} of {}: {shards:?}",
                    lease.0,
                    self.name_of(*session)
                )
            }
            Output::Caught { account, shard, .. } => {
                format!("caught account {} with shard {shard}", account.0)
            }
            Output::Verified { account, outputs, .. } => {
                let runs = outputs.iter().map(scheduler::Finished::run);
                let runs: Vec<String> = runs
                    .map(|run| format!("{}..={}", run.first, run.end() - 1))
                    .collect();
                format!("verified {} of account {}", runs.join(" "), account.0)
            }
            Output::Stands {
                account, standing, ..
            } => {
                let (passed, batches) = (standing.passed, standing.batches);
                format!(
                    "account {} stands at {passed} checks, {batches} batches",
                    account.0
                )
            }
            Output::Reduce(id) => format!("reduce {}", self.job_names[id.0 as usize]),
            Output::Drain { session } => format!("drain {}", self.name_of(*session)),
            Output::End {
                session,
                code,
                detail,
            } => format!("end {}: {code:?}: {detail}", self.name_of(*session)),
            Output::JobOver { job: j, .. } => format!("over {}", job(j)),
            Output::Store { job: j, effect } => format!("store {}: {}", job(j), effect_words(effect)),
        };
        writeln!(self.transcript, "  {text}").unwrap();
    }

    /// The store: commits at once.
    fn answer(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Lease { session, grant } => {
                let run = grant.piece.run;
                self.held
                    .insert(grant.lease, (session, grant, (run.first..run.end()).collect()));
                None
            }
            Output::Cancel { lease, shards, .. } => {
                if let Some((_, _, left)) = self.held.get_mut(&lease) {
                    left.retain(|shard| !shards.is_empty() && !shards.contains(shard));
                }
                self.held.retain(|_, (_, _, left)| !left.is_empty());
                None
            }
            Output::End { session, .. } => {
                self.held.retain(|_, (s, ..)| *s != session);
                None
            }
            Output::Store { job, effect } => {
                self.claims_made += 1;
                let claim = ClaimId(self.claims_made);
                self.stored.get_mut(&job)?.commit(job, claim, effect)
            }
            _ => None,
        }
    }
}

fn effect_words(effect: &Effect) -> String {
    match effect {
        Effect::Claim {
            shards_max, grain, ..
        } => format!("claim {shards_max} shards of {grain}"),
        Effect::Accept { outputs, items, .. } => {
            format!(
                "accept {}..={} ({items} items)",
                outputs.run.first,
                outputs.run.end() - 1
            )
        }
        Effect::AcceptBlob { shard, .. } => format!("accept {shard} as a blob"),
        Effect::Fail { shard, skipped, .. } => format!("fail {shard} skipped={skipped}"),
        Effect::NoteFailure { shard, failure } => format!("note {shard}: {:?}", failure.cause),
        Effect::SetState { state, reason } => format!("{state} {}", reason.as_deref().unwrap_or_default()),
    }
}
