//! A kernel: a Rust function that is called with every item.
//!
//! ```text
//! rustup target add wasm32-unknown-unknown
//! cargo build --release --target wasm32-unknown-unknown
//! elytra run target/wasm32-unknown-unknown/release/first_kernel.wasm 3 5 7 27
//! ```
use elytra_kernel::{Params, kernel};
use serde::Serialize;

/// What is the same for every item.
#[derive(Params)]
pub struct Rule {
    /// What an odd number is multiplied with.
    #[param(default = 3, min = 1, max = 9)]
    factor: u64,
}

/// How long the path from a number down to 1 is.
#[derive(Serialize)]
pub struct Path {
    start: u64,
    steps: u32,
}

/// Steps that are counted at most.
const STEPS_MAX: u32 = 10_000;

/// How many steps Collatz's rule takes from a number down to 1.
#[kernel(title = "Collatz", item = "a whole number from 1 on")]
pub fn collatz(start: u64, rule: &Rule) -> Result<Path, String> {
    let (mut n, mut steps) = (start, 0);
    while n > 1 && steps < STEPS_MAX {
        n = match n % 2 {
            0 => n / 2,
            _ => n
                .checked_mul(rule.factor)
                .and_then(|n| n.checked_add(1))
                .ok_or_else(|| format!("{start} climbs too high"))?,
        };
        steps += 1;
    }
    Ok(Path { start, steps })
}
