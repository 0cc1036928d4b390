//! A place where a coordinator process runs: its folder, its port, its token, and callers of its API.
use crate::checker::{History, Shown};
use crate::process::{Process, free_port};
use crate::submit::Door;
use coordinator::config::Settings;
use coordinator::{auth, open_store};
use protocol::api::{Job, ResultLine, Scope, TokenRequest};
use protocol::ids::JobId;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No step of a test takes longer on any machine that can build this.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until something holds, but not for ever.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let end = Instant::now() + BOUND;
    while Instant::now() < end {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(LOOK).await;
    }
    panic!("{what}: not within {} s", BOUND.as_secs());
}

/// `item` takes any whole number; the workers of these tests answer without running it.
const PROGRAM: &str = r#"(module
  (memory (export "memory") 1 16)
  (func (export "item"))
  (@custom "elytra.description" "{\"name\":\"item\",\"item\":{\"type\":\"integer\"},\"output\":\"json\"}"))"#;

/// Makes a token that allows everything, in a store that no coordinator has open.
pub(crate) fn admin_token(settings: &Settings) -> String {
    let request = TokenRequest {
        name: "test".into(),
        scopes: vec![Scope::Admin],
        expires_ms: None,
    };
    let mut store = open_store(settings).unwrap();
    auth::make_token_offline(store.as_mut(), request).unwrap().token
}

/// A page of results.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Items and their outputs as JSON, as they came.
    pub(crate) items: Vec<(u64, String)>,
    pub(crate) cursor: String,
    pub(crate) end: bool,
}

/// A coordinator that can be killed and started again.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) address: SocketAddr,
    token: String,
    flags: Vec<String>,
    http: Client,
    process: Option<Process>,
}

