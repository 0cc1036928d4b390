//! The packages that are compiled in, with licence, source and checksum.
use anyhow::{Context as _, Result, ensure};
use rustsec::Lockfile;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

const REGISTRY: &str = "registry+";

/// One of them.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// An SPDX expression.
    pub licence: Option<String>,
    /// Whether it lies in this house.
    pub is_ours: bool,
    /// Whether it comes from a registry, and not from a repository.
    pub is_from_registry: bool,
    /// SHA-256 of its archive, in hex.
    pub checksum: Option<String>,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// All packages of the workspace at `root`, for every platform and feature.
pub fn packages(root: &Path) -> Result<Vec<Package>> {
    let checksums = checksums(&root.join("Cargo.lock"))?;
    let mut cargo = Command::new(env!("CARGO"));
    let told = cargo
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(root)
        .output()
        .context("cargo cannot be started")?;
    ensure!(
        told.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&told.stderr)
    );
    let metadata: Value = serde_json::from_slice(&told.stdout).context("cargo metadata")?;
    let all = metadata["packages"]
        .as_array()
        .context("cargo metadata names no packages")?;
    all.iter().map(|package| read(package, &checksums)).collect()
}

type Checksums = BTreeMap<(String, String), String>;

fn checksums(lock: &Path) -> Result<Checksums> {
    let lockfile = Lockfile::load(lock).with_context(|| lock.display().to_string())?;
    let known = lockfile.packages.into_iter().filter_map(|package| {
        let checksum = package.checksum?.to_string();
        Some(((package.name.to_string(), package.version.to_string()), checksum))
    });
    Ok(known.collect())
}

fn read(package: &Value, checksums: &Checksums) -> Result<Package> {
    let text = |key: &str| package[key].as_str().map(str::to_owned);
    let name = text("name").context("a package without a name")?;
    let version = text("version").context("a package without a version")?;
    let source = text("source");
    let checksum = checksums.get(&(name.clone(), version.clone())).cloned();
    Ok(Package {
        licence: text("license"),
        is_ours: source.is_none(),
        is_from_registry: source.is_some_and(|source| source.starts_with(REGISTRY)),
        checksum,
        name,
        version,
    })
}
