//! The door between the hub's script and this shell: what the script calls, and what it must offer.
use crate::options::{self, Options};
use crate::shell::Shell;
use protocol::wire::{Cause, Failure};
use serde::Deserialize;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use worker::{Input, Person};

#[wasm_bindgen]
extern "C" {
    /// What the hub's script offers; see `ts/hub/outside.ts`.
    pub type Outside;

    /// Has a blob worker started; `started`: the frame has begun it by itself.
    #[wasm_bindgen(method)]
    pub fn spawn(this: &Outside, worker: u32, started: bool);
    /// Ends a blob worker, whatever it does.
    #[wasm_bindgen(method)]
    pub fn kill(this: &Outside, worker: u32);
    /// Gives a program to a blob worker, which compiles it.
    #[wasm_bindgen(method)]
    pub fn program(this: &Outside, worker: u32, program: u32, bytes: Vec<u8>, memory_pages_max: u32);
    /// Has a blob worker forget a program.
    #[wasm_bindgen(method)]
    pub fn forget(this: &Outside, worker: u32, program: u32);
    /// Has a blob worker run shards: `prefix` begins every input, `ends` says where the rest of each ends.
    #[wasm_bindgen(method)]
    #[allow(clippy::too_many_arguments, reason = "the fields of one message")]
    pub fn run(
        this: &Outside,
        worker: u32,
        batch: u32,
        program: u32,
        entry: &str,
        prefix: Vec<u8>,
        inputs: Vec<u8>,
        ends: Vec<u32>,
        memory_pages_max: u32,
        output_bytes_max: u32,
        careful: bool,
    );
    /// Tells the page the status, as JSON.
    #[wasm_bindgen(method)]
    pub fn status(this: &Outside, json: &str);
    /// Shows the page a tile of a picture.
    #[wasm_bindgen(method)]
    pub fn tile(this: &Outside, job: &str, item: f64, data: Vec<u8>);
    /// Tells the page that the worker has left.
    #[wasm_bindgen(method)]
    pub fn ended(this: &Outside);
}

/// A slot's report on one shard that failed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SlotFailure {
    cause: Cause,
    detail: String,
    busy_us: f64,
}

/// A running worker. The script makes one at Start and hands in whatever happens.
#[wasm_bindgen]
pub struct Hub {
    shell: Rc<Shell>,
}

#[wasm_bindgen]
impl Hub {
    /// Starts: the blob workers 0, 1, … of the first slots are on their way already.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &str, outside: Outside) -> Result<Hub, JsError> {
        console_error_panic_hook::set_once();
        let shell = Shell::start(Options::read(options)?, outside)?;
        Ok(Hub { shell })
    }

    /// Pauses for a reason: `person`, `battery`, `hidden` or `schedule`.
    pub fn pause(&self, reason: &str) {
        self.shell.condition(options::pause_reason(reason), true);
    }

    /// Takes a reason to pause back.
    pub fn resume(&self, reason: &str) {
        self.shell.condition(options::pause_reason(reason), false);
    }

    /// Finishes what runs, then leaves.
    pub fn finish(&self) {
        self.shell.happened(Input::Person(Person::Finish));
    }

    /// Leaves at once.
    pub fn stop(&self) {
        self.shell.happened(Input::Shutdown { drain: false });
    }

    /// Uses this many slots from now on.
    pub fn set_slots(&self, slots: u16) {
        self.shell.set_slots(slots);
    }

    /// Works this share of the time from now on.
    pub fn set_intensity(&self, percent: u8) {
        self.shell
            .happened(Input::Person(Person::SetIntensity(percent.clamp(1, 100))));
    }

    /// A blob worker has compiled a program.
    pub fn compiled(&self, program: u32) {
        self.shell.compiled(program);
    }

    /// A blob worker cannot compile a program.
    pub fn refused(&self, program: u32, detail: String) {
        self.shell.refused(program, detail);
    }

    /// A blob worker reports outputs of the shards from `first` on, one behind the other, and a failure behind them.
    #[allow(clippy::too_many_arguments, reason = "the fields of one message")]
    pub fn report(
        &self,
        worker: u32,
        batch: u32,
        first: u32,
        lengths: Vec<u32>,
        data: Vec<u8>,
        busy_us: f64,
        failure: Option<String>,
    ) {
        let failure = failure.and_then(|json| serde_json::from_str::<SlotFailure>(&json).ok());
        let failure = failure.map(|slot| {
            let failure = Failure {
                cause: slot.cause,
                detail: slot.detail,
            };
            (failure, microseconds(slot.busy_us))
        });
        let report = Report {
            batch,
            first,
            lengths,
            data,
            busy_us: microseconds(busy_us),
            failure,
        };
        self.shell.report(worker, report);
    }

    /// A blob worker is through with a batch.
    pub fn batch_ended(&self, worker: u32, batch: u32) {
        self.shell.batch_ended(worker, batch);
    }

    /// A blob worker's script failed.
    pub fn slot_died(&self, worker: u32, detail: &str) {
        self.shell.slot_died(worker, detail);
    }
}

/// What a blob worker reports.
#[derive(Debug)]
pub struct Report {
    /// The hand-out.
    pub batch: u32,
    /// First shard of the hand-out that is reported on.
    pub first: u32,
    /// Length of each output.
    pub lengths: Vec<u32>,
    /// The outputs.
    pub data: Vec<u8>,
    /// Their execution time, all together.
    pub busy_us: u64,
    /// Why the shard behind them has none, and its execution time.
    pub failure: Option<(Failure, u64)>,
}

impl Report {
    /// How many shards are over.
    pub fn shards(&self) -> usize {
        self.lengths.len() + usize::from(self.failure.is_some())
    }
}

#[allow(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "clamped to what fits"
)]
fn microseconds(value: f64) -> u64 {
    value.clamp(0.0, 1e15) as u64
}
