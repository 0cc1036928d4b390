//! The cache of compiled code, and the child that compiles.
use bytes::Bytes;
use protocol::ids::ProgramHash;
use runtime::{
    CacheError, CompileError, CompileLimits, Compiler, Limits, PrepareError, RunOutcome, Runtime,
    RuntimeConfig, RuntimeError, StopHandle,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A compiler that cannot compile: with it, code can only come from the cache.
fn broken_compiler() -> Compiler {
    Compiler::Child {
        program: "/bin/false".into(),
    }
}

fn child() -> Compiler {
    Compiler::Child {
        program: env!("CARGO_BIN_EXE_sandbox-child").into(),
    }
}

fn runtime(folder: &Path, compiler: Compiler) -> Runtime {
    let config = RuntimeConfig {
        cache_dir: Some(folder.to_owned()),
        compiler,
        ..RuntimeConfig::default()
    };
    Runtime::new(config).unwrap()
}

fn module() -> (ProgramHash, Vec<u8>) {
    let text = r#"(module (import "elytra" "output_write" (func $write (param i32 i32)))
        (memory (export "memory") 1 2) (data (i32.const 0) "right")
        (func (export "run") (call $write (i32.const 0) (i32.const 5))))"#;
    let bytes = wat::parse_str(text).unwrap();
    (ProgramHash::of(&bytes), bytes)
}

/// Prepares and runs [`module`].
fn works(runtime: &Runtime) -> Result<(), PrepareError> {
    let (hash, bytes) = module();
    let program = runtime.prepare(hash, &bytes)?;
    let report = program.run("run", Bytes::new(), &Limits::default(), &StopHandle::new());
    assert_eq!(report.outcome, RunOutcome::Finished(b"right".to_vec()));
    Ok(())
}

fn code_file(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .find(|path| path.extension().is_some_and(|ending| ending == "code"))
        .expect("a file of code")
}

#[test]
fn what_was_compiled_once_is_not_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    works(&runtime(folder.path(), Compiler::InProcess)).unwrap();
    works(&runtime(folder.path(), broken_compiler())).unwrap();
    // The broken twin: without the file, the broken compiler is needed and fails.
    fs::remove_file(code_file(folder.path())).unwrap();
    works(&runtime(folder.path(), broken_compiler())).unwrap_err();
}

#[test]
fn artifact_tamper() {
    let folder = tempfile::tempdir().unwrap();
    let prepared = runtime(folder.path(), Compiler::InProcess);
    works(&prepared).unwrap();
    let file = code_file(folder.path());
    let whole = fs::read(&file).unwrap();
    let flips = promise::amount(500, 10_000);
    let mut chance = 1u64;
    let flipped = (0..flips).map(|_| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(chance >> 16).unwrap() % (whole.len() * 8);
        let mut bytes = whole.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        bytes
    });
    let cut = [
        whole[..whole.len() - 1].to_vec(),
        whole[1..].to_vec(),
        vec![],
        vec![7; 9],
    ];
    let longer = [[whole.clone(), vec![0]].concat()];
    // One that has loaded nothing yet, and whose compiler is broken: what it has comes from the file.
    let loader = runtime(folder.path(), broken_compiler());
    for bytes in flipped.chain(cut).chain(longer) {
        fs::write(&file, bytes).unwrap();
        assert!(loader.prepare_cached(module().0).is_none());
        assert!(!file.exists(), "it is thrown away");
    }
    // Compiled code that comes as a program over the wire is no program.
    let error = prepared.prepare(ProgramHash::of(&whole), &whole).err().unwrap();
    assert!(
        matches!(error, PrepareError::Compile(CompileError::Refused(_))),
        "{error}"
    );
    // The twin: the same file, untouched, is loaded.
    fs::write(&file, &whole).unwrap();
    assert!(loader.prepare_cached(module().0).is_some());
    promise::kept(
        "artifact_tamper",
        &format!(
            "{flips} files with one bit turned, 5 cut or lengthened, 1 sent as a program, and beside them other keys, names, versions, targets and settings: 0 loaded"
        ),
    );
}

