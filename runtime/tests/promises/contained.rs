//! Promises: a runaway stops, a memory bomb takes no more than was declared, and nothing of one program's memory is
//! left for the next.
use crate::parent::{Guest, IMPORTS, LIMITS, compiled};
use bytes::Bytes;
use protocol::ids::ProgramHash;
use runtime::{Limits, Prepared, RunOutcome, Runtime, RuntimeConfig, StopHandle};
use std::time::{Duration, Instant};
use std::{fs, thread};

const MIB: usize = 1 << 20;

fn prepared(runtime: &Runtime, memory: &str, body: &str) -> Prepared {
    let text = format!("(module {IMPORTS} (memory (export \"memory\") {memory}) {body})");
    let module = wat::parse_str(&text).expect("the test's module is well-formed text");
    let admitted = program::admit(module).expect("the test's module is admitted");
    runtime.prepare(admitted.hash, &admitted.bytes).unwrap()
}

fn runtime(slots: u32) -> Runtime {
    let config = RuntimeConfig {
        slots,
        ..RuntimeConfig::default()
    };
    Runtime::new(config).unwrap()
}

/// How far a run may go beyond its deadline, in time of its processor: what others take of it is not the run's.
const OVER_US_MAX: u64 = 25_000;
/// One run in so many may be later. A virtual machine stands still now and then, and the time counts as that of whoever
/// ran: a plain loop sees its own clock jump by as much, see [`longest_jump_us`]. A fault of ours makes a whole kind late.
const RUNS_A_JUMP: usize = 1_000;
const DEADLINE_MS: u64 = 20;
/// What each of them does, in a memory of 63 MiB whose pages are new.
const RUNAWAYS: [(&str, &str); 6] = [
    ("a loop", r#"(func (export "run") (loop $again (br $again)))"#),
    (
        "a start function",
        r#"(func $spin (loop $again (br $again))) (start $spin) (func (export "run"))"#,
    ),
    (
        "a loop of fills",
        r#"(func (export "run") (loop $again
            (memory.fill (i32.const 0) (i32.const 7) (i32.const 33030144)) (br $again)))"#,
    ),
    (
        "a loop of copies",
        r#"(func (export "run") (loop $again
            (memory.copy (i32.const 0) (i32.const 33030144) (i32.const 33030144)) (br $again)))"#,
    ),
    ("one fill of all its memory", ONE_FILL),
    (
        "recursion",
        r#"(func $deeper (export "run") (call $deeper) (call $deeper))"#,
    ),
];

const ONE_FILL: &str = r#"(func (export "run") (memory.fill (i32.const 0) (i32.const 7)
    (i32.shl (memory.size) (i32.const 16))) (loop $again (br $again)))"#;
const PAGES: usize = 1_008;
/// 512 MiB.
const PAGES_OF_TWIN: usize = 8_192;

fn runaway(pages: usize, body: &str) -> Vec<u8> {
    let text = format!("(module {IMPORTS} (memory (export \"memory\") {pages} {pages}) {body})");
    wat::parse_str(text).unwrap()
}

#[test]
fn runaway_stops_native() {
    let _alone = crate::alone();
    let rounds = promise::amount(2, 850);
    let limits = Limits {
        time_ms: DEADLINE_MS,
        ..LIMITS
    };
    let mut guest = Guest::start(2);
    let (mut longest, mut longest_wall, mut runs, mut late) = (0, 0, 0, 0);
    let start = Instant::now();
    for (name, body) in RUNAWAYS {
        let admitted = program::admit(runaway(PAGES, body)).expect("it is admitted");
        let (program, code) = compiled(&admitted.bytes);
        guest.load(program, &code);
        for slot in [0, 1] {
            guest.ask(slot, program, "run", limits, vec![Bytes::new(); rounds]);
        }
        for _ in 0..2 * rounds {
            let (_, report) = guest.report();
            match &report.outcome {
                RunOutcome::OutOfTime => {}
                // It ends by itself, at the same depth everywhere, before or after its time is up.
                RunOutcome::Trapped { message, .. } if name == "recursion" => {
                    assert!(message.contains("recursion"), "{message}");
                }
                other => panic!("{name}: {other:?}"),
            }
            let over_us = report.cpu_us.saturating_sub(DEADLINE_MS * 1_000);
            late += usize::from(over_us > OVER_US_MAX);
            longest = longest.max(over_us);
            longest_wall = longest_wall.max(report.wall_us.saturating_sub(DEADLINE_MS * 1_000));
            runs += 1;
        }
        println!("{name}: {longest} µs of CPU time, {longest_wall} µs by the clock at most until here");
    }
    let jump_us = longest_jump_us(start.elapsed());
    assert!(
        late <= 1 + runs / RUNS_A_JUMP,
        "{late} of {runs} late, by up to {longest} µs; a plain loop's clock jumps by {jump_us} µs"
    );
    let twin = without_admission(limits);
    assert!(
        twin > OVER_US_MAX,
        "what is not divided into pieces is seen: {twin} µs"
    );
    promise::kept(
        "runaway_stops_native",
        &format!(
            "{} of {runs} runaways of {} kinds, two at a time, stopped within 25 ms of CPU time beyond their deadline of \
             {DEADLINE_MS} ms, the last one {:.1} ms ({:.1} ms by the clock); the clock of a plain loop jumped by up to \
             {:.1} ms in as much time; a fill of 512 MiB that admission does not divide, the twin, {:.0} ms",
            runs - late,
            RUNAWAYS.len(),
            longest as f64 / 1e3,
            longest_wall as f64 / 1e3,
            jump_us as f64 / 1e3,
            twin as f64 / 1e3,
        ),
    );
}

