//! What the sandbox costs, printed as one line a figure: a fresh instance, a program that was
//! compiled before, and one that was not.
//!
//! `cargo run --release -p runtime --example measure [MODULE.wasm]`
//! Without a module a small one is measured. A given one is admitted first; its figures end with
//! loading, because what its entries want as input is not known here.
#[path = "../tests/parent/mod.rs"]
mod parent;

use bytes::Bytes;
use parent::Guest;
use protocol::ids::ProgramHash;
use runtime::{Compiler, Limits, Prepared, RunOutcome, Runtime, RuntimeConfig, StopHandle};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const NULL: &str = r#"(module
    (import "elytra" "input_len" (func $input_len (result i32)))
    (import "elytra" "input_read" (func $input_read (param i32 i32 i32)))
    (import "elytra" "output_write" (func $output_write (param i32 i32)))
    (memory (export "memory") 17 256)
    (func (export "run")
        (call $input_read (i32.const 1048576) (i32.const 0) (call $input_len))
        (call $output_write (i32.const 1048576) (call $input_len))))"#;
/// Repetitions of what takes microseconds, and of what takes milliseconds.
const MANY: usize = 50_000;
const FEW: usize = 15;
/// Shards in one batch, as the worker has it at most; it divides `MANY` with a rest that is run as well.
const BATCH: usize = 64;

fn main() -> ExitCode {
    if let Some(code) = runtime::child() {
        return code;
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("measure: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Box<dyn Error>> {
    let module = match std::env::args().nth(1) {
        Some(path) => program::admit(std::fs::read(path)?)?.bytes,
        None => wat::parse_str(NULL)?,
    };
    println!(
        "module {} bytes, wasmtime 48, {} CPUs",
        module.len(),
        std::thread::available_parallelism()?
    );
    let folder = tempfile::tempdir()?;
    cold(folder.path(), &module)?;
    if std::env::args().len() == 1 {
        warm(folder.path(), &module)?;
        behind_the_walls(&module)?;
    }
    Ok(())
}

fn runtime(folder: &Path, compiler: Compiler, slots: u32) -> Result<Runtime, Box<dyn Error>> {
    let cache_dir = Some(folder.to_owned());
    Ok(Runtime::new(RuntimeConfig {
        cache_dir,
        compiler,
        slots,
        ..RuntimeConfig::default()
    })?)
}

fn cold(folder: &Path, module: &[u8]) -> Result<(), Box<dyn Error>> {
    let hash = ProgramHash::of(module);
    let child = Compiler::Child {
        program: std::env::current_exe()?,
    };
    say(
        "admission",
        median(FEW, || {
            time(|| program::admit(module.to_vec()).map_err(Into::into))
        })?,
    );
    say(
        "a runtime with 16 slots",
        median(FEW, || time(|| runtime(folder, Compiler::InProcess, 16)))?,
    );
    for (what, compiler) in [("in this process", Compiler::InProcess), ("in a child", child)] {
        let compiled = median(FEW, || {
            let empty = tempfile::tempdir()?;
            let runtime = runtime(empty.path(), compiler.clone(), 1)?;
            time(|| runtime.prepare(hash, module).map_err(Into::into))
        });
        say(&format!("prepare, compiled {what}"), compiled?);
    }
    runtime(folder, Compiler::InProcess, 1)?.prepare(hash, module)?;
    let loaded = median(FEW, || {
        let runtime = runtime(folder, Compiler::InProcess, 1)?;
        time(|| runtime.prepare(hash, module).map_err(Into::into))
    });
    say("prepare, compiled before", loaded?);
    Ok(())
}

fn warm(folder: &Path, module: &[u8]) -> Result<(), Box<dyn Error>> {
    for threads in [1u32, 2] {
        let runtime = runtime(folder, Compiler::InProcess, threads)?;
        let program = runtime.prepare(ProgramHash::of(module), module)?;
        let start = Instant::now();
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(|| runs(&program)))));
        let each = start.elapsed() / u32::try_from(MANY)?;
        say(
            &format!("one run with a fresh instance, {threads} threads, each"),
            each,
        );
    }
    Ok(())
}

/// The same in a guest process, one shard at a time and many.
fn behind_the_walls(module: &[u8]) -> Result<(), Box<dyn Error>> {
    say(
        "a guest process, until it is ready",
        median(FEW, || time(|| Ok(Guest::start(16))))?,
    );
    let mut guest = Guest::start(2);
    println!("  walls that are missing: {:?}", guest.missing);
    let (program, code) = parent::compiled(module);
    let input = Bytes::from_static(&[7; 64]);
    let limits = Limits::default();
    let start = Instant::now();
    guest.load(program, &code);
    guest.ask(0, program, "run", limits, vec![input.clone()]);
    guest.report();
    say("loading a program there, and its first run", start.elapsed());
    let alone = median(MANY / 10, || {
        time(|| {
            guest.ask(0, program, "run", limits, vec![input.clone()]);
            Ok(guest.report())
        })
    })?;
    say("one shard there and back", alone);
    for slots in [1u16, 2] {
        let start = Instant::now();
        let ask =
            |guest: &mut Guest, slot| guest.ask(slot, program, "run", limits, vec![input.clone(); BATCH]);
        (0..slots).for_each(|slot| ask(&mut guest, slot));
        let mut left = vec![(MANY, BATCH); usize::from(slots)];
        while left.iter().any(|(shards, of_batch)| *shards > 0 || *of_batch > 0) {
            let (slot, _) = guest.report();
            let (shards, of_batch) = &mut left[usize::from(slot)];
            (*shards, *of_batch) = (shards.saturating_sub(1), *of_batch - 1);
            if *of_batch == 0 && *shards > 0 {
                *of_batch = BATCH;
                ask(&mut guest, slot);
            }
        }
        let each = start.elapsed() / u32::try_from(MANY)?;
        say(
            &format!("one run there in batches of {BATCH}, {slots} slots, each"),
            each,
        );
    }
    Ok(())
}

fn runs(program: &Prepared) {
    let (limits, stop) = (Limits::default(), StopHandle::new());
    let (mut cpu_us, input) = (0, Bytes::from_static(&[7; 64]));
    for _ in 0..MANY {
        let report = program.run("run", input.clone(), &limits, &stop);
        assert!(matches!(report.outcome, RunOutcome::Finished(_)), "{report:?}");
        cpu_us += report.cpu_us;
    }
    println!(
        "  as its report says, CPU per run: {:.2} µs",
        cpu_us as f64 / MANY as f64
    );
}

fn time<T>(what: impl FnOnce() -> Result<T, Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    let result = what()?;
    let took = start.elapsed();
    drop(result);
    Ok(took)
}

fn median(
    times: usize,
    mut what: impl FnMut() -> Result<Duration, Box<dyn Error>>,
) -> Result<Duration, Box<dyn Error>> {
    let mut took = (0..times).map(|_| what()).collect::<Result<Vec<_>, _>>()?;
    took.sort();
    Ok(took[times / 2])
}

fn say(what: &str, took: Duration) {
    println!("{what}: {:.1} µs", took.as_secs_f64() * 1e6);
}
