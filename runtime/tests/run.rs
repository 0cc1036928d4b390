//! One run: what goes in and out, and the true cause of every end.
use bytes::Bytes;
use protocol::ids::ProgramHash;
use runtime::{Limits, Prepared, RunOutcome, RunReport, Runtime, RuntimeConfig, StopHandle};
use std::thread;
use std::time::{Duration, Instant};

const IMPORTS: &str = r#"
    (import "elytra" "input_len" (func $input_len (result i32)))
    (import "elytra" "input_read" (func $input_read (param i32 i32 i32)))
    (import "elytra" "output_write" (func $output_write (param i32 i32)))
    (import "elytra" "log" (func $log (param i32 i32)))"#;

/// Limits under which everything here ends soon.
const LIMITS: Limits = Limits {
    memory_bytes: 64 << 20,
    time_ms: 2_000,
    wall_ms: 20_000,
    output_bytes: 1 << 20,
    log_bytes: 64,
};

fn prepared(slots: u32, body: &str) -> Prepared {
    let text = format!("(module {IMPORTS} (memory (export \"memory\") 1 16384) {body})");
    let module = wat::parse_str(text).expect("the test's module is well-formed text");
    let admitted = program::admit(module).expect("the test's module is admitted");
    let config = RuntimeConfig {
        slots,
        ..RuntimeConfig::default()
    };
    Runtime::new(config)
        .unwrap()
        .prepare(admitted.hash, &admitted.bytes)
        .unwrap()
}

fn run_limited(body: &str, input: &[u8], limits: &Limits) -> RunReport {
    prepared(1, body).run("run", Bytes::copy_from_slice(input), limits, &StopHandle::new())
}

fn run(body: &str, input: &[u8]) -> RunReport {
    run_limited(body, input, &LIMITS)
}

const ECHO: &str = r#"(func (export "run")
    (call $input_read (i32.const 16) (i32.const 0) (call $input_len))
    (call $output_write (i32.const 16) (call $input_len)))"#;

#[test]
fn input_becomes_output() {
    let report = run(ECHO, b"some bytes");
    assert_eq!(report.outcome, RunOutcome::Finished(b"some bytes".to_vec()));
    assert_eq!(report.memory_bytes_peak, 64 << 10);
    assert_eq!(run(ECHO, b"").outcome, RunOutcome::Finished(vec![]));
}

#[test]
fn an_entry_that_is_not_there_is_named() {
    let stop = StopHandle::new();
    let report = prepared(1, ECHO).run("walk", Bytes::new(), &LIMITS, &stop);
    let RunOutcome::Failed { item: None, message } = report.outcome else {
        panic!("{:?}", report.outcome)
    };
    assert!(message.contains("'walk'"), "{message}");
}

