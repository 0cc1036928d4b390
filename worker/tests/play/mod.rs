//! Plays a scenario, one command a line, and writes down everything the worker asks for.
//!
//! Every message passes through the real codec in its direction. After each command all outputs are
//! drained, so whatever stands in the transcript is all there was.
use bytes::Bytes;
use protocol::account::{AccountKey, Nonce};
use protocol::frame;
use protocol::ids::{BlobHash, JobId, LeaseId, ProgramHash, SessionId, WorkerId};
use protocol::job::{Encoding, Limits};
use protocol::wire::*;
use std::fmt::Write as _;
use worker::{Account, Batch, Input, Output, Person, Worker, WorkerConfig};

struct Play {
    worker: Worker,
    now_ms: u64,
    text: String,
}

/// The transcript of a scenario.
pub(crate) fn play(scenario: &str) -> String {
    let mut play = Play {
        worker: Worker::new(config(), 0),
        now_ms: 0,
        text: String::new(),
    };
    for line in scenario.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let _ = writeln!(play.text, "{line}");
        if !line.starts_with('#') {
            play.command(line);
        }
    }
    play.text
}

fn config() -> WorkerConfig {
    WorkerConfig {
        worker: WorkerId(7),
        kind: WorkerKind::Native,
        name: "test".into(),
        agent: "elytra test".into(),
        token: None,
        slots: 2,
        window_max: 64,
        batch_shards_max: 8,
        memory_mib: 512,
        simd: true,
        cached: Vec::new(),
        account: Some(Account {
            key: AccountKey::new([7; 32]),
            audience: "server.example".into(),
            display_name: Some("Ana".into()),
        }),
        seed: 1,
    }
}

/// `name=value` among the words of a command.
fn field<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words
        .iter()
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

fn number(words: &[&str], name: &str, otherwise: u64) -> u64 {
    field(words, name).map_or(otherwise, |text| text.parse().expect("a number"))
}

impl Play {
    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "at" {
            return self.advance(words[1].parse().expect("milliseconds"));
        }
        for input in inputs(&words) {
            self.hand_in(input);
        }
        self.drain();
    }

    fn hand_in(&mut self, input: Input) {
        match input {
            Input::Message(message) => {
                self.worker
                    .handle_frame(self.now_ms, &frame::encode_to_worker(&message));
            }
            input => self.worker.handle(self.now_ms, input),
        }
    }

    /// Lets time pass, and every timer ring when it is due.
    fn advance(&mut self, to_ms: u64) {
        while let Some(at_ms) = self.worker.next_timer_ms().filter(|&at_ms| at_ms <= to_ms) {
            assert!(at_ms >= self.now_ms, "a timer in the past would ring for ever");
            self.now_ms = at_ms;
            self.worker.handle(at_ms, Input::TimerRang);
            self.drain();
        }
        self.now_ms = to_ms;
    }

    fn drain(&mut self) {
        while let Some(output) = self.worker.poll_output() {
            let shown = match output {
                Output::Send(message) => {
                    let frame = frame::encode_from_worker(&message);
                    assert!(frame.len() <= protocol::limits::FRAME_BYTES_MAX);
                    let read = frame::decode_from_worker(&frame).expect("our own frame");
                    assert_eq!(read, message);
                    format!("send {}", sent(&read))
                }
                Output::StatusChanged => format!("status: {}", self.worker.status().activity),
                output => other(&output),
            };
            let _ = writeln!(self.text, "    {:>6} {shown}", self.now_ms);
        }
    }
}

fn sent(message: &FromWorker) -> String {
    match message {
        FromWorker::Hello(hello) => format!("Hello slots={} cached={}", hello.slots, hello.cached.len()),
        FromWorker::Proof {
            audience,
            signature,
            display_name,
        } => {
            let good = AccountKey::new([7; 32])
                .public()
                .has_proved(&Nonce([1; 32]), audience, signature);
            format!("Proof for {audience} good={good} name={display_name:?}")
        }
        FromWorker::Finished {
            lease,
            outputs,
            busy_us,
        } => {
            let run = outputs.run;
            let each: Vec<String> = outputs
                .iter()
                .take(8)
                .map(|(_, bytes)| String::from_utf8_lossy(&bytes[..bytes.len().min(8)]).into_owned())
                .collect();
            format!(
                "Finished lease={} {}+{} {each:?} busy_us={busy_us}",
                lease.0, run.first, run.count
            )
        }
        FromWorker::FinishedBlob {
            lease, shard, length, ..
        } => {
            format!("FinishedBlob lease={} shard={shard} length={length}", lease.0)
        }
        FromWorker::Failed {
            lease,
            shard,
            failure,
            ..
        } => {
            let detail: String = failure.detail.chars().take(80).collect();
            format!(
                "Failed lease={} shard={shard} {:?} '{detail}'",
                lease.0, failure.cause
            )
        }
        FromWorker::Returned { lease } => format!("Returned lease={}", lease.0),
        FromWorker::Heartbeat { leases } => {
            format!(
                "Heartbeat {:?}",
                leases.iter().map(|lease| lease.0).collect::<Vec<_>>()
            )
        }
        other => format!("{other:?}"),
    }
}

