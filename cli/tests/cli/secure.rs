//! A server that speaks TLS, a worker and commands that believe an authority of one's own, and all who do not.
use crate::house::{Ended, WAIT_MAX, elytra};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

/// An authority that signs for servers of this test.
struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self(Issuer::new(params, key))
    }

    /// Writes a certificate and its key.
    fn sign(&self, folder: &Path, names: &[&str], last_year: i32) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        // The key first: until both are new the pair does not fit, and the old one stays.
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    }
}

/// Lines that nobody has looked at; whoever says more waits.
const LINES_WAITING_MAX: usize = 10_000;

/// A process whose lines are read, ended with the test.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (tell, lines) = sync_channel(LINES_WAITING_MAX);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Self { child, lines }
    }

    /// The first line with `part` in it.
    fn says(&self, part: &str) -> String {
        let mut said = String::new();
        while let Ok(line) = self.lines.recv_timeout(WAIT_MAX) {
            if line.contains(part) {
                return line;
            }
            said = format!("{said}{line}\n");
        }
        panic!("'{part}' was never said:\n{said}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = elytra(folder);
    command.args(args);
    command
}

fn run(folder: &Path, args: &[&str]) -> Ended {
    Ended::of(command(folder, args).stdin(Stdio::null()).output().unwrap())
}

/// A server with the certificate that lies in the folder; its port.
fn serve(folder: &Path) -> (Running, String) {
    let settings = ["--listen", "127.0.0.1:0", "--data-dir", "data"];
    let tls = ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"];
    let mut server = command(folder, &["server"]);
    server.args(settings).args(tls);
    let server = Running::start(server);
    let told = server.says("serves on https://");
    let port = told.rsplit(':').next().unwrap().to_owned();
    (server, port)
}

#[test]
fn a_job_over_tls_with_an_authority_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(folder);
    authority.sign(folder, &["localhost"], 2100);
    let make = [
        "token",
        "create",
        "--offline",
        "--name",
        "test",
        "--scope",
        "submit,read,work",
    ];
    let token = run(folder, &[&make[..], &["--data-dir", "data"]].concat()).ok();
    std::fs::write(folder.join("token"), token).unwrap();
    let (_server, port) = serve(folder);
    let secure = format!("https://localhost:{port}");
    let list = |server: &str, more: &[&str]| {
        run(
            folder,
            &[
                &["job", "list", "--server", server, "--token-file", "token"],
                more,
            ]
            .concat(),
        )
    };
    let believed = ["--ca-file", "ca.pem"];

    // Refused: an authority nobody knows, another name, no TLS, a file that is none.
    let told = list(&secure, &[]).failed(6);
    assert!(
        told.contains("is not believed") && told.contains("--ca-file"),
        "{told}"
    );
    let told = list(&format!("https://127.0.0.1:{port}"), &believed).failed(6);
    assert!(told.contains("is for localhost, not for 127.0.0.1"), "{told}");
    let told = list(&format!("http://localhost:{port}"), &believed).failed(6);
    assert!(told.contains("its address begins with https://"), "{told}");
    let told = list(&secure, &["--ca-file", "token"]).failed(2);
    assert!(
        told.contains("the file of authorities token cannot be used"),
        "{told}"
    );

    // A worker that does not know the authority gets nowhere; one that does makes the job end.
    let work = [
        "worker",
        "--slots",
        "1",
        "--sandbox",
        "off",
        "--token-file",
        "token",
    ];
    let worker = |server: &str, cache: &str, more: &[&str]| {
        let mut worker = command(folder, &work);
        worker.args(["--server", server, "--cache-dir", cache]).args(more);
        Running::start(worker)
    };
    let stranger = worker(&secure, "stranger", &[]);
    assert!(stranger.says("is not believed").contains("--ca-file"));
    list(&secure, &believed).ok();
    let _worker = worker(&format!("wss://localhost:{port}"), "cache", &believed);
    let run_job = [
        "run",
        "mersenne",
        "3",
        "5",
        "7",
        "--token-file",
        "token",
        "--server",
    ];
    let answers = run(folder, &[&run_job[..], &[&secure], &believed].concat()).ok();
    assert_eq!(answers.lines().count(), 3, "{answers}");

    // One that ran out is told by its age. The running server reads it again.
    authority.sign(folder, &["localhost"], 2021);
    let start = std::time::Instant::now();
    loop {
        let ended = list(&secure, &believed);
        if ended.code != Some(0) {
            let told = ended.failed(6);
            assert!(told.contains("ran out") && told.contains("renew"), "{told}");
            break;
        }
        assert!(
            start.elapsed() < WAIT_MAX,
            "the certificate that ran out is never shown"
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}
