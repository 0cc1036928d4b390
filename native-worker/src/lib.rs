//! The headless worker: the heart of a worker, one WebSocket, and a guest process for each tenant.
//!
//! [`run`] is the whole of it; the executable beside it and `elytra worker` only read their arguments.
//! One task owns the [`worker::Worker`]: it hands in what happens and performs what is asked for.
//!
//! | file | what it does |
//! |---|---|
//! | [`config`] | what it is told at its start |
//! | `shell` | the one task: hand in, drain, flush once, sleep |
//! | `link` | the WebSocket: opening, frames, pings, closing |
//! | `sandbox` | where programs are made ready and run |
//! | `guests` | in a process for each tenant |
//! | `slots` | in this process: a thread for each slot, and stopping what runs there |
//! | `report` | how a run ended, in the words of the wire |
//! | `http` | programs, parts of blobs, long outputs |
//! | `identity` | who this worker is, kept across restarts |
//! | [`signals`] | first signal drains, second one ends |
#![forbid(unsafe_code)]

pub mod config;
mod guests;
mod http;
mod identity;
mod link;
mod report;
mod sandbox;
mod shell;
pub mod signals;
mod slots;

pub use config::NativeWorkerConfig;
pub use report::outputs;
pub use signals::Stop;

use protocol::wire::RefusalCode;
use std::path::PathBuf;
use tokio::sync::watch;

/// Why a worker could not start, or ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The server's address cannot be used.
    #[error("'{url}' is not an address of a server: {why}. Give one such as http://127.0.0.1:8080")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The folder of the worker cannot be used.
    #[error("the folder {} cannot be used: {source}. Give another with --cache-dir", path.display())]
    Folder {
        /// The folder, or a file in it.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system gives no chance to name a worker with.
    #[error("the system gives no random numbers: {0}")]
    Chance(getrandom::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made: {0}")]
    Http(#[from] reqwest::Error),
    /// Nobody can be believed.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The sandbox cannot be made.
    #[error(transparent)]
    Sandbox(#[from] runtime::RuntimeError),
    /// No process to run programs in.
    #[error("a process for programs cannot be started: {0}. With --sandbox off they run in this one")]
    Guest(String),
    /// All walls were asked for, and the kernel does not give them.
    #[error(
        "the sandbox lacks {0}, and --sandbox required asks for all of it: allow it to this user, or give --sandbox \
         auto"
    )]
    Walls(String),
    /// The coordinator does not want this worker.
    #[error("the server refuses this worker: {detail}")]
    Refused {
        /// For programs.
        code: RefusalCode,
        /// For people: what is wrong and what to do.
        detail: String,
    },
}

impl RunError {
    /// The exit code of the process: 3 when the worker is not allowed, 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused {
                code: RefusalCode::TokenMissing | RefusalCode::TokenWrong | RefusalCode::ScopeMissing,
                ..
            } => 3,
            _ => 1,
        }
    }
}

/// Works for a server until `stop` says otherwise: on [`Stop::Drain`] it finishes what runs (at most
/// [`config::DRAIN_MS_MAX`]), on [`Stop::Now`] it leaves at once. A server that is away is waited for.
pub async fn run(config: NativeWorkerConfig, stop: watch::Receiver<Stop>) -> Result<(), RunError> {
    let address = config::Address::parse(&config.server, config.ca_file.as_deref())?;
    let identity = identity::Identity::take(&config.cache_dir)?;
    let fetcher = http::Fetcher::new(&address, config.token.as_deref())?;
    let shell = shell::Shell::new(&config, address, &identity, fetcher).await?;
    let programs = shell.programs();
    tracing::info!(server = %config.server, worker = %identity.worker, slots = config.slots, "worker started");
    let result = shell.run(stop).await;
    programs.stop_preparing_ahead();
    // The identity is free for another process only when this one has left.
    drop(identity);
    result
}