impl Site {
    /// A coordinator on a fresh folder with the embedded store, ready to serve.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        let mut site = Self::embedded(flags);
        site.restart().await;
        site
    }

    /// The same, not started.
    pub(crate) fn embedded(flags: &[&str]) -> Self {
        let mut site = Self::new(flags, String::new());
        site.token = admin_token(&Settings {
            data_dir: site.folder(),
            ..Settings::default()
        });
        site
    }

    /// Everything but the process.
    pub(crate) fn new(flags: &[&str], token: String) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            address: SocketAddr::from(([127, 0, 0, 1], free_port())),
            token,
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            http: tls::plain_http().unwrap().build().unwrap(),
            process: None,
        }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where it keeps everything, and its log.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coordinator"));
        command
            .current_dir(self.folder.path())
            .arg("--listen")
            .arg(self.address.to_string())
            .arg("--data-dir")
            .arg(self.folder())
            .args(&self.flags);
        command
    }

    pub(crate) fn spawn(&mut self, command: &mut Command) {
        self.process = Some(Process::start(command, &self.log_path()));
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Starts it and waits until it is ready; says how long that took.
    pub(crate) async fn restart(&mut self) -> Duration {
        let start = Instant::now();
        self.spawn(&mut self.command());
        self.until_ready().await;
        start.elapsed()
    }

    pub(crate) async fn until_ready(&mut self) {
        let what = "the coordinator is ready";
        until(what, || async { self.is_ready().await.then_some(()) }).await;
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let request = self.http.get(format!("http://{}/readyz", self.address));
        request
            .timeout(BOUND)
            .send()
            .await
            .is_ok_and(|response| response.status().is_success())
    }

    /// What `/readyz` says when it is not ready.
    pub(crate) async fn unready(&self) -> Option<Value> {
        let request = self.http.get(format!("http://{}/readyz", self.address));
        let response = request.timeout(BOUND).send().await.ok()?;
        (response.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(())?;
        response.json().await.ok()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&mut self) {
        self.process().signal("TERM");
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    /// Everything that coordinators wrote here.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap()
    }

    /// Fails when any coordinator here panicked.
    pub(crate) fn assert_no_panic(&self) {
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// Fails when one of these texts is in the log.
    pub(crate) fn assert_never_logged(&self, secrets: &[&str]) {
        let log = self.log();
        assert!(!secrets.iter().any(|secret| log.contains(secret)), "{log}");
    }

    /// A request under `/api/v1` by whoever may do everything.
    pub(crate) fn api(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}/api/v1{path}", self.address);
        self.http
            .request(method, url)
            .timeout(BOUND)
            .bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.api(Method::GET, path).send().await.unwrap();
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let response = self.api(Method::POST, path).json(body).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Uploads the program of these tests and returns its hash.
    pub(crate) async fn program(&self) -> String {
        let module = wat::parse_str(PROGRAM).unwrap();
        let response = self
            .api(Method::POST, "/programs")
            .body(module)
            .send()
            .await
            .unwrap();
        let made: Value = response.json().await.unwrap();
        made["hash"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned()
    }

    /// Uploads bytes and returns their hash.
    pub(crate) async fn blob(&self, bytes: impl Into<reqwest::Body>) -> String {
        let request = self.api(Method::POST, "/blobs").body(bytes);
        let made: Value = request.send().await.unwrap().json().await.unwrap();
        made["hash"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned()
    }

    /// Submits a job over `0..items`, one item a shard.
    pub(crate) async fn submit(&self, items: u64) -> JobId {
        let range = json!({"range": {"end": items}});
        let (status, job) = self.post("/jobs", &self.job_body(range).await).await;
        assert_eq!(status, StatusCode::CREATED, "{job}");
        job["id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) async fn job_body(&self, input: Value) -> Value {
        let program = self.program().await;
        json!({"program": program, "entry": "item", "input": input, "grain": {"items": 1}})
    }

    /// Its store is that of another, which has a token that is known.
    pub(crate) fn take_token(&mut self, other: &Self) {
        self.token.clone_from(&other.token);
    }

    /// How clients submit a job over `0..items`.
    pub(crate) async fn door(&self, items: u64) -> Door {
        Door {
            http: self.http.clone(),
            address: self.address,
            token: self.token.clone(),
            body: Arc::new(self.job_body(json!({"range": {"end": items}})).await),
        }
    }

    /// How many jobs there are.
    pub(crate) async fn count_jobs(&self) -> usize {
        let (mut count, mut cursor) = (0, String::new());
        loop {
            let page = self.get(&format!("/jobs?limit=500{cursor}")).await;
            count += page["jobs"].as_array().unwrap().len();
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return count,
            }
        }
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        serde_json::from_value(self.get(&format!("/jobs/{id}")).await).unwrap()
    }

    /// The job, or nothing while the coordinator cannot be asked.
    pub(crate) async fn try_job(&self, id: JobId) -> Option<Job> {
        let response = self.api(Method::GET, &format!("/jobs/{id}")).send().await.ok()?;
        response.json().await.ok()
    }

    pub(crate) async fn until_over(&self, id: JobId) -> Job {
        let over = || async { self.try_job(id).await.filter(|job| job.state.is_over()) };
        until("the job is over", over).await
    }

    pub(crate) async fn page(&self, id: JobId, order: &str, cursor: Option<&str>, limit: u32) -> Page {
        let cursor = cursor
            .map(|cursor| format!("&cursor={cursor}"))
            .unwrap_or_default();
        let path = format!("/jobs/{id}/results?order={order}&limit={limit}{cursor}");
        let response = self.api(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let text = response.text().await.unwrap();
        let mut page = Page {
            items: Vec::new(),
            cursor: String::new(),
            end: false,
        };
        for line in text.lines() {
            match serde_json::from_str(line).unwrap() {
                ResultLine::Item { item, output, .. } => page.items.push((item, output.unwrap().to_string())),
                ResultLine::Cursor { cursor, end, .. } => (page.cursor, page.end) = (cursor, end),
                failed @ ResultLine::Failed { .. } => panic!("{failed:?}"),
            }
        }
        page
    }

    /// Every result of a job that is over.
    pub(crate) async fn results(&self, id: JobId, order: &str) -> Vec<(u64, String)> {
        let mut items = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.page(id, order, cursor.as_deref(), 10_000).await;
            items.extend(page.items);
            if page.end {
                return items;
            }
            cursor = Some(page.cursor);
        }
    }
}

/// Waits until so many shards of a job are accepted.
pub(crate) async fn until_accepted(site: &Site, id: JobId, wanted: u64) -> Job {
    let enough = || async { site.try_job(id).await.filter(|job| job.counts.accepted >= wanted) };
    until("enough shards are accepted", enough).await
}

/// Everything the API tells of a job over whole numbers that is over.
pub(crate) async fn history(site: &Site, id: JobId, kills: Vec<Shown>) -> History {
    let counts = site.job(id).await.counts;
    History {
        items: counts.items,
        shards: counts.shards,
        accepted: counts.accepted,
        items_accepted: counts.items_accepted,
        ordered: site.results(id, "index").await,
        completed: site.results(id, "completed").await,
        kills,
    }
}
