//! What a module may import: the four functions of the kernel ABI, or those of WASI preview 1.
use crate::refusal::{Cause, Refusal, shown};
use kernel_abi::IMPORT_MODULE;
use wasmparser::{FuncType, Import, TypeRef, ValType};

/// The module that commands import from.
pub const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// The kernel ABI: name, parameters and results; `i` is an i32, `I` an i64.
const KERNEL: [(&str, &str, &str); 4] = [
    ("input_len", "", "i"),
    ("input_read", "iii", ""),
    ("output_write", "ii", ""),
    ("log", "ii", ""),
];

/// All of WASI preview 1, in the same letters. What the shim does not do answers "not supported".
pub const WASI: [(&str, &str, &str); 46] = [
    ("args_get", "ii", "i"),
    ("args_sizes_get", "ii", "i"),
    ("environ_get", "ii", "i"),
    ("environ_sizes_get", "ii", "i"),
    ("clock_res_get", "ii", "i"),
    ("clock_time_get", "iIi", "i"),
    ("fd_advise", "iIIi", "i"),
    ("fd_allocate", "iII", "i"),
    ("fd_close", "i", "i"),
    ("fd_datasync", "i", "i"),
    ("fd_fdstat_get", "ii", "i"),
    ("fd_fdstat_set_flags", "ii", "i"),
    ("fd_fdstat_set_rights", "iII", "i"),
    ("fd_filestat_get", "ii", "i"),
    ("fd_filestat_set_size", "iI", "i"),
    ("fd_filestat_set_times", "iIIi", "i"),
    ("fd_pread", "iiiIi", "i"),
    ("fd_prestat_get", "ii", "i"),
    ("fd_prestat_dir_name", "iii", "i"),
    ("fd_pwrite", "iiiIi", "i"),
    ("fd_read", "iiii", "i"),
    ("fd_readdir", "iiiIi", "i"),
    ("fd_renumber", "ii", "i"),
    ("fd_seek", "iIii", "i"),
    ("fd_sync", "i", "i"),
    ("fd_tell", "ii", "i"),
    ("fd_write", "iiii", "i"),
    ("path_create_directory", "iii", "i"),
    ("path_filestat_get", "iiiii", "i"),
    ("path_filestat_set_times", "iiiiIIi", "i"),
    ("path_link", "iiiiiii", "i"),
    ("path_open", "iiiiiIIii", "i"),
    ("path_readlink", "iiiiii", "i"),
    ("path_remove_directory", "iii", "i"),
    ("path_rename", "iiiiii", "i"),
    ("path_symlink", "iiiii", "i"),
    ("path_unlink_file", "iii", "i"),
    ("poll_oneoff", "iiii", "i"),
    ("proc_exit", "i", ""),
    ("proc_raise", "i", "i"),
    ("sched_yield", "", "i"),
    ("random_get", "ii", "i"),
    ("sock_accept", "iii", "i"),
    ("sock_recv", "iiiiii", "i"),
    ("sock_send", "iiiii", "i"),
    ("sock_shutdown", "ii", "i"),
];

/// Which side a module imports from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Kernel,
    Wasi,
}

/// Checks one import and says which side it is of; `types` are the module's.
pub(crate) fn check(
    types: &[Option<FuncType>],
    offset: usize,
    import: &Import<'_>,
) -> Result<(Side, u32), Refusal> {
    let (module, side, table) = match import.module {
        IMPORT_MODULE => (IMPORT_MODULE, Side::Kernel, &KERNEL[..]),
        WASI_MODULE => (WASI_MODULE, Side::Wasi, &WASI[..]),
        _ => return Err(unknown(import).at(offset)),
    };
    let known = table.iter().find(|(name, ..)| import.name == *name);
    let (name, parameters, results) = known.ok_or_else(|| unknown(import).at(offset))?;
    let ty = match import.ty {
        TypeRef::Func(ty) => types
            .get(ty as usize)
            .and_then(Option::as_ref)
            .map(|found| (ty, found)),
        _ => None,
    };
    match ty {
        Some((ty, found)) if is(found.params(), parameters) && is(found.results(), results) => Ok((side, ty)),
        _ => Err(Cause::ImportType {
            module,
            name,
            wanted: format!("({}) -> ({})", words(parameters), words(results)).into(),
            advice: match side {
                Side::Kernel => "build against the current kernel SDK",
                Side::Wasi => "build with a toolchain for WASI preview 1 (wasm32-wasip1)",
            },
        }
        .at(offset)),
    }
}

fn is(found: &[ValType], letters: &str) -> bool {
    found.iter().copied().eq(letters.chars().map(letter))
}

fn letter(letter: char) -> ValType {
    if letter == 'I' { ValType::I64 } else { ValType::I32 }
}

fn words(letters: &str) -> String {
    let words: Vec<_> = letters.chars().map(|l| letter(l).to_string()).collect();
    words.join(", ")
}

fn unknown(import: &Import<'_>) -> Cause {
    Cause::UnknownImport {
        module: shown(import.module),
        name: shown(import.name),
        advice: advice(import),
    }
}

/// What to do, by the habits of the toolchains that leave such an import.
fn advice(import: &Import<'_>) -> &'static str {
    match (import.module, import.name) {
        ("env", "abort" | "seed" | "trace") => {
            "compile AssemblyScript with `--use abort=`, without seed and trace"
        }
        ("env", "memory" | "__indirect_function_table") => {
            "let the module define its memory and table itself"
        }
        ("env", _) => {
            "define the function in the program: nothing is linked later (drop `--allow-undefined`)"
        }
        ("wasi_unstable", _) => "build with a current toolchain, for WASI preview 1 (wasm32-wasip1)",
        ("gojs" | "go", _) => "build Go with `GOOS=wasip1 GOARCH=wasm`",
        ("wbg" | "__wbindgen_placeholder__" | "__wbindgen_externref_xform__", _) => {
            "build without wasm-bindgen"
        }
        (WASI_MODULE, _) => "this is no function of WASI preview 1",
        _ => {
            "a kernel imports only input_len, input_read, output_write and log of module 'elytra', a command only \
             functions of 'wasi_snapshot_preview1'; there is no clock, randomness, file or network beyond these"
        }
    }
}
