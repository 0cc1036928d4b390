//! What admission promises, tried on generated modules: the output validates; it computes what the original
//! computes where every NaN that arithmetic makes is canonical; Wasmtime's two levels, V8's two compilers and a
//! real Chromium see the same bytes; admitting twice changes nothing.
//!
//! `cargo xtask soak 3` tries 10,000 modules.
mod bulk;
mod cases;
mod generate;
mod native;
mod tables;
mod torture;

use native::{Seen, Settings, engine};
use program::admit;
use std::path::Path;
use std::process::Command;
use wasmtime::{Engine, OptLevel};

/// Seeds of each of the two generators: in `npm test`, and in the full form.
const SEEDS: (u64, u64) = (100, 7_000);

const PLAIN: Settings = Settings {
    level: OptLevel::Speed,
    canonical: false,
};
const BASELINE: Settings = Settings {
    level: OptLevel::None,
    canonical: false,
};
const DETERMINISTIC: Settings = Settings {
    level: OptLevel::Speed,
    canonical: true,
};

/// What a worker in Chromium has, in KB; Node's main thread has twice as much.
const STACK: &str = "--stack-size=480";

struct Engines {
    plain: Engine,
    baseline: Engine,
    deterministic: Engine,
}

impl Engines {
    fn new() -> Self {
        Self {
            plain: engine(PLAIN),
            baseline: engine(BASELINE),
            deterministic: engine(DETERMINISTIC),
        }
    }
}

fn seeds() -> std::ops::Range<u64> {
    0..promise::amount(SEEDS.0, SEEDS.1)
}

/// Ends before the stack is used up, or at the count: the original has no count to compare with.
fn was_cut(seen: &Seen) -> bool {
    let cut = ["StackOverflow", program::EXCEEDED];
    seen.trap
        .as_ref()
        .is_some_and(|trap| cut.iter().any(|name| trap.contains(name)))
}

/// Checks one module; returns what its entries show, for other engines to compare with.
fn check(engines: &Engines, name: &str, original: Vec<u8>) -> Vec<Seen> {
    let admitted = admit(original.clone())
        .unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
        .bytes;
    wasmparser::Validator::new_with_features(program::limits::FEATURES)
        .validate_all(&admitted)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(
        admit(admitted.clone()).unwrap().bytes == admitted,
        "{name}: admitted twice"
    );
    let seen = native::run(&engines.plain, &admitted);
    assert_eq!(
        native::run(&engines.baseline, &admitted),
        seen,
        "{name}: Wasmtime's levels"
    );
    for (before, after) in native::run(&engines.deterministic, &original).iter().zip(&seen) {
        if !was_cut(before) && !was_cut(after) {
            assert_eq!(before, after, "{name}: the original");
        }
    }
    seen
}

/// Runs the modules of a folder in V8's two compilers and in a real Chromium, and expects each to see the same.
fn check_in_v8(folder: &Path, expected: &str) {
    for (script, flags) in [
        ("node.mjs", &["--liftoff", "--no-wasm-tier-up", STACK][..]),
        ("node.mjs", &["--no-liftoff", STACK]),
        ("chromium.mjs", &[]),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/properties");
        let run = Command::new("node")
            .args(flags)
            .arg(path.join(script))
            .arg(folder)
            .output();
        let run = run.expect("node is installed");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let found = String::from_utf8_lossy(&run.stdout);
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(
                found,
                expected,
                "{script} {flags:?} against Wasmtime; the modules are in {}",
                folder.display()
            );
        }
        assert_eq!(
            found.lines().count(),
            expected.lines().count(),
            "{script} {flags:?}"
        );
    }
}

fn line(file: &str, seen: &Seen) -> String {
    let ended = if seen.trap.is_some() {
        "trapped"
    } else {
        "finished"
    };
    format!("{file} {} {ended} {}\n", seen.entry, seen.memory)
}

