//! An executable that compiles, or runs programs, for another process and does nothing else: what the tests
//! start as [`runtime::Compiler::Child`] and as a guest process. The real binaries are their own children.
use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::child().unwrap_or(ExitCode::FAILURE)
}
