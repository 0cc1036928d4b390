//! Compilation, in this process or in a child that is killed when it takes too much.
//!
//! The child is the same executable with [`COMPILE_ARGUMENT`] and three limits. It sets the limits on
//! itself, reads the module from its standard input and writes the code to its standard output. What
//! it writes is as trustworthy as this executable is: nobody else holds the other end of the pipe.
use crate::config::{CompileLimits, Compiler};
use crate::engine;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use wasmtime::Engine;

/// The first argument of an executable that is to compile one module and end.
pub const COMPILE_ARGUMENT: &str = "__compile";
/// Code longer than this is refused.
const CODE_BYTES_MAX: u64 = 120 << 20;
/// What is kept of the child's last words.
const WORDS_BYTES_MAX: u64 = 2 << 10;
/// A module longer than this was never admitted.
const MODULE_BYTES_MAX: u64 = protocol::limits::PROGRAM_BYTES_MAX as u64;

/// Why a module could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler refuses the module.
    #[error("the compiler refuses the module: {0}")]
    Refused(String),
    /// The time limit.
    #[error("compiling the module took more than {0} s: make its functions smaller")]
    OutOfTime(u32),
    /// The memory limit.
    #[error("compiling the module took more than {0} bytes of memory: make its functions smaller")]
    OutOfMemory(u64),
    /// The code is longer than any program needs.
    #[error("the compiled code is longer than {CODE_BYTES_MAX} bytes: make the module smaller")]
    TooLong,
    /// The process that asked for it ends.
    #[error("the compilation was stopped, because nobody needs it any more")]
    Stopped,
    /// The child could not be started, or broke.
    #[error("the compiler's process failed: {0}")]
    Process(String),
}

/// Compiles `module` with the settings of `engine`.
pub(crate) fn compile(
    compiler: &Compiler,
    limits: &CompileLimits,
    engine: &Engine,
    module: &[u8],
    stop: &Stop,
) -> Result<Vec<u8>, CompileError> {
    match compiler {
        Compiler::InProcess => engine.precompile_module(module).map_err(|error| refused(&error)),
        Compiler::Child { program } => in_child(program, limits, Haste::Waited, module, stop),
    }
}

/// Whether somebody waits for the code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// A shard does.
    Waited,
    /// Nobody yet: whatever else runs on the machine goes first.
    Ahead,
}

impl Haste {
    /// As `nice` has it.
    fn nice(self) -> i32 {
        match self {
            Self::Waited => 0,
            Self::Ahead => 10,
        }
    }
}

/// Ends a compilation from another thread.
#[derive(Default)]
pub(crate) struct Stop(Mutex<(bool, Option<Child>)>);

impl Stop {
    fn lock(&self) -> MutexGuard<'_, (bool, Option<Child>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the child, also one that starts after this.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.0 = true;
        if let Some(child) = &mut state.1 {
            // It may have ended by itself already.
            let _ = child.kill();
        }
    }

    fn watch(&self, mut child: Child) {
        let mut state = self.lock();
        if state.0 {
            let _ = child.kill();
        }
        state.1 = Some(child);
    }

    /// Waits for the child, which has closed its pipes or is to be killed.
    fn end(&self, kill: bool) -> io::Result<(ExitStatus, bool)> {
        let mut state = self.lock();
        let Some(mut child) = state.1.take() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if kill {
            // It may have ended by itself already, and then there is nothing to kill.
            let _ = child.kill();
        }
        Ok((child.wait()?, state.0))
    }
}

fn refused(error: &wasmtime::Error) -> CompileError {
    CompileError::Refused(format!("{error:#}"))
}

pub(crate) fn in_child(
    program: &Path,
    limits: &CompileLimits,
    haste: Haste,
    module: &[u8],
    stop: &Stop,
) -> Result<Vec<u8>, CompileError> {
    let broken = |error: io::Error| CompileError::Process(format!("{}: {error}", program.display()));
    let mut child = spawn(program, limits, haste).map_err(broken)?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    stop.watch(child);
    let exchanged = exchange(pipes, module);
    let (status, stopped) = stop.end(exchanged.is_err()).map_err(broken)?;
    match exchanged {
        _ if stopped => Err(CompileError::Stopped),
        Ok((code, _)) if code.len() as u64 > CODE_BYTES_MAX => Err(CompileError::TooLong),
        Ok((code, _)) if status.success() => Ok(code),
        Ok((_, words)) => Err(why_it_ended(status, &words, limits)),
        Err(error) if status.success() => Err(broken(error)),
        Err(error) => Err(why_it_ended(status, &error.to_string(), limits)),
    }
}

