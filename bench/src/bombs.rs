//! How soon admission says no to modules that are made to keep a compiler busy.
use crate::table::Table;
use anyhow::{Result, bail};
use std::time::Instant;

/// The same as the test of the promise has.
#[path = "../../runtime/tests/bombs/mod.rs"]
#[allow(dead_code, reason = "the test needs more of it")]
mod corpus;

/// Each is refused within this.
const REFUSED_MS_MAX: f64 = 100.0;
const ROUNDS: usize = 5;

/// Adds the slowest refusal of all bombs, and a note with each.
pub(crate) fn rows(table: &mut Table) -> Result<()> {
    let mut slowest = 0.0f64;
    let mut told = Vec::new();
    for (name, text) in corpus::bombs() {
        let module = wat::parse_str(text)?;
        let bytes = module.len();
        let ms = refused(&module, name)?;
        slowest = slowest.max(ms);
        told.push(format!("{name} ({} KiB) {ms:.1} ms", bytes.div_ceil(1 << 10)));
    }
    table.at_most(
        "compile bomb refused",
        slowest,
        "ms",
        REFUSED_MS_MAX,
        REFUSED_MS_MAX,
    );
    table.note(&format!("bombs, until they were refused: {}", told.join(", ")));
    Ok(())
}

/// The least of some rounds, in milliseconds.
fn refused(module: &[u8], name: &str) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let copy = module.to_vec();
        let start = Instant::now();
        let admitted = program::admit(copy);
        least = least.min(start.elapsed().as_secs_f64() * 1e3);
        if admitted.is_ok() {
            bail!("the bomb '{name}' was admitted");
        }
    }
    Ok(least)
}
