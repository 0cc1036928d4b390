//! How many items make a shard, and how many shards are claimed at a time.
//!
//! With an automatic grain the first shards have one item each: the pilot. From the first one that
//! is measured on, every claim is cut for shards of [`SHARD_TARGET_MS`]. Claims cover some seconds of
//! work, so a job whose items grow heavier is cut finer as it goes.
use crate::executor::Executor;
use crate::job::Job;
use protocol::job::Grain;
use protocol::limits::{GRAIN_MAX, SHARD_TARGET_MS};

/// A grain grows at most so much from one claim to the next: the first items may be light.
const GROWTH: u32 = 32;
/// A measured grain this close to the one in use changes nothing, so that segments stay few.
const KEEP_WITHIN: f64 = 1.5;
/// Work that a claim covers, in seconds of the rate measured lately.
const CLAIM_SECONDS: f64 = 2.0;
/// Bounds of a claim, in shards.
const CLAIM_SHARDS_MIN: u32 = 64;
const CLAIM_SHARDS_MAX: u32 = 65_536;
/// Shards that should be left for each slot towards the end of a stage.
const SHARDS_PER_SLOT_AT_END: u64 = 4;

/// The items that fresh shards of a job are to have.
pub(crate) fn grain(job: &Job, slots: u32) -> u32 {
    let Grain::Auto = job.seed.grain else {
        let Grain::Items(items) = job.seed.grain else {
            return 1;
        };
        return items.clamp(1, GRAIN_MAX);
    };
    let Some(item_ms) = job.item_ms.get() else {
        return 1;
    };
    let current = job.cut.segments().last().map_or(1, |s| s.grain);
    let ideal = f64::from(SHARD_TARGET_MS) / item_ms.max(1e-6);
    let near = f64::from(current);
    let wanted = if ideal > near / KEEP_WITHIN && ideal < near * KEEP_WITHIN {
        near
    } else {
        ideal
    };
    let left = job.totals.items - job.totals.items_cut;
    let share = left.div_ceil(SHARDS_PER_SLOT_AT_END * u64::from(slots.max(1)));
    let ceiling = u64::from(current.saturating_mul(GROWTH).min(GRAIN_MAX)).min(share.max(1));
    (wanted.max(1.0) as u64).min(ceiling) as u32
}

/// How many shards to ask for, while `workers` might take them.
pub(crate) fn claim_shards<'a>(
    job: &Job,
    now_ms: u64,
    grain: u32,
    workers: impl Iterator<Item = &'a Executor>,
) -> u32 {
    let mut slots = 0;
    let mut windows = 0u32;
    for worker in workers {
        slots += u32::from(worker.slots);
        let shard_ms = worker.shard_ms(job.speed_key, grain).unwrap_or(f64::INFINITY);
        windows = windows.saturating_add(worker.window(job.speed_key, shard_ms));
    }
    let is_pilot = job.seed.grain == Grain::Auto && job.item_ms.get().is_none();
    if is_pilot {
        return (2 * slots).max(1);
    }
    let by_rate = (job.executed_rate.get(now_ms) * CLAIM_SECONDS).min(f64::from(CLAIM_SHARDS_MAX)) as u32;
    windows
        .saturating_mul(2)
        .max(by_rate)
        .clamp(CLAIM_SHARDS_MIN, CLAIM_SHARDS_MAX)
}
