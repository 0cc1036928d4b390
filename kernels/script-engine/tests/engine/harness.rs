//! Runs scripts the way a worker does: the engine's admitted bytes, a fresh instance for every shard.
use bytes::Bytes;
use kernel_abi::Encoding;
use program::script::{self, Script};
use runtime::{Limits, Prepared, RunOutcome, RunReport, Runtime, RuntimeConfig, StopHandle};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::OnceLock;

/// Enough for what finishes, short for what does not.
pub(crate) const LIMITS: Limits = Limits {
    memory_bytes: 64 << 20,
    time_ms: 10_000,
    wall_ms: 60_000,
    output_bytes: 1 << 20,
    log_bytes: 4 << 10,
};

/// The items of a shard.
#[derive(Clone, Copy)]
pub(crate) enum Items<'a> {
    Range { first: i64, step: i64, count: u32 },
    Json(&'a [Value]),
    Text(&'a [&'a str]),
}

pub(crate) fn range(first: i64, count: u32) -> Items<'static> {
    Items::Range {
        first,
        step: 1,
        count,
    }
}

/// A script, and how its function is called.
pub(crate) struct Call<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    pub(crate) entry: &'a str,
    pub(crate) params: Value,
    pub(crate) reduce: bool,
}

impl<'a> Call<'a> {
    /// The default export of a JavaScript module.
    pub(crate) fn of(text: &'a str) -> Self {
        Self {
            file: "task.js",
            text,
            entry: "default",
            params: json!(null),
            reduce: false,
        }
    }

    pub(crate) fn script(&self) -> Script {
        let container = script::build(self.file, self.text).expect("the script is built");
        script::open(&container).expect("what is built can be opened")
    }

    pub(crate) fn input(&self, items: Items<'_>) -> Vec<u8> {
        let params = self.script().run_params(self.entry, &self.params, self.reduce);
        match items {
            Items::Range { first, step, count } => kernel_abi::encode_range(&params, first, step, count),
            Items::Json(values) => {
                let texts: Vec<String> = values.iter().map(Value::to_string).collect();
                kernel_abi::encode_list(&params, Encoding::Json, texts.iter().map(String::as_bytes))
            }
            Items::Text(texts) => {
                kernel_abi::encode_list(&params, Encoding::Text, texts.iter().map(|text| text.as_bytes()))
            }
        }
    }

    pub(crate) fn run(&self, items: Items<'_>) -> RunReport {
        run_input(self.input(items), &LIMITS)
    }

    /// The outputs of a shard that finishes.
    pub(crate) fn outputs(&self, items: Items<'_>) -> Vec<String> {
        match self.run(items).outcome {
            RunOutcome::Finished(output) => frames(&output),
            other => panic!("{other:?}"),
        }
    }

    /// The failed item, and the words about it as the author sees them.
    pub(crate) fn failure(&self, items: Items<'_>) -> (Option<u64>, String) {
        match self.run(items).outcome {
            RunOutcome::Failed { item, message } => (item, self.script().trace(&message)),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn run_input(input: Vec<u8>, limits: &Limits) -> RunReport {
    engine().run(
        script_engine::ENTRY,
        Bytes::from(input),
        limits,
        &StopHandle::new(),
    )
}

pub(crate) fn frames(output: &[u8]) -> Vec<String> {
    kernel_abi::split_framed(output)
        .map(|frame| String::from_utf8_lossy(frame.expect("whole frames")).into_owned())
        .collect()
}

/// The engine as it is shipped.
pub(crate) fn admitted() -> &'static program::Admitted {
    static ADMITTED: OnceLock<program::Admitted> = OnceLock::new();
    ADMITTED.get_or_init(|| program::admit(script_engine::WASM.to_vec()).expect("the engine is admitted"))
}

/// Compiled once on this machine: the code stays in the folder for tests.
fn engine() -> &'static Prepared {
    static ENGINE: OnceLock<(Runtime, Prepared)> = OnceLock::new();
    let (_, prepared) = ENGINE.get_or_init(|| {
        let config = RuntimeConfig {
            cache_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("script-engine")),
            slots: 2,
            memory_bytes_max: 256 << 20,
            ..RuntimeConfig::default()
        };
        let runtime = Runtime::new(config).expect("a sandbox");
        let admitted = admitted();
        let prepared = runtime
            .prepare(admitted.hash, &admitted.bytes)
            .expect("the engine compiles");
        (runtime, prepared)
    });
    prepared
}
