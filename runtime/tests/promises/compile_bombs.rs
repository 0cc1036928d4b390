//! Promise: a module cannot jam a worker by being compiled.
use crate::bombs;
use protocol::ids::ProgramHash;
use runtime::{CompileError, CompileLimits, Compiler, PrepareError, Runtime, RuntimeConfig};
use std::fs;
use std::time::Duration;

/// Each is refused within this; without optimisation (as in `npm test`) within ten times it. All times are the
/// processor's, because a busy machine is no bomb's work.
const REFUSED_MAX: Duration = Duration::from_millis(100);
/// What is let through is compiled within this; without optimisation within five times it.
const ADMITTED_MAX: Duration = Duration::from_secs(2);
/// What is not let through is ended within this, should it reach a compiler all the same.
const KILLED_MAX: Duration = Duration::from_secs(11);

fn slower(times: u32) -> u32 {
    if cfg!(debug_assertions) { times } else { 1 }
}

fn runtime(cpu_s: u32) -> Runtime {
    let config = RuntimeConfig {
        compiler: Compiler::Child {
            program: env!("CARGO_BIN_EXE_sandbox-child").into(),
        },
        compile_limits: CompileLimits {
            cpu_s,
            ..CompileLimits::default()
        },
        ..RuntimeConfig::default()
    };
    Runtime::new(config).unwrap()
}

#[test]
fn compile_bomb_corpus() {
    let _alone = crate::alone();
    let bombs: Vec<_> = parsed(bombs::bombs());
    let refused = slowest(&bombs, |name, module| {
        assert!(program::admit(module.to_vec()).is_err(), "{name} was admitted");
    });
    assert!(refused <= REFUSED_MAX * slower(10), "a refusal took {refused:?}");
    let as_usual = runtime(CompileLimits::default().cpu_s);
    let mut largest = parsed(bombs::largest_admitted());
    // Without optimisation each takes seconds.
    largest.truncate(promise::amount(2, largest.len()));
    let admitted = slowest(&largest, |name, module| {
        let admitted = program::admit(module.to_vec()).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        as_usual
            .prepare(admitted.hash, &admitted.bytes)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    });
    assert!(
        admitted <= ADMITTED_MAX * slower(5),
        "what is admitted took {admitted:?}"
    );
    let (killed, longest) = past_the_door(&runtime(promise::amount(1, 10)), &bombs);
    promise::kept(
        "compile_bomb_corpus",
        &format!(
            "{} bombs, each refused within {refused:.0?}; past the door {killed} of them were ended, the longest after \
             {longest:.1?}; the largest that is admitted was compiled in {admitted:.1?}",
            bombs.len()
        ),
    );
}

fn parsed(texts: Vec<(&'static str, String)>) -> Vec<(&'static str, Vec<u8>)> {
    let parse = |text: &str| wat::parse_str(text).unwrap();
    texts
        .into_iter()
        .map(|(name, text)| (name, parse(&text)))
        .collect()
}

fn slowest(modules: &[(&'static str, Vec<u8>)], work: impl Fn(&str, &[u8])) -> Duration {
    let times = modules.iter().map(|(name, module)| {
        let start = busy();
        work(name, module);
        busy() - start
    });
    times.max().unwrap_or_default()
}

/// What this process and the children it has waited for have taken of the processor.
fn busy() -> Duration {
    let status = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = status.rsplit(')').next().unwrap();
    let ticks = after_name.split_ascii_whitespace().skip(11).take(4);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    // A tick is a hundredth of a second in what the kernel tells programs.
    Duration::from_millis(ticks * 10)
}

/// The second line: a compiler that is given a bomb ends within its limits, whatever it is.
fn past_the_door(runtime: &Runtime, bombs: &[(&'static str, Vec<u8>)]) -> (usize, Duration) {
    let tried = promise::amount(1, bombs.len());
    let (mut killed, mut longest) = (0, Duration::ZERO);
    for (name, module) in &bombs[..tried] {
        let start = busy();
        let prepared = runtime.prepare(ProgramHash::of(module), module);
        let took = busy() - start;
        longest = longest.max(took);
        match prepared {
            Err(PrepareError::Compile(CompileError::OutOfTime(_) | CompileError::OutOfMemory(_))) => {
                killed += 1;
            }
            Err(PrepareError::Compile(CompileError::Refused(_)) | PrepareError::Unfit(_)) | Ok(_) => {}
            Err(other) => panic!("{name}: {other}"),
        }
        assert!(took <= KILLED_MAX * slower(2), "{name} took {took:?}");
    }
    assert!(killed >= 1, "no bomb of the corpus is one");
    (killed, longest)
}
