//! The coordinator as a child process: its own CPU time and memory can be read, the load's are not counted.
use anyhow::{Context, Result, bail};
use coordinator::store::{SqliteOptions, SqliteStore};
use protocol::api::{Job, Program, Scope, TokenRequest};
use protocol::job::{Grain, InputSpec, JobSpec, JobState, RangeSpec};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a coordinator may take until it serves, and a job until it is over.
const START_MAX: Duration = Duration::from_secs(30);
const JOB_MAX: Duration = Duration::from_secs(300);
/// How often a job is looked at: the error of a run's end.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How the coordinator is set up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// `full` or `normal`.
    pub(crate) durability: &'static str,
    /// The Redis it uses instead of the embedded store.
    pub(crate) redis_url: Option<String>,
}

/// A running coordinator.
pub(crate) struct Coordinator {
    child: Child,
    pub(crate) port: u16,
    pub(crate) token: String,
    http: reqwest::Client,
    _folder: TempDir,
}

impl Coordinator {
    /// Starts one on a free port with an empty store.
    pub(crate) async fn start(setup: &Setup) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let token = match &setup.redis_url {
            None => make_token(folder.path())?,
            Some(url) => make_redis_token(url)?,
        };
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(binary()?);
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        command
            .arg("--data-dir")
            .arg(folder.path())
            .args(["--log-filter", "warn"]);
        match &setup.redis_url {
            None => command.args(["--durability", setup.durability]),
            Some(url) => command.args(["--store", "redis", "--redis-url", url, "--allow-volatile", "true"]),
        };
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .context("the coordinator")?;
        let http = tls::plain_http()?.build()?;
        let coordinator = Self {
            child,
            port,
            token,
            http,
            _folder: folder,
        };
        coordinator.wait_until_it_serves().await?;
        Ok(coordinator)
    }

    async fn wait_until_it_serves(&self) -> Result<()> {
        let start = Instant::now();
        while self.http.get(self.url("/../../readyz")).send().await.is_err() {
            if start.elapsed() > START_MAX {
                bail!("the coordinator did not serve within {START_MAX:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/api/v1{path}", self.port)
    }

    /// Submits a job over `items` numbers of the kernel that does nothing.
    pub(crate) async fn submit(&self, items: u64, grain: Grain) -> Result<Job> {
        self.submit_to("rust-core", "null", items, grain).await
    }

    /// Submits a job over `items` numbers of an uploaded program.
    pub(crate) async fn submit_to(
        &self,
        program: &str,
        entry: &str,
        items: u64,
        grain: Grain,
    ) -> Result<Job> {
        let range = RangeSpec {
            start: 0,
            end: i64::try_from(items)?,
            step: 1,
        };
        let spec = JobSpec {
            grain,
            ..JobSpec::new(program, entry, InputSpec::Range(range))
        };
        self.submit_spec(&spec).await
    }

    /// Submits a job as it is described.
    pub(crate) async fn submit_spec(&self, spec: &JobSpec) -> Result<Job> {
        let request = self
            .http
            .post(self.url("/jobs"))
            .bearer_auth(&self.token)
            .json(spec);
        let response = request.send().await?;
        if !response.status().is_success() {
            bail!("the job was refused: {}", response.text().await?);
        }
        Ok(response.json().await?)
    }

    /// Uploads a program and gives its hash.
    pub(crate) async fn push(&self, module: Vec<u8>) -> Result<String> {
        let request = self
            .http
            .post(self.url("/programs"))
            .bearer_auth(&self.token)
            .header("content-type", "application/wasm")
            .body(module);
        let response = request.send().await?;
        if !response.status().is_success() {
            bail!("the program was refused: {}", response.text().await?);
        }
        let program: Program = response.json().await?;
        Ok(program.hash.to_string())
    }

    /// What lies at an address below the API's.
    pub(crate) async fn get(&self, path: &str) -> Result<Vec<u8>> {
        let request = self.http.get(self.url(path)).bearer_auth(&self.token);
        let response = request.send().await?.error_for_status()?;
        Ok(response.bytes().await?.to_vec())
    }

    /// Where workers find it.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until a job is over and says when that was seen.
    pub(crate) async fn wait(&self, job: &Job) -> Result<Instant> {
        let start = Instant::now();
        loop {
            let request = self
                .http
                .get(self.url(&format!("/jobs/{}", job.id)))
                .bearer_auth(&self.token);
            let job: Job = request.send().await?.json().await?;
            match job.state {
                JobState::Succeeded => return Ok(Instant::now()),
                state if state.is_over() => bail!("the job is {state}: {:?}", job.reason),
                _ if start.elapsed() > JOB_MAX => {
                    bail!("the job is not over after {JOB_MAX:?}: {:?}", job.counts)
                }
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// CPU time of the process so far, in seconds.
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| {
            fields
                .get(at)
                .and_then(|f| f.parse::<f64>().ok())
                .unwrap_or_default()
        };
        // SAFETY: sysconf only reads a constant of the system.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Ok((ticks(11) + ticks(12)) / per_second as f64)
    }

    /// Resident memory, in KiB.
    pub(crate) fn rss_kib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .context("VmRSS")?;
        Ok(line.split_whitespace().nth(1).context("VmRSS")?.parse()?)
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn make_token(folder: &Path) -> Result<String> {
    let mut store = SqliteStore::open(&SqliteOptions::new(folder))?;
    Ok(coordinator::auth::make_token_offline(&mut store, token_request())?.token)
}

fn make_redis_token(url: &str) -> Result<String> {
    let settings = coordinator::config::Settings {
        store: coordinator::config::StoreKind::Redis,
        redis_url: url.into(),
        allow_volatile: true,
        ..Default::default()
    };
    let mut store = coordinator::open_store(&settings)?;
    Ok(coordinator::auth::make_token_offline(store.as_mut(), token_request())?.token)
}

fn token_request() -> TokenRequest {
    TokenRequest {
        name: "bench".into(),
        scopes: vec![Scope::Submit, Scope::Read, Scope::Trusted],
        expires_ms: None,
    }
}

/// The coordinator's binary beside this one, built with the same profile.
fn binary() -> Result<std::path::PathBuf> {
    let path = std::env::current_exe()?.with_file_name("coordinator");
    if !path.exists() {
        bail!("{} is missing: cargo xtask bench builds it", path.display());
    }
    Ok(path)
}
