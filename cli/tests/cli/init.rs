//! First programs: written by `elytra init`, built as they say, and run.
use crate::house::{Dev, Ended, elytra};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many steps Collatz's rule takes from 3, 5, 7 and 27.
const COLLATZ: &str = "\
{\"start\":3,\"steps\":7}
{\"start\":5,\"steps\":5}
{\"start\":7,\"steps\":16}
{\"start\":27,\"steps\":111}
";

#[test]
fn first_programs_are_written_once() {
    let folder = tempfile::tempdir().unwrap();
    for (form, file) in [
        ("script", "first.ts"),
        ("command", "first.c"),
        ("kernel", "src/lib.rs"),
    ] {
        let init = || Ended::of(elytra(folder.path()).args(["init", form, form]).output().unwrap());
        init().ok();
        assert!(folder.path().join(form).join(file).exists());
        let told = init().failed(2);
        assert!(told.contains("is there already"), "{told}");
    }
}

/// Builds a crate with the compiler that builds our own kernels; `None` where the machine has none.
fn built(folder: &Path) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // The versions that are here already.
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["xtask", "build-crate"])
        .arg(folder)
        .current_dir(&root);
    let ended = Ended::of(cargo.output().unwrap());
    if ended.err.contains("no compiler for wasm32-unknown-unknown") {
        println!(
            "SKIPPED: there is no compiler for WebAssembly here: {}",
            ended.err
        );
        return None;
    }
    let said = ended.ok();
    Some(PathBuf::from(said.lines().last().unwrap()))
}

#[test]
fn the_first_kernel_is_built_admitted_and_run() {
    let house = Dev::start();
    house.run(&["init", "kernel", "first"]).ok();
    let Some(modules) = built(&house.path().join("first")) else {
        return;
    };
    let module = modules.join("first_kernel.wasm");
    let module = module.to_str().unwrap();
    let told = house.run(&["program", "check", module]).ok();
    assert!(told.contains("kernel"), "{told}");
    let outputs = house.run(&["run", module, "3", "5", "7", "27"]).ok();
    assert_eq!(outputs.lines().count(), 4, "{outputs}");
    assert_eq!(outputs, COLLATZ);
}

#[test]
fn the_first_script_runs_as_it_is_written() {
    let house = Dev::start();
    house.run(&["init", "script", "."]).ok();
    assert_eq!(house.run(&["run", "first.ts", "3", "5", "7", "27"]).ok(), COLLATZ);
}
