//! A coordinator on port zero, a caller, and a worker that speaks frames by hand.
use coordinator::config::Settings;
use coordinator::{Coordinator, auth, open_store};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::account::AccountKey;
use protocol::api::{Scope, TokenRequest};
use protocol::frame::{decode_to_worker, encode_from_worker};
use protocol::ids::{ProgramHash, WorkerId};
use protocol::run::OutputsBuilder;
use protocol::wire::{FromWorker, Hello, ItemSource, Lease, LeaseInput, OpenJob, ToWorker, WorkerKind};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// No step of a test takes longer on any machine that can build this.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// Waits for something, but not for ever.
pub(crate) async fn soon<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, wanted)
        .await
        .unwrap_or_else(|_| panic!("{what} took too long"))
}

/// A coordinator that runs inside the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// May do everything.
    pub(crate) token: String,
    http: reqwest::Client,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    _folder: Option<TempDir>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut server = Self::start_in(folder.path(), change).await;
        server._folder = Some(folder);
        server
    }

    pub(crate) async fn start_in(folder: &Path, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            data_dir: folder.into(),
            shutdown_ms_max: 5_000,
            ..Settings::default()
        };
        change(&mut settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, admin) = (
            listener.local_addr().unwrap(),
            admin_listener.local_addr().unwrap(),
        );
        let store = open_store(&settings).unwrap();
        let coordinator = Coordinator::start(store, &settings).await.unwrap();
        let request = TokenRequest {
            name: "test".into(),
            scopes: vec![Scope::Admin],
            expires_ms: None,
        };
        let token = auth::make_token(coordinator.engine(), request)
            .await
            .unwrap()
            .token;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            coordinator.serve(listener, Some(admin_listener), stopped).await
        });
        Self {
            address,
            admin,
            token,
            http: tls::plain_http().unwrap().build().unwrap(),
            stop,
            task,
            _folder: None,
        }
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        soon("stopping", self.task).await.unwrap().unwrap();
    }

    /// A request without a token.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.address))
    }

    /// A request under `/api/v1` by whoever may do everything.
    pub(crate) fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, &format!("/api/v1{path}"))
            .bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        json(self.api(Method::GET, path).send().await.unwrap()).await.1
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        json(self.api(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// Uploads bytes and returns their hash.
    pub(crate) async fn blob(&self, bytes: impl Into<reqwest::Body>) -> String {
        let made = json(self.api(Method::POST, "/blobs").body(bytes).send().await.unwrap()).await;
        assert_eq!(made.0, StatusCode::CREATED, "{}", made.1);
        made.1["hash"].as_str().unwrap().to_owned()
    }

    /// Uploads the program of these tests and returns its hash.
    pub(crate) async fn program(&self) -> ProgramHash {
        let module = wat::parse_str(PROGRAM).unwrap();
        let made = json(
            self.api(Method::POST, "/programs")
                .body(module)
                .send()
                .await
                .unwrap(),
        )
        .await;
        assert_eq!(made.0, StatusCode::CREATED, "{}", made.1);
        made.1["hash"].as_str().unwrap().parse().unwrap()
    }

    /// Submits a job and returns its id.
    pub(crate) async fn submit(&self, body: &Value) -> String {
        let (status, job) = self.post("/jobs", body).await;
        assert_eq!(status, StatusCode::CREATED, "{job}");
        job["id"].as_str().unwrap().to_owned()
    }

    /// Reads a job until it is over.
    pub(crate) async fn until_over(&self, id: &str) -> Value {
        let over = async {
            loop {
                let job = self.get(&format!("/jobs/{id}")).await;
                if ["succeeded", "failed", "canceled"].contains(&job["state"].as_str().unwrap()) {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon("a job", over).await
    }

    /// The lines of a page of results.
    pub(crate) async fn results(&self, id: &str, query: &str) -> Vec<Value> {
        let path = format!("/jobs/{id}/results{query}");
        let response = soon("results", self.api(Method::GET, &path).send())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let text = soon("results", response.text()).await.unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub(crate) async fn json(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (status, value)
}

/// `double` takes whole numbers from -1,000,000 to 1,000,000, `sum` lists of them.
pub(crate) const PROGRAM: &str = r#"(module
  (import "elytra" "input_len" (func (result i32)))
  (memory (export "memory") 1 16)
  (func (export "double"))
  (func (export "sum"))
  (@custom "elytra.description" "{\"program\":{\"name\":\"twice\",\"version\":\"1.0.0\"},\"name\":\"double\",\"item\":{\"type\":\"integer\",\"min\":-1000000,\"max\":1000000},\"params\":[{\"name\":\"width\",\"type\":\"integer\",\"default\":7,\"min\":1,\"max\":64}]}"))"#;

/// A worker that computes `2 * item` for a number, and the sum of a list.
pub(crate) struct RawWorker {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    jobs: HashMap<u32, OpenJob>,
    /// Items with this value fail.
    pub(crate) fails_on: Option<i64>,
    /// What it says is one too much, in one shard of so many; 0 for never.
    pub(crate) lies_in: u32,
    /// Ends after this many leases.
    pub(crate) leases_max: u32,
}

pub(crate) fn hello(worker: u64, token: Option<&str>) -> FromWorker {
    hello_of(worker, token, None)
}

pub(crate) fn hello_of(worker: u64, token: Option<&str>, account: Option<&AccountKey>) -> FromWorker {
    FromWorker::Hello(Hello {
        worker: WorkerId(worker),
        token: token.map(str::to_owned),
        kind: WorkerKind::Native,
        name: "raw".into(),
        agent: "test 0".into(),
        slots: 2,
        window_max: 64,
        memory_mib: 512,
        simd: true,
        cached: Vec::new(),
        account: account.map(AccountKey::public),
    })
}

pub(crate) async fn connect(server: &Server) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let url = format!("ws://{}/api/v1/work", server.address);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert(
        "sec-websocket-protocol",
        protocol::WIRE_SUBPROTOCOL.parse().unwrap(),
    );
    soon("connecting", tokio_tungstenite::connect_async(request))
        .await
        .unwrap()
        .0
}

/// The next message, or nothing when the other side closed.
pub(crate) async fn next(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Option<ToWorker> {
    loop {
        match soon("a frame", socket.next()).await? {
            Ok(Message::Binary(frame)) => return Some(decode_to_worker(&frame).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

impl RawWorker {
    pub(crate) async fn join(server: &Server, worker: u64) -> Self {
        Self::join_as(server, worker, None).await
    }

    pub(crate) async fn join_as(server: &Server, worker: u64, token: Option<&str>) -> Self {
        let mut socket = connect(server).await;
        let hello = encode_from_worker(&hello(worker, token));
        socket.send(Message::Binary(hello.into())).await.unwrap();
        Self::welcomed(socket).await
    }

    /// Joins for an account.
    pub(crate) async fn join_for(server: &Server, worker: u64, key: &AccountKey, name: Option<&str>) -> Self {
        let mut socket = connect(server).await;
        let hello = encode_from_worker(&hello_of(worker, None, Some(key)));
        socket.send(Message::Binary(hello.into())).await.unwrap();
        let Some(ToWorker::Challenge { nonce }) = next(&mut socket).await else {
            panic!("a challenge")
        };
        let audience = server.address.to_string();
        let proof = FromWorker::Proof {
            signature: key.prove(&nonce, &audience),
            audience,
            display_name: name.map(str::to_owned),
        };
        socket
            .send(Message::Binary(encode_from_worker(&proof).into()))
            .await
            .unwrap();
        Self::welcomed(socket).await
    }

    async fn welcomed(mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        let welcome = next(&mut socket).await.unwrap();
        assert!(matches!(welcome, ToWorker::Welcome { .. }), "{welcome:?}");
        Self {
            socket,
            jobs: HashMap::new(),
            fails_on: None,
            lies_in: 0,
            leases_max: u32::MAX,
        }
    }

    /// The first job that it is told of.
    pub(crate) async fn opened(&mut self) -> OpenJob {
        loop {
            if let ToWorker::Open(job) = next(&mut self.socket).await.expect("the session ended") {
                return job;
            }
        }
    }

    /// The next lease; jobs that are opened on the way are kept.
    pub(crate) async fn leased(&mut self) -> Lease {
        loop {
            match next(&mut self.socket).await.expect("the session ended") {
                ToWorker::Open(job) => drop(self.jobs.insert(job.job.0, job)),
                ToWorker::Lease(lease) => return lease,
                _ => {}
            }
        }
    }

    /// Says all of it in one write.
    pub(crate) async fn burst(&mut self, messages: &[FromWorker]) {
        for message in messages {
            let frame = Message::Binary(encode_from_worker(message).into());
            self.socket.feed(frame).await.unwrap();
        }
        self.socket.flush().await.unwrap();
    }

    /// Works until the coordinator ends the session, or enough leases were done.
    pub(crate) async fn work(mut self) {
        let mut leases = 0;
        while leases < self.leases_max {
            match self.socket.next().await {
                Some(Ok(Message::Binary(frame))) => match decode_to_worker(&frame).unwrap() {
                    ToWorker::Open(job) => drop(self.jobs.insert(job.job.0, job)),
                    ToWorker::Lease(lease) => {
                        self.execute(&lease).await;
                        leases += 1;
                    }
                    ToWorker::Drain => return,
                    _ => {}
                },
                Some(Ok(_)) => {}
                _ => return,
            }
        }
    }

    async fn execute(&mut self, lease: &Lease) {
        let mut outputs = OutputsBuilder::default();
        let factor = if self.jobs[&lease.job.0].entry == "sum" {
            1
        } else {
            2
        };
        for k in 0..lease.shards {
            let shard = lease.first_shard + k;
            let first = lease.first_item + u64::from(k) * u64::from(lease.grain);
            let end = (first + u64::from(lease.grain)).min(lease.end_item);
            let values: Vec<i64> = (first..end).map(|item| self.value(lease, item)).collect();
            if values.iter().any(|value| self.fails_on == Some(*value)) {
                self.finish(lease, &mut outputs).await;
                self.fail(lease, shard).await;
                continue;
            }
            let mut output = Vec::new();
            let lie = self.lies_in > 0 && shard.is_multiple_of(self.lies_in);
            for value in values {
                let said = value * factor + i64::from(lie);
                kernel_abi::write_framed(&mut output, said.to_string().as_bytes());
            }
            assert!(outputs.push(shard, &output));
        }
        self.finish(lease, &mut outputs).await;
    }

    async fn finish(&mut self, lease: &Lease, outputs: &mut OutputsBuilder) {
        let Some(outputs) = outputs.finish() else { return };
        self.say(&FromWorker::Finished {
            lease: lease.lease,
            outputs,
            busy_us: 1_000,
        })
        .await;
    }

    async fn fail(&mut self, lease: &Lease, shard: u32) {
        let failure = protocol::wire::Failure {
            cause: protocol::wire::Cause::ItemFailed,
            detail: "this one cannot be doubled".into(),
        };
        self.say(&FromWorker::Failed {
            lease: lease.lease,
            shard,
            failure,
            busy_us: 10,
        })
        .await;
    }

    fn value(&self, lease: &Lease, item: u64) -> i64 {
        let job = &self.jobs[&lease.job.0];
        match (&job.source, &lease.input) {
            (ItemSource::Range { start, step }, LeaseInput::Computed) => {
                start + i64::try_from(item).unwrap() * step
            }
            (ItemSource::Lines(_), LeaseInput::Inline(bytes)) => {
                let line = usize::try_from(item - lease.first_item).unwrap();
                let text = std::str::from_utf8(bytes).unwrap().lines().nth(line).unwrap();
                match text.parse() {
                    Ok(number) => number,
                    Err(_) => serde_json::from_str::<Vec<i64>>(text).unwrap().iter().sum(),
                }
            }
            other => panic!("this worker does not fetch: {other:?}"),
        }
    }

    async fn say(&mut self, message: &FromWorker) {
        // The coordinator may be gone already; the test sees that elsewhere.
        let _ = self
            .socket
            .send(Message::Binary(encode_from_worker(message).into()))
            .await;
    }
}
