//! Kernels in the native sandbox against the same Rust built natively.
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use elytra_kernel::Entry;
use runtime::{Limits, RunOutcome, Runtime, RuntimeConfig, StopHandle};
use std::path::Path;
use std::time::Instant;

/// Runs of each; the fastest counts, because everything else only adds.
const ROUNDS: u32 = 7;

/// A kernel with an input that takes some tenths of a second.
struct Case {
    name: &'static str,
    entry: &'static Entry,
    params: &'static str,
    first: i64,
    count: u32,
}

const CASES: [Case; 3] = [
    Case {
        name: "mandelbrot",
        entry: &rust_core::mandelbrot::MANDELBROT,
        params: r#"{"width":512,"height":512,"center_x":-0.7436438870371587,"center_y":0.13182590420531197,
                    "span":0.000001,"iterations_max":2000,"tile":64}"#,
        first: 0,
        count: 64,
    },
    Case {
        name: "mersenne",
        entry: &rust_core::mersenne::MERSENNE,
        params: "{}",
        first: 4423,
        count: 8,
    },
    Case {
        name: "montecarlo",
        entry: &rust_core::montecarlo::MONTECARLO,
        params: r#"{"paths_per_item":65536}"#,
        first: 0,
        count: 16,
    },
];

/// Name, native seconds, sandbox seconds.
pub(crate) fn compare(module: &Path) -> Result<Vec<(&'static str, f64, f64)>> {
    let bytes = std::fs::read(module).with_context(|| {
        format!(
            "{}: build it with cargo xtask build-web kernels",
            module.display()
        )
    })?;
    let admitted = program::admit(bytes).map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
    let runtime = Runtime::new(RuntimeConfig {
        slots: 1,
        ..RuntimeConfig::default()
    })?;
    let prepared = runtime.prepare(admitted.hash, &admitted.bytes)?;
    let limits = Limits {
        time_ms: 60_000,
        wall_ms: 60_000,
        ..Limits::default()
    };
    CASES
        .iter()
        .map(|case| {
            let input: Bytes =
                kernel_abi::encode_range(case.params.as_bytes(), case.first, 1, case.count).into();
            let mut expected = Vec::new();
            let native_s = fastest(|| {
                expected =
                    elytra_kernel::run_native(case.entry, &input).map_err(|f| anyhow::anyhow!("{f:?}"))?;
                Ok(())
            })?;
            let sandbox_s = fastest(|| {
                let report = prepared.run(case.entry.name, input.clone(), &limits, &StopHandle::new());
                let RunOutcome::Finished(output) = report.outcome else {
                    bail!("{}: {:?}", case.name, report.outcome)
                };
                ensure!(
                    output == expected,
                    "{}: the sandbox answers otherwise than native code",
                    case.name
                );
                Ok(())
            })?;
            Ok((case.name, native_s, sandbox_s))
        })
        .collect()
}

fn fastest(mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}
