//! What the native sandbox promises, a test each, named as in `docs/reliability.md`.
//!
//! | file | what it holds |
//! |---|---|
//! | `authority` | a program has its input and its output, and native code in its process has no more |
//! | `compile_bombs` | nobody waits for a module that is made to keep a compiler busy |
//! | `contained` | time, memory, and what is left of a program for the next |
mod authority;
#[path = "../bombs/mod.rs"]
mod bombs;
mod compile_bombs;
mod contained;
#[path = "../parent/mod.rs"]
mod parent;

use std::sync::{Mutex, MutexGuard, PoisonError};

static ALONE: Mutex<()> = Mutex::new(());

/// One promise at a time: they measure what this process and its children take.
fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
