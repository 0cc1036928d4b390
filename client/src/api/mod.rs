//! The API as it is: one method an address, in the types of `protocol`.
//!
//! A call fails at once when the server cannot be reached; [`Client::patiently`] waits for a server
//! that is being restarted.
mod results;

pub use results::{Line, Results};

use crate::{Error, Options};
use bytes::Bytes;
use protocol::api::{
    Blob, ErrorGroups, Explanation, Job, JobPage, Overview, Program, ProgramList, Shard, TokenList,
    TokenMade, TokenRequest, WorkerList,
};
use protocol::credit::{Receipt, ReceiptDigests, ReceiptPage};
use protocol::ids::{AccountId, BlobHash, JobId, ProgramHash, ReceiptId, WorkerId};
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
const AWAY_MAX: Duration = Duration::from_secs(60);
/// The first and the longest pause between two tries.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);
/// The longest pause that a server may ask for when too much waits already.
const FULL_PAUSE_MAX: Duration = Duration::from_secs(10);

/// A server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    server: String,
    token: Option<String>,
}

impl Client {
    /// For this server, with this token.
    ///
    /// # Errors
    /// [`Error::Usage`] for an address or a file of authorities that is none.
    pub fn new(options: Options) -> Result<Self, Error> {
        let Options {
            server,
            token,
            ca_file,
        } = options;
        let server = checked(&server)?;
        let http = tls::http(&server, ca_file.as_deref())
            .map_err(|error| Error::Usage(error.to_string()))?
            .connect_timeout(CONNECT_TIME_MAX)
            .read_timeout(PAUSE_MAX)
            .tcp_nodelay(true)
            .user_agent(concat!("elytra/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Machine(format!("the HTTP client cannot be made: {error}")))?;
        Ok(Self { http, server, token })
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Submits a job. The same `key` again finds the job of the first time.
    pub async fn submit(&self, spec: &JobSpec, key: &str) -> Result<Job, Error> {
        let request = || {
            self.request(Method::POST, "/jobs")
                .header("idempotency-key", key)
                .json(spec)
        };
        self.json(request).await
    }

    /// How a job stands.
    pub async fn job(&self, id: JobId) -> Result<Job, Error> {
        self.get(&format!("/jobs/{id}")).await
    }

    /// A page of jobs; `query` holds what is asked for.
    pub async fn jobs(&self, query: &[(&str, &str)]) -> Result<JobPage, Error> {
        self.json(|| self.ask("/jobs", query)).await
    }

    /// `verb` is one of cancel, pause, resume, retry, close.
    pub async fn steer(&self, id: JobId, verb: &str) -> Result<Job, Error> {
        self.json(|| self.request(Method::POST, &format!("/jobs/{id}/{verb}")))
            .await
    }

    /// Adds lines to an open job, once, also when the answer to it is lost: where this is the job's only
    /// sender, its count of items tells whether they arrived. `items_before` is what was sent before.
    /// Where too many wait already, it waits until they are fewer.
    pub async fn add_items_once(&self, id: JobId, lines: Bytes, items_before: u64) -> Result<(), Error> {
        let mut away = Away::default();
        loop {
            match self.add_items(id, lines.clone()).await {
                Ok(Added::All) => return Ok(()),
                Ok(Added::Full { pause }) => tokio::time::sleep(pause).await,
                Err(error) if error.is_passing() => {
                    away.wait(error, &|_| {}).await?;
                    let stands = self.patiently(|| self.job(id), |_| {}).await?;
                    if stands.counts.items > items_before {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn add_items(&self, id: JobId, lines: Bytes) -> Result<Added, Error> {
        let request = self
            .request(Method::POST, &format!("/jobs/{id}/items"))
            .header("content-type", "application/x-ndjson")
            .body(lines);
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        match response.status() {
            StatusCode::TOO_MANY_REQUESTS => Ok(Added::Full {
                pause: retry_after(&response),
            }),
            status if status.is_success() => Ok(Added::All),
            _ => Err(problem(response).await),
        }
    }

    /// Why attempts of a job failed, most frequent first.
    pub async fn errors(&self, id: JobId) -> Result<ErrorGroups, Error> {
        self.get(&format!("/jobs/{id}/errors")).await
    }

    /// Why a job does not move, and what would change it.
    pub async fn explain_job(&self, id: JobId) -> Result<Explanation, Error> {
        self.get(&format!("/jobs/{id}/explain")).await
    }

    /// Why a worker has nothing to do, and what would change it.
    pub async fn explain_worker(&self, id: WorkerId) -> Result<Explanation, Error> {
        self.get(&format!("/workers/{id}/explain")).await
    }

    /// The workers.
    pub async fn workers(&self) -> Result<WorkerList, Error> {
        self.get("/workers").await
    }

    /// Everything at a glance.
    pub async fn overview(&self) -> Result<Overview, Error> {
        self.get("/overview").await
    }

    /// The programs that the server knows.
    pub async fn programs(&self) -> Result<ProgramList, Error> {
        self.get("/programs").await
    }

    /// A shard as a worker gets it.
    pub async fn shard(&self, job: JobId, shard: u32) -> Result<Shard, Error> {
        self.get(&format!("/jobs/{job}/shards/{shard}")).await
    }

    /// A program's admitted bytes.
    pub async fn module(&self, program: ProgramHash) -> Result<Bytes, Error> {
        let request = self.request(Method::GET, &format!("/programs/{program}/module"));
        let response = self.send(request).await?;
        response.bytes().await.map_err(|error| self.unreachable(&error))
    }

    /// A blob's bytes, to be read in pieces.
    pub async fn download(&self, hash: BlobHash) -> Result<Response, Error> {
        let request = self.request(Method::GET, &format!("/blobs/{hash}"));
        self.send(request).await
    }

    /// The next piece of a body; nothing at its end.
    pub async fn piece(&self, body: &mut Response) -> Result<Option<Bytes>, Error> {
        body.chunk().await.map_err(|error| self.unreachable(&error))
    }

    /// A program by the name that the server carries it under, or by hash; `None` when the server does
    /// not say (it will when the job is submitted).
    pub async fn program(&self, name: &str) -> Result<Option<Program>, Error> {
        let list = match self.programs().await {
            Err(Error::Problem(problem)) if problem.status == 403 => return Ok(None),
            list => list?,
        };
        let is_meant = |p: &Program| p.description.name == name || p.hash.to_string() == name;
        Ok(list.programs.into_iter().find(is_meant))
    }

    /// Uploads a program under its file's name; the server checks it.
    pub async fn push(&self, file: &str, bytes: Vec<u8>) -> Result<Program, Error> {
        let pairs = form_urlencoded(&[("file", file)]);
        let request = self.request(Method::POST, &format!("/programs?{pairs}"));
        answer(self.send(request.body(bytes)).await?).await
    }

    /// Uploads a blob.
    pub async fn upload(&self, body: Body) -> Result<Blob, Error> {
        let request = self.request(Method::POST, "/blobs").body(body);
        answer(self.send(request).await?).await
    }

    /// The newest receipts of an account, as many as one page has.
    pub async fn receipts(&self, account: AccountId) -> Result<Vec<Receipt>, Error> {
        let page: ReceiptPage = self
            .get(&format!("/accounts/{account}/receipts?limit=500"))
            .await?;
        Ok(page.receipts)
    }

    /// A receipt.
    pub async fn receipt(&self, id: ReceiptId) -> Result<Receipt, Error> {
        self.get(&format!("/receipts/{id}")).await
    }

    /// The digests of a receipt's shards, as the stored outputs give them.
    pub async fn receipt_digests(&self, id: ReceiptId) -> Result<ReceiptDigests, Error> {
        self.get(&format!("/receipts/{id}/digests")).await
    }

    /// Makes a token; its text is told once.
    pub async fn make_token(&self, request: &TokenRequest) -> Result<TokenMade, Error> {
        self.json(|| self.request(Method::POST, "/tokens").json(request))
            .await
    }

    /// The tokens, without their texts.
    pub async fn tokens(&self) -> Result<TokenList, Error> {
        self.get("/tokens").await
    }

    /// From now on the token is worth nothing.
    pub async fn revoke_token(&self, id: &str) -> Result<(), Error> {
        let request = self.request(Method::DELETE, &format!("/tokens/{id}"));
        self.send(request).await.map(drop)
    }

    /// Repeats `call` while the server is away, at most [`AWAY_MAX`]; `told` is called once when the
    /// waiting begins.
    pub async fn patiently<T, F>(&self, call: impl Fn() -> F, told: impl Fn(&str)) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut away = Away::default();
        loop {
            match call().await {
                Err(error) if error.is_passing() => away.wait(error, &told).await?,
                result => return result,
            }
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.json(|| self.request(Method::GET, path)).await
    }

    async fn json<T: DeserializeOwned>(&self, request: impl FnOnce() -> RequestBuilder) -> Result<T, Error> {
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

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(problem(response).await)
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        away(self.server.clone(), error)
    }
}

/// What became of lines for an open job.
enum Added {
    All,
    /// None of them: too many wait already.
    Full {
        pause: Duration,
    },
}

/// As long as the server asks for, within bounds.
fn retry_after(response: &Response) -> Duration {
    let header = response.headers().get(reqwest::header::RETRY_AFTER);
    let seconds = header.and_then(|value| value.to_str().ok()?.parse().ok());
    seconds
        .map_or(RETRY_PAUSE_MAX, Duration::from_secs)
        .clamp(RETRY_PAUSE_MIN, FULL_PAUSE_MAX)
}

/// A key under which a submission may be repeated without making a second job.
///
/// # Errors
/// [`Error::Machine`] when the system has no random bytes.
pub fn idempotency_key() -> Result<String, Error> {
    let chance = getrandom::u64().and_then(|a| getrandom::u64().map(|b| (a, b)));
    let (a, b) = chance.map_err(|error| Error::Machine(format!("no random bytes: {error}")))?;
    Ok(format!("client-{a:016x}{b:016x}"))
}

/// A server that is away: how long already.
#[derive(Default)]
pub(crate) struct Away {
    since: Option<Instant>,
    pause: Duration,
}

impl Away {
    /// Waits a little longer than the last time; gives the failure back when it lasts too long.
    pub(crate) async fn wait(&mut self, error: Error, told: &impl Fn(&str)) -> Result<(), Error> {
        let since = *self.since.get_or_insert_with(|| {
            told("the server is away; waiting for it");
            Instant::now()
        });
        if since.elapsed() > AWAY_MAX {
            return Err(error);
        }
        self.pause = (self.pause * 2).clamp(RETRY_PAUSE_MIN, RETRY_PAUSE_MAX);
        tokio::time::sleep(self.pause).await;
        Ok(())
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

/// The address as requests begin with it. Workers' addresses begin with `ws`, and mean the same server.
fn checked(server: &str) -> Result<String, Error> {
    let http = server
        .strip_prefix("ws")
        .map_or_else(|| server.to_owned(), |rest| format!("http{rest}"));
    match reqwest::Url::parse(&http) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(http.trim_end_matches('/').to_owned())
        }
        _ => Err(Error::Usage(format!(
            "'{server}' is not the address of a server: give one such as http://127.0.0.1:4750 or https://example.org"
        ))),
    }
}

/// A server that did not answer, or that is not the one that was meant.
fn away(server: String, error: &reqwest::Error) -> Error {
    match tls::explain(error) {
        Some(why) => Error::Untrusted { server, why },
        None => Error::Unreachable {
            server,
            why: match innermost(error) {
                // The first bytes of an alert of TLS.
                why if why.contains("invalid HTTP version") => {
                    format!("{why}: if it speaks TLS, its address begins with https://")
                }
                why => why,
            },
        },
    }
}

async fn answer<T: DeserializeOwned>(response: Response) -> Result<T, Error> {
    let server = response.url().origin().ascii_serialization();
    match response.json().await {
        Ok(answer) => Ok(answer),
        Err(error) if error.is_decode() => {
            let why = innermost(&error);
            Err(Error::Strange { server, why })
        }
        Err(error) => Err(away(server, &error)),
    }
}

/// The problem in the body, or one made of the status when what answered is not ours.
async fn problem(response: Response) -> Error {
    let status = response.status();
    let server = response.url().origin().ascii_serialization();
    let body = response.bytes().await.unwrap_or_default();
    let problem = serde_json::from_slice(&body).unwrap_or_else(|_| foreign(status, &server));
    Error::Problem(Box::new(problem))
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
