//! A job's items: counted, checked as far as that is cheap, and put where shards are cut from.
use super::super::App;
use super::super::problem::{ApiError, ApiResult, kind};
use super::check;
use crate::store::{Chunk, Source};
use protocol::description::{Entry, FieldKind};
use protocol::job::{BlobSpec, Encoding, InputSpec, JobSpec, RangeSpec, Split};
use protocol::limits;
use serde_json::Value;

/// Most items that are named as wrong in one answer.
const WRONG_ITEMS_MAX: usize = 10;

/// What is known of the items.
pub(super) struct Items {
    pub(super) source: Source,
    pub(super) count: u64,
    pub(super) closed: bool,
    pub(super) chunk: Option<Chunk>,
}

/// Takes the items out of the job: a list becomes a blob and is emptied.
pub(super) async fn take(app: &App, entry: &Entry, spec: &mut JobSpec) -> ApiResult<Items> {
    let grain = spec.grain;
    let items = match &mut spec.input {
        InputSpec::Range(range) => of_range(entry, *range)?,
        InputSpec::Items(list) => of_list(app, entry, std::mem::take(list)).await?,
        InputSpec::Blob(blob) => of_blob(app, *blob).await?,
        InputSpec::Open(open) => {
            let source = Source::Lines(open.encoding);
            return Ok(Items {
                source,
                count: 0,
                closed: false,
                chunk: None,
            });
        }
    };
    check::count(items.count, grain)?;
    Ok(items)
}

fn of_range(entry: &Entry, range: RangeSpec) -> ApiResult<Items> {
    let RangeSpec { start, end, step } = range;
    let Some(count) = range.count() else {
        let advice = format!("is 0, so {end} is never reached: use 1, or -1 to count down");
        return Err(ApiError::field(kind::STEP, "input.range.step", advice));
    };
    if count == 0 {
        let advice = format!("holds no number: from {start} before {end} by {step}");
        return Err(ApiError::field(kind::EMPTY, "input.range", advice));
    }
    check::count(count, protocol::job::Grain::Auto)?;
    ends_fit(entry, start, step, count)?;
    Ok(Items {
        source: Source::Range { start, step },
        count,
        closed: true,
        chunk: None,
    })
}

/// Whatever holds for the first and the last number of a range holds for those between.
fn ends_fit(entry: &Entry, start: i64, step: i64, count: u64) -> ApiResult<()> {
    let numbers = |kind| matches!(kind, FieldKind::Integer | FieldKind::Number | FieldKind::Json);
    if let Some(field) = entry.item.as_ref().filter(|field| !numbers(field.kind)) {
        let advice = format!(
            "the items of '{}' are {}: use a list or a blob",
            entry.name,
            field.wanted()
        );
        return Err(ApiError::field(kind::ITEMS, "input.range", advice));
    }
    let last = i128::from(start) + i128::from(count - 1) * i128::from(step);
    let last = i64::try_from(last).unwrap_or(i64::MAX);
    let wrong: Vec<_> = [(0, start), (count - 1, last)]
        .into_iter()
        .filter_map(|(number, value)| check::item_problem(entry, &Value::from(value), number))
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(ApiError::with_fields(kind::ITEMS, wrong))
    }
}

async fn of_list(app: &App, entry: &Entry, list: Vec<Value>) -> ApiResult<Items> {
    let mut lines = Vec::new();
    let mut wrong = Vec::new();
    for (number, item) in (0u64..).zip(&list) {
        let before = lines.len();
        serde_json::to_writer(&mut lines, item).map_err(ApiError::internal)?;
        let bytes = lines.len() - before;
        lines.push(b'\n');
        wrong.extend(check::item_problem(entry, item, number).or_else(|| too_long(number, bytes)));
        if wrong.len() >= WRONG_ITEMS_MAX {
            break;
        }
    }
    if !wrong.is_empty() {
        return Err(ApiError::with_fields(kind::ITEMS, wrong));
    }
    let count = list.len() as u64;
    check::count(count, protocol::job::Grain::Auto)?;
    let blob = app.blobs.put(lines.into()).await?;
    let chunk = Some(Chunk {
        first_item: 0,
        items: count,
        blob,
    });
    Ok(Items {
        source: Source::Lines(Encoding::Json),
        count,
        closed: true,
        chunk,
    })
}

fn too_long(number: u64, bytes: usize) -> Option<protocol::description::ParamProblem> {
    let max = limits::ITEM_BYTES_MAX;
    let told = || {
        check::problem(
            &format!("item {number}"),
            format!("has {bytes} bytes; at most {max} are allowed: split it, or give it as records"),
        )
    };
    (bytes > max).then(told)
}

async fn of_blob(app: &App, spec: BlobSpec) -> ApiResult<Items> {
    let blob = spec.blob;
    let Some(length) = app.blobs.length(blob).await? else {
        return Err(check::blob_missing(blob));
    };
    let (source, count) = match spec.split {
        Split::Lines => {
            let longest = app.blobs.longest_line(blob).await?;
            let bytes = usize::try_from(longest.bytes).unwrap_or(usize::MAX);
            if let Some(wrong) = too_long(longest.line, bytes) {
                return Err(ApiError::with_fields(kind::ITEMS, vec![wrong]));
            }
            (Source::Lines(spec.encoding), app.blobs.count_lines(blob).await?)
        }
        Split::Records(bytes) => (Source::Records { bytes }, records(length, bytes)?),
    };
    if count == 0 {
        let advice = format!("{blob} is empty: upload one that holds items");
        return Err(ApiError::field(kind::EMPTY, "input.blob", advice));
    }
    let chunk = Some(Chunk {
        first_item: 0,
        items: count,
        blob,
    });
    Ok(Items {
        source,
        count,
        closed: true,
        chunk,
    })
}

fn records(length: u64, bytes: u32) -> ApiResult<u64> {
    let max = limits::ITEM_BYTES_MAX;
    if bytes == 0 || bytes as usize > max {
        let advice = format!("must be from 1 to {max} bytes, not {bytes}");
        return Err(ApiError::field(kind::LIMIT, "input.blob.split.records", advice));
    }
    Ok(length.div_ceil(u64::from(bytes)))
}
