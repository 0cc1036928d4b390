//! What comes in from outside: known holes, licences, sources, and the bill of materials.
//!
//! It asks what `cargo deny check` asks, of the same `deny.toml`, but needs no network: the advisories that
//! concern a crate of `Cargo.lock` lie in the folder [`ADVISORIES`], copied word for word from the RustSec
//! advisory database. `refresh` copies them again out of a newer checkout of it.
#![forbid(unsafe_code)]

mod advisories;
mod bill;
mod packages;
mod policy;

pub use advisories::{ADVISORIES, holes, refresh};
pub use bill::bill;
pub use packages::{Package, packages};
pub use policy::Policy;

use anyhow::Result;
use std::path::Path;

/// Everything that must not ship, one line each: what is known to be broken, may not be used, or comes from
/// elsewhere than the registry.
pub fn findings(root: &Path) -> Result<Vec<String>> {
    let policy = Policy::read(&root.join("deny.toml"))?;
    let packages = packages(root)?;
    let mut findings = holes(&root.join("Cargo.lock"), &root.join(ADVISORIES), &policy)?;
    findings.extend(packages.iter().flat_map(|package| policy.against(package)));
    Ok(findings)
}
