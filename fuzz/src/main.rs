//! The program that libFuzzer drives: `FUZZ_TARGET=frames fuzz CORPUS…`. Its flags are libFuzzer's.
#![no_main]

use fuzz::Target;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// The engine owns the command line, so the target comes by another way.
const VARIABLE: &str = "FUZZ_TARGET";

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var(VARIABLE).unwrap_or_default();
    let names = fuzz::TARGETS.map(|target| target.name).join(", ");
    fuzz::named(&name).unwrap_or_else(|| panic!("{VARIABLE} must be one of {names}"))
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
