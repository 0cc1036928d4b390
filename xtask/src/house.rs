//! Where things lie: the root of the repository, the target folders and what is built for the browser.

use anyhow::{Context as _, Result};
use std::env;
use std::path::{Path, PathBuf};

/// The paths every task works with. All are absolute.
pub(crate) struct House {
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// Cargo's target folder for native code.
    pub(crate) target: PathBuf,
    /// Cargo's target folder for WebAssembly: another toolchain may fill it, so the two never mix.
    pub(crate) web_target: PathBuf,
}

impl House {
    /// Reads the places from where this tool was built and from the environment.
    pub(crate) fn find() -> Result<House> {
        // Read at run time: a target folder that two checkouts share would hold the path of one of them.
        let package = env::var_os("CARGO_MANIFEST_DIR").context("start this tool as `cargo xtask`")?;
        let root = Path::new(&package)
            .parent()
            .context("the build tool has no parent folder")?;
        let target = folder_from("CARGO_TARGET_DIR")?.unwrap_or_else(|| root.join("target"));
        let web_target = folder_from("XTASK_WASM_TARGET_DIR")?.unwrap_or_else(|| target.join("web-build"));
        Ok(House {
            root: root.to_path_buf(),
            target,
            web_target,
        })
    }

    /// What the coordinator serves and embeds.
    pub(crate) fn web(&self) -> PathBuf {
        self.root.join("dist").join("web")
    }

    /// A program that npm installed.
    pub(crate) fn npm_bin(&self, name: &str) -> PathBuf {
        let bin = self.root.join("node_modules").join(".bin").join(name);
        if cfg!(windows) {
            bin.with_extension("cmd")
        } else {
            bin
        }
    }

    /// A native program that cargo built in `profile` (`debug` or `release`).
    pub(crate) fn built(&self, profile: &str, name: &str) -> PathBuf {
        self.target
            .join(profile)
            .join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }
}

fn folder_from(variable: &str) -> Result<Option<PathBuf>> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(|value| std::path::absolute(&value).with_context(|| format!("{variable} is not a usable path")))
        .transpose()
}