#[test]
fn code_under_another_key_or_another_name_is_never_loaded() {
    let folder = tempfile::tempdir().unwrap();
    works(&runtime(folder.path(), Compiler::InProcess)).unwrap();
    let file = code_file(folder.path());
    let whole = fs::read(&file).unwrap();
    fs::write(folder.path().join("key"), [1; 32]).unwrap();
    works(&runtime(folder.path(), broken_compiler())).unwrap_err();

    let other = tempfile::tempdir().unwrap();
    let runtime = runtime(other.path(), Compiler::InProcess);
    works(&runtime).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let renamed = name.replacen(&module().0.to_string(), &ProgramHash([9; 32]).to_string(), 1);
    fs::write(other.path().join(renamed), whole).unwrap();
    assert!(runtime.prepare_cached(ProgramHash([9; 32])).is_none());
}

#[test]
fn the_key_is_private() {
    let folder = tempfile::tempdir().unwrap();
    drop(runtime(folder.path(), Compiler::InProcess));
    let key = folder.path().join("key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let config = RuntimeConfig {
        cache_dir: Some(folder.path().to_owned()),
        ..RuntimeConfig::default()
    };
    let refused = Runtime::new(config).err().expect("refused");
    assert!(
        matches!(refused, RuntimeError::Cache(CacheError::KeyNotPrivate { .. })),
        "{refused}"
    );
}

#[test]
fn the_cache_stays_within_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let config = RuntimeConfig {
        cache_dir: Some(folder.path().to_owned()),
        cache_bytes_max: 1,
        ..RuntimeConfig::default()
    };
    works(&Runtime::new(config).unwrap()).unwrap();
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(names, ["key"]);
}

#[test]
fn other_bytes_than_the_programs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (hash, mut bytes) = module();
    bytes.push(0);
    let refused = runtime(folder.path(), Compiler::InProcess)
        .prepare(hash, &bytes)
        .err()
        .unwrap();
    assert!(matches!(refused, PrepareError::WrongBytes(_)), "{refused}");
}

#[test]
fn a_child_compiles_what_this_process_runs() {
    let folder = tempfile::tempdir().unwrap();
    works(&runtime(folder.path(), child())).unwrap();
    works(&runtime(folder.path(), broken_compiler())).unwrap();
}

/// Why a child with these limits does not compile `module`.
fn child_error(limits: CompileLimits, module: &[u8]) -> CompileError {
    let config = RuntimeConfig {
        compiler: child(),
        compile_limits: limits,
        ..RuntimeConfig::default()
    };
    match Runtime::new(config)
        .unwrap()
        .prepare(ProgramHash::of(module), module)
    {
        Err(PrepareError::Compile(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("compiled"),
    }
}

/// What admission keeps out: it takes the compiler many seconds.
fn bomb() -> Vec<u8> {
    let depth = 3_000;
    let closing = "(br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))) end ".repeat(depth);
    let text = format!("(module (func (param i32) {} {closing}))", "loop ".repeat(depth));
    wat::parse_str(text).unwrap()
}

/// A module that is read, parsed and written again, 7 MiB each time.
fn large() -> Vec<u8> {
    let data = "x".repeat(7 << 20);
    wat::parse_str(format!(
        "(module (memory 112 112) (data (i32.const 0) \"{data}\"))"
    ))
    .unwrap()
}

#[test]
fn a_child_that_takes_too_much_is_ended_and_says_why() {
    let limits = CompileLimits {
        cpu_s: 1,
        ..CompileLimits::default()
    };
    let error = child_error(limits, &bomb());
    assert!(matches!(error, CompileError::OutOfTime(1)), "{error}");
    let limits = CompileLimits {
        memory_bytes: 32 << 20,
        ..CompileLimits::default()
    };
    let error = child_error(limits, &large());
    assert!(matches!(error, CompileError::OutOfMemory(_)), "{error}");
    let error = child_error(CompileLimits::default(), b"no module");
    assert!(matches!(error, CompileError::Refused(_)), "{error}");
}

#[test]
fn a_child_that_is_not_there_is_named() {
    let compiler = Compiler::Child {
        program: "/no/such/program".into(),
    };
    let runtime = Runtime::new(RuntimeConfig {
        compiler,
        ..RuntimeConfig::default()
    })
    .unwrap();
    let error = works(&runtime).unwrap_err();
    assert!(error.to_string().contains("/no/such/program"), "{error}");
}
