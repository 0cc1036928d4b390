//! What can be typed: every command with its flags.
mod job;

pub(crate) use job::{CommandArgs, InputArgs, JobArgs, OnFailureArg, ResultArgs};

use clap::{Args, Parser, Subcommand, ValueEnum};
use protocol::ids::{AccountId, BlobHash, JobId, ReceiptId, WorkerId};
use std::path::PathBuf;

/// What stands under the help of every command.
const EXIT_CODES: &str = "\
Exit codes: 0 done · 1 error · 2 wrong usage or input · 3 not allowed · 4 not found ·
6 server unreachable · 10 job ended with failed shards · 11 cancelled";

/// Parallel computing on browser tabs and servers.
#[derive(Parser)]
#[command(name = "elytra", version, about, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How the server is reached and how answers look.
#[derive(Args, Clone, Debug)]
pub(crate) struct CommonArgs {
    /// The server [default: the one of `elytra dev` in this folder, else http://127.0.0.1:4750]
    #[arg(
        long,
        global = true,
        env = "ELYTRA_SERVER",
        value_name = "URL",
        help_heading = "Server"
    )]
    pub(crate) server: Option<String>,
    /// Authorities as PEM that may sign the server's certificate, besides those of the system
    // Text, as the setting of the same name is.
    #[arg(
        long,
        global = true,
        env = "ELYTRA_CA_FILE",
        value_name = "FILE",
        help_heading = "Server"
    )]
    pub(crate) ca_file: Option<String>,
    /// A file that holds the token [default: ELYTRA_TOKEN, else that of `elytra dev` in this folder]
    #[arg(
        long,
        global = true,
        env = "ELYTRA_TOKEN_FILE",
        value_name = "FILE",
        help_heading = "Server"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// How answers are written to standard output
    #[arg(
        short,
        long,
        global = true,
        env = "ELYTRA_OUTPUT",
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub(crate) output: Format,
}

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    Jsonl,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start a server and a worker here, to try things out
    Dev(DevArgs),
    /// Run a demonstration, check its answers, and write its picture and numbers to a folder
    Demo(DemoArgs),
    /// Run a server (settings: elytra.toml, then ELYTRA_*, then flags)
    Server(ServerArgs),
    /// Lend this machine's cores to a server, or list the workers there are
    #[command(args_conflicts_with_subcommands = true)]
    Worker {
        #[command(subcommand)]
        list: Option<WorkerCommand>,
        #[command(flatten)]
        args: WorkerArgs,
    },
    /// Write a first program into a folder, ready to be run
    Init {
        /// In which form
        form: ProgramForm,
        /// The folder
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Run a file or a kernel over items, and write the results as they come, in order
    #[command(visible_alias = "map", after_long_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Run a file or a kernel for every number of a range
    For(ForArgs),
    /// Run a file or a kernel over items and reduce the outputs to one
    Reduce(RunArgs),
    /// Submit a job and write its id
    Submit(SubmitArgs),
    /// Wait until jobs are over; the exit code tells how they ended
    Wait(JobIds),
    /// Show a job's progress until it is over; stopping this does not stop the job
    Watch(OneJob),
    /// Write a job's results
    Results(ResultsArgs),
    /// Stop jobs for good
    Cancel(JobIds),
    /// Hand out nothing more of jobs until they are resumed
    Pause(JobIds),
    /// Hand out paused jobs again
    Resume(JobIds),
    /// Give the failed shards of jobs another round of attempts
    Retry(JobIds),
    /// Say why a job or a worker does not move, and what would change that
    Explain(ExplainArgs),
    /// List jobs, or show one
    #[command(subcommand)]
    Job(JobCommand),
    /// Upload programs, list them, show what they take
    #[command(subcommand)]
    Program(ProgramCommand),
    /// Run one shard of a job again
    #[command(subcommand)]
    Task(TaskCommand),
    /// Put bytes on the server, and get them back by their hash
    #[command(subcommand)]
    Blob(BlobCommand),
    /// Make, list and revoke tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show what an account was credited with, and check receipts for it
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// Copy everything a server on this machine keeps to a folder, while it runs
    Backup(BackupArgs),
    /// Bring a backup back into an empty data folder
    Restore(RestoreArgs),
    /// Show settings and where each came from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

const RUN_EXAMPLES: &str = "\
Examples:
  elytra run square.ts 1 2 3
  cat words.txt | elytra run count.wasm
  elytra run count.wasm --each -- -w ::: 'one two' three
  elytra run mersenne 3 5 7 11
  seq 3 2 5000 | elytra run mersenne
  elytra run montecarlo --range 0:100 --param strike=110 --param kind=put
  elytra run align --lines reads.txt --params references.json
  elytra run mandelbrot --param width=800 --param height=600 --picture set.png";

/// `elytra dev`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DevArgs {
    /// Where pages and API are served [default: 127.0.0.1:4750, or a free port when that is taken]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// Where jobs, results and the token are kept [default: .elytra]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How many shards the worker beside the server runs at a time; 0 for none [default: one a core]
    #[arg(long, env = "ELYTRA_SLOTS")]
    pub(crate) slots: Option<u16>,
}