/// How far the clock of its own CPU time moves between two looks of a loop that does nothing else, on two threads at once.
fn longest_jump_us(time: Duration) -> u64 {
    let watch = || {
        let (start, mut last, mut longest) = (Instant::now(), thread_cpu_us(), 0);
        while start.elapsed() < time {
            let now = thread_cpu_us();
            longest = longest.max(now - last);
            last = now;
        }
        longest
    };
    thread::scope(|scope| {
        let other = scope.spawn(watch);
        watch().max(other.join().expect("it does nothing that fails"))
    })
}

fn thread_cpu_us() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid, exclusive pointer for the call's length.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the clock exists on every Linux");
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}

/// The broken twin: how far one instruction on all of a large memory goes beyond the deadline, as its author
/// wrote it.
fn without_admission(limits: Limits) -> u64 {
    let module = runaway(PAGES_OF_TWIN, ONE_FILL);
    let limits = Limits {
        memory_bytes: PAGES_OF_TWIN << 16,
        ..limits
    };
    let program = runtime(1).prepare(ProgramHash::of(&module), &module).unwrap();
    let report = program.run("run", Bytes::new(), &limits, &StopHandle::new());
    assert_eq!(report.outcome, RunOutcome::OutOfTime);
    report.cpu_us.saturating_sub(DEADLINE_MS * 1_000)
}

/// How much more memory a guest process may have than its job declared.
const OVER_BYTES_MAX: u64 = 32 << 20;

#[test]
fn memory_bomb_contained_native() {
    let _alone = crate::alone();
    let cap = promise::amount(64, 256) * MIB;
    let rounds = promise::amount(2, 20);
    let limits = Limits {
        memory_bytes: cap,
        time_ms: 20_000,
        ..LIMITS
    };
    let mut guest = Guest::start(2);
    let neighbour = guest.load_text(&format!(
        "(module {IMPORTS} (memory (export \"memory\") 1 2) (func (export \"run\")
            (call $input_read (i32.const 16) (i32.const 0) (call $input_len))
            (call $output_write (i32.const 16) (call $input_len))))"
    ));
    let bombs: Vec<(ProgramHash, &str)> = bombs()
        .into_iter()
        .map(|(name, text)| (guest.load_text(&text), name))
        .collect();
    let mut most = 0;
    for _ in 0..rounds {
        for (bomb, name) in &bombs {
            let before = resident(&guest, "VmRSS");
            // What the kernel remembers as the most begins anew, where this user may say so.
            let _ = fs::write(format!("/proc/{}/clear_refs", guest.child.id()), "5");
            guest.ask(0, *bomb, "run", limits, vec![Bytes::new()]);
            let inputs: Vec<Bytes> = (0..100u32)
                .map(|number| number.to_le_bytes().to_vec().into())
                .collect();
            guest.ask(1, neighbour, "run", LIMITS, inputs.clone());
            let mut answers = inputs.into_iter();
            for _ in 0..101 {
                let (slot, report) = guest.report();
                if slot == 1 {
                    let input = answers.next().unwrap();
                    assert_eq!(
                        report.outcome,
                        RunOutcome::Finished(input.to_vec()),
                        "beside {name}"
                    );
                } else {
                    assert_eq!(report.outcome, RunOutcome::OutOfMemory, "{name}");
                }
            }
            most = most.max(resident(&guest, "VmHWM").saturating_sub(before));
        }
    }
    let cap = cap as u64;
    assert!(most <= cap + OVER_BYTES_MAX, "it grew by {most} bytes");
    // The twin of the measure: it sees what is there.
    assert!(most >= cap / 2, "only {most} bytes were seen");
    promise::kept(
        "memory_bomb_contained_native",
        &format!(
            "{} bombs in a process with {} MiB declared grew it by at most {} MiB; {} shards beside them right",
            rounds * bombs.len(),
            cap >> 20,
            most >> 20,
            rounds * bombs.len() * 100,
        ),
    );
}

