//! Bytes from strangers, thrown at every parser that reads such.
//!
//! A target takes any bytes and panics where something is wrong: because the parser panics, or because
//! what it let through is not what it should be. `cargo xtask fuzz` runs each with libFuzzer, guided by what of
//! our code the bytes reach; `npm test` does so for a minute. What once broke something is kept in
//! `kept/` and tried by an ordinary test for ever.
mod admission;
mod blobs;
mod config;
mod frames;
mod jobs;
mod scripts;
mod shim;
mod tokens;

/// One parser and what must hold of it.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name on the command line and of its folders.
    pub name: &'static str,
    /// Panics when something is wrong.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    target("frames", frames::run),
    target("blobs", blobs::run),
    target("admission", admission::run),
    target("scripts", scripts::run),
    target("jobs", jobs::run),
    target("wasi", shim::run),
    target("tokens", tokens::run),
    target("config", config::run),
];

/// The target of a name.
pub fn named(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