fn other(output: &Output) -> String {
    match output {
        Output::Execute { slot, batch } => {
            format!("execute slot={slot} lease={} {}", batch.lease.0, shards(batch))
        }
        Output::StopSlot { slot, lease, shards } => format!("stop slot={slot} lease={} {shards:?}", lease.0),
        Output::FetchProgram { program } => format!("fetch program {}", program_name(*program)),
        Output::ForgetProgram { program } => format!("forget program {}", program_name(*program)),
        Output::FetchInput {
            lease,
            offset,
            length,
            ..
        } => {
            format!("fetch input lease={} {offset}+{length}", lease.0)
        }
        Output::UploadBlob { lease, shard, bytes } => {
            format!("upload lease={} shard={shard} {} bytes", lease.0, bytes.len())
        }
        other => format!("{other:?}"),
    }
}

fn shards(batch: &Batch) -> String {
    let each: Vec<String> = batch
        .shards
        .iter()
        .map(|s| format!("{}:{}", s.shard, items(&s.input)))
        .collect();
    each.join(" ")
}

fn items(input: &[u8]) -> String {
    match kernel_abi::decode(input).expect("the ABI").items {
        kernel_abi::Items::Range { first, step, count } => format!("({first},{step},{count})"),
        kernel_abi::Items::List(list) => {
            let each = list
                .iter()
                .map(|item| String::from_utf8_lossy(item.expect("an item")).into_owned());
            format!("{:?}", each.collect::<Vec<_>>())
        }
    }
}

fn program(name: &str) -> ProgramHash {
    let mut hash = [0; 32];
    hash[..name.len()].copy_from_slice(name.as_bytes());
    ProgramHash(hash)
}

fn program_name(program: ProgramHash) -> String {
    String::from_utf8_lossy(&program.0)
        .trim_end_matches('\0')
        .to_owned()
}

fn inputs(words: &[&str]) -> Vec<Input> {
    let lease = LeaseId(number(words, "lease", 0));
    let slot = number(words, "slot", 0) as u16;
    let busy_us = number(words, "busy_us", 10);
    let reason = || words[1..].join(" ");
    let named = |cause| Failure {
        cause,
        detail: field(words, "detail").unwrap_or("why").into(),
    };
    let one = match words[0] {
        "start" => Input::Person(Person::Start),
        "pause" => Input::Person(Person::Pause),
        "finish" => Input::Person(Person::Finish),
        "slots" => Input::Person(Person::SetSlots(words[1].parse().expect("slots"))),
        "intensity" => Input::Person(Person::SetIntensity(words[1].parse().expect("percent"))),
        "hidden" => Input::Condition {
            reason: PauseReason::Hidden,
            holds: words[1] == "yes",
        },
        "shutdown" => Input::Shutdown {
            drain: words[1] == "drain",
        },
        "connected" => Input::Connected,
        "disconnected" => Input::Disconnected { reason: reason() },
        "malformed" => Input::FrameMalformed { reason: reason() },
        "ready" => Input::ProgramReady {
            program: program(words[1]),
        },
        "unready" => Input::ProgramFailed {
            program: program(words[1]),
            failure: named(Cause::Refused),
        },
        "fetched" => Input::InputFetched {
            lease,
            bytes: bytes(words),
        },
        "missing" => Input::InputMissing {
            lease,
            reason: "no such blob".into(),
        },
        "reset" => Input::SlotReset { slot },
        "uploaded" => {
            let shard = number(words, "shard", 0) as u32;
            Input::BlobUploaded {
                lease,
                shard,
                blob: BlobHash([1; 32]),
            }
        }
        "unuploaded" => Input::UploadFailed {
            lease,
            shard: number(words, "shard", 0) as u32,
            reason: "disk full".into(),
        },
        "done" | "trapped" | "stopped" => return answers(words, slot, lease, busy_us),
        _ => Input::Message(message(words, lease)),
    };
    vec![one]
}

