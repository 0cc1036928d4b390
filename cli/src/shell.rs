//! The only file that starts the shells (coordinator, native worker, sandbox) as libraries. Everything
//! else of the command line speaks HTTP with a server, wherever that is.
use crate::args::WorkerArgs;
use crate::failure::{Code, Failure};
use anyhow::Context as _;
use coordinator::backup;
pub(crate) use coordinator::backup::BackupNote;
use coordinator::config::{Config, ConfigError, LogFormat, Origin, Settings, StoreKind};
use coordinator::store::Store;
use coordinator::{Coordinator, accept, auth};
use native_worker::{NativeWorkerConfig, RunError, Stop, signals};
use protocol::api::{Scope, TokenMade, TokenRequest};
use protocol::ids::ProgramHash;
use protocol::job::Limits;
use protocol::wire::Failure as Failed;
use runtime::guest::Sandbox;
use runtime::{Runtime, RuntimeConfig, StopHandle};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Settings given as flags.
pub(crate) type Flags = Vec<(String, String)>;

/// Variables of workers that share the prefix of settings.
const ENV_OF_WORKERS: [&str; 4] = [
    "ELYTRA_MEMORY_MIB",
    "ELYTRA_WORKER_NAME",
    "ELYTRA_LOG",
    "ELYTRA_SANDBOX",
];
/// The port that clients look at when nothing tells them otherwise.
const DEV_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 4750);
/// A replay keeps more of the log than a worker does.
const REPLAY_LOG_BYTES_MAX: usize = 16 << 20;
const DEV_LOG: &str = "warn";

/// Compiles or runs programs for another process and ends, when this one was started for that. Must come first in
/// `main`.
pub(crate) fn child() -> Option<ExitCode> {
    runtime::child()
}

/// A flag for every setting of a server.
pub(crate) fn setting_args() -> impl Iterator<Item = clap::Arg> {
    coordinator::config::args()
}

/// The settings that were given as flags.
pub(crate) fn given(matches: &clap::ArgMatches) -> Flags {
    coordinator::config::flags(matches)
}

fn load(file: Option<&Path>, flags: &Flags) -> Result<Config, Failure> {
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let env = env.filter(|(name, _)| !ENV_OF_WORKERS.contains(&name.as_str()));
    Config::load(file, env, flags).map_err(|error| match error {
        ConfigError::Unreadable { .. } => Failure::Other(error.into()),
        error => Failure::Usage(error.to_string()),
    })
}

/// A setting as `config show` tells it.
#[derive(serde::Serialize)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) origin: String,
}

/// Every setting, and where it came from.
pub(crate) fn settings(file: Option<&Path>, flags: &Flags) -> Result<Vec<Setting>, Failure> {
    let shown = load(file, flags)?.show().into_iter();
    Ok(shown
        .map(|s| Setting {
            key: s.key,
            value: s.value,
            origin: s.origin.to_string(),
        })
        .collect())
}

/// A token for a server that does not run.
pub(crate) fn make_token_offline(
    file: Option<&Path>,
    flags: &Flags,
    request: TokenRequest,
) -> Result<TokenMade, Failure> {
    let config = load(file, flags)?;
    let mut store = coordinator::open_store(&config.settings)?;
    auth::make_token_offline(&mut *store, request).map_err(|error| Failure::Other(error.into()))
}

/// Copies what a server with these settings keeps to a folder.
pub(crate) fn backup(file: Option<&Path>, flags: &Flags, to: &Path) -> Result<BackupNote, Failure> {
    let settings = embedded(file, flags)?;
    backup::take(&settings.data_dir, &settings.blob_dir(), to).map_err(|error| Failure::Other(error.into()))
}

/// Brings a backup back for a server with these settings.
pub(crate) fn restore(file: Option<&Path>, flags: &Flags, from: &Path) -> Result<BackupNote, Failure> {
    let settings = embedded(file, flags)?;
    let restored = backup::restore(from, &settings.data_dir, &settings.blob_dir());
    restored.map_err(|error| Failure::Other(error.into()))
}

