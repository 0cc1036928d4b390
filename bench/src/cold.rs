//! How long a program takes that a worker has not seen yet, or not since its start.
use crate::kernels::admitted;
use crate::process::{Coordinator, Setup};
use crate::table::Table;
use anyhow::{Context, Result, bail, ensure};
use native_worker::NativeWorkerConfig;
use native_worker::signals::Stop;
use protocol::job::Grain;
use runtime::{CompileLimits, Compiler, Limits, Prepared, RunOutcome, Runtime, RuntimeConfig, StopHandle};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;
use tempfile::TempDir;
use tokio::sync::watch;

const ROUNDS: usize = 9;
/// Size and functions of the module that is pushed.
const PUSHED_BYTES: usize = 1 << 20;
const STEPS_PER_FUNCTION: u64 = 24;

/// CPU time of this thread, in seconds.
pub(crate) fn thread_cpu_s() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid, exclusive pointer for the call's length; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Adds the rows of the standard kernels, compiled before and not, and of a pushed module of 1 MiB.
pub(crate) async fn rows(module: &Path, setup: &Setup, table: &mut Table) -> Result<()> {
    let coordinator = Coordinator::start(setup).await?;
    let admitted = admitted(module)?;
    let path = format!("/programs/{}/module", admitted.hash);
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let cache = tempfile::tempdir()?;
        let runtime = worker(&cache)?;
        let start = Instant::now();
        let bytes = coordinator.get(&path).await?;
        first_output(&runtime.prepare(admitted.hash, &bytes)?)?;
        unknown.push(start.elapsed().as_secs_f64() * 1e3);
        // Another start of the same worker finds its compiled code.
        let runtime = worker(&cache)?;
        let start = Instant::now();
        first_output(
            &runtime
                .prepare_cached(admitted.hash)
                .context("no compiled code")?,
        )?;
        known.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let kib = admitted.bytes.len() >> 10;
    table.at_most("cold program, compiled before", median(known), "ms", 5.0, 1.0);
    let what = format!("cold program, not compiled before ({kib} KiB)");
    table.at_most(&what, median(unknown), "ms", 500.0, 50.0);
    let ms = pushed(&coordinator).await?;
    table.note(&format!(
        "from pushing a module of 1 MiB of code to its first output: {ms:.0} ms"
    ));
    Ok(())
}

fn worker(cache: &TempDir) -> Result<Runtime> {
    let program = std::env::current_exe()?;
    Ok(Runtime::new(RuntimeConfig {
        cache_dir: Some(cache.path().join("code")),
        compiler: Compiler::Child { program },
        // The allocator of this program reserves 1 GiB of addresses at its start; a worker's does not.
        compile_limits: CompileLimits {
            memory_bytes: 4 << 30,
            ..CompileLimits::default()
        },
        ..RuntimeConfig::default()
    })?)
}

fn first_output(prepared: &Prepared) -> Result<()> {
    let input = kernel_abi::encode_range(b"", 0, 1, 1);
    let report = prepared.run("null", input.into(), &Limits::default(), &StopHandle::new());
    ensure!(
        matches!(report.outcome, RunOutcome::Finished(_)),
        "{:?}",
        report.outcome
    );
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Milliseconds from the upload to the end of a job of one item, on a native worker that waits for work.
async fn pushed(coordinator: &Coordinator) -> Result<f64> {
    let cache = tempfile::tempdir()?;
    // It compiles in this process: a child of this program would not fit a worker's limits, see above.
    let config = NativeWorkerConfig::new(coordinator.address(), cache.path());
    let (stop, stopped) = watch::channel(Stop::default());
    let worker = std::thread::spawn(move || -> Result<()> {
        let tasks = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(tasks.block_on(native_worker::run(config, stopped))?)
    });
    // Its first job is over when it has connected.
    let warm = coordinator.submit(1, Grain::Items(1)).await?;
    coordinator.wait(&warm).await?;
    let module = module()?;
    let start = Instant::now();
    let hash = coordinator.push(module).await?;
    let job = coordinator.submit_to(&hash, "run", 1, Grain::Items(1)).await?;
    let took = coordinator.wait(&job).await?.duration_since(start);
    stop.send_replace(Stop::Now);
    match worker.join() {
        Ok(ended) => ended?,
        Err(_) => bail!("the worker panicked"),
    }
    Ok(took.as_secs_f64() * 1e3)
}

/// A kernel that does nothing and carries a mebibyte of functions.
fn module() -> Result<Vec<u8>> {
    let description = r#"{\"program\":{\"name\":\"large\",\"version\":\"1\"},\"name\":\"run\",\"item\":{\"type\":\"integer\"},\"output\":\"bytes\"}"#;
    let mut text = format!(
        r#"(module (import "elytra" "output_write" (func $write (param i32 i32)))
           (memory (export "memory") 1 2)
           (func (export "run") (call $write (i32.const 0) (i32.const 4)))
           (@custom "elytra.description" "{description}")"#
    );
    let functions = PUSHED_BYTES / 560;
    for function in 0..functions as u64 {
        text.push_str("(func (param i64 i64) (result i64)");
        for step in 0..STEPS_PER_FUNCTION {
            let number = (function * STEPS_PER_FUNCTION + step + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
            write!(
                text,
                "(local.set 0 (i64.xor (i64.mul (local.get 0) (i64.const {number})) (i64.rotl (local.get 1) \
                 (i64.const {})))) (local.set 1 (i64.add (local.get 1) (i64.load8_u offset={} \
                 (i32.and (i32.wrap_i64 (local.get 0)) (i32.const 255)))))",
                step + 1,
                step * 8,
            )?;
        }
        text.push_str("(local.get 1))");
    }
    text.push(')');
    Ok(wat::parse_str(text)?)
}