/// `elytra demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArgs {
    /// End when the demonstration is over: 0 when every answer is right, 1 with the reason when not
    #[arg(long)]
    pub(crate) once: bool,
    /// The folder that gets the picture and the numbers
    #[arg(long, value_name = "FOLDER", default_value = "out/demo")]
    pub(crate) out: PathBuf,
    /// Width of the computed picture in pixels; the PNG has half of it, smoothed
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u32).range(64..=16384))]
    pub(crate) width: u32,
    #[command(flatten)]
    pub(crate) dev: DevArgs,
}

/// `elytra server`; its settings are added from the coordinator's own table.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerArgs {
    /// The file with the settings [default: elytra.toml, where it exists]
    #[arg(long, env = "ELYTRA_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// `elytra worker`: the flags of `native-worker`.
#[derive(Args, Clone, Debug)]
pub(crate) struct WorkerArgs {
    /// How many shards run at a time [default: one for each core]
    #[arg(long, env = "ELYTRA_SLOTS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) slots: Option<u16>,
    /// Memory one shard may have, in MiB
    #[arg(long, env = "ELYTRA_MEMORY_MIB", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) memory_mib: Option<u32>,
    /// A name for people [default: the machine's]
    #[arg(long, env = "ELYTRA_WORKER_NAME")]
    pub(crate) name: Option<String>,
    /// Where the worker's identity and compiled code are kept [default: the user's cache folder]
    #[arg(long, env = "ELYTRA_CACHE_DIR", value_name = "FOLDER")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Walls round programs: all that the kernel gives, all or no work, none but the engine's
    #[arg(long, env = "ELYTRA_SANDBOX", default_value = "auto", value_parser = ["auto", "required", "off"])]
    pub(crate) sandbox: String,
}

/// `elytra run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) job: JobArgs,
    #[command(flatten)]
    pub(crate) results: ResultArgs,
}

/// `elytra for`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ForArgs {
    /// A file to run, or an entry that the server carries
    #[arg(value_name = "FILE|ENTRY")]
    pub(crate) what: String,
    /// Numbers from START (otherwise 0) up to, not including, END
    #[arg(value_name = "END|START:END[:STEP]", allow_hyphen_values = true)]
    pub(crate) range: String,
    /// Which function of the file [default: `default`, or the only one]
    #[arg(long, value_name = "NAME", help_heading = "Job")]
    pub(crate) entry: Option<String>,
    #[command(flatten)]
    pub(crate) job: JobArgs,
    #[command(flatten)]
    pub(crate) results: ResultArgs,
}

/// `elytra submit`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) job: JobArgs,
}

/// `elytra results`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ResultsArgs {
    /// The job
    pub(crate) job: JobId,
    /// Wait for what is not there yet, until the job is over
    #[arg(short, long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) results: ResultArgs,
}

/// One job.
#[derive(Args, Clone, Debug)]
pub(crate) struct OneJob {
    /// The job
    pub(crate) job: JobId,
}

/// One job or several.
#[derive(Args, Clone, Debug)]
pub(crate) struct JobIds {
    /// The jobs
    #[arg(required = true, value_name = "JOB")]
    pub(crate) jobs: Vec<JobId>,
}

/// `elytra explain`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExplainArgs {
    /// A job (j-…) or a worker (w-…)
    #[arg(value_name = "JOB|WORKER")]
    pub(crate) what: JobOrWorker,
}

/// What can be explained.
#[derive(Clone, Copy, Debug)]
pub(crate) enum JobOrWorker {
    Job(JobId),
    Worker(WorkerId),
}

impl std::str::FromStr for JobOrWorker {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let job = text.parse().map(Self::Job);
        job.or_else(|_| text.parse().map(Self::Worker))
            .map_err(|_| "is neither a job (j-…) nor a worker (w-…)".into())
    }
}

