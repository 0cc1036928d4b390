//! Has the pages embedded anew when the web build changed them. A debug build reads them from disk instead.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo::rerun-if-changed=../dist/web");
    }
}
