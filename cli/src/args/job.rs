//! The flags that describe a job: what runs, over which items, how, and how results look.
use clap::{Args, ValueEnum};
use protocol::trust::Trust;
use std::path::PathBuf;

/// What runs, over which items.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct InputArgs {
    /// A file to run (.wasm kernel or WASI command, .js, .ts), or an entry that the server carries, such as mersenne
    #[arg(value_name = "FILE|ENTRY")]
    pub(crate) what: String,
    /// The items; `-`, or none at all, reads them from standard input, one a line. What stands before `:::` (for
    /// a WASI command everything, where there is no `:::`) are the command's arguments
    #[arg(allow_negative_numbers = true)]
    pub(crate) items: Vec<String>,
    /// Which function of the file [default: `default`, or the only one]
    #[arg(long, value_name = "NAME", help_heading = "Job")]
    pub(crate) entry: Option<String>,
    /// Numbers from START up to, not including, END
    #[arg(
        long,
        value_name = "START:END[:STEP]",
        allow_hyphen_values = true,
        help_heading = "Items",
        group = "source"
    )]
    pub(crate) range: Option<String>,
    /// A file with a JSON list of items
    #[arg(long, value_name = "FILE", help_heading = "Items", group = "source")]
    pub(crate) items_file: Option<PathBuf>,
    /// A file with an item on every line; it is uploaded, and may be long
    #[arg(long, value_name = "FILE", help_heading = "Items", group = "source")]
    pub(crate) lines: Option<PathBuf>,
    /// A file that is cut into records; it is uploaded, and may be long
    #[arg(
        long,
        value_name = "FILE",
        requires = "records",
        help_heading = "Items",
        group = "source"
    )]
    pub(crate) file: Option<PathBuf>,
    /// Bytes of a record
    #[arg(long, value_name = "BYTES", requires = "file", help_heading = "Items")]
    pub(crate) records: Option<u32>,
    #[command(flatten)]
    pub(crate) encoding: EncodingArgs,
}

/// How items are read.
#[derive(Args, Clone, Copy, Debug, Default)]
#[group(multiple = false)]
pub(crate) struct EncodingArgs {
    /// Items are text as it stands [default where the entry takes text]
    #[arg(long, help_heading = "Items")]
    pub(crate) text: bool,
    /// Items are JSON values [default elsewhere]
    #[arg(long, help_heading = "Items")]
    pub(crate) json: bool,
}

/// How the job runs.
#[derive(Args, Clone, Debug)]
pub(crate) struct JobArgs {
    /// The program: a name that the server carries, or a hash [default: rust-core]
    #[arg(long, value_name = "NAME|HASH", help_heading = "Job")]
    pub(crate) program: Option<String>,
    /// A parameter; VALUE is JSON, or else text
    #[arg(short, long = "param", value_name = "NAME=VALUE", help_heading = "Job")]
    pub(crate) params: Vec<String>,
    /// A file with the parameters as a JSON object; --param goes over it
    #[arg(long = "params", value_name = "FILE", help_heading = "Job")]
    pub(crate) params_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) command: CommandArgs,
    /// Reduce the outputs to one with this entry, in further stages on the workers
    #[arg(long, value_name = "ENTRY", help_heading = "Job")]
    pub(crate) reduce: Option<String>,
    /// Outputs that the reducing entry gets at a time (16 to 4,096) [default: 256]
    #[arg(long, value_name = "N", requires = "reduce", help_heading = "Job")]
    pub(crate) fan_in: Option<u32>,
    /// How many items make a shard: a number, or auto (measured)
    #[arg(long, value_name = "auto|N", default_value = "auto", help_heading = "Job")]
    pub(crate) grain: GrainArg,
    /// Jobs with a higher priority go first
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, help_heading = "Job",
        value_parser = clap::value_parser!(i8).range(-100..=100))]
    pub(crate) priority: i8,
    /// Share among jobs of the same priority
    #[arg(long, default_value_t = 100, help_heading = "Job",
        value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) weight: u16,
    /// What a shard that fails for good does to the job
    #[arg(long, value_enum, default_value = "fail", help_heading = "Job")]
    pub(crate) on_failure: OnFailureArg,
    /// Failed attempts after which a shard fails for good
    #[arg(long, value_name = "N", help_heading = "Job", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) attempts: Option<u8>,
    /// How far strangers' answers are trusted
    #[arg(
        long,
        value_enum,
        default_value = "private",
        value_name = "LEVEL",
        help_heading = "Job"
    )]
    pub(crate) trust: TrustArg,
    /// What people call the job [default: the entry]
    #[arg(long, help_heading = "Job")]
    pub(crate) name: Option<String>,
    /// A label, to find the job again
    #[arg(long = "label", value_name = "NAME=VALUE", help_heading = "Job")]
    pub(crate) labels: Vec<String>,
    /// Memory of one shard, in MiB
    #[arg(long, value_name = "MIB", help_heading = "Job")]
    pub(crate) memory_mib: Option<u32>,
    /// CPU time of one shard, in milliseconds
    #[arg(long, value_name = "MS", help_heading = "Job")]
    pub(crate) time_ms: Option<u32>,
    /// Only on native workers
    #[arg(long, help_heading = "Job")]
    pub(crate) native: bool,
    /// Submitting again with the same key gives the job that is there already
    #[arg(long, value_name = "KEY", help_heading = "Job")]
    pub(crate) idempotency_key: Option<String>,
}

