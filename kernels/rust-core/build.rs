//! Tells the linker the program's memory: admission wants a declared maximum.

/// Room for the largest alignment; 4,096 pages.
const MEMORY_BYTES_MAX: u32 = 256 * 1024 * 1024;
/// No kernel recurses deeply; a small stack keeps a fresh instance small.
const STACK_BYTES: u32 = 256 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").as_deref() == Ok("wasm") {
        println!("cargo::rustc-link-arg-cdylib=--max-memory={MEMORY_BYTES_MAX}");
        println!("cargo::rustc-link-arg-cdylib=-zstack-size={STACK_BYTES}");
    }
}