/// The settings, where the store is the embedded one.
fn embedded(file: Option<&Path>, flags: &Flags) -> Result<Settings, Failure> {
    let settings = load(file, flags)?.settings;
    if settings.store == StoreKind::Redis {
        let why = "this server keeps its jobs in Redis: back up Redis itself (BGREWRITEAOF, then copy its \
            append-only folder), and the folder of blobs";
        return Err(Failure::Usage(why.into()));
    }
    Ok(settings)
}

/// `elytra server`. `told` hears scheme and address once all that it needs is there.
pub(crate) async fn serve(
    file: Option<&Path>,
    flags: &Flags,
    told: impl Fn(&str, SocketAddr),
) -> Result<Code, Failure> {
    let settings = load(file, flags)?.settings;
    coordinator::log::start(settings.log_format, &settings.log_filter);
    coordinator::metrics::handle();
    coordinator::raise_file_limit();
    let listener = bind(settings.listen)?;
    let admin = match settings.admin_listen {
        Some(address) => Some(bind(address)?),
        None => None,
    };
    let store = coordinator::open_store(&settings)?;
    let coordinator = Coordinator::start(store, &settings).await?;
    let scheme = if settings.speaks_tls() { "https" } else { "http" };
    told(scheme, listener.local_addr().context("the listener's address")?);
    coordinator.serve(listener, admin, told_to_stop()).await?;
    Ok(Code::Done)
}

/// What a shard that was run here came to.
pub(crate) struct Replayed {
    /// Its items' outputs, in order.
    pub(crate) result: Result<Vec<Vec<u8>>, Failed>,
    /// All it logged.
    pub(crate) log: Vec<u8>,
    pub(crate) cpu_us: u64,
    pub(crate) memory_bytes_peak: usize,
}

/// Runs a shard in this process's own sandbox, under the limits of its job.
pub(crate) fn replay(
    program: ProgramHash,
    module: &[u8],
    entry: &str,
    input: Vec<u8>,
    limits: Limits,
) -> anyhow::Result<Replayed> {
    let memory_bytes = (limits.memory_mib as usize) << 20;
    let sandbox = Runtime::new(RuntimeConfig {
        memory_bytes_max: memory_bytes,
        cache_dir: default_cache_dir().map(|folder| folder.join("replay")),
        ..RuntimeConfig::default()
    })?;
    let prepared = sandbox.prepare(program, module)?;
    let time_ms = u64::from(limits.shard_time_ms);
    let limits = runtime::Limits {
        memory_bytes,
        time_ms,
        wall_ms: time_ms.saturating_mul(4),
        log_bytes: REPLAY_LOG_BYTES_MAX,
        ..runtime::Limits::default()
    };
    let report = prepared.run(entry, input.into(), &limits, &StopHandle::new());
    let (log, cpu_us) = (report.log.clone(), report.cpu_us);
    let memory_bytes_peak = report.memory_bytes_peak;
    let result = native_worker::outputs(report);
    Ok(Replayed {
        result,
        log,
        cpu_us,
        memory_bytes_peak,
    })
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let told = || format!("cannot listen on {address}: is it in use?");
    accept::listen(address).with_context(told)
}

