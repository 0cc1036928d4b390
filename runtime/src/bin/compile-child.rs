//! An executable that only compiles: what the tests start as [`runtime::Compiler::Child`]. The real
//! binaries are their own child.
use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::compile_child().unwrap_or(ExitCode::FAILURE)
}
