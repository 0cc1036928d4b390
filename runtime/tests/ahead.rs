//! Programs that are compiled before anybody asks for them.
use bytes::Bytes;
use protocol::ids::ProgramHash;
use runtime::{
    CompileError, CompileLimits, Compiler, Limits, PrepareError, RunOutcome, Runtime, RuntimeConfig,
    StopHandle,
};
use std::thread;
use std::time::{Duration, Instant};

/// No step of a test takes longer on any machine that can build this.
const BOUND: Duration = Duration::from_secs(60);

fn runtime() -> Runtime {
    let config = RuntimeConfig {
        compiler: Compiler::Child {
            program: env!("CARGO_BIN_EXE_sandbox-child").into(),
        },
        compile_limits: CompileLimits {
            cpu_s: 600,
            wall_s: 600,
            ..CompileLimits::default()
        },
        ..RuntimeConfig::default()
    };
    Runtime::new(config).unwrap()
}

/// A program of its own for each number.
fn small(number: u32) -> (ProgramHash, Vec<u8>) {
    let text = format!(
        r#"(module (import "elytra" "output_write" (func $write (param i32 i32)))
        (memory (export "memory") 1 2) (data (i32.const 0) "right{number:06}")
        (func (export "run") (call $write (i32.const 0) (i32.const 5))))"#
    );
    let bytes = wat::parse_str(text).unwrap();
    (ProgramHash::of(&bytes), bytes)
}

/// What admission keeps out: it takes the compiler many seconds.
fn bomb() -> (ProgramHash, Vec<u8>) {
    let depth = 3_000;
    let closing = "(br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))) end ".repeat(depth);
    let text = format!("(module (func (param i32) {} {closing}))", "loop ".repeat(depth));
    let bytes = wat::parse_str(text).unwrap();
    (ProgramHash::of(&bytes), bytes)
}

#[test]
fn what_is_compiled_ahead_is_ready_when_it_is_wanted() {
    let runtime = runtime();
    let (hash, bytes) = small(0);
    assert!(runtime.ready(hash).is_none());
    runtime.prepare_ahead(hash, &bytes).unwrap();
    let program = runtime.ready(hash).expect("it is ready");
    let report = program.run("run", Bytes::new(), &Limits::default(), &StopHandle::new());
    assert_eq!(report.outcome, RunOutcome::Finished(b"right".to_vec()));
}

/// Waits until another thread compiles ahead: only then a further program is let be.
fn until_begun(runtime: &Runtime) {
    let until = Instant::now() + BOUND;
    for number in 1.. {
        let (hash, bytes) = small(number);
        runtime.prepare_ahead(hash, &bytes).unwrap();
        if runtime.ready(hash).is_none() {
            return;
        }
        assert!(Instant::now() < until, "it does not begin");
    }
}

#[test]
fn other_programs_do_not_wait_for_it_and_it_ends_when_it_is_stopped() {
    let runtime = runtime();
    thread::scope(|scope| {
        let ahead = scope.spawn(|| {
            let (hash, bytes) = bomb();
            // Let be while the small programs below have the turn.
            loop {
                if let Err(error) = runtime.prepare_ahead(hash, &bytes) {
                    return error;
                }
                thread::yield_now();
            }
        });
        until_begun(&runtime);
        let (hash, bytes) = small(0);
        runtime.prepare(hash, &bytes).unwrap();
        assert!(!ahead.is_finished(), "the other program waited for it");
        runtime.stop_preparing_ahead();
        let ended = ahead.join().unwrap();
        let stopped = matches!(ended, PrepareError::Compile(CompileError::Stopped));
        assert!(stopped, "{ended:?}");
    });
}

#[test]
fn after_the_end_nothing_begins() {
    let runtime = runtime();
    runtime.stop_preparing_ahead();
    let (hash, bytes) = small(0);
    runtime.prepare_ahead(hash, &bytes).unwrap();
    assert!(runtime.ready(hash).is_none());
    runtime.prepare(hash, &bytes).unwrap();
}

#[test]
fn who_wants_what_is_compiled_ahead_has_what_is_there_first() {
    let runtime = runtime();
    for number in 0..20 {
        let (hash, bytes) = small(number);
        thread::scope(|scope| {
            let ahead = scope.spawn(|| runtime.prepare_ahead(hash, &bytes));
            let wanted = scope.spawn(|| runtime.prepare(hash, &bytes));
            wanted.join().unwrap().expect("prepared, whoever was first");
            match ahead.join().unwrap() {
                Ok(()) | Err(PrepareError::Compile(CompileError::Stopped)) => {}
                Err(other) => panic!("{other}"),
            }
        });
        assert!(runtime.ready(hash).is_some());
    }
}

#[test]
fn what_is_wanted_stops_what_is_compiled_ahead_and_fails_by_itself() {
    let runtime = runtime();
    let (hash, bytes) = (ProgramHash::of(b"no module"), b"no module");
    assert!(runtime.prepare_ahead(hash, bytes).is_err());
    let error = runtime.prepare(hash, bytes).err().expect("it is no module");
    assert!(
        matches!(error, PrepareError::Compile(CompileError::Refused(_))),
        "{error}"
    );
}