/// The message and the backtrace of a run that traps.
fn trapped(body: &str) -> (String, String) {
    match run(body, b"12345").outcome {
        RunOutcome::Trapped { message, backtrace } => (message, backtrace),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trap_tells_where_it_was() {
    let body = r#"(func $_ZN4core9panicking5panic17h0123456789abcdefE unreachable)
        (func $outer (call $_ZN4core9panicking5panic17h0123456789abcdefE))
        (func (export "run") (call $outer))"#;
    let (message, backtrace) = trapped(body);
    assert_eq!(message, "wasm `unreachable` instruction executed");
    let lines: Vec<_> = backtrace.lines().collect();
    assert!(
        lines[0].starts_with("core::panicking::panic (at byte 0x"),
        "{backtrace}"
    );
    assert!(lines[1].starts_with("outer (at byte"), "{backtrace}");
    assert!(lines[2].starts_with("function 6 (at byte"), "{backtrace}");
}

#[test]
fn what_reaches_out_of_its_bounds_traps_with_the_numbers() {
    let (message, _) =
        trapped(r#"(func (export "run") (call $input_read (i32.const 0) (i32.const 4) (i32.const 2)))"#);
    assert_eq!(message, "input_read of 2 bytes at 4, but the input has 5");
    let (message, _) =
        trapped(r#"(func (export "run") (call $input_read (i32.const -1) (i32.const 0) (i32.const 2)))"#);
    assert_eq!(
        message,
        "input_read of 2 bytes at address 4294967295, but the memory has 65536"
    );
    let (message, _) =
        trapped(r#"(func (export "run") (call $output_write (i32.const 65530) (i32.const 7)))"#);
    assert!(message.starts_with("output_write of 7 bytes"), "{message}");
    let (message, _) = trapped(r#"(func (export "run") (call $log (i32.const 0) (i32.const -1)))"#);
    assert!(message.starts_with("log of 4294967295 bytes"), "{message}");
    let (message, _) = trapped(r#"(func (export "run") (drop (i32.load (i32.const -4))))"#);
    assert_eq!(message, "out of bounds memory access");
}

#[test]
fn recursion_without_end_traps() {
    let (message, _) = trapped(r#"(func $run (export "run") (call $run))"#);
    assert_eq!(message, "recursion without end, or deeper than the stack allows");
}

#[test]
fn a_memory_bomb_is_out_of_memory() {
    let body = r#"(func (export "run")
        (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable)"#;
    let report = run(body, b"");
    assert_eq!(report.outcome, RunOutcome::OutOfMemory);
    assert!(report.memory_bytes_peak <= LIMITS.memory_bytes);
    assert!(report.memory_bytes_peak > LIMITS.memory_bytes / 2);
    let at_start = Limits {
        memory_bytes: 4 << 10,
        ..LIMITS
    };
    assert_eq!(run_limited(ECHO, b"", &at_start).outcome, RunOutcome::OutOfMemory);
}

#[test]
fn a_program_that_lives_with_a_refused_growth_finishes() {
    let body = r#"(func (export "run") (drop (memory.grow (i32.const 16000))))"#;
    assert_eq!(run(body, b"").outcome, RunOutcome::Finished(vec![]));
}

const ENDLESS: &str = r#"(func (export "run") (loop (br 0)))"#;

#[test]
fn an_endless_loop_is_out_of_time() {
    let report = run_limited(
        ENDLESS,
        b"",
        &Limits {
            time_ms: 50,
            ..LIMITS
        },
    );
    assert_eq!(report.outcome, RunOutcome::OutOfTime);
    assert!(report.cpu_us >= 50_000, "{report:?}");
    assert!(report.cpu_us < 150_000, "{report:?}");
    let by_wall = run_limited(
        ENDLESS,
        b"",
        &Limits {
            wall_ms: 50,
            ..LIMITS
        },
    );
    assert_eq!(by_wall.outcome, RunOutcome::OutOfTime);
}

#[test]
fn stop_means_stopped() {
    let (program, stop) = (prepared(1, ENDLESS), StopHandle::new());
    let stopper = stop.clone();
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(30));
        stopper.stop();
        Instant::now()
    });
    let limits = Limits {
        time_ms: 60_000,
        wall_ms: 60_000,
        ..LIMITS
    };
    let report = program.run("run", Bytes::new(), &limits, &stop);
    let late = other.join().unwrap().elapsed();
    assert_eq!(report.outcome, RunOutcome::Stopped);
    assert!(late < Duration::from_millis(500), "{late:?}");
    let again = program.run("run", Bytes::new(), &limits, &stop);
    assert_eq!(again.outcome, RunOutcome::Stopped, "a handle stays stopped");
}

#[test]
fn an_output_over_its_limit_ends_the_run() {
    let body = r#"(func (export "run") (loop (call $output_write (i32.const 0) (i32.const 65536)) (br 0)))"#;
    assert_eq!(run(body, b"").outcome, RunOutcome::OutputTooLarge);
}

#[test]
fn a_failed_item_is_told_by_its_log_line_even_when_the_log_is_full() {
    let body = r#"(data (i32.const 0) "elytra-item-failed 7: not prime: 9")
        (func (export "run")
            (call $log (i32.const 1000) (i32.const 5000))
            (call $log (i32.const 0) (i32.const 34))
            unreachable)"#;
    let report = run(body, b"");
    assert_eq!(
        report.outcome,
        RunOutcome::Failed {
            item: Some(7),
            message: "not prime: 9".into()
        }
    );
    assert_eq!(
        report.log.len(),
        LIMITS.log_bytes,
        "what is over the limit is dropped"
    );
}

#[test]
fn a_failure_counts_only_as_the_last_line_before_a_trap() {
    let line = r#"(data (i32.const 0) "elytra-item-failed 7: x!")"#;
    let failing = "(call $log (i32.const 0) (i32.const 24))";
    let finished = run(&format!("{line} (func (export \"run\") {failing})"), b"");
    assert_eq!(finished.outcome, RunOutcome::Finished(vec![]));
    let body = format!(
        "{line} (func (export \"run\") {failing} (call $log (i32.const 99) (i32.const 1)) unreachable)"
    );
    assert!(matches!(run(&body, b"").outcome, RunOutcome::Trapped { .. }));
}

/// Counts how often it ran in a global, in memory and in the size of its memory, and writes all three.
const COUNTER: &str = r#"(global $count (mut i32) (i32.const 0))
    (func (export "run")
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.store8 (i32.const 40000) (i32.add (i32.load8_u (i32.const 40000)) (i32.const 1)))
        (i32.store8 (i32.const 0) (global.get $count))
        (i32.store8 (i32.const 1) (i32.load8_u (i32.const 40000)))
        (i32.store8 (i32.const 2) (memory.grow (i32.const 1)))
        (call $output_write (i32.const 0) (i32.const 3)))"#;

#[test]
fn nothing_passes_from_one_run_to_the_next() {
    let program = prepared(4, COUNTER);
    let check = || {
        for _ in 0..500 {
            let report = program.run("run", Bytes::new(), &LIMITS, &StopHandle::new());
            assert_eq!(report.outcome, RunOutcome::Finished(vec![1, 1, 1]));
        }
    };
    // More threads than slots: one more waits instead of failing.
    thread::scope(|scope| (0..6).for_each(|_| drop(scope.spawn(check))));
}

#[test]
fn many_programs_share_the_slots() {
    let runtime = Runtime::new(RuntimeConfig {
        slots: 2,
        programs_max: 2,
        ..RuntimeConfig::default()
    })
    .unwrap();
    for number in 0..6 {
        let text = format!(
            "(module {IMPORTS} (memory (export \"memory\") 1 2) (data (i32.const 0) \"{number}\")
             (func (export \"run\") (call $output_write (i32.const 0) (i32.const 1))))"
        );
        let module = wat::parse_str(text).unwrap();
        let hash = ProgramHash::of(&module);
        let program = runtime.prepare(hash, &module).unwrap();
        let report = program.run("run", Bytes::new(), &LIMITS, &StopHandle::new());
        assert_eq!(
            report.outcome,
            RunOutcome::Finished(number.to_string().into_bytes())
        );
        assert!(runtime.ready(hash).is_some());
    }
}

#[test]
fn a_sandbox_that_sat_idle_still_stops_a_run() {
    let program = prepared(1, ENDLESS);
    // Longer than the ticker waits before it goes to sleep.
    thread::sleep(Duration::from_millis(1_500));
    let report = program.run(
        "run",
        Bytes::new(),
        &Limits {
            time_ms: 20,
            ..LIMITS
        },
        &StopHandle::new(),
    );
    assert_eq!(report.outcome, RunOutcome::OutOfTime);
}