/// Resolves at SIGTERM from a service manager, or Ctrl-C from a person.
pub(crate) async fn told_to_stop() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without a handler the signal ends the process at once; nothing accepted is lost by that.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// `elytra worker`: the same as `native-worker`.
pub(crate) async fn work(
    args: &WorkerArgs,
    server: &str,
    ca_file: Option<&str>,
    token: Option<String>,
) -> Result<Code, Failure> {
    let filter = std::env::var("ELYTRA_LOG").unwrap_or_else(|_| "info".into());
    coordinator::log::start(LogFormat::Pretty, &filter);
    let folder = args.cache_dir.clone().or_else(default_cache_dir);
    let folder =
        folder.ok_or_else(|| Failure::Usage("there is no cache folder; give one with --cache-dir".into()))?;
    let sandbox = args.sandbox.parse::<Sandbox>();
    let sandbox = sandbox.map_err(|error| Failure::Usage(error.to_string()))?;
    let mut config = worker_config(server, token, folder, sandbox)?;
    config.ca_file = ca_file.map(PathBuf::from);
    config.slots = args.slots.unwrap_or(config.slots);
    config.memory_mib = args.memory_mib.unwrap_or(config.memory_mib);
    config.name = args.name.clone().unwrap_or_else(host_name);
    let stop = signals::listen().context("cannot listen for signals")?;
    match native_worker::run(config, stop).await {
        Ok(()) => Ok(Code::Done),
        Err(RunError::Tls(error)) => Err(Failure::Usage(error.to_string())),
        Err(RunError::Url { url, why }) => Err(Failure::Usage(format!("--server {url}: {why}"))),
        Err(error) if error.exit_code() == Code::NotAllowed as u8 => {
            crate::say::note(&format!("error: {error}"));
            Ok(Code::NotAllowed)
        }
        Err(error) => Err(Failure::Other(error.into())),
    }
}

fn worker_config(
    server: &str,
    token: Option<String>,
    folder: PathBuf,
    sandbox: Sandbox,
) -> anyhow::Result<NativeWorkerConfig> {
    let mut config = NativeWorkerConfig::new(server, folder);
    config.token = token;
    let program = runtime::own_executable().context("this executable cannot be found")?;
    config.use_children(program, sandbox);
    Ok(config)
}

