//! `elytra init`: a first program of each form, ready to be built and run.
use crate::args::ProgramForm;
use crate::failure::{Code, Failure};
use crate::say::note;
use rust_embed::RustEmbed;
use std::path::Path;

const SCRIPT: &str = include_str!("../templates/script/first.ts");
const COMMAND: &str = include_str!("../templates/command/first.c");
const KERNEL_MANIFEST: &str = include_str!("../templates/kernel/Cargo.toml");
const KERNEL: &str = include_str!("../templates/kernel/src/lib.rs");

/// The kernel SDK travels with the command line, so that both fit together and nothing has to be fetched.
#[derive(RustEmbed)]
#[folder = "../kernels/sdk/src"]
struct Sdk;

#[derive(RustEmbed)]
#[folder = "../kernels/abi/src"]
struct Abi;

#[derive(RustEmbed)]
#[folder = "../kernels/macros/src"]
struct Macros;

/// A crate of the SDK: its name, what it depends on, and whether it holds macros.
fn manifest(name: &str, is_macros: bool, dependencies: &str) -> String {
    let kind = if is_macros {
        "\n[lib]\nproc-macro = true\n"
    } else {
        "\n[features]\nlibrary = []\n"
    };
    format!(
        "[package]\nname = \"{name}\"\nversion = \"{}\"\nedition = \"2024\"\nlicense = \"MIT OR Apache-2.0\"\n{kind}\n\
         [dependencies]\n{dependencies}",
        env!("CARGO_PKG_VERSION")
    )
}

/// Writes a first program into a folder; files that are there already are not touched.
pub(crate) fn init(form: ProgramForm, folder: &Path) -> Result<Code, Failure> {
    let (files, next) = match form {
        ProgramForm::Script => (
            vec![("first.ts".into(), SCRIPT.into())],
            "elytra run first.ts 3 5 7 27",
        ),
        ProgramForm::Command => (
            vec![("first.c".into(), COMMAND.into())],
            "python3 -m ziglang cc --target=wasm32-wasi -O2 -s first.c -o first.wasm && seq 9 | elytra run first.wasm",
        ),
        ProgramForm::Kernel => (
            kernel(),
            "cargo build --release --target wasm32-unknown-unknown && \
             elytra run target/wasm32-unknown-unknown/release/first_kernel.wasm 3 5 7 27",
        ),
    };
    for (name, _) in &files {
        let path = folder.join(name);
        if path.exists() {
            let what = format!("{} is there already; choose another folder", path.display());
            return Err(Failure::Usage(what));
        }
    }
    for (name, bytes) in &files {
        write(&folder.join(name), bytes)?;
    }
    let names: Vec<_> = files
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !name.contains("elytra-kernel"))
        .collect();
    note(&format!("wrote {} to {}", names.join(", "), folder.display()));
    note(&format!("next: {next}"));
    Ok(Code::Done)
}

type File = (String, Vec<u8>);

fn kernel() -> Vec<File> {
    let mut files: Vec<File> = vec![
        ("Cargo.toml".into(), KERNEL_MANIFEST.into()),
        ("src/lib.rs".into(), KERNEL.into()),
    ];
    let on = "kernel-abi = { path = \"abi\" }\nkernel-macros = { path = \"macros\" }\n\
              serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";
    let of_macros = "proc-macro2 = \"1\"\nquote = \"1\"\nsyn = { version = \"2\", features = [\"full\"] }\n";
    files.push((
        "elytra-kernel/Cargo.toml".into(),
        manifest("elytra-kernel", false, on).into(),
    ));
    files.push((
        "elytra-kernel/abi/Cargo.toml".into(),
        manifest("kernel-abi", false, "").into(),
    ));
    files.push((
        "elytra-kernel/macros/Cargo.toml".into(),
        manifest("kernel-macros", true, of_macros).into(),
    ));
    files.extend(sources::<Sdk>("elytra-kernel/src"));
    files.extend(sources::<Abi>("elytra-kernel/abi/src"));
    files.extend(sources::<Macros>("elytra-kernel/macros/src"));
    files
}

fn sources<E: RustEmbed>(folder: &str) -> impl Iterator<Item = File> {
    let file = move |name: std::borrow::Cow<'_, str>| {
        let bytes = E::get(&name).map(|file| file.data.into_owned())?;
        Some((format!("{folder}/{name}"), bytes))
    };
    E::iter().filter_map(file)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    std::fs::write(path, bytes).map_err(wrong)
}