/// Each fills what it gets and traps when it gets no more; many tables are refused at the door.
fn bombs() -> Vec<(&'static str, String)> {
    let tables = "(table 20000 funcref)".repeat(100);
    let many_tables = format!("(module (memory (export \"memory\") 1 2) {tables} (func (export \"run\")))");
    assert!(
        program::admit(wat::parse_str(many_tables).unwrap()).is_err(),
        "many tables"
    );
    let grow = |pages: u32| {
        format!(
            r#"(module {IMPORTS} (memory (export "memory") 1 16384) (func (export "run") (local $at i32)
                (loop $again
                    (local.set $at (memory.grow (i32.const {pages})))
                    (if (i32.eq (local.get $at) (i32.const -1)) (then unreachable))
                    (memory.fill (i32.shl (local.get $at) (i32.const 16)) (i32.const 165)
                        (i32.const {bytes}))
                    (br $again))))"#,
            bytes = pages << 16
        )
    };
    let data = "x".repeat(7 << 20);
    let segment = format!(
        r#"(module {IMPORTS} (memory (export "memory") 112 16384) (data (i32.const 0) "{data}")
            (func (export "run") (local $at i32)
                (loop $again
                    (local.set $at (memory.grow (i32.const 112)))
                    (if (i32.eq (local.get $at) (i32.const -1)) (then unreachable))
                    (memory.copy (i32.shl (local.get $at) (i32.const 16)) (i32.const 0) (i32.const 7340032))
                    (br $again))))"#
    );
    vec![
        ("a page at a time", grow(1)),
        ("16 MiB at a time", grow(256)),
        ("a data segment of 7 MiB, copied", segment),
    ]
}

/// A line of the process's status, in bytes.
fn resident(guest: &Guest, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", guest.child.id())).unwrap();
    let kib = status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kib = kib.and_then(|text| text.trim().strip_suffix(" kB"));
    kib.unwrap().trim().parse::<u64>().unwrap() << 10
}

/// Fills its memory, or counts the words of it that are not zero; `both` is what a reused instance would see.
const MARKER: &str = r#"
    (func $fill
        (drop (memory.grow (i32.const 63)))
        (memory.fill (i32.const 0) (i32.const 165) (i32.const 4194304))
        (global.set $mark (i64.const -1)))
    (func $scan (local $at i32) (local $found i64)
        (drop (memory.grow (i32.const 63)))
        (loop $again
            (local.set $found (i64.add (local.get $found)
                (i64.extend_i32_u (i64.ne (i64.load (local.get $at)) (i64.const 0)))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $again (i32.lt_u (local.get $at) (i32.const 4194304))))
        (i64.store (i32.const 0) (i64.add (local.get $found) (global.get $mark)))
        (call $output_write (i32.const 0) (i32.const 8)))
    (global $mark (mut i64) (i64.const 0))
    (export "fill" (func $fill))
    (export "scan" (func $scan))
    (func (export "both") (call $fill) (call $scan))"#;

#[test]
fn no_residue() {
    let _alone = crate::alone();
    let guests = promise::amount(100, 10_000);
    let runtime = runtime(1);
    // Two programs of two tenants; a name of its own makes the second one another program.
    let one = prepared(&runtime, "1 64", MARKER);
    let other = prepared(&runtime, "1 64", &format!("{MARKER} (func (export \"other\"))"));
    let run = |program: &Prepared, entry: &str| {
        let report = program.run(entry, Bytes::new(), &LIMITS, &StopHandle::new());
        let RunOutcome::Finished(output) = report.outcome else {
            panic!("{entry}: {:?}", report.outcome)
        };
        output
    };
    for number in 0..guests / 2 {
        let (filler, scanner) = if number % 2 == 0 {
            (&one, &other)
        } else {
            (&other, &one)
        };
        assert!(run(filler, "fill").is_empty());
        assert_eq!(
            run(scanner, "scan"),
            0u64.to_le_bytes(),
            "guest {number} found something"
        );
    }
    let found = u64::from_le_bytes(run(&one, "both").try_into().unwrap());
    assert_eq!(
        found,
        (4 << 20) / 8 - 1,
        "the twin, one instance for both, sees the marks"
    );
    promise::kept(
        "no_residue",
        &format!(
            "{guests} guests took turns in one slot's 4 MiB: 0 marked bytes found; in a reused instance {found} words"
        ),
    );
}
