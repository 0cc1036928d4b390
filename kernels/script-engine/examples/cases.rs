//! What scripts cost in the native sandbox: the six cases of `tests/suite.js`, the start of an instance, an item.
//! `node kernels/script-engine/examples/cases.mjs` gives the cases on this machine's Node; docs/scripts.md has both.
use bytes::Bytes;
use program::script;
use runtime::{Limits, Prepared, RunOutcome, Runtime, RuntimeConfig, StopHandle};
use serde_json::{Value, json};

const RUNS: usize = 5;

fn main() {
    let engine = program::admit(script_engine::WASM.to_vec()).expect("the engine is admitted");
    let runtime = Runtime::new(RuntimeConfig::default()).expect("a sandbox");
    let prepared = runtime
        .prepare(engine.hash, &engine.bytes)
        .expect("the engine compiles");
    let suite = include_str!("../tests/suite.js");
    let start = cost_us(&prepared, "export default x => x", "default", &[json!(1)]);
    println!("start and one item: {start} us");
    for case in ["fib", "loop", "floats", "json", "sort", "strings"] {
        let us = cost_us(&prepared, suite, "run", &[json!(case)]) - start;
        println!("{case}: {:.1} ms", us as f64 / 1000.0);
    }
    let many: Vec<Value> = (0..100_000).map(|n| json!(n)).collect();
    let us = cost_us(&prepared, "export default x => x * x", "default", &many) - start;
    println!(
        "an item of a trivial function: {:.2} us",
        us as f64 / many.len() as f64
    );
}

/// The median CPU time of a shard.
fn cost_us(prepared: &Prepared, text: &str, entry: &str, items: &[Value]) -> u64 {
    let container = script::build("measure.js", text).expect("the script is built");
    let script = script::open(&container).expect("what is built can be opened");
    let params = script.run_params(entry, &Value::Null, false);
    let texts: Vec<String> = items.iter().map(Value::to_string).collect();
    let items = texts.iter().map(String::as_bytes);
    let input = Bytes::from(kernel_abi::encode_list(
        &params,
        kernel_abi::Encoding::Json,
        items,
    ));
    let mut times: Vec<u64> = (0..RUNS)
        .map(|_| {
            let report = prepared.run(
                script_engine::ENTRY,
                input.clone(),
                &Limits::default(),
                &StopHandle::new(),
            );
            assert!(
                matches!(report.outcome, RunOutcome::Finished(_)),
                "{:?}",
                report.outcome
            );
            report.cpu_us
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}