/// `elytra job …`.
#[derive(Subcommand)]
pub(crate) enum JobCommand {
    /// List jobs, newest first
    List(JobListArgs),
    /// Show a job, and what failed in it
    Info(OneJob),
}

/// `elytra job list`.
#[derive(Args, Clone, Debug)]
pub(crate) struct JobListArgs {
    /// Only jobs in this state
    #[arg(long, value_parser = ["queued", "running", "paused", "canceling", "succeeded", "failed", "canceled"])]
    pub(crate) state: Option<String>,
    /// Only jobs with this label
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) label: Option<String>,
    /// Most jobs
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}

/// The forms that programs are brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgramForm {
    /// A JavaScript or TypeScript module.
    Script,
    /// A WASI program, here in C.
    Command,
    /// Rust, with the kernel SDK.
    Kernel,
}

/// `elytra program …`.
#[derive(Subcommand)]
pub(crate) enum ProgramCommand {
    /// Upload a program and write its hash: a .wasm kernel or WASI command, a .js or .ts script
    Push {
        /// The file
        file: PathBuf,
    },
    /// Check a program without a server: whether it would be admitted, and what would be done to it
    Check {
        /// The file: a .wasm kernel or WASI command, a .js or .ts script
        file: PathBuf,
    },
    /// List the programs that the server has
    List,
    /// Show what a program takes
    Info {
        /// Its name, its hash, or the beginning of that
        name: String,
    },
}

/// `elytra task …`.
#[derive(Subcommand)]
pub(crate) enum TaskCommand {
    /// Fetch a shard and run it again here, with everything it has to say
    Replay(ReplayArgs),
}

/// `elytra task replay`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayArgs {
    /// The shard, as errors name it
    #[arg(value_name = "JOB/SHARD")]
    pub(crate) task: Task,
    /// Run it in this process (which is the only way there is)
    #[arg(long, hide = true)]
    pub(crate) local: bool,
}

/// A shard of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) job: JobId,
    pub(crate) shard: u32,
}

impl std::str::FromStr for Task {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not JOB/SHARD, such as j-06f5n1x2y3z4w/7");
        let (job, shard) = text.split_once('/').ok_or_else(wrong)?;
        let (job, shard) = (
            job.parse().map_err(|_| wrong())?,
            shard.parse().map_err(|_| wrong())?,
        );
        Ok(Self { job, shard })
    }
}

/// `elytra blob …`.
#[derive(Subcommand)]
pub(crate) enum BlobCommand {
    /// Upload a file and write its hash
    Put {
        /// The file; `-` reads standard input
        file: PathBuf,
    },
    /// Write a blob to standard output
    Get {
        /// Its hash
        hash: BlobHash,
    },
}

/// `elytra worker …`.
#[derive(Subcommand)]
pub(crate) enum WorkerCommand {
    /// List the workers that are connected, and those lately gone
    List,
}

/// `elytra token …`.
#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and write it: the only time it is shown
    Create(TokenCreateArgs),
    /// List the tokens that are not revoked
    List,
    /// Make a token worthless
    Revoke {
        /// Its id, as `token list` shows it
        id: String,
    },
}

/// `elytra receipt …`.
#[derive(Subcommand)]
pub(crate) enum ReceiptCommand {
    /// List the receipts of an account, newest first
    List {
        /// The account, as the Contribute page shows it
        account: AccountId,
    },
    /// Write a receipt, to be kept
    Get {
        /// Its id, as `receipt list` shows it
        id: ReceiptId,
    },
    /// Say whether receipts hold: their signature, what the server booked, the digests of the shards
    Check {
        /// The file with the receipts
        file: PathBuf,
        /// Ask no server: look at the signature only
        #[arg(long)]
        offline: bool,
    },
}

/// `elytra token create`.
#[derive(Args, Clone, Debug)]
pub(crate) struct TokenCreateArgs {
    /// For whom: shown as the owner of jobs
    #[arg(long)]
    pub(crate) name: String,
    /// What it allows
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',',
        value_parser = ["submit", "work", "trusted", "read", "admin"])]
    pub(crate) scopes: Vec<String>,
    /// When it ends, from now [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36500))]
    pub(crate) days: Option<u32>,
    /// Write it straight into the store of a server that does not run (how a first token is made)
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// `elytra backup`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BackupArgs {
    /// The folder for the backup; taken again into the same one, only what is new is copied
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// `elytra restore`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RestoreArgs {
    /// The folder of the backup
    #[arg(value_name = "FOLDER")]
    pub(crate) from: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// `elytra config …`.
#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting of a server, its value, and where that came from
    Show(ServerArgs),
}
