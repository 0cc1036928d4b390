//! Whatever happens, in whatever order: no panic, no overflow, and the promises of the outputs hold.
use bytes::Bytes;
use proptest::prelude::*;
use protocol::account::Nonce;
use protocol::ids::{BlobHash, JobId, LeaseId, ProgramHash, SessionId, WorkerId};
use protocol::job::{Encoding, Limits};
use protocol::wire::*;
use std::collections::{BTreeMap, BTreeSet};
use worker::{Input, Output, Person, Worker, WorkerConfig};

fn config() -> WorkerConfig {
    WorkerConfig {
        worker: WorkerId(1),
        kind: WorkerKind::Tab,
        name: String::new(),
        agent: String::new(),
        token: None,
        slots: 2,
        window_max: 24,
        batch_shards_max: 4,
        memory_mib: 256,
        simd: false,
        cached: Vec::new(),
        account: None,
        seed: 3,
    }
}

fn failure() -> Failure {
    Failure {
        cause: Cause::Trapped,
        detail: "why".into(),
    }
}

fn open(job: u32) -> ToWorker {
    let source = match job {
        0 => ItemSource::Range { start: 0, step: 3 },
        _ => ItemSource::Lines(Encoding::Text),
    };
    ToWorker::Open(OpenJob {
        job: JobHandle(job),
        id: JobId(u64::from(job)),
        name: String::new(),
        owner: String::new(),
        program: ProgramHash([0; 32]),
        entry: "e".into(),
        params: Bytes::new(),
        source,
        limits: Limits::default(),
        picture: false,
    })
}

fn lease(id: u64, job: u32, shards: u32, blob: bool) -> ToWorker {
    let lines = "x\n".repeat(shards as usize);
    let input = match (job, blob) {
        (0, _) => LeaseInput::Computed,
        (_, false) => LeaseInput::Inline(lines.into()),
        (_, true) => LeaseInput::Blob {
            blob: BlobHash([0; 32]),
            offset: 0,
            length: u64::from(shards) * 2,
        },
    };
    ToWorker::Lease(Lease {
        lease: LeaseId(id),
        job: JobHandle(job),
        stage: 0,
        first_shard: 0,
        shards,
        first_item: 0,
        grain: 1,
        end_item: u64::from(shards),
        input,
        lease_ms: 30_000,
    })
}

