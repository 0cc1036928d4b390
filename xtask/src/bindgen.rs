//! From what the compiler leaves to what a browser loads: wasm-bindgen as a library, then wasm-opt from npm.

use crate::command;
use crate::house::House;
use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::Bindgen;

/// Changes whenever the steps below change, so that outputs made by older steps are made anew.
const STEPS_VERSION: &str = "3";

/// Whether the function names stay in the module: kernels need them for readable traps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Keep the name section.
    Keep,
    /// Drop it, the module is smaller.
    Drop,
}

/// What to bind and where to put it.
pub(crate) struct Binding<'a> {
    /// The module as the compiler left it.
    pub(crate) wasm: PathBuf,
    /// The folder that gets `NAME.js` and `NAME_bg.wasm`.
    pub(crate) out: PathBuf,
    /// The stem of both.
    pub(crate) name: &'a str,
    /// Also write `NAME.d.ts`.
    pub(crate) types: bool,
}

/// Writes the JavaScript side of a wasm-bindgen module and the optimised module, as ES modules.
pub(crate) fn bind(house: &House, binding: &Binding<'_>) -> Result<()> {
    let module = binding.out.join(format!("{}_bg.wasm", binding.name));
    let stamp = Stamp::of(house, &binding.wasm, &module)?;
    if stamp.is_fresh() {
        return Ok(());
    }
    fs::create_dir_all(&binding.out).with_context(|| format!("cannot create {}", binding.out.display()))?;
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(&binding.wasm)
        .out_name(binding.name)
        .typescript(binding.types);
    bindgen
        .web(true)?
        .generate(&binding.out)
        .with_context(|| format!("wasm-bindgen of {}", binding.name))?;
    optimise(house, &module, &module, Names::Drop)?;
    stamp.write()
}

/// Copies a module to its place, optimised, its custom sections kept.
pub(crate) fn place(house: &House, wasm: &Path, place: &Path, names: Names) -> Result<()> {
    let stamp = Stamp::of(house, wasm, place)?;
    if stamp.is_fresh() {
        return Ok(());
    }
    let folder = place.parent().context("a module's place has no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    optimise(house, wasm, place, names)?;
    stamp.write()
}

/// Runs wasm-opt; where npm's packages are not installed the module stays as it is, and we say so.
fn optimise(house: &House, from: &Path, to: &Path, names: Names) -> Result<()> {
    let wasm_opt = house.npm_bin("wasm-opt");
    if !wasm_opt.exists() {
        eprintln!(
            "xtask: no wasm-opt (npm ci brings it); {} stays larger",
            to.display()
        );
        return copy(from, to);
    }
    let mut command = command::program(house, wasm_opt);
    command.arg("-O3").arg(from).arg("-o").arg(to);
    if names == Names::Keep {
        // Locals are not shared between floats and other vectors: admission then sees which NaNs stay unseen,
        // and leaves them alone (a third less time for `mandelbrot`). Engines assign registers themselves.
        command.args([
            "-g",
            "--skip-pass=coalesce-locals",
            "--skip-pass=coalesce-locals-learning",
        ]);
    }
    command::run(&mut command)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from == to {
        return Ok(());
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Remembers which input an output was made from, so that an unchanged input costs only its hash.
struct Stamp {
    file: PathBuf,
    output: PathBuf,
    value: String,
}

impl Stamp {
    fn of(house: &House, input: &Path, output: &Path) -> Result<Stamp> {
        let bytes = fs::read(input).with_context(|| format!("the compiler left no {}", input.display()))?;
        let mut hash = Sha256::new();
        hash.update(STEPS_VERSION);
        hash.update([u8::from(house.npm_bin("wasm-opt").exists())]);
        hash.update(&bytes);
        let value = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let name = output
            .strip_prefix(&house.root)
            .unwrap_or(output)
            .to_string_lossy()
            .replace(['/', '\\'], "-");
        Ok(Stamp {
            file: house.root.join("dist").join(".stamps").join(name),
            output: output.to_path_buf(),
            value,
        })
    }

    fn is_fresh(&self) -> bool {
        self.output.exists() && fs::read_to_string(&self.file).is_ok_and(|value| value == self.value)
    }

    fn write(&self) -> Result<()> {
        let folder = self.file.parent().context("a stamp has no folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&self.file, &self.value))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house_in(root: &Path) -> House {
        House {
            root: root.to_path_buf(),
            target: root.join("target"),
            web_target: root.join("web"),
        }
    }

    #[test]
    fn an_output_is_fresh_until_its_input_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (input, output) = (folder.path().join("in"), folder.path().join("out"));
        let house = house_in(folder.path());
        fs::write(&input, "one").unwrap();
        let stamp = Stamp::of(&house, &input, &output).unwrap();
        stamp.write().unwrap();
        assert!(!stamp.is_fresh(), "an output that is not there is never fresh");
        fs::write(&output, "made").unwrap();
        assert!(Stamp::of(&house, &input, &output).unwrap().is_fresh());
        fs::write(&input, "two").unwrap();
        assert!(!Stamp::of(&house, &input, &output).unwrap().is_fresh());
    }
}
