//! How soon admission says no to modules that are made to keep a compiler busy.
use crate::table::Table;
use anyhow::{Result, bail};
use std::time::Instant;

/// Each is refused within this.
const REFUSED_MS_MAX: f64 = 100.0;
const ROUNDS: usize = 5;

/// Adds the slowest refusal of all bombs, and a note with each.
pub(crate) fn rows(table: &mut Table) -> Result<()> {
    let mut slowest = 0.0f64;
    let mut told = Vec::new();
    for (name, text) in bombs() {
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

fn bombs() -> Vec<(&'static str, String)> {
    let module =
        |more: String| format!("(module (memory (export \"memory\") 1 2) (func (export \"e\")) {more})");
    let nested =
        |open: &str, depth: usize| module(format!("(func {} {})", open.repeat(depth), "end ".repeat(depth)));
    vec![
        ("2,000 nested loops", nested("loop ", 2_000)),
        ("60,000 nested blocks", nested("block ", 60_000)),
        (
            "a function of 6 MiB",
            module(format!("(func {})", "i32.const 1234567 drop ".repeat(900_000))),
        ),
        (
            "50,000 locals",
            module(format!("(func {})", "(local i32)".repeat(50_000))),
        ),
        ("a million functions", module("(func)".repeat(1_000_000))),
        (
            "a branch table of 100,000",
            module(format!(
                "(func (block (br_table {} (i32.const 0))))",
                "0 ".repeat(100_000)
            )),
        ),
    ]
}
