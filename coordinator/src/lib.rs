//! The coordinator: sockets, API and pages around the scheduler.
//!
//! [`Coordinator::start`] takes a store and starts the engine; [`Coordinator::serve`] takes listeners
//! that the caller bound, so that tests bind port zero. What is where:
//!
//! | module | what it is |
//! |---|---|
//! | [`accept`] | the accept loop and its bounds |
//! | `route` | `/api/v1`, one file for each thing |
//! | [`auth`], `holds`, `ticket` | tokens, who stays connected under one, and tickets for pages |
//! | [`net`], `rate` | addresses, proxies, and how many requests each may send |
//! | `secret` | what only the coordinators of a site know |
//! | `session` | one worker's connection |
//! | [`engine`] | the one task that owns the scheduler, and the thread that commits |
//! | [`store`] | everything durable |
//! | [`blobs`] | bytes by their hash |
//! | [`backup`] | all of it in a folder, taken while it is in use |
//! | `launch` | how workers start a job |
//! | `reduce` | the stages behind a job's map |
//! | `assets`, `programs` | the pages and programs that the binary carries |
//! | [`config`], [`metrics`], [`log`] | what the operator sees |
#![forbid(unsafe_code)]

pub mod accept;
mod assets;
pub mod auth;
pub mod backup;
pub mod blobs;
pub mod config;
pub mod engine;
mod holds;
mod launch;
pub mod log;
pub mod metrics;
pub mod net;
mod open;
mod programs;
mod rate;
mod reduce;
mod route;
mod secret;
mod session;
pub mod store;
mod ticket;

pub use open::{open_store, raise_file_limit};

use accept::acme::Acme;
use accept::{Caps, Options, Tls};
use anyhow::Context;
use auth::Auth;
use blobs::Blobs;
use config::Settings;
use engine::{Engine, Started};
use net::Networks;
use programs::Programs;
use protocol::account::AccountKey;
use rate::Rates;
use route::App;
use route::door::Door;
use route::hosts::Hosts;
use secret::Secret;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use ticket::Tickets;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long a connection may take for a request's head.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// Most sockets of one address that have not said who they are.
const HANDSHAKES_PER_ADDRESS_MAX: u32 = 16;
/// Connections of operators and their tools.
const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Histograms are folded together this often, so that they stay small when nobody reads them.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// A coordinator whose engine runs.
pub struct Coordinator {
    app: Arc<App>,
    stop: watch::Sender<bool>,
    connections_max: usize,
    connections_per_address_max: u32,
    proxies: Networks,
    tls: Option<Arc<Tls>>,
    shutdown_time_max: Duration,
}

impl Coordinator {
    /// Reads what is stored and starts the engine.
    pub async fn start(store: Box<dyn Store>, settings: &Settings) -> anyhow::Result<Self> {
        metrics::handle();
        let blob_dir = settings.blob_dir();
        let blobs = Blobs::open(&blob_dir).with_context(|| format!("the blobs in {}", blob_dir.display()))?;
        let blobs = Arc::new(blobs);
        let durability = store.durability();
        tracing::info!(%durability, "the store is open");
        let Started { engine, reductions } =
            engine::start(store).context("what is stored could not be read")?;
        let reader = engine.reader();
        let programs = Programs::new(Arc::clone(&reader))?;
        programs.keep_built_in(&blobs, &engine).await?;
        let (stop, shutdown) = watch::channel(false);
        let tls = tls(settings)?;
        let secret = Secret::open(&blob_dir).context("the secret of this coordinator")?;
        let auth = Arc::new(Auth::new(Arc::clone(&reader)));
        tokio::spawn(auth.follow());
        let app = App {
            auth,
            worker_token_required: settings.worker_token_required,
            trust_min: settings.trust_min,
            receipt_key: AccountKey::new(secret.digest("receipts", &[])),
            door: Arc::new(door(settings, secret, tls.clone())),
            engine,
            reader,
            blobs,
            programs: Arc::new(programs),
            durability,
            shutdown,
        };
        let app = Arc::new(app);
        tokio::spawn(reduce::serve(Arc::clone(&app), reductions));
        Ok(Self {
            app,
            stop,
            connections_max: settings.connections_max,
            connections_per_address_max: settings.connections_per_address_max,
            proxies: settings.proxies.clone(),
            tls,
            shutdown_time_max: Duration::from_millis(settings.shutdown_ms_max),
        })
    }

    /// The engine, for who starts a coordinator inside their own process.
    pub fn engine(&self) -> &Engine {
        &self.app.engine
    }

    /// Serves until `shutdown` resolves, then lets requests and workers finish within their time.
    pub async fn serve(
        self,
        listener: TcpListener,
        admin: Option<TcpListener>,
        shutdown: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let options = |connections_max, tls| Options {
            connections_max,
            connections_per_address_max: self.connections_per_address_max,
            exempt: Networks::loopback_and(&self.proxies),
            head_time_max: HEAD_TIME_MAX,
            drain_time_max: self.shutdown_time_max,
            tls,
        };
        let stopping = || self.stop.subscribe();
        let router = route::router(Arc::clone(&self.app));
        let public = accept::serve(
            listener,
            router,
            options(self.connections_max, self.tls.clone()),
            stopping(),
        );
        let mut tasks = vec![tokio::spawn(public)];
        if let Some(admin) = admin {
            let router = route::admin_router(Arc::clone(&self.app));
            tasks.push(tokio::spawn(accept::serve(
                admin,
                router,
                options(ADMIN_CONNECTIONS_MAX, None),
                stopping(),
            )));
        }
        let upkeep = tokio::spawn(keep_metrics_small());
        let broken = tokio::select! {
            () = shutdown => false,
            () = self.app.engine.gone() => true,
        };
        tracing::info!("stopping: nothing new is taken");
        self.stop.send_replace(true);
        let stopped = tokio::time::timeout(self.shutdown_time_max, self.app.engine.stop()).await;
        if stopped.is_err() {
            tracing::warn!("workers were cut off: they did not finish in time");
        }
        for task in tasks {
            task.await.context("an accept loop")?;
        }
        upkeep.abort();
        anyhow::ensure!(
            !broken,
            "the engine stopped: what is stored cannot be read (the log says more)"
        );
        Ok(())
    }
}

/// The certificate, where the settings name one.
fn tls(settings: &Settings) -> anyhow::Result<Option<Arc<Tls>>> {
    let tls = match (&settings.tls_cert_file, &settings.tls_key_file) {
        (Some(certificate), Some(key)) => Tls::load(certificate, key),
        _ if settings.acme_domains.is_empty() => return Ok(None),
        _ => Tls::automatic(Acme::new(settings)),
    };
    Ok(Some(Arc::new(tls.context("TLS")?)))
}

/// What stands before every public route.
fn door(settings: &Settings, secret: Secret, tls: Option<Arc<Tls>>) -> Door {
    let exempt = Networks::loopback_and(&Networks::default());
    Door {
        proxies: settings.proxies.clone(),
        rates: Rates::new(settings.requests_per_second_max),
        handshakes: Caps::new(HANDSHAKES_PER_ADDRESS_MAX, exempt.clone()),
        exempt,
        tickets: Tickets::new(secret.clone()),
        secret,
        origins: settings.cors_origins.as_slice().into(),
        speaks_tls: tls.is_some(),
        hosts: Hosts::new(settings, tls),
    }
}

async fn keep_metrics_small() {
    loop {
        tokio::time::sleep(METRICS_UPKEEP).await;
        metrics::handle().run_upkeep();
    }
}