/// `shard=3` or `shard=3+2`; `output=` text, or `long=` so many bytes.
fn answers(words: &[&str], slot: u16, lease: LeaseId, busy_us: u64) -> Vec<Input> {
    let (first, count) = run(field(words, "shard").expect("shard"));
    let output = match number(words, "long", 0) as usize {
        0 => bytes(words),
        long => vec![b'x'; long].into(),
    };
    let answer = |shard| match words[0] {
        "done" => Input::SlotFinished {
            slot,
            lease,
            shard,
            output: output.clone(),
            busy_us,
        },
        "trapped" => {
            let failure = Failure {
                cause: Cause::Trapped,
                detail: "unreachable ".repeat(400),
            };
            Input::SlotFailed {
                slot,
                lease,
                shard,
                failure,
                busy_us,
            }
        }
        _ => Input::SlotStopped { slot, lease, shard },
    };
    (first..first + count).map(answer).collect()
}

fn run(text: &str) -> (u32, u32) {
    let (first, count) = text.split_once('+').unwrap_or((text, "1"));
    (first.parse().expect("a shard"), count.parse().expect("a count"))
}

fn bytes(words: &[&str]) -> Bytes {
    Bytes::from(field(words, "output").unwrap_or("o").replace("\\n", "\n"))
}

fn message(words: &[&str], lease: LeaseId) -> ToWorker {
    let job = JobHandle(number(words, "job", 1) as u32);
    match words[0] {
        "welcome" => ToWorker::Welcome {
            session: SessionId(1),
            heartbeat_ms: 15_000,
        },
        "challenge" => ToWorker::Challenge {
            nonce: Nonce([1; 32]),
        },
        "refused" => {
            let code = if words[1] == "full" {
                RefusalCode::Full
            } else {
                RefusalCode::TokenWrong
            };
            ToWorker::Refused {
                code,
                detail: "ask the operator".into(),
            }
        }
        "drain" => ToWorker::Drain,
        "close" => ToWorker::Close { job },
        "cancel" => {
            let shards =
                field(words, "shards").map(|list| list.split(',').map(|s| s.parse().expect("a shard")));
            ToWorker::Cancel {
                lease,
                shards: shards.map(Iterator::collect).unwrap_or_default(),
            }
        }
        "open" => ToWorker::Open(open(words, job)),
        "lease" => ToWorker::Lease(lease_of(words, job)),
        word => panic!("no such command: {word}"),
    }
}

fn open(words: &[&str], job: JobHandle) -> OpenJob {
    let source = match field(words, "source").unwrap_or("range") {
        "lines" => ItemSource::Lines(Encoding::Text),
        "records" => ItemSource::Records { bytes: 2 },
        _ => ItemSource::Range {
            start: 100,
            step: number(words, "step", 1) as i64,
        },
    };
    OpenJob {
        job,
        id: JobId(u64::from(job.0)),
        name: "a job".into(),
        owner: "somebody".into(),
        program: program(field(words, "program").unwrap_or("p")),
        entry: "entry".into(),
        params: Bytes::from_static(b"{}"),
        source,
        limits: Limits {
            memory_mib: number(words, "memory", 64) as u32,
            ..Limits::default()
        },
        picture: false,
    }
}

fn lease_of(words: &[&str], job: JobHandle) -> Lease {
    let (first_shard, shards) = run(field(words, "shards").unwrap_or("0+1"));
    let grain = number(words, "grain", 1) as u32;
    let first_item = u64::from(first_shard) * u64::from(grain);
    let items = number(words, "items", u64::from(shards) * u64::from(grain));
    let input = match (field(words, "output"), number(words, "blob", 0)) {
        (Some(_), _) => LeaseInput::Inline(bytes(words)),
        (None, 0) => LeaseInput::Computed,
        (None, length) => LeaseInput::Blob {
            blob: BlobHash([2; 32]),
            offset: 5,
            length,
        },
    };
    Lease {
        lease: LeaseId(number(words, "id", 1)),
        job,
        stage: 0,
        first_shard,
        shards,
        first_item,
        grain,
        end_item: first_item + items,
        input,
        lease_ms: 30_000,
    }
}
