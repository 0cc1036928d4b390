//! What a contributor sees: the status a few times a second, and tiles of pictures at a bounded rate.
use kernel_abi::Items;
use protocol::wire::{ItemSource, OpenJob};
use serde::Serialize;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use worker::{Activity, Status};

/// A job stays in sight this long after its last batch, and a slot stays busy: batches are short, eyes are slow.
const LINGER_MS: f64 = 1_500.0;
/// Jobs in sight at once.
const JOBS_SHOWN_MAX: usize = 16;
/// Items a second are counted over this long.
const RATE_MS: f64 = 5_000.0;
/// Tiles, and bytes of tiles, that may go to the page between two looks.
const TILES_PER_LOOK: u32 = 512;
const TILE_BYTES_PER_LOOK: usize = 4 << 20;
/// Longest parameters that are shown.
const PARAMS_SHOWN_BYTES_MAX: usize = 4 << 10;

/// The status as the page gets it; see `ts/shared/messages.ts`.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    state: &'static str,
    reason: String,
    detail: String,
    jobs: Vec<&'a JobView>,
    slots: u16,
    busy: Vec<bool>,
    intensity_percent: u8,
    shards_done: u64,
    items_done: u64,
    shards_failed: u64,
    items_per_second: f64,
    started_ms: f64,
    connection_errors: u32,
}

/// One job this tab works for.
#[derive(Debug, Serialize)]
pub struct JobView {
    id: String,
    name: String,
    owner: String,
    entry: String,
    picture: bool,
    params: Value,
    #[serde(skip)]
    seen_ms: f64,
}

/// What is remembered between two looks.
#[derive(Debug)]
pub struct Shown {
    started_ms: f64,
    /// Connections lost or refused.
    pub connection_errors: u32,
    jobs: Vec<JobView>,
    busy_until_ms: HashMap<u16, f64>,
    rate: Rate,
    tiles_left: u32,
    tile_bytes_left: usize,
}

impl Shown {
    /// Nothing seen yet; `started_ms` since 1970.
    pub fn new(started_ms: f64) -> Self {
        Self {
            started_ms,
            connection_errors: 0,
            jobs: Vec::new(),
            busy_until_ms: HashMap::new(),
            rate: Rate::default(),
            tiles_left: TILES_PER_LOOK,
            tile_bytes_left: TILE_BYTES_PER_LOOK,
        }
    }

    /// A slot works for a job now.
    pub fn saw(&mut self, slot: u16, job: &Arc<OpenJob>, now_ms: f64) {
        self.busy_until_ms.insert(slot, now_ms + LINGER_MS);
        let id = job.id.to_string();
        if let Some(known) = self.jobs.iter_mut().find(|known| known.id == id) {
            known.seen_ms = now_ms;
        } else if self.jobs.len() < JOBS_SHOWN_MAX {
            self.jobs.push(JobView::new(id, job, now_ms));
        }
    }

    /// A contributor looks: the status, and room for further tiles.
    pub fn look(&mut self, status: &Status, now_ms: f64) -> View<'_> {
        self.tiles_left = TILES_PER_LOOK;
        self.tile_bytes_left = TILE_BYTES_PER_LOOK;
        self.jobs.retain(|job| now_ms - job.seen_ms < LINGER_MS);
        let items_per_second = self.rate.add(now_ms, status.done.items);
        let (state, reason) = words(&status.activity);
        let is_busy = |slot| self.busy_until_ms.get(&slot).is_some_and(|&until| now_ms < until);
        View {
            state,
            reason,
            detail: detail(&status.activity),
            jobs: self.jobs.iter().collect(),
            slots: status.slots,
            busy: (0..status.slots).map(is_busy).collect(),
            intensity_percent: status.intensity_percent,
            shards_done: status.done.shards,
            items_done: status.done.items,
            shards_failed: status.done.failed,
            items_per_second,
            started_ms: self.started_ms,
            connection_errors: self.connection_errors,
        }
    }

    /// Whether a tile of so many bytes may still go to the page before the next look.
    pub fn admits_tile(&mut self, bytes: usize) -> bool {
        if self.tiles_left == 0 || self.tile_bytes_left < bytes {
            return false;
        }
        self.tiles_left -= 1;
        self.tile_bytes_left -= bytes;
        true
    }
}

impl JobView {
    fn new(id: String, job: &OpenJob, seen_ms: f64) -> Self {
        let shows = job.picture && job.params.len() <= PARAMS_SHOWN_BYTES_MAX;
        // Parameters that are no JSON are the program's business; a picture is then not drawn.
        let params = if shows {
            serde_json::from_slice(&job.params).unwrap_or_default()
        } else {
            Value::Null
        };
        let (name, owner, entry) = (job.name.clone(), job.owner.clone(), job.entry.clone());
        Self {
            id,
            name,
            owner,
            entry,
            picture: job.picture,
            params,
            seen_ms,
        }
    }
}

/// Items a second over the last few seconds.
#[derive(Debug, Default)]
struct Rate {
    samples: VecDeque<(f64, u64)>,
}

impl Rate {
    fn add(&mut self, now_ms: f64, items: u64) -> f64 {
        self.samples.push_back((now_ms, items));
        while self.samples.len() > 2 && now_ms - self.samples[1].0 > RATE_MS {
            self.samples.pop_front();
        }
        let (then_ms, before) = self.samples[0];
        let passed_ms = now_ms - then_ms;
        if passed_ms <= 0.0 {
            0.0
        } else {
            (items - before) as f64 * 1_000.0 / passed_ms
        }
    }
}

/// The state and the reason, as stable words.
fn words(activity: &Activity) -> (&'static str, String) {
    let (state, reason) = match activity {
        Activity::NotStarted => ("stopped", "not_started"),
        Activity::Connecting { failures: 0, .. } => ("connecting", ""),
        Activity::Connecting { .. } => ("connecting", "cannot_connect"),
        Activity::NoWork => ("idle", "no_work"),
        Activity::WaitingForProgram => ("working", "waiting_for_program"),
        Activity::WaitingForInput => ("working", "waiting_for_input"),
        Activity::Working => ("working", ""),
        Activity::Resting => ("working", "resting"),
        Activity::WaitingForUpload => ("working", "waiting_for_upload"),
        Activity::Paused(reason) => return ("paused", word(reason)),
        Activity::Finishing => ("finishing", ""),
        Activity::Refused { code, .. } => return ("stopped", word(code)),
        Activity::Ended => ("stopped", "ended"),
    };
    (state, reason.into())
}

/// What the words do not say by themselves.
fn detail(activity: &Activity) -> String {
    match activity {
        Activity::Connecting { reason, failures } if *failures > 0 => {
            format!("{reason}. Tried {failures} times; this tab keeps trying by itself.")
        }
        Activity::Refused { detail, .. } => detail.clone(),
        _ => String::new(),
    }
}

/// A wire type's stable word.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// The number of the first item of a shard whose items are a range; others make no picture here.
pub fn first_item(job: &OpenJob, input: &[u8]) -> Option<u64> {
    let ItemSource::Range { start, step } = job.source else {
        return None;
    };
    match kernel_abi::decode(input).ok()?.items {
        Items::Range { first, .. } => {
            let offset = i128::from(first) - i128::from(start);
            u64::try_from(offset.checked_div(i128::from(step))?).ok()
        }
        Items::List(_) => None,
    }
}