/// systemd names a folder; otherwise the user's.
fn default_cache_dir() -> Option<PathBuf> {
    let named = |variable| {
        std::env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    named("CACHE_DIRECTORY")
        .or_else(|| named("XDG_CACHE_HOME").map(|folder| folder.join("elytra")))
        .or_else(|| named("HOME").map(|folder| folder.join(".cache/elytra")))
}

fn host_name() -> String {
    std::fs::read_to_string("/etc/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

/// How a server and a worker start together.
pub(crate) struct DevOptions {
    /// Where to listen, when it was said.
    pub(crate) listen: Option<String>,
    /// Where everything is kept, when it was said.
    pub(crate) data_dir: Option<PathBuf>,
    /// Where everything is kept otherwise.
    pub(crate) data_dir_default: PathBuf,
    /// The address to try first when it was not said: the one before a restart.
    pub(crate) last_address: Option<SocketAddr>,
    /// Whether any free port will do.
    pub(crate) any_port: bool,
    /// Slots of the worker; none at all with 0.
    pub(crate) slots: Option<u16>,
}

/// A server with a worker, in this process.
pub(crate) struct Running {
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// Allows everything.
    pub(crate) token: String,
    stop: watch::Sender<bool>,
    server: JoinHandle<anyhow::Result<()>>,
    worker: Option<WorkerTask>,
}

/// Where `options` keep everything; `ELYTRA_DATA_DIR` and `elytra.toml` count too.
pub(crate) fn dev_folder(options: &DevOptions) -> Result<PathBuf, Failure> {
    dev_settings(options).map(|(settings, _)| settings.data_dir)
}

/// Starts a server and a worker. `token` is the one of the last time, and `keep` is handed a new one
/// where that is worth nothing.
pub(crate) async fn start(
    options: &DevOptions,
    token: Option<String>,
    keep: impl Fn(&str) -> anyhow::Result<()>,
) -> Result<Running, Failure> {
    let (settings, is_listen_said) = dev_settings(options)?;
    coordinator::log::start(settings.log_format, &settings.log_filter);
    coordinator::metrics::handle();
    coordinator::raise_file_limit();
    let mut store = coordinator::open_store(&settings)?;
    let token = match token.filter(|token| is_good(&*store, token)) {
        Some(token) => token,
        None => {
            let token = mint(&mut *store)?;
            keep(&token)?;
            token
        }
    };
    let listener = match is_listen_said {
        true => bind(settings.listen)?,
        false => bind_first(options)?,
    };
    let address = listener.local_addr().context("the listener's address")?;
    let coordinator = Coordinator::start(store, &settings).await?;
    let (stop, stopping) = watch::channel(false);
    let server = tokio::spawn(coordinator.serve(listener, None, until(stopping)));
    let worker = match options.slots {
        Some(0) => None,
        slots => Some(start_worker(address, &token, slots, &settings.data_dir)?),
    };
    Ok(Running {
        address,
        token,
        stop,
        server,
        worker,
    })
}

async fn until(mut stopping: watch::Receiver<bool>) {
    // A sender that is gone means the same.
    drop(stopping.wait_for(|stop| *stop).await);
}

fn dev_settings(options: &DevOptions) -> Result<(Settings, bool), Failure> {
    let mut flags = Flags::new();
    flags.extend(options.listen.clone().map(|listen| ("listen".into(), listen)));
    flags.extend(
        options
            .data_dir
            .as_ref()
            .map(|folder| ("data_dir".into(), folder.display().to_string())),
    );
    let config = load(None, &flags)?;
    let is_said = |key: &str| {
        config
            .show()
            .iter()
            .any(|shown| shown.key == key && shown.origin != Origin::Default)
    };
    let mut settings = config.settings.clone();
    if !is_said("data_dir") {
        settings.data_dir.clone_from(&options.data_dir_default);
    }
    if !is_said("log_format") {
        settings.log_format = LogFormat::Pretty;
    }
    if !is_said("log_filter") {
        settings.log_filter = DEV_LOG.into();
    }
    Ok((settings, is_said("listen")))
}

/// The address of the last time, then the usual one, then any.
fn bind_first(options: &DevOptions) -> anyhow::Result<TcpListener> {
    let usual = (!options.any_port).then(|| SocketAddr::from(DEV_LISTEN));
    for address in options.last_address.into_iter().chain(usual) {
        if let Ok(listener) = accept::listen(address) {
            return Ok(listener);
        }
    }
    bind(SocketAddr::from((DEV_LISTEN.0, 0)))
}

fn is_good(store: &dyn Store, token: &str) -> bool {
    let id = token.split('_').nth(1);
    id.is_some_and(|id| store.reader().token(id).is_ok_and(|found| found.is_some()))
}

fn mint(store: &mut dyn Store) -> Result<String, Failure> {
    let scopes = Scope::ALL.map(|(scope, _)| scope).to_vec();
    let request = TokenRequest {
        name: "dev".into(),
        scopes,
        expires_ms: None,
    };
    let made = auth::make_token_offline(store, request).map_err(|error| Failure::Other(error.into()))?;
    Ok(made.token)
}

type WorkerTask = (watch::Sender<Stop>, JoinHandle<Result<(), RunError>>);

fn start_worker(
    address: SocketAddr,
    token: &str,
    slots: Option<u16>,
    data: &Path,
) -> anyhow::Result<WorkerTask> {
    let mut config = worker_config(
        &format!("http://{address}"),
        Some(token.to_owned()),
        data.join("worker"),
        Sandbox::Auto,
    )?;
    config.slots = slots.unwrap_or(config.slots);
    config.name = host_name();
    let (stop, stopping) = watch::channel(Stop::No);
    Ok((stop, tokio::spawn(native_worker::run(config, stopping))))
}

impl Running {
    /// Resolves, with the reason, when the server or the worker ended by itself.
    pub(crate) async fn ended(&mut self) -> Failure {
        let worker = async {
            match &mut self.worker {
                Some((_, task)) => task.await,
                None => std::future::pending().await,
            }
        };
        let what = tokio::select! {
            server = &mut self.server => flat(server),
            worker = worker => flat(worker.map(|ended| ended.map_err(anyhow::Error::from))),
        };
        Failure::Other(
            what.err()
                .unwrap_or_else(|| anyhow::anyhow!("a part of it ended by itself")),
        )
    }

    /// Ends both. What is not accepted yet goes on at the next start.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        if let Some((stop, task)) = self.worker {
            stop.send_replace(Stop::Now);
            // How it ended no longer matters.
            drop(task.await);
        }
        self.stop.send_replace(true);
        flat(self.server.await).map_err(Failure::Other)
    }
}

fn flat(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    ended.context("a part of it broke")?
}
