//! A running `elytra dev` with a folder of its own, and commands that are run against it.
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The binary under test.
pub(crate) const ELYTRA: &str = env!("CARGO_BIN_EXE_elytra");
/// How long anything may take: a debug build on a busy machine.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(120);

/// A running server with a worker.
pub(crate) struct Dev {
    pub(crate) folder: tempfile::TempDir,
    child: Child,
    said: Arc<Mutex<String>>,
}

/// A command without what the machine's own settings would add.
pub(crate) fn elytra(folder: &Path) -> Command {
    let mut command = Command::new(ELYTRA);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ELYTRA_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("NO_COLOR", "1");
    command
}

impl Dev {
    /// With one worker of two slots.
    pub(crate) fn start() -> Self {
        Self::with(&["--slots", "2"])
    }

    /// Nobody works.
    pub(crate) fn without_worker() -> Self {
        Self::with(&["--slots", "0"])
    }

    fn with(flags: &[&str]) -> Self {
        let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/web/kernels/rust_core.wasm");
        assert!(
            kernels.exists(),
            "{} is missing: run `cargo xtask build-web kernels`",
            kernels.display()
        );
        let folder = tempfile::tempdir().unwrap();
        let (child, said) = spawn(folder.path(), flags);
        Self { folder, child, said }
    }

    /// Ends the server as a power cut would, and starts it again.
    pub(crate) fn kill_and_restart(&mut self, flags: &[&str]) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.said) = spawn(self.folder.path(), flags);
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn address(&self) -> String {
        left(self.path(), "address").unwrap()
    }

    pub(crate) fn token(&self) -> String {
        left(self.path(), "token").unwrap()
    }

    /// A command in the server's folder, where it finds address and token.
    pub(crate) fn elytra(&self, args: &[&str]) -> Command {
        let mut command = elytra(self.path());
        command.args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.elytra(args).output().unwrap())
    }

    /// The same, with something on standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> Ended {
        let mut command = self.elytra(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // A command that ends early does not read it all.
        let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let ended = Ended::of(child.wait_with_output().unwrap());
        writer.join().unwrap();
        ended
    }

    /// Submits a job and tells its id.
    pub(crate) fn submit(&self, args: &[&str]) -> String {
        let all: Vec<&str> = std::iter::once("submit").chain(args.iter().copied()).collect();
        self.run(&all).ok().trim().to_owned()
    }

    /// Waits until a job looks as wanted.
    pub(crate) fn wait_for_job(&self, id: &str, what: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let job: Value =
                serde_json::from_str(&self.run(&["job", "info", id, "-o", "json"]).ok()).unwrap();
            if is_wanted(&job) {
                return job;
            }
            assert!(
                start.elapsed() < WAIT_MAX,
                "the job never got to be {what}: {job:#}\n{}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn left(folder: &Path, file: &str) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(".elytra").join(file)).ok()?;
    text.ends_with('\n').then(|| text.trim().to_owned())
}

fn spawn(folder: &Path, flags: &[&str]) -> (Child, Arc<Mutex<String>>) {
    let mut command = elytra(folder);
    command.arg("dev").args(flags);
    if !folder.join(".elytra/address").exists() {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = Arc::new(Mutex::new(String::new()));
    let (stderr, hears) = (child.stderr.take().unwrap(), Arc::clone(&said));
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if line.contains("#token=") {
                let _ = tell.try_send(());
            }
            let mut said = hears.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    });
    if told.recv_timeout(WAIT_MAX).is_err() {
        let _ = child.kill();
        panic!("elytra dev named no address:\n{}", said.lock().unwrap());
    }
    (child, said)
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output of a command that went well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// Standard error of a command that ended with `code`.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.err
    }
}

/// Waits for a child, bounded.
#[track_caller]
pub(crate) fn wait_for(mut child: Child) -> Ended {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > WAIT_MAX {
            let _ = child.kill();
            panic!("the command does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ended::of(child.wait_with_output().unwrap())
}

/// The folder of the examples.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// What is left in a pipe.
pub(crate) fn rest(mut pipe: impl std::io::Read) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).unwrap();
    text
}
