//! `build-web`: everything a browser loads, built from Rust and TypeScript into `dist/`.

use crate::bindgen::{self, Binding, Names};
use crate::command;
use crate::compress;
use crate::house::House;
use crate::toolchain::{TARGET, Toolchain};
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use std::fs;
use std::path::{Path, PathBuf};

/// The cargo profile of everything here; see the root manifest.
const PROFILE: &str = "web";

/// What can be built by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The standard kernels, as the one module that tabs and servers run.
    Kernels,
    /// The standard kernels as an npm package.
    RustCoreNpm,
    /// The worker of a tab.
    WebWorker,
    /// The pages: dashboard and hand-written files.
    Dashboard,
    /// All of them.
    All,
}

const EVERY_PART: [Part; 4] = [Part::Kernels, Part::RustCoreNpm, Part::WebWorker, Part::Dashboard];

/// Builds the named parts, or all when none is named.
pub(crate) fn build(house: &House, parts: &[Part]) -> Result<()> {
    let toolchain = Toolchain::find(house)?;
    let all = parts.is_empty() || parts.contains(&Part::All);
    let wanted = EVERY_PART.into_iter().filter(|part| all || parts.contains(part));
    for part in wanted {
        match part {
            Part::Kernels => kernels(house, toolchain)?,
            Part::RustCoreNpm => rust_core_npm(house, toolchain)?,
            Part::WebWorker => web_worker(house, toolchain)?,
            Part::Dashboard => dashboard(house, toolchain)?,
            Part::All => {}
        }
    }
    compress::folder(&house.web())
}

/// Builds a crate that is none of ours, for release, with the compiler that builds ours.
pub(crate) fn build_crate(house: &House, folder: &Path) -> Result<()> {
    let toolchain = Toolchain::find(house)?;
    let mut cargo = toolchain.cargo(house, "build");
    command::run(cargo.arg("--release").current_dir(folder))?;
    println!("{}", toolchain.built(house, "release").display());
    Ok(())
}

fn kernels(house: &House, toolchain: Toolchain) -> Result<()> {
    let wasm = compile(house, toolchain, "rust-core", &[])?;
    let place = house.web().join("kernels").join("rust_core.wasm");
    bindgen::place(house, &wasm, &place, Names::Keep)
}

fn rust_core_npm(house: &House, toolchain: Toolchain) -> Result<()> {
    let wasm = compile(house, toolchain, "rust-core", &["--features", "bindgen"])?;
    let out = house.root.join("dist").join("npm").join("rust-core");
    bindgen::bind(
        house,
        &Binding {
            wasm,
            out: out.clone(),
            name: "rust_core",
            types: true,
        },
    )?;
    copy_folder(
        &house.root.join("kernels/rust-core/npm"),
        &out,
        &["test", "node_modules"],
    )
}

fn web_worker(house: &House, toolchain: Toolchain) -> Result<()> {
    let guest = compile(house, toolchain, "wasi-guest", &[])?;
    bindgen::place(house, &guest, &wasi_guest(house), Names::Drop)?;
    let wasm = compile(house, toolchain, "web-worker", &[])?;
    let out = house.web().join("web-worker");
    bindgen::bind(
        house,
        &Binding {
            wasm,
            out: out.clone(),
            name: "web_worker",
            types: false,
        },
    )?;
    bundle_scripts(house, &house.root.join("web-worker").join("ts"), &out)
}

/// The functions of commands as a module. It is no file of its own in a tab: a slot's script contains it, because
/// a slot can fetch nothing.
fn wasi_guest(house: &House) -> PathBuf {
    house.root.join("dist").join("wasi-guest").join("wasi_guest.wasm")
}

fn dashboard(house: &House, toolchain: Toolchain) -> Result<()> {
    let wasm = compile(house, toolchain, "dashboard", &[])?;
    let out = house.web().join("dashboard");
    bindgen::bind(
        house,
        &Binding {
            wasm,
            out,
            name: "dashboard",
            types: false,
        },
    )?;
    copy_folder(&house.root.join("static"), &house.web(), &[])
}

/// Compiles one package and returns the module it leaves.
fn compile(house: &House, toolchain: Toolchain, package: &str, extra: &[&str]) -> Result<PathBuf> {
    eprintln!(
        "xtask: building {package} for {TARGET} ({} toolchain)",
        toolchain.name()
    );
    let mut cargo = toolchain.cargo(house, "build");
    cargo
        .args([
            "--profile",
            PROFILE,
            "--package",
            package,
            "--config",
            &rust_flags(),
        ])
        .args(extra);
    command::run(&mut cargo)?;
    Ok(toolchain
        .built(house, PROFILE)
        .join(format!("{}.wasm", package.replace('-', "_"))))
}

/// One set of flags for everything, so that what is common is compiled once: fixed-width SIMD, and paths of
/// this machine kept out of panic messages (cargo names our own files relative to the root already).
fn rust_flags() -> String {
    let mut flags = vec!["-Ctarget-feature=+simd128".to_owned()];
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    flags.extend(cargo_home.map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    let quoted: Vec<String> = flags.iter().map(|flag| format!("{flag:?}")).collect();
    format!("target.{TARGET}.rustflags=[{}]", quoted.join(","))
}

/// Bundles every script of the folder that is an entry, that is, not a test and not only types.
fn bundle_scripts(house: &House, from: &Path, out: &Path) -> Result<()> {
    let entries = script_entries(from)?;
    if entries.is_empty() {
        return Ok(());
    }
    let mut esbuild = command::program(house, house.npm_bin("esbuild"));
    esbuild.args(&entries).arg(format!("--outdir={}", out.display()));
    esbuild.args([
        "--bundle",
        "--format=esm",
        "--target=es2022",
        "--minify-syntax",
        "--log-level=warning",
    ]);
    esbuild
        .arg("--external:*/web_worker.js")
        .arg("--loader:.wasm=base64");
    esbuild.arg(format!("--alias:wasi-guest={}", wasi_guest(house).display()));
    command::run(&mut esbuild)
}

fn script_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_script = name.ends_with(".ts") && !name.ends_with(".d.ts") && !name.ends_with(".test.ts");
        if is_script && !name.starts_with('_') {
            entries.push(path);
        }
    }
    entries.sort();
    Ok(entries)
}

/// Copies the files below `from` to the same places below `to`, less the named entries at the top.
fn copy_folder(from: &Path, to: &Path, left_out: &[&str]) -> Result<()> {
    if !from.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if left_out.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let (source, place) = (entry.path(), to.join(&name));
        if source.is_dir() {
            copy_folder(&source, &place, &[])?;
        } else {
            fs::copy(&source, &place).with_context(|| format!("cannot copy {}", source.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_types_and_parts_are_no_entries() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["slot.ts", "slot.test.ts", "slot.d.ts", "_shared.ts", "notes.md"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(
            script_entries(folder.path()).unwrap(),
            [folder.path().join("slot.ts")]
        );
    }

    #[test]
    fn a_folder_is_copied_without_what_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("test")).unwrap();
        fs::create_dir_all(from.join("deep")).unwrap();
        fs::write(from.join("deep/a.css"), "a").unwrap();
        fs::write(from.join("test/b.js"), "b").unwrap();
        copy_folder(&from, &to, &["test"]).unwrap();
        assert_eq!(fs::read_to_string(to.join("deep/a.css")).unwrap(), "a");
        assert!(!to.join("test").exists());
    }
}
