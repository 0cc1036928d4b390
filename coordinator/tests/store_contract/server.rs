//! A real Redis on a free port, with its files in a folder of its own; stopped when it is dropped.
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to start or to stop.
const WAIT_MAX: Duration = Duration::from_secs(20);

pub(crate) struct RedisServer {
    folder: tempfile::TempDir,
    port: u16,
    settings: Vec<String>,
    child: Child,
}

impl RedisServer {
    /// One that writes everything to its append-only file before it answers.
    pub(crate) fn durable() -> Self {
        Self::start(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    pub(crate) fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        // Another process can take the port between the look and the start: then look again.
        for _ in 0..20 {
            let port = free_port();
            let mut child = spawn(folder.path(), port, &settings);
            if answers(port, &mut child) {
                return Self {
                    folder,
                    port,
                    settings,
                    child,
                };
            }
        }
        panic!(
            "redis-server does not start; its log is in {}",
            folder.path().display()
        );
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Another one that follows it.
    #[allow(dead_code, reason = "for tests of failover")]
    pub(crate) fn replica(&self) -> Self {
        let port = self.port.to_string();
        Self::start(&[
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--replicaof",
            "127.0.0.1",
            &port,
        ])
    }

    /// Length of the file in which it writes what it is told.
    #[allow(dead_code, reason = "for tests of failover")]
    pub(crate) fn log_bytes(&self) -> u64 {
        std::fs::metadata(self.log_path()).unwrap().len()
    }

    /// Forgets what it wrote behind `bytes`. It is not running.
    #[allow(dead_code, reason = "for tests of failover")]
    pub(crate) fn cut_log(&self, bytes: u64) {
        let file = std::fs::File::options()
            .write(true)
            .open(self.log_path())
            .unwrap();
        file.set_len(bytes).unwrap();
    }

    fn log_path(&self) -> std::path::PathBuf {
        let files = std::fs::read_dir(self.folder.path().join("appendonlydir")).unwrap();
        let mut logs = files.map(|file| file.unwrap().path());
        logs.find(|path| path.to_string_lossy().ends_with(".incr.aof"))
            .unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was killed, with the same files.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.folder.path(), self.port, &self.settings);
        assert!(
            answers(self.port, &mut self.child),
            "redis-server does not start again"
        );
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn spawn(folder: &Path, port: u16, settings: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args([
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--port",
        &port.to_string(),
        "--dir",
    ]);
    command
        .arg(folder)
        .args(settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .spawn()
        .expect("these tests need Redis: install the package `redis-server` (7.0 or later)")
}

/// Waits until it has loaded its files and answers.
fn answers(port: u16, child: &mut Child) -> bool {
    use std::io::{Read, Write};
    let end = Instant::now() + WAIT_MAX;
    while Instant::now() < end && child.try_wait().is_ok_and(|exit| exit.is_none()) {
        let mut answer = [0; 5];
        let ping = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|mut socket| {
            socket.write_all(b"PING\r\n")?;
            socket.read_exact(&mut answer)
        });
        // One that wants a password answers too.
        if ping.is_ok() && matches!(&answer, b"+PONG" | b"-NOAU") {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
