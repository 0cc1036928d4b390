//! Tells what was found in a module and what was done so that it computes the same everywhere.
use crate::bulk::{PIECE_BYTES_MAX, PIECE_ELEMENTS_MAX};
use crate::check::Shape;
use crate::depth::STACK_BYTES_MAX;
use crate::limits::MEMORY_BYTES_MAX;
use crate::rewrite::Additions;
use protocol::description::ModuleReport;

/// The proposals by the validator's names, and their names for people.
const FEATURES: [(&str, &str); 5] = [
    ("bulk_memory", "bulk memory"),
    ("reference_types", "reference types"),
    ("saturating_float_to_int", "saturating conversions"),
    ("sign_extension", "sign extension"),
    ("simd", "SIMD"),
];

/// The report on a module that passed.
pub(crate) fn report(shape: &Shape, additions: &Additions) -> ModuleReport {
    let (memory_bytes_min, declared) = shape.memory;
    ModuleReport {
        memory_bytes_min,
        memory_bytes_max: declared.map_or(MEMORY_BYTES_MAX, |declared| declared.min(MEMORY_BYTES_MAX)),
        features: features(shape),
        notes: [
            memory(declared),
            nans(shape),
            depth(shape, additions),
            bulk(additions),
            clock(shape),
            chance(shape),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

fn features(shape: &Shape) -> Vec<String> {
    let used = |name: &str| {
        shape
            .functions
            .iter()
            .any(|function| function.features.contains(&name))
    };
    let mut names: Vec<_> = FEATURES
        .iter()
        .filter(|(name, _)| used(name))
        .map(|(_, name)| (*name).to_owned())
        .collect();
    if shape
        .signatures
        .types
        .iter()
        .flatten()
        .any(|ty| ty.results().len() > 1)
    {
        names.push("multiple results".into());
    }
    names
}

fn memory(declared: Option<u64>) -> Option<String> {
    let found = match declared {
        Some(bytes) if bytes <= MEMORY_BYTES_MAX => return None,
        Some(bytes) => format!("a maximum of {} MiB", bytes >> 20),
        None => "no maximum".into(),
    };
    Some(format!(
        "The memory declares {found}; it can grow to {} MiB, or to less where the job says so",
        MEMORY_BYTES_MAX >> 20
    ))
}

fn nans(shape: &Shape) -> Option<String> {
    let places: u32 = shape.functions.iter().map(|function| function.repairs).sum();
    let functions = shape
        .functions
        .iter()
        .filter(|function| function.repairs > 0)
        .count();
    (places > 0).then(|| {
        format!(
            "NaNs whose bits could be seen are made canonical at {places} places in {functions} functions"
        )
    })
}

fn depth(shape: &Shape, additions: &Additions) -> Option<String> {
    (additions.counted > 0).then(|| {
        format!(
            "Calls are counted in {} of {} functions; recursion deeper than {} KiB of stack traps",
            additions.counted,
            shape.functions.len(),
            STACK_BYTES_MAX >> 10
        )
    })
}

fn bulk(additions: &Additions) -> Option<String> {
    (additions.divided > 0).then(|| {
        format!(
            "Memory or the table is filled or copied at {} places in pieces of at most {} KiB or {} elements, so that \
             it can be stopped",
            additions.divided,
            PIECE_BYTES_MAX >> 10,
            PIECE_ELEMENTS_MAX
        )
    })
}

fn clock(shape: &Shape) -> Option<String> {
    imports(shape, &["clock_time_get", "poll_oneoff"])
        .then(|| "It asks for the time: its clock is the same in every run".into())
}

fn chance(shape: &Shape) -> Option<String> {
    imports(shape, &["random_get"])
        .then(|| "It asks for random numbers: they follow from `seed` and repeat".into())
}

fn imports(shape: &Shape, names: &[&str]) -> bool {
    shape.wasi.iter().any(|import| names.contains(&import.as_str()))
}
