//! Promise 26: known bad dependencies do not ship.
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use supply::{ADVISORIES, Package, Policy, bill, findings, holes, packages};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn policy() -> Policy {
    Policy::read(&root().join("deny.toml")).unwrap()
}

#[test]
fn supply_chain_gate() {
    let found = findings(&root()).unwrap();
    assert!(found.is_empty(), "{}", found.join("\n"));
    // The same question about a house that stands on a version with a known hole, or on what is not let in.
    assert!(!broken_twin().is_empty(), "a known hole is not seen");
    assert_eq!(bad_package().len(), 3, "{:?}", bad_package());
    let all = packages(&root()).unwrap();
    let bill: Value = serde_json::from_str(&bill(&all).unwrap()).unwrap();
    let outside = all.iter().filter(|package| !package.is_ours).count();
    assert_eq!(bill["components"].as_array().unwrap().len(), outside);
    let origin = fs::read_to_string(root().join(ADVISORIES).join("ORIGIN")).unwrap();
    promise::kept(
        "supply_chain_gate",
        &format!(
            "{outside} packages from outside, 0 open advisories (database of {}), licences and sources as listed",
            origin.trim()
        ),
    );
}

/// The house's lock file with one version set back, to before a hole was mended.
fn broken_twin() -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("Cargo.lock");
    let text = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let at = text
        .find("name = \"wasmtime\"\nversion = \"")
        .expect("the house stands on wasmtime");
    let (before, after) = text.split_at(at);
    let (_, rest) = after.split_once("\nsource").expect("a package has a source");
    let text = format!("{before}name = \"wasmtime\"\nversion = \"36.0.0\"\nsource{rest}");
    fs::write(&lock, text).unwrap();
    holes(&lock, &root().join(ADVISORIES), &policy()).unwrap()
}

fn bad_package() -> Vec<String> {
    policy().against(&Package {
        name: "openssl-sys".into(),
        version: "0.9.0".into(),
        licence: Some("GPL-3.0-only".into()),
        is_ours: false,
        is_from_registry: false,
        checksum: None,
    })
}
