//! The limits of a job, its parameters, and its items against what the entry takes.
use super::super::App;
use super::super::problem::{ApiError, ApiResult, kind};
use super::super::sight::Sight;
use protocol::description::{Description, Entry, OutputKind, ParamProblem};
use protocol::ids::BlobHash;
use protocol::job::{Grain, InputSpec, JobSpec, ReduceSpec};
use protocol::limits;
use serde_json::Value;
use std::fmt::Display;

/// Most labels of a job.
const LABELS_MAX: usize = 32;
const PRIORITY_MAX: i8 = 100;
const WEIGHT_MAX: u16 = 10_000;
const ATTEMPTS_MAX: u8 = 100;

/// Who may not read everything names blobs that they uploaded themselves: otherwise a job would read them out.
pub(super) async fn input_is_the_callers(app: &App, sight: &Sight, input: &InputSpec) -> ApiResult<()> {
    let (Sight::Own(owner), InputSpec::Blob(spec)) = (sight, input) else {
        return Ok(());
    };
    if app.blobs.is_upload_of(owner, spec.blob).await? {
        return Ok(());
    }
    Err(blob_missing(spec.blob))
}

/// The same for what is not there and for what is not the caller's.
pub(super) fn blob_missing(blob: BlobHash) -> ApiError {
    let advice =
        format!("{blob} is not here: upload it first with POST /api/v1/blobs, which answers its hash");
    ApiError::field(kind::BLOB_MISSING, "input.blob.blob", advice)
}

/// Every limit that does not depend on the input.
pub(super) fn limits(spec: &JobSpec) -> ApiResult<()> {
    let mut wrong = Vec::new();
    within(&mut wrong, "priority", spec.priority, -PRIORITY_MAX, PRIORITY_MAX);
    within(&mut wrong, "weight", spec.weight, 1, WEIGHT_MAX);
    within(&mut wrong, "attempts_max", spec.attempts_max, 1, ATTEMPTS_MAX);
    within(
        &mut wrong,
        "limits.memory_mib",
        spec.limits.memory_mib,
        1,
        limits::MEMORY_MIB_MAX,
    );
    within(
        &mut wrong,
        "limits.shard_time_ms",
        spec.limits.shard_time_ms,
        1,
        limits::SHARD_TIME_MS_MAX,
    );
    if let Grain::Items(grain) = spec.grain {
        within(&mut wrong, "grain.items", grain, 1, limits::GRAIN_MAX);
    }
    short(&mut wrong, "name", &spec.name);
    within(&mut wrong, "labels", spec.labels.len(), 0, LABELS_MAX);
    for (name, value) in &spec.labels {
        short(&mut wrong, "labels", name);
        short(&mut wrong, &format!("labels.{name}"), value);
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(ApiError::with_fields(kind::LIMIT, wrong))
    }
}

fn within<T: PartialOrd + Display>(wrong: &mut Vec<ParamProblem>, field: &str, value: T, min: T, max: T) {
    if value < min || value > max {
        wrong.push(problem(
            field,
            format!("must be from {min} to {max}, not {value}"),
        ));
    }
}

fn short(wrong: &mut Vec<ParamProblem>, field: &str, text: &str) {
    let chars = text.chars().count();
    if chars > limits::NAME_CHARS_MAX {
        let max = limits::NAME_CHARS_MAX;
        wrong.push(problem(
            field,
            format!("has {chars} characters; at most {max} are allowed"),
        ));
    }
}

/// The outputs can be reduced as the job asks.
pub(super) fn reduction(program: &Description, map: &Entry, reduce: Option<&ReduceSpec>) -> ApiResult<()> {
    let Some(reduce) = reduce else { return Ok(()) };
    let reducer = super::find_entry(program, &reduce.entry, "reduce.entry")?;
    for (field, entry) in [("entry", map), ("reduce.entry", reducer)] {
        if entry.output != OutputKind::Json {
            let name = &entry.name;
            let what = format!("'{name}' writes bytes; only outputs that are JSON can be reduced");
            return Err(ApiError::field(kind::ENTRY, field, what));
        }
    }
    let mut wrong = Vec::new();
    let (min, max) = (limits::FAN_IN_MIN, limits::FAN_IN_MAX);
    within(&mut wrong, "reduce.fan_in", reduce.fan_in, min, max);
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(ApiError::with_fields(kind::LIMIT, wrong))
    }
}

/// The parameters with the entry's defaults filled in.
pub(super) fn params(entry: &Entry, given: &Value) -> ApiResult<Value> {
    let complete = entry
        .check_params(given)
        .map_err(|wrong| ApiError::with_fields(kind::PARAMS, wrong))?;
    let bytes = complete.to_string().len();
    let max = limits::PARAMS_BYTES_MAX;
    if bytes > max {
        let what = format!("have {bytes} bytes as JSON; at most {max} are allowed (what differs is an item)");
        return Err(ApiError::field(kind::LIMIT, "params", what));
    }
    Ok(complete)
}

/// What is wrong with an item, if anything.
pub(in super::super) fn item_problem(entry: &Entry, item: &Value, number: u64) -> Option<ParamProblem> {
    let field = entry.item.as_ref()?;
    let wrong = field.check(item).err()?;
    Some(problem(&format!("item {number}"), wrong))
}

pub(super) fn problem(field: &str, problem: String) -> ParamProblem {
    ParamProblem {
        field: field.into(),
        problem,
    }
}

/// The number of items is within the limits, and so is that of shards.
pub(super) fn count(items: u64, grain: Grain) -> ApiResult<()> {
    if items == 0 {
        let advice = "a job needs at least one item (or an open input, to which items are added later)";
        return Err(ApiError::field(kind::EMPTY, "input", advice));
    }
    if items > limits::ITEMS_MAX {
        let what = format!("has {items} items; at most {} are allowed", limits::ITEMS_MAX);
        return Err(ApiError::field(kind::LIMIT, "input", what));
    }
    let max = u64::from(limits::SHARDS_PER_STAGE_MAX);
    match grain {
        Grain::Items(grain) if items.div_ceil(u64::from(grain)) > max => {
            let shards = items.div_ceil(u64::from(grain));
            let enough = items.div_ceil(max);
            let what = format!("would make {shards} shards; at most {max} are allowed: use {enough} or more");
            Err(ApiError::field(kind::LIMIT, "grain.items", what))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::job::OpenSpec;

    #[test]
    fn every_limit_that_is_passed_is_told_with_its_value() {
        let mut spec = JobSpec::new("p", "e", InputSpec::Open(OpenSpec::default()));
        limits(&spec).unwrap();
        spec.weight = 0;
        spec.limits.memory_mib = 9_999;
        spec.name = "x".repeat(201);
        let told = format!("{:?}", limits(&spec).unwrap_err());
        for part in [
            "must be from 1 to 10000, not 0",
            "must be from 1 to 1024, not 9999",
            "has 201 characters",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn a_grain_that_makes_too_many_shards_says_which_is_enough() {
        let told = format!("{:?}", count(1 << 40, Grain::Items(1)).unwrap_err());
        assert!(told.contains("use 65536 or more"), "{told}");
        count(1 << 40, Grain::Items(65_536)).unwrap();
        count(1 << 40, Grain::Auto).unwrap();
    }
}
