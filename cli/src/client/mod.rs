//! The server as the command line sees it: one method an address, in the types of `protocol`.
//!
//! A call fails at once when the server cannot be reached; [`Client::patiently`] waits for a server
//! that is being restarted.
mod results;

pub(crate) use results::{Line, Results};

use crate::failure::Failure;
use bytes::Bytes;
use protocol::api::{
    Blob, ErrorGroups, Explanation, ItemsAdded, Job, JobPage, Overview, Program, ProgramList, Shard,
    TokenList, TokenMade, TokenRequest, WorkerList,
};
use protocol::ids::{BlobHash, JobId, ProgramHash, WorkerId};
use protocol::job::JobSpec;
use protocol::problem::Problem;
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long an answer may pause. Streams that wait for news show every 10 s that they live.
const PAUSE_MAX: Duration = Duration::from_secs(45);
/// How long a server that went away is waited for.
pub(crate) const AWAY_MAX: Duration = Duration::from_secs(60);
/// The first and the longest pause between two tries.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);

/// A server. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
}

impl Client {
    /// For this server, with this token.
    pub(crate) fn new(server: &str, token: Option<String>) -> Result<Self, Failure> {
        check_address(server)?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIME_MAX)
            .read_timeout(PAUSE_MAX)
            .tcp_nodelay(true)
            .user_agent(concat!("elytra/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::Other(error.into()))?;
        Ok(Self {
            http,
            server: server.trim_end_matches('/').into(),
            token,
        })
    }

    /// The server's address.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    pub(crate) async fn submit(&self, spec: &JobSpec, key: &str) -> Result<Job, Failure> {
        let request = || {
            self.request(Method::POST, "/jobs")
                .header("idempotency-key", key)
                .json(spec)
        };
        self.json(request).await
    }

    pub(crate) async fn job(&self, id: JobId) -> Result<Job, Failure> {
        self.get(&format!("/jobs/{id}")).await
    }

    /// A page of jobs; `query` holds what is asked for.
    pub(crate) async fn jobs(&self, query: &[(&str, &str)]) -> Result<JobPage, Failure> {
        self.json(|| self.ask("/jobs", query)).await
    }

    /// `verb` is one of cancel, pause, resume, retry, close.
    pub(crate) async fn steer(&self, id: JobId, verb: &str) -> Result<Job, Failure> {
        self.json(|| self.request(Method::POST, &format!("/jobs/{id}/{verb}")))
            .await
    }

    /// Adds lines to an open job. Not to be repeated blindly: a lost answer may mean that they arrived.
    pub(crate) async fn add_items(&self, id: JobId, lines: Bytes) -> Result<ItemsAdded, Failure> {
        let path = format!("/jobs/{id}/items");
        self.json(|| {
            let request = self
                .request(Method::POST, &path)
                .header("content-type", "application/x-ndjson");
            request.body(lines.clone())
        })
        .await
    }

    pub(crate) async fn errors(&self, id: JobId) -> Result<ErrorGroups, Failure> {
        self.get(&format!("/jobs/{id}/errors")).await
    }

    pub(crate) async fn explain_job(&self, id: JobId) -> Result<Explanation, Failure> {
        self.get(&format!("/jobs/{id}/explain")).await
    }

    pub(crate) async fn explain_worker(&self, id: WorkerId) -> Result<Explanation, Failure> {
        self.get(&format!("/workers/{id}/explain")).await
    }

    pub(crate) async fn workers(&self) -> Result<WorkerList, Failure> {
        self.get("/workers").await
    }

    pub(crate) async fn overview(&self) -> Result<Overview, Failure> {
        self.get("/overview").await
    }

    pub(crate) async fn programs(&self) -> Result<ProgramList, Failure> {
        self.get("/programs").await
    }

    /// A shard as a worker gets it.
    pub(crate) async fn shard(&self, job: JobId, shard: u32) -> Result<Shard, Failure> {
        self.get(&format!("/jobs/{job}/shards/{shard}")).await
    }

    /// A program's admitted bytes.
    pub(crate) async fn module(&self, program: ProgramHash) -> Result<Bytes, Failure> {
        let request = self.request(Method::GET, &format!("/programs/{program}/module"));
        let response = self.send(request).await?;
        response.bytes().await.map_err(|error| self.unreachable(&error))
    }

    /// A blob's bytes, to be read in pieces.
    pub(crate) async fn download(&self, hash: BlobHash) -> Result<Response, Failure> {
        let request = self.request(Method::GET, &format!("/blobs/{hash}"));
        self.send(request).await
    }

    /// The next piece of a body; nothing at its end.
    pub(crate) async fn piece(&self, body: &mut Response) -> Result<Option<Bytes>, Failure> {
        body.chunk().await.map_err(|error| self.unreachable(&error))
    }

    /// A program by the name that the server carries it under, or by hash; `None` when the server does
    /// not say (it will when the job is submitted).
    pub(crate) async fn program(&self, name: &str) -> Result<Option<Program>, Failure> {
        let list = match self.programs().await {
            Err(Failure::Problem(problem)) if problem.status == 403 => return Ok(None),
            list => list?,
        };
        let is_meant = |p: &Program| p.description.name == name || p.hash.to_string() == name;
        Ok(list.programs.into_iter().find(is_meant))
    }

