//! What is computed: items that name themselves, and outputs that prove which items went in.
//!
//! [`expected`] is computed from the plan alone, so it also proves that cutting, leasing and splitting
//! gave every shard exactly its items.
use crate::plan::JobPlan;
use bytes::Bytes;
use kernel_abi::Items;
use protocol::wire::ItemSource;

/// FNV-1a: the "answer" of an item.
fn answer(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// An item's bytes as they lie in the input.
fn item_bytes(plan: &JobPlan, item: u64) -> Vec<u8> {
    match plan.source {
        ItemSource::Range { start, step } => {
            let value = i128::from(start) + i128::from(item) * i128::from(step);
            i64::try_from(value).unwrap_or(i64::MAX).to_le_bytes().to_vec()
        }
        // Lines of several lengths, the empty one among them.
        ItemSource::Lines(_) => match item % 5 {
            4 => Vec::new(),
            more => format!("{item}{}", "x".repeat(more as usize)).into_bytes(),
        },
        ItemSource::Records { bytes } => {
            let mut record = item.to_le_bytes().repeat(4);
            // The last record may be shorter.
            let last = item + 1 == plan.items;
            record.truncate(bytes as usize - usize::from(last && bytes > 1));
            record
        }
    }
}

/// The input of the items `[first, end)`, and where it begins in the whole.
pub(crate) fn input(plan: &JobPlan, first: u64, end: u64) -> Bytes {
    let mut bytes = Vec::new();
    for item in first..end {
        bytes.extend(item_bytes(plan, item));
        if matches!(plan.source, ItemSource::Lines(_)) {
            bytes.push(b'\n');
        }
    }
    bytes.into()
}

fn write(out: &mut Vec<u8>, item: &[u8], padding: usize) {
    out.extend(answer(item).to_le_bytes());
    out.resize(out.len() + padding, 0);
}

/// What a shard of the items `[first, end)` must put out.
pub(crate) fn expected(plan: &JobPlan, first: u64, end: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for item in first..end {
        write(&mut out, &item_bytes(plan, item), plan.padding_bytes);
    }
    out
}

/// Executes a shard: the output, or the message of a trap.
pub(crate) fn execute(plan: &JobPlan, input: &[u8]) -> Result<Vec<u8>, String> {
    let poison = plan.poison.map(|item| answer(&item_bytes(plan, item)));
    let mut out = Vec::new();
    let mut item = |bytes: &[u8]| {
        if poison == Some(answer(bytes)) {
            return Err(String::from("unreachable executed"));
        }
        write(&mut out, bytes, plan.padding_bytes);
        Ok(())
    };
    match kernel_abi::decode(input)
        .map_err(|error| error.to_string())?
        .items
    {
        Items::Range { first, step, count } => {
            for k in 0..i64::from(count) {
                item(&(first + k * step).to_le_bytes())?;
            }
        }
        Items::List(list) => {
            for bytes in list.iter() {
                item(bytes.map_err(|error| error.to_string())?)?;
            }
        }
    }
    Ok(out)
}
