//! The coordinator by itself: `coordinator [--config FILE] [--listen ADDRESS:PORT] …`.
#![forbid(unsafe_code)]

use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use coordinator::Coordinator;
use coordinator::config::{self, Config};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    match start(&command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(matches: &ArgMatches) -> anyhow::Result<()> {
    let file = matches.get_one::<PathBuf>("config");
    // A variable that is not UTF-8 cannot be one of ours.
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::load(file.map(PathBuf::as_path), env, &config::flags(matches))?;
    if shows_config(matches) {
        return show(&config).context("the settings could not be written");
    }
    coordinator::log::start(config.settings.log_format, &config.settings.log_filter);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(&config))
}

fn command() -> Command {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help("Settings; elytra.toml where it exists");
    let show = Command::new("config-show").about("Prints every setting and where it came from");
    Command::new("coordinator")
        .about("Hands out the shards of jobs to tabs and servers, and keeps their results")
        .version(env!("CARGO_PKG_VERSION"))
        .arg(file)
        .args(config::args())
        .subcommand(show)
}

fn show(config: &Config) -> io::Result<()> {
    let mut out = io::stdout().lock();
    config
        .show()
        .iter()
        .try_for_each(|shown| writeln!(out, "{} = {:?}  # {}", shown.key, shown.value, shown.origin))
}

fn shows_config(matches: &ArgMatches) -> bool {
    matches.subcommand_name() == Some("config-show")
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let settings = &config.settings;
    coordinator::raise_file_limit();
    let listener = bind(settings.listen)?;
    let admin = match settings.admin_listen {
        Some(address) => Some(bind(address)?),
        None => None,
    };
    let store = coordinator::open_store(settings)?;
    let coordinator = Coordinator::start(store, settings).await?;
    let address = listener.local_addr()?;
    tracing::info!(listen = %address, "serving");
    coordinator.serve(listener, admin, told_to_stop()).await
}

fn bind(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    coordinator::accept::listen(address).with_context(|| format!("cannot listen on {address}: is it in use?"))
}

/// SIGTERM from a service manager, or Ctrl-C from a person.
async fn told_to_stop() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without a handler the signal ends the process at once; nothing accepted is lost by that.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