fn message() -> impl Strategy<Value = ToWorker> {
    prop_oneof![
        6 => Just(ToWorker::Welcome { session: SessionId(1), heartbeat_ms: 15_000 }),
        4 => (0u32..2).prop_map(open),
        12 => (0u64..9, 0u32..2, 1u32..9, any::<bool>()).prop_map(|(id, job, n, blob)| lease(id, job, n, blob)),
        2 => (0u64..9, prop::collection::vec(0u32..9, 0..4))
            .prop_map(|(id, shards)| ToWorker::Cancel { lease: LeaseId(id), shards }),
        1 => (0u32..2).prop_map(|job| ToWorker::Close { job: JobHandle(job) }),
        1 => Just(ToWorker::Drain),
        1 => Just(ToWorker::Challenge { nonce: Nonce([1; 32]) }),
        1 => Just(ToWorker::Refused { code: RefusalCode::Full, detail: String::new() }),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let id = || (0u64..9).prop_map(LeaseId);
    let program = ProgramHash([0; 32]);
    prop_oneof![
        8 => Just(Input::Connected),
        1 => Just(Input::Disconnected { reason: String::new() }),
        16 => message().prop_map(Input::Message),
        1 => Just(Input::FrameMalformed { reason: String::new() }),
        4 => Just(Input::ProgramReady { program }),
        1 => Just(Input::ProgramFailed { program, failure: failure() }),
        3 => (id(), 0usize..20).prop_map(|(lease, n)| Input::InputFetched { lease, bytes: "x\n".repeat(n).into() }),
        1 => id().prop_map(|lease| Input::InputMissing { lease, reason: String::new() }),
        2 => (id(), 0u32..9).prop_map(|(lease, shard)| Input::BlobUploaded { lease, shard, blob: BlobHash([0; 32]) }),
        1 => (id(), 0u32..9).prop_map(|(lease, shard)| Input::UploadFailed { lease, shard, reason: String::new() }),
        1 => (0u16..3).prop_map(|slot| Input::SlotReset { slot }),
        4 => Just(Input::Person(Person::Start)),
        1 => Just(Input::Person(Person::Pause)),
        1 => Just(Input::Person(Person::Finish)),
        1 => (0u16..5).prop_map(|slots| Input::Person(Person::SetSlots(slots))),
        1 => (0u8..120).prop_map(|percent| Input::Person(Person::SetIntensity(percent))),
        1 => any::<bool>().prop_map(|holds| Input::Condition { reason: PauseReason::Hidden, holds }),
        2 => Just(Input::TimerRang),
        1 => any::<bool>().prop_map(|drain| Input::Shutdown { drain }),
    ]
}

/// What happens next: time passes, then an input comes or a slot answers.
#[derive(Clone, Debug)]
enum Step {
    Input(u64, Input),
    /// Some shard of a slot ends: finished (with so many bytes), failed or stopped.
    Answer(usize, u8, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let wait_ms = prop_oneof![8 => 0u64..50, 1 => 0u64..40_000];
    prop_oneof![
        3 => (wait_ms, input()).prop_map(|(wait_ms, input)| Step::Input(wait_ms, input)),
        2 => (any::<usize>(), 0u8..6, prop_oneof![Just(3usize), Just(300_000)])
            .prop_map(|(which, how, bytes)| Step::Answer(which, how, bytes)),
    ]
}

/// What a shell knows.
#[derive(Default)]
struct Shell {
    slots: BTreeMap<u16, Vec<(LeaseId, u32)>>,
    sent: BTreeSet<(LeaseId, u32)>,
    connected: bool,
}

impl Shell {
    fn answer(&mut self, which: usize, how: u8, bytes: usize) -> Option<Input> {
        let all: Vec<(u16, LeaseId, u32)> = self
            .slots
            .iter()
            .flat_map(|(&slot, shards)| shards.iter().map(move |&(lease, shard)| (slot, lease, shard)))
            .collect();
        let (slot, lease, shard) = *all.get(which % all.len().max(1))?;
        self.slots.get_mut(&slot)?.retain(|&one| one != (lease, shard));
        let busy_us = which as u64 % 50_000;
        Some(match how {
            0 => Input::SlotStopped { slot, lease, shard },
            1 => Input::SlotFailed {
                slot,
                lease,
                shard,
                failure: failure(),
                busy_us,
            },
            _ => Input::SlotFinished {
                slot,
                lease,
                shard,
                output: vec![0; bytes].into(),
                busy_us,
            },
        })
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Execute { slot, batch } => {
                let running = self.slots.entry(slot).or_default();
                assert!(running.is_empty(), "slot {slot} was busy");
                assert!(!batch.shards.is_empty());
                running.extend(batch.shards.iter().map(|shard| (batch.lease, shard.shard)));
            }
            Output::StopSlot { slot, lease, shards } => {
                let running = self.slots.get(&slot).expect("a slot that was used");
                assert!(shards.iter().all(|&shard| running.contains(&(lease, shard))));
            }
            Output::Connect => assert!(!std::mem::replace(&mut self.connected, true), "connected twice"),
            Output::Disconnect { .. } => assert!(std::mem::take(&mut self.connected), "not connected"),
            Output::Send(message) => {
                assert!(self.connected, "sent without a connection: {message:?}");
                self.count(&message);
            }
            _ => {}
        }
    }

    /// Under one lease, a shard is answered once. (Ids are used again here, so a new lease begins anew.)
    fn count(&mut self, message: &FromWorker) {
        let shards = match message {
            FromWorker::Finished { lease, outputs, .. } => {
                outputs.check().expect("lengths that add up");
                (outputs.run.first..outputs.run.end())
                    .map(|shard| (*lease, shard))
                    .collect()
            }
            FromWorker::FinishedBlob { lease, shard, .. } | FromWorker::Failed { lease, shard, .. } => {
                vec![(*lease, *shard)]
            }
            _ => Vec::new(),
        };
        for shard in shards {
            assert!(self.sent.insert(shard), "answered twice: {shard:?}");
        }
    }
}

fn play(steps: Vec<Step>) {
    let mut worker = Worker::new(config(), 0);
    let (mut shell, mut now_ms) = (Shell::default(), 0);
    for step in steps {
        let input = match step {
            Step::Input(wait_ms, input) => {
                now_ms += wait_ms;
                Some(input)
            }
            Step::Answer(which, how, bytes) => shell.answer(which, how, bytes),
        };
        match &input {
            Some(Input::SlotReset { slot }) => drop(shell.slots.remove(slot)),
            Some(Input::Disconnected { .. }) if !std::mem::take(&mut shell.connected) => continue,
            Some(Input::Connected | Input::Message(_)) if !shell.connected => continue,
            Some(Input::Message(ToWorker::Lease(lease))) => shell.sent.retain(|(of, _)| *of != lease.lease),
            _ => {}
        }
        let Some(input) = input else { continue };
        worker.handle(now_ms, input);
        while let Some(output) = worker.poll_output() {
            shell.perform(output);
        }
        assert!(
            worker.next_timer_ms().is_none_or(|at_ms| at_ms >= now_ms),
            "a timer in the past"
        );
        let _ = worker.status().activity.to_string();
    }
}

/// How most stories begin; without it chance would rarely come to a lease.
fn beginning() -> Vec<Step> {
    let welcome = ToWorker::Welcome {
        session: SessionId(1),
        heartbeat_ms: 15_000,
    };
    let ready = Input::ProgramReady {
        program: ProgramHash([0; 32]),
    };
    let inputs = [
        Input::Person(Person::Start),
        Input::Connected,
        Input::Message(welcome),
        Input::Message(open(0)),
        Input::Message(open(1)),
        ready,
        Input::Message(lease(8, 0, 8, false)),
    ];
    inputs.map(|input| Step::Input(0, input)).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_order_of_events_breaks_a_promise(steps in prop::collection::vec(step(), 0..120)) {
        play([beginning(), steps].concat());
    }

    #[test]
    fn no_beginning_breaks_a_promise(steps in prop::collection::vec(step(), 0..120)) {
        play(steps);
    }
}
