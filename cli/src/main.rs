//! The command line. Data goes to standard output, everything else to standard error.
//!
//! | file | what it does |
//! |---|---|
//! | [`args`] | what can be typed |
//! | [`context`] | which server, which token |
//! | [`client`] | the server's addresses, in the types of `protocol` |
//! | [`run`] | a job from flags and standard input, its results as they come |
//! | [`jobs`], [`programs`], [`program`], [`replay`], [`blobs`], [`workers`], [`tokens`], [`receipts`] | the other commands |
//! | [`progress`], [`output`], [`say`], [`failure`] | what people and programs read |
//! | [`picture`] | pictures from tiles |
//! | [`init`] | first programs |
//! | [`dev`], [`demo`] | a server and a worker to try things out |
//! | [`shell`] | the one file that starts them as libraries |
#![forbid(unsafe_code)]

mod args;
mod backup;
mod blobs;
mod context;
mod demo;
mod dev;
mod failure;
mod init;
mod jobs;
mod output;
mod picture;
mod program;
mod programs;
mod progress;
mod receipts;
mod replay;
mod run;
mod say;
mod shell;
mod tokens;
mod workers;

use args::{
    BlobCommand, Cli, Command, CommonArgs, ConfigCommand, JobOrWorker, ProgramCommand, ServerArgs,
    TaskCommand,
};
use clap::{CommandFactory as _, FromArgMatches as _};
use failure::{Code, Failure};
use output::{Table, words};
use shell::Flags;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = shell::child() {
        return code;
    }
    let matches = command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let flags = innermost_settings(&matches);
    let code = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(tasks) => {
            let result = tasks.block_on(perform(&cli, &flags));
            // A thread that waits for standard input must not hold the process.
            tasks.shutdown_background();
            told(result)
        }
        Err(error) => told(Err(Failure::Other(error.into()))),
    };
    ExitCode::from(code as u8)
}

fn told(result: Result<Code, Failure>) -> Code {
    result.unwrap_or_else(|failure| {
        let _ = write!(std::io::stderr(), "{}", failure.text(say::Paint::stderr()));
        failure.code()
    })
}

/// The commands, with the coordinator's own table of settings where a server is meant.
fn command() -> clap::Command {
    Cli::command()
        .mut_subcommand("server", |server| server.args(shell::setting_args()))
        .mut_subcommand("backup", |backup| backup.args(shell::setting_args()))
        .mut_subcommand("restore", |restore| restore.args(shell::setting_args()))
        .mut_subcommand("config", |config| {
            config.mut_subcommand("show", |show| show.args(shell::setting_args()))
        })
        .mut_subcommand("token", |token| {
            token.mut_subcommand("create", |create| create.args(shell::setting_args()))
        })
}

/// The settings among the flags of the innermost command, where it takes any.
fn innermost_settings(matches: &clap::ArgMatches) -> Flags {
    match matches.subcommand() {
        Some(("server" | "backup" | "restore", server)) => shell::given(server),
        Some(("config" | "token", inner)) => match inner.subcommand() {
            Some(("show" | "create", innermost)) => shell::given(innermost),
            _ => Flags::new(),
        },
        _ => Flags::new(),
    }
}

async fn perform(cli: &Cli, flags: &Flags) -> Result<Code, Failure> {
    let common = &cli.common;
    match &cli.command {
        Command::Dev(args) => dev::dev(args).await,
        Command::Demo(args) => demo::demo(args).await,
        Command::Server(args) => server(args, flags).await,
        Command::Worker { list: None, args } => {
            let server = context::server(common);
            let token = context::token(common, &server)?;
            shell::work(args, &server, common.ca_file.as_deref(), token).await
        }
        Command::Token(command) => tokens::token(common, command, flags).await,
        Command::Receipt(command) => receipts::receipt(common, command).await,
        Command::Backup(args) => backup::backup(common, args, flags),
        Command::Restore(args) => backup::restore(common, args, flags),
        Command::Config(ConfigCommand::Show(args)) => config(common, args, flags),
        Command::Completions { shell } => completions(*shell),
        Command::Init { form, folder } => init::init(*form, folder),
        Command::Program(ProgramCommand::Check { file }) => program::check(file, common.output),
        command => with_server(common, command).await,
    }
}

async fn with_server(common: &CommonArgs, command: &Command) -> Result<Code, Failure> {
    let client = &context::client(common)?;
    let format = common.output;
    match command {
        Command::Run(args) => run::run(client, args, format).await,
        Command::For(args) => run::run_for(client, args, format).await,
        Command::Reduce(args) => run::reduce(client, args, format).await,
        Command::Submit(args) => run::submit(client, args, format).await,
        Command::Results(args) => run::results(client, args, format).await,
        Command::Wait(args) => jobs::wait(client, &args.jobs, format).await,
        Command::Watch(args) => jobs::watch(client, args.job, format).await,
        Command::Cancel(args) => jobs::steer(client, &args.jobs, "cancel", format).await,
        Command::Pause(args) => jobs::steer(client, &args.jobs, "pause", format).await,
        Command::Resume(args) => jobs::steer(client, &args.jobs, "resume", format).await,
        Command::Retry(args) => jobs::steer(client, &args.jobs, "retry", format).await,
        Command::Explain(args) => {
            let explanation = match args.what {
                JobOrWorker::Job(id) => client.explain_job(id).await?,
                JobOrWorker::Worker(id) => client.explain_worker(id).await?,
            };
            jobs::explanation(&explanation, format)?;
            Ok(Code::Done)
        }
        Command::Job(command) => jobs::job(client, command, format).await,
        Command::Program(ProgramCommand::Push { file }) => programs::push(client, file, format).await,
        Command::Program(ProgramCommand::List) => programs::list(client, format).await,
        Command::Program(ProgramCommand::Info { name }) => programs::info(client, name, format).await,
        Command::Task(TaskCommand::Replay(args)) => replay::replay(client, args, format).await,
        Command::Blob(BlobCommand::Put { file }) => blobs::put(client, file, format).await,
        Command::Blob(BlobCommand::Get { hash }) => blobs::get(client, *hash).await,
        Command::Worker { .. } => workers::list(client, format).await,
        Command::Dev(_)
        | Command::Demo(_)
        | Command::Server(_)
        | Command::Init { .. }
        | Command::Token(_)
        | Command::Receipt(_)
        | Command::Config(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Program(ProgramCommand::Check { .. })
        | Command::Completions { .. } => Ok(Code::Done),
    }
}

async fn server(args: &ServerArgs, flags: &Flags) -> Result<Code, Failure> {
    let told = |scheme: &str, address| say::note(&format!("elytra serves on {scheme}://{address}"));
    shell::serve(args.config.as_deref(), flags, told).await
}

fn config(common: &CommonArgs, args: &ServerArgs, flags: &Flags) -> Result<Code, Failure> {
    let settings = shell::settings(args.config.as_deref(), flags)?;
    output::list(common.output, &settings, |settings| {
        let mut table = Table::new([words("SETTING"), words("VALUE"), words("FROM")], "");
        for setting in settings {
            table.row([setting.key.into(), setting.value.clone(), setting.origin.clone()]);
        }
        table
    })?;
    Ok(Code::Done)
}

fn completions(shell: clap_complete::Shell) -> Result<Code, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "elytra", &mut script);
    std::io::stdout().write_all(&script).map_err(output::closed)?;
    Ok(Code::Done)
}
