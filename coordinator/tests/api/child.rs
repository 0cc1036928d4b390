//! The real program as a child process, with its log in a file beside its data.
use coordinator::config::Settings;
use coordinator::{auth, open_store};
use futures_util::{SinkExt as _, StreamExt as _};
use protocol::api::{Scope, TokenRequest};
use protocol::frame::encode_from_worker;
use reqwest::{Method, RequestBuilder};
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const LOG: &str = "log";

/// A coordinator that is killed when this is dropped.
pub(crate) struct Child {
    pub(crate) address: SocketAddr,
    /// May do everything.
    pub(crate) token: String,
    http: reqwest::Client,
    process: std::process::Child,
    folder: Option<TempDir>,
}

impl Child {
    /// Starts with this filter of its log.
    pub(crate) async fn start(log_filter: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let data_dir = folder.path().join("data");
        let settings = Settings {
            data_dir: data_dir.clone(),
            ..Settings::default()
        };
        let request = TokenRequest {
            name: "child".into(),
            scopes: vec![Scope::Admin],
            expires_ms: None,
        };
        let mut store = open_store(&settings).unwrap();
        let token = auth::make_token_offline(store.as_mut(), request).unwrap().token;
        drop(store);
        let log = File::create(folder.path().join(LOG)).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_coordinator"))
            .args([
                "--listen",
                "127.0.0.1:0",
                "--log-filter",
                log_filter,
                "--data-dir",
            ])
            .arg(&data_dir)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut child = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            token,
            http: tls::plain_http().unwrap().build().unwrap(),
            process,
            folder: Some(folder),
        };
        child.address = child.listens().await;
        // It listens before it has read what is stored.
        let ready = child.http.get(format!("http://{}/livez", child.address)).send();
        crate::support::soon("the coordinator", ready).await.unwrap();
        child
    }

    /// The address that its log names.
    async fn listens(&self) -> SocketAddr {
        let there = async {
            loop {
                let log = self.log();
                let lines = log
                    .lines()
                    .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
                let named = lines
                    .filter_map(|line| line["listen"].as_str()?.parse().ok())
                    .next();
                match named {
                    Some(address) => return address,
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        crate::support::soon("the coordinator", there).await
    }

    fn path(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().to_owned()
    }

    /// Where its data lies.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join(LOG)).unwrap()
    }

    /// A request under `/api/v1`.
    pub(crate) fn api(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let url = format!("http://{}/api/v1{path}", self.address);
        self.http.request(method, url).bearer_auth(token)
    }

    /// A worker that says hello with this token, and hears one answer.
    pub(crate) async fn say_hello(&self, worker: u64, token: &str) {
        let mut request = format!("ws://{}/api/v1/work", self.address)
            .into_client_request()
            .unwrap();
        let protocol = protocol::WIRE_SUBPROTOCOL.parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let hello = encode_from_worker(&crate::support::hello(worker, Some(token)));
        socket.send(Message::Binary(hello.into())).await.unwrap();
        crate::support::soon("an answer", socket.next())
            .await
            .unwrap()
            .unwrap();
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What stands at an address, for who may do everything.
    pub(crate) async fn get(&self, path: &str) -> serde_json::Value {
        let response = self.api(Method::GET, path, &self.token).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// Ends it without warning, and gives its folder.
    pub(crate) fn stop(mut self) -> TempDir {
        self.end();
        self.folder.take().unwrap()
    }

    fn end(&mut self) {
        // It may have ended by itself, which shows elsewhere.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}