    /// Uploads a program under its file's name; the server checks it.
    pub(crate) async fn push(&self, file: &str, bytes: Vec<u8>) -> Result<Program, Failure> {
        let pairs = form_urlencoded(&[("file", file)]);
        let request = self.request(Method::POST, &format!("/programs?{pairs}"));
        answer(self.send(request.body(bytes)).await?).await
    }

    pub(crate) async fn upload(&self, body: Body) -> Result<Blob, Failure> {
        let request = self.request(Method::POST, "/blobs").body(body);
        answer(self.send(request).await?).await
    }

    pub(crate) async fn make_token(&self, request: &TokenRequest) -> Result<TokenMade, Failure> {
        self.json(|| self.request(Method::POST, "/tokens").json(request))
            .await
    }

    pub(crate) async fn tokens(&self) -> Result<TokenList, Failure> {
        self.get("/tokens").await
    }

    pub(crate) async fn revoke_token(&self, id: &str) -> Result<(), Failure> {
        let request = self.request(Method::DELETE, &format!("/tokens/{id}"));
        self.send(request).await.map(drop)
    }

    /// Repeats `call` while the server is away, at most [`AWAY_MAX`]; `told` is called once when the
    /// waiting begins.
    pub(crate) async fn patiently<T, F>(
        &self,
        call: impl Fn() -> F,
        told: impl Fn(&str),
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut away = Away::default();
        loop {
            match call().await {
                Err(failure) if is_passing(&failure) => away.wait(failure, &told).await?,
                result => return result,
            }
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.json(|| self.request(Method::GET, path)).await
    }

    async fn json<T: DeserializeOwned>(
        &self,
        request: impl FnOnce() -> RequestBuilder,
    ) -> Result<T, Failure> {
        answer(self.send(request()).await?).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.server));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A question with a query; its values may hold anything.
    fn ask(&self, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let mut pairs = form_urlencoded(query);
        pairs.insert(0, '?');
        self.request(Method::GET, &format!("{path}{pairs}"))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(problem(response).await)
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        Failure::Unreachable {
            server: self.server.clone(),
            why: innermost(error),
        }
    }
}

/// A server that is away: how long already.
#[derive(Default)]
pub(crate) struct Away {
    since: Option<Instant>,
    pause: Duration,
}

impl Away {
    /// Waits a little longer than the last time; gives the failure back when it lasts too long.
    pub(crate) async fn wait(&mut self, failure: Failure, told: &impl Fn(&str)) -> Result<(), Failure> {
        let since = *self.since.get_or_insert_with(|| {
            told("the server is away; waiting for it");
            Instant::now()
        });
        if since.elapsed() > AWAY_MAX {
            return Err(failure);
        }
        self.pause = (self.pause * 2).clamp(RETRY_PAUSE_MIN, RETRY_PAUSE_MAX);
        tokio::time::sleep(self.pause).await;
        Ok(())
    }
}

/// Whether trying again may help.
pub(crate) fn is_passing(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } => true,
        Failure::Problem(problem) => matches!(problem.status, 429 | 502 | 503 | 504),
        _ => false,
    }
}

/// `a=1&b=x%20y` (RFC 3986: what is not unreserved is written as its bytes).
fn form_urlencoded(query: &[(&str, &str)]) -> String {
    let written = |text: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let bytes = text.bytes();
        bytes
            .map(|byte| {
                if plain(byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect()
    };
    let pairs: Vec<_> = query
        .iter()
        .map(|(name, value)| format!("{}={}", written(name), written(value)))
        .collect();
    pairs.join("&")
}

fn check_address(server: &str) -> Result<(), Failure> {
    let wrong = |why: &str| Failure::Usage(format!("'{server}' is not the address of a server: {why}"));
    match reqwest::Url::parse(server) {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(()),
        Ok(url) if url.scheme() == "https" => Err(wrong(
            "this program speaks plain HTTP; put a TLS tunnel or VPN in between",
        )),
        _ => Err(wrong("give one such as http://127.0.0.1:4750")),
    }
}

async fn answer<T: DeserializeOwned>(response: Response) -> Result<T, Failure> {
    let server = response.url().origin().ascii_serialization();
    match response.json().await {
        Ok(answer) => Ok(answer),
        Err(error) if error.is_decode() => {
            let why = innermost(&error);
            Err(Failure::Other(anyhow::anyhow!(
                "{server} answered something else than expected ({why})"
            )))
        }
        Err(error) => Err(Failure::Unreachable {
            server,
            why: innermost(&error),
        }),
    }
}

/// The problem in the body, or one made of the status when what answered is not ours.
async fn problem(response: Response) -> Failure {
    let status = response.status();
    let server = response.url().origin().ascii_serialization();
    let body = response.bytes().await.unwrap_or_default();
    let problem = serde_json::from_slice(&body).unwrap_or_else(|_| foreign(status, &server));
    Failure::Problem(Box::new(problem))
}

fn foreign(status: StatusCode, server: &str) -> Problem {
    let detail = format!("Is {server} an Elytra server?");
    Problem::new(
        status.as_u16(),
        "foreign_answer",
        &format!("The server answered {status}"),
        detail,
    )
}

/// The last cause in the chain says most: "connection refused".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let last = std::iter::successors(Some(error), |error| error.source()).last();
    last.map(ToString::to_string).unwrap_or_default()
}