fn spawn(program: &Path, limits: &CompileLimits, haste: Haste) -> io::Result<Child> {
    Command::new(program)
        .arg(COMPILE_ARGUMENT)
        .args([
            limits.cpu_s.to_string(),
            limits.wall_s.to_string(),
            limits.memory_bytes.to_string(),
            haste.nice().to_string(),
        ])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

type Pipes = (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>);

/// The child reads everything before it writes anything, and writes few words, so no pipe can fill
/// up on both sides. If it hangs all the same, its own alarm ends it.
fn exchange((input, output, errors): Pipes, module: &[u8]) -> io::Result<(Vec<u8>, String)> {
    if let Some(mut input) = input {
        match input.write_all(module) {
            // It ended before it had read all: its words and its status say why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other?,
        }
    }
    let mut code = Vec::new();
    if let Some(output) = output {
        output.take(CODE_BYTES_MAX + 1).read_to_end(&mut code)?;
    }
    let mut words = Vec::new();
    if let Some(errors) = errors {
        errors.take(WORDS_BYTES_MAX).read_to_end(&mut words)?;
    }
    Ok((code, String::from_utf8_lossy(&words).trim().to_owned()))
}

fn why_it_ended(status: ExitStatus, words: &str, limits: &CompileLimits) -> CompileError {
    match status.signal() {
        Some(libc::SIGXCPU | libc::SIGKILL) => CompileError::OutOfTime(limits.cpu_s),
        Some(libc::SIGALRM) => CompileError::OutOfTime(limits.wall_s),
        _ if OUT_OF_MEMORY.iter().any(|said| words.contains(said)) => {
            CompileError::OutOfMemory(limits.memory_bytes)
        }
        None if status.code() == Some(EXIT_REFUSED.into()) => CompileError::Refused(words.to_owned()),
        _ => CompileError::Process(format!("{status}: {words}")),
    }
}

/// How the standard library, the engine and the system say it.
const OUT_OF_MEMORY: [&str; 3] = ["memory allocation of", "out of memory", "Cannot allocate memory"];

/// The child's exit code when the module is to blame, and not the process.
const EXIT_REFUSED: u8 = 3;

/// The child's side; `None` when this process was not started to compile.
pub(crate) fn compile_child() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != COMPILE_ARGUMENT {
        return None;
    }
    let result = parse_limits(arguments)
        .and_then(|(limits, nice)| confine(&limits, nice))
        .and_then(|()| compile_stdin());
    Some(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(CompileError::Refused(message)) => say(&message, EXIT_REFUSED),
        Err(error) => say(&error.to_string(), 1),
    })
}

fn say(message: &str, code: u8) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(code)
}

fn process_error(error: &io::Error) -> CompileError {
    CompileError::Process(error.to_string())
}

fn parse_limits(mut arguments: impl Iterator<Item = OsString>) -> Result<(CompileLimits, i32), CompileError> {
    let mut next = || arguments.next()?.into_string().ok()?.parse::<u64>().ok();
    let limits = (|| {
        let cpu_s = u32::try_from(next()?).ok()?;
        let wall_s = u32::try_from(next()?).ok()?;
        let memory_bytes = next()?;
        let nice = i32::try_from(next()?).ok()?;
        let limits = CompileLimits {
            cpu_s,
            wall_s,
            memory_bytes,
        };
        Some((limits, nice))
    })();
    limits.ok_or_else(|| CompileError::Process(format!("{COMPILE_ARGUMENT} is for this program's own use")))
}

/// Takes away from this process what it could do harm with, before it sees the module.
fn confine(limits: &CompileLimits, nice: i32) -> Result<(), CompileError> {
    let bounds = [
        (libc::RLIMIT_CPU, u64::from(limits.cpu_s)),
        (libc::RLIMIT_AS, limits.memory_bytes),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_FSIZE, 0),
    ];
    for (resource, bound) in bounds {
        let bound = libc::rlimit {
            rlim_cur: bound,
            rlim_max: bound,
        };
        // SAFETY: `bound` is a valid pointer for the call's length; the call touches nothing else.
        if unsafe { libc::setrlimit(resource, &raw const bound) } != 0 {
            return Err(process_error(&io::Error::last_os_error()));
        }
    }
    // SAFETY: no call takes a pointer. The first lowers this process's priority, if anything; the alarm's
    // default action is to end the process; the last one ends it together with its parent.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, nice);
        libc::alarm(limits.wall_s);
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
    Ok(())
}

fn compile_stdin() -> Result<(), CompileError> {
    let mut module = Vec::new();
    let read = io::stdin()
        .lock()
        .take(MODULE_BYTES_MAX + 1)
        .read_to_end(&mut module);
    read.map_err(|error| process_error(&error))?;
    let engine = engine::for_compiling().map_err(|error| refused(&error))?;
    let code = engine
        .precompile_module(&module)
        .map_err(|error| refused(&error))?;
    io::stdout()
        .lock()
        .write_all(&code)
        .map_err(|error| process_error(&error))
}
