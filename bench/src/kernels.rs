//! Kernels in the native sandbox against the same Rust built natively, and in V8 against the native sandbox.
//!
//! Short rounds of all sides alternate, so that what else the machine does meets all alike. Native code and
//! the native sandbox are compared by the CPU time of the thread, V8 and the native sandbox by wall time; of
//! each the fastest round counts, because everything else only adds.
use crate::cold::thread_cpu_s;
use crate::table::Table;
use crate::v8::V8;
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use elytra_kernel::Entry;
use kernel_abi::{Encoding, encode_list, encode_range};
use program::Admitted;
use runtime::{Limits, Prepared, RunOutcome, Runtime, RuntimeConfig, StopHandle};
use rust_core::{align, mandelbrot, mersenne, montecarlo};
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// Rounds of each case.
const ROUNDS: u32 = 25;

/// A kernel with an input that takes some hundredths of a second.
struct Case {
    name: &'static str,
    entry: &'static Entry,
    input: Bytes,
}

fn cases() -> Vec<Case> {
    let view = br#"{"width":512,"height":512,"center_x":-0.7436438870371587,"center_y":0.13182590420531197,
                    "span":0.000001,"iterations_max":2000,"tile":64}"#;
    let case = |name, entry, input: Vec<u8>| Case {
        name,
        entry,
        input: input.into(),
    };
    vec![
        case("mandelbrot", &mandelbrot::MANDELBROT, encode_range(view, 0, 1, 8)),
        case("mersenne", &mersenne::MERSENNE, encode_range(b"{}", 4_423, 1, 2)),
        case(
            "montecarlo",
            &montecarlo::MONTECARLO,
            encode_range(br#"{"paths_per_item":65536}"#, 0, 1, 16),
        ),
        case("align", &align::ALIGN, sequences(b"ACGT", "dna")),
        case(
            "align of proteins",
            &align::ALIGN,
            sequences(b"ARNDCQEGHILKMFPS", "protein"),
        ),
    ]
}

/// Two queries of 1,200 letters against a reference that holds part of them.
fn sequences(letters: &[u8], alphabet: &str) -> Vec<u8> {
    let query = random_letters(letters, 1_200, 1);
    let reference = [
        random_letters(letters, 1_500, 2),
        query[100..900].to_owned(),
        random_letters(letters, 1_200, 3),
    ];
    let params = json!({ "reference": reference.concat(), "alphabet": alphabet }).to_string();
    encode_list(
        params.as_bytes(),
        Encoding::Text,
        [query.as_bytes(); 2].into_iter(),
    )
}

fn random_letters(letters: &[u8], count: usize, seed: u32) -> String {
    let next = |x: &u32| Some(x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let numbers = std::iter::successors(Some(seed), next).skip(1);
    numbers
        .take(count)
        .map(|x| char::from(letters[(x >> 16) as usize % letters.len()]))
        .collect()
}

/// The fastest of each, in seconds.
struct Times {
    native_cpu: f64,
    sandbox_cpu: f64,
    sandbox_wall: f64,
    node: f64,
    chromium: f64,
}

/// Adds the rows of every kernel.
pub(crate) fn rows(module: &Path, table: &mut Table) -> Result<()> {
    let admitted = admitted(module)?;
    let prepared = sandbox(&admitted)?;
    let mut node = started(V8::start("node", &admitted.bytes), table);
    let mut chromium = started(V8::start("chromium", &admitted.bytes), table);
    for case in cases() {
        let times = measure(&case, &prepared, node.as_mut(), chromium.as_mut())?;
        let name = case.name;
        table.note(&format!(
            "{name}: native {:.2} ms, Wasmtime {:.2} ms ({:.2} by the wall clock), Node {:.2} ms, Chromium {:.2} ms",
            times.native_cpu * 1e3,
            times.sandbox_cpu * 1e3,
            times.sandbox_wall * 1e3,
            times.node * 1e3,
            times.chromium * 1e3,
        ));
        let ratio = times.sandbox_cpu / times.native_cpu;
        table.at_most(
            &format!("{name} in Wasmtime against native"),
            ratio,
            "x",
            1.3,
            1.1,
        );
        if chromium.is_some() {
            let ratio = times.chromium / times.sandbox_wall;
            table.at_most(
                &format!("{name} in Chromium against Wasmtime"),
                ratio,
                "x",
                1.3,
                1.1,
            );
        }
    }
    Ok(())
}

/// The standard kernels, as the server would take them.
pub(crate) fn admitted(module: &Path) -> Result<Admitted> {
    let bytes = std::fs::read(module).with_context(|| {
        format!(
            "{}: build it with cargo xtask build-web kernels",
            module.display()
        )
    })?;
    program::admit(bytes).map_err(|refusal| anyhow::anyhow!("{refusal}"))
}

fn sandbox(admitted: &Admitted) -> Result<Prepared> {
    let runtime = Runtime::new(RuntimeConfig::default())?;
    Ok(runtime.prepare(admitted.hash, &admitted.bytes)?)
}

fn started(v8: Result<V8>, table: &mut Table) -> Option<V8> {
    v8.inspect_err(|error| table.note(&format!("no V8: {error:#}")))
        .ok()
}

fn measure(
    case: &Case,
    prepared: &Prepared,
    mut node: Option<&mut V8>,
    mut chromium: Option<&mut V8>,
) -> Result<Times> {
    let mut best = Times {
        native_cpu: f64::INFINITY,
        sandbox_cpu: f64::INFINITY,
        sandbox_wall: f64::INFINITY,
        node: f64::INFINITY,
        chromium: f64::INFINITY,
    };
    for _ in 0..ROUNDS {
        let start = thread_cpu_s();
        let expected =
            elytra_kernel::run_native(case.entry, &case.input).map_err(|f| anyhow::anyhow!("{f:?}"))?;
        best.native_cpu = best.native_cpu.min(thread_cpu_s() - start);
        let (start, wall) = (thread_cpu_s(), Instant::now());
        let output = run(prepared, case)?;
        best.sandbox_cpu = best.sandbox_cpu.min(thread_cpu_s() - start);
        best.sandbox_wall = best.sandbox_wall.min(wall.elapsed().as_secs_f64());
        ensure!(
            output == expected,
            "{}: the sandbox answers otherwise than native code",
            case.name
        );
        if let Some(node) = &mut node {
            best.node = best.node.min(node.run(case.entry.name, &case.input)?);
        }
        if let Some(chromium) = &mut chromium {
            best.chromium = best.chromium.min(chromium.run(case.entry.name, &case.input)?);
        }
    }
    Ok(best)
}

fn run(prepared: &Prepared, case: &Case) -> Result<Vec<u8>> {
    let limits = Limits {
        time_ms: 60_000,
        wall_ms: 60_000,
        ..Limits::default()
    };
    let report = prepared.run(case.entry.name, case.input.clone(), &limits, &StopHandle::new());
    match report.outcome {
        RunOutcome::Finished(output) => Ok(output),
        other => bail!("{}: {other:?}", case.name),
    }
}