/// Tries the modules of all seeds in every engine; tells how many there were and how many show other
/// bits when they are not admitted.
fn try_all(make: fn(u64) -> Option<Vec<u8>>) -> (u64, u64) {
    let engines = Engines::new();
    let folder = tempfile::tempdir().unwrap();
    let mut expected = String::new();
    let (mut tried, mut differ) = (0, 0);
    for seed in seeds() {
        let Some(module) = make(seed) else { continue };
        tried += 1;
        let file = format!("{seed:08}.wasm");
        std::fs::write(folder.path().join(&file), admit(module.clone()).unwrap().bytes).unwrap();
        let as_it_was = native::run(&engines.plain, &module);
        let seen = check(&engines, &file, module);
        differ += u64::from(as_it_was != seen);
        seen.iter().for_each(|seen| expected.push_str(&line(&file, seen)));
    }
    check_in_v8(folder.path(), &expected);
    println!("{tried} modules, {differ} show other bits when they are not admitted");
    (tried, differ)
}

/// Modules of any kind, and modules full of floats.
#[test]
fn bits_equal_across_engines() {
    let (any, _) = try_all(generate::module);
    assert!(any * 3 > seeds().end, "many seeds make a module");
    let (floats, differ) = try_all(|seed| Some(torture::module(seed)));
    // The broken twin: most of them would not.
    assert!(differ * 2 > floats, "{differ} of {floats}");
    let seen = format!(
        "{} generated modules, 0 mismatches between Wasmtime at two levels, V8's two compilers and Chromium \
         ({differ} of {floats} full of floats differ when they are not admitted)",
        any + floats
    );
    promise::kept("bits_equal_across_engines", &seen);
}

/// Checks modules made by hand in every engine.
fn check_all(modules: &[(&str, Vec<u8>)]) -> Vec<Vec<Seen>> {
    let engines = Engines::new();
    let folder = tempfile::tempdir().unwrap();
    let mut expected = String::new();
    let mut all = Vec::new();
    for (name, module) in modules {
        let file = format!("{name}.wasm");
        std::fs::write(folder.path().join(&file), admit(module.clone()).unwrap().bytes).unwrap();
        let seen = check(&engines, name, module.clone());
        seen.iter().for_each(|seen| expected.push_str(&line(&file, seen)));
        all.push(seen);
    }
    check_in_v8(folder.path(), &expected);
    all
}

#[test]
fn nans_look_the_same_wherever_they_come_to_light() {
    let all = check_all(&[("nans", cases::nans())]);
    assert!(all[0].iter().all(|seen| seen.trap.is_none()), "{all:?}");
}

/// The broken twin of the test above: it can tell.
#[test]
fn without_admission_a_payload_is_seen() {
    let engines = Engines::new();
    let module = cases::payload();
    let deterministic = native::run(&engines.deterministic, &module);
    assert_ne!(native::run(&engines.plain, &module), deterministic);
    assert_eq!(
        native::run(&engines.plain, &admit(module).unwrap().bytes),
        deterministic
    );
}

#[test]
fn recursion_without_end_traps_at_the_same_call_everywhere() {
    let all = check_all(&[("recursions", cases::recursions())]);
    for seen in &all[0] {
        let trap = seen.trap.as_deref().unwrap_or("none");
        assert!(trap.contains(program::EXCEEDED), "{}: {trap}", seen.entry);
    }
}

#[test]
fn what_a_call_takes_of_the_stack_it_gives_back() {
    let all = check_all(&[("returning", cases::returning())]);
    assert!(all[0].iter().all(|seen| seen.trap.is_none()), "{all:?}");
}

#[test]
fn what_must_run_first_runs_before_each_entry() {
    let admitted = admit(cases::beginnings()).unwrap();
    assert!(admit(admitted.bytes.clone()).unwrap().bytes == admitted.bytes);
    let seen = native::run(&engine(PLAIN), &admitted.bytes);
    let memory = |number: u32| {
        let mut memory = vec![0; 65_536];
        memory[..4].copy_from_slice(&number.to_le_bytes());
        protocol::ids::Digest::of(&memory).to_string()
    };
    let of = |entry: &str| {
        seen.iter()
            .find(|seen| seen.entry == entry)
            .unwrap()
            .memory
            .clone()
    };
    assert_eq!(of("e0"), memory(123));
    assert_eq!(of("e1"), memory(1213));
}
