//! `native-worker --server URL`: works for a server until it is told to stop.
use anyhow::Context as _;
use clap::Parser;
use native_worker::{NativeWorkerConfig, RunError, signals};
use runtime::guest::Sandbox;
use std::path::PathBuf;
use std::process::ExitCode;

/// Lends this machine's cores to an Elytra server.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Where the server is, such as http://127.0.0.1:8080 or https://example.org
    #[arg(long, env = "ELYTRA_SERVER")]
    server: String,
    /// Authorities as PEM that may sign the server's certificate, besides those of the system
    #[arg(long, env = "ELYTRA_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// A file that holds the worker's token, where the server asks for one
    #[arg(long, env = "ELYTRA_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// How many shards run at a time (default: one for each core)
    #[arg(long, env = "ELYTRA_SLOTS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    slots: Option<u16>,
    /// Memory one shard may have, in MiB
    #[arg(long, env = "ELYTRA_MEMORY_MIB", value_parser = clap::value_parser!(u32).range(1..=1024))]
    memory_mib: Option<u32>,
    /// A name for people (default: the machine's)
    #[arg(long, env = "ELYTRA_WORKER_NAME")]
    name: Option<String>,
    /// Where the worker's identity and compiled code are kept (default: the user's cache folder)
    #[arg(long, env = "ELYTRA_CACHE_DIR")]
    cache_dir: Option<PathBuf>,
    /// Walls round programs: auto (all that the kernel gives), required (all, or no work), off (none but the
    /// engine's)
    #[arg(long, env = "ELYTRA_SANDBOX", default_value = "auto")]
    sandbox: Sandbox,
}

fn main() -> ExitCode {
    if let Some(code) = runtime::child() {
        return code;
    }
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("ELYTRA_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match work(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(error.downcast_ref::<RunError>().map_or(1, RunError::exit_code))
        }
    }
}

fn work(arguments: Arguments) -> anyhow::Result<()> {
    let config = config(arguments)?;
    // One thread serves the socket; programs run in threads of their own.
    let tasks = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tasks.block_on(async {
        let stop = signals::listen().context("cannot listen for signals")?;
        Ok(native_worker::run(config, stop).await?)
    })
}

fn config(arguments: Arguments) -> anyhow::Result<NativeWorkerConfig> {
    let cache_dir = match arguments.cache_dir {
        Some(folder) => folder,
        None => default_cache_dir().context("there is no cache folder; give one with --cache-dir")?,
    };
    let mut config = NativeWorkerConfig::new(arguments.server, cache_dir);
    config.ca_file = arguments.ca_file;
    if let Some(path) = arguments.token_file {
        let text = std::fs::read_to_string(&path);
        let text = text.with_context(|| format!("the token file {} cannot be read", path.display()))?;
        config.token = Some(text.trim().to_owned());
    }
    config.slots = arguments.slots.unwrap_or(config.slots);
    config.memory_mib = arguments.memory_mib.unwrap_or(config.memory_mib);
    config.name = arguments.name.unwrap_or_else(host_name);
    let program = runtime::own_executable().context("this executable cannot be found")?;
    config.use_children(program, arguments.sandbox);
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