/// What a WASI command is started with.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CommandArgs {
    /// Start the command once for each item, with the item on its standard input
    #[arg(long, help_heading = "Command")]
    pub(crate) each: bool,
    /// A variable of its environment
    #[arg(long = "env", value_name = "NAME=VALUE", help_heading = "Command")]
    pub(crate) env: Vec<String>,
    /// A file that it can read under this name
    #[arg(long = "with", value_name = "NAME=FILE", help_heading = "Command")]
    pub(crate) files: Vec<String>,
    /// Where its random numbers begin
    #[arg(long, value_name = "NUMBER", help_heading = "Command")]
    pub(crate) seed: Option<u32>,
}

/// How results look.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ResultArgs {
    /// As they are accepted, not in the order of the items; each line then tells its item
    #[arg(long, help_heading = "Results")]
    pub(crate) unordered: bool,
    /// Write a row for every finished item to this file, in the format of GNU parallel
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) joblog: Option<PathBuf>,
    /// Leave out the items that the joblog tells of
    #[arg(long, requires = "joblog", help_heading = "Results")]
    pub(crate) resume: bool,
    /// Tell with every result which item it belongs to
    #[arg(long, help_heading = "Results")]
    pub(crate) index: bool,
    /// Put the picture that the outputs make into a PNG file, instead of writing them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["unordered", "index"], help_heading = "Results")]
    pub(crate) picture: Option<PathBuf>,
}

/// How many items make a shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GrainArg(pub(crate) protocol::job::Grain);

impl std::str::FromStr for GrainArg {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        use protocol::job::Grain;
        if text == "auto" {
            return Ok(Self(Grain::Auto));
        }
        let items = text.parse().ok().filter(|&items: &u32| items > 0);
        items
            .map(|items| Self(Grain::Items(items)))
            .ok_or_else(|| "must be auto, or a number above 0".into())
    }
}

/// How far strangers' answers are trusted, and about how often each shard is executed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrustArg {
    /// Every worker is trusted: each shard once.
    Private,
    /// At most 1 answer in 100 is wrong: about 1.07 times.
    Fast,
    /// At most 1 answer in 1,000 is wrong: about 1.15 times.
    Standard,
    /// At most 1 answer in 10,000 is wrong: about 1.75 times.
    Strict,
    /// Every shard is computed again on a trusted worker: 2 times.
    Verified,
}

impl From<TrustArg> for Trust {
    fn from(level: TrustArg) -> Trust {
        match level {
            TrustArg::Private => Trust::Private,
            TrustArg::Fast => Trust::Fast,
            TrustArg::Standard => Trust::Standard,
            TrustArg::Strict => Trust::Strict,
            TrustArg::Verified => Trust::Verified,
        }
    }
}

/// What a shard that fails for good does to the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnFailureArg {
    /// The job fails.
    Fail,
    /// The shard is skipped, and the job goes on.
    Skip,
}
