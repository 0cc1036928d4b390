//! What a submitter asks for, and how it stands.
use crate::ids::BlobHash;
use crate::limits;
pub use crate::trust::Trust;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A job as it is submitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobSpec {
    /// A program's hash, or the name of one that the coordinator carries, such as `rust-core`.
    pub program: String,
    /// The entry function, such as `mandelbrot`.
    pub entry: String,
    /// What people call it. Empty: the entry's name.
    #[serde(default)]
    pub name: String,
    /// The entry's parameters; fields that are left out take their defaults.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub params: serde_json::Value,
    /// The items.
    pub input: InputSpec,
    /// How many items make a shard.
    #[serde(default)]
    pub grain: Grain,
    /// Jobs with a higher priority go first (-100 to 100).
    #[serde(default)]
    pub priority: i8,
    /// Share among jobs of the same priority (1 to 10,000).
    #[serde(default = "default_weight")]
    pub weight: u16,
    /// What a shard that fails for good does to its job.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Failed attempts after which a shard fails for good (1 to 100).
    #[serde(default = "default_attempts")]
    pub attempts_max: u8,
    /// Limits of every shard.
    #[serde(default)]
    pub limits: Limits,
    /// What a worker must be.
    #[serde(default)]
    pub needs: Needs,
    /// How far workers are trusted.
    #[serde(default)]
    pub trust: Trust,
    /// What becomes of the outputs together; without it each is a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<ReduceSpec>,
    /// Free labels, to find it again.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

fn default_weight() -> u16 {
    100
}
fn default_attempts() -> u8 {
    limits::ATTEMPTS_MAX_DEFAULT
}

impl JobSpec {
    /// A job with every default.
    pub fn new(program: impl Into<String>, entry: impl Into<String>, input: InputSpec) -> Self {
        Self {
            program: program.into(),
            entry: entry.into(),
            name: String::new(),
            params: serde_json::Value::Null,
            input,
            grain: Grain::Auto,
            priority: 0,
            weight: default_weight(),
            on_failure: OnFailure::Fail,
            attempts_max: default_attempts(),
            limits: Limits::default(),
            needs: Needs::default(),
            trust: Trust::Private,
            reduce: None,
            labels: BTreeMap::new(),
        }
    }
}

/// A reduction: further stages, each over the outputs of the stage before, until one output is left.
///
/// An item of such a stage is a JSON list of up to `fan_in` neighbouring outputs, in the order of their
/// items. Which outputs meet depends on nothing but their number, so sums of floating-point numbers have
/// the same bits however many workers there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReduceSpec {
    /// The entry that makes one output of a list of outputs. In a script: a function of two, with which
    /// the list is folded from the left.
    pub entry: String,
    /// Outputs in one item of a stage (16 to 4,096).
    #[serde(default = "default_fan_in")]
    pub fan_in: u32,
}

fn default_fan_in() -> u32 {
    limits::FAN_IN_DEFAULT
}

/// The items of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum InputSpec {
    /// Numbers.
    Range(RangeSpec),
    /// A list of JSON values.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    Items(Vec<serde_json::Value>),
    /// An uploaded blob, split.
    Blob(BlobSpec),
    /// Items are added while the job runs, until it is closed.
    Open(OpenSpec),
}

/// `start`, `start + step`, … before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RangeSpec {
    /// The first number.
    #[serde(default)]
    pub start: i64,
    /// The bound that is not reached.
    pub end: i64,
    /// The distance; not 0, may be negative.
    #[serde(default = "one")]
    pub step: i64,
}

fn one() -> i64 {
    1
}

impl RangeSpec {
    /// How many numbers there are; `None` when the step is 0.
    pub fn count(&self) -> Option<u64> {
        let span = i128::from(self.end) - i128::from(self.start);
        let step = i128::from(self.step);
        match step {
            0 => None,
            _ if span.signum() != step.signum() => Some(0),
            _ => u64::try_from((span.abs() + step.abs() - 1) / step.abs()).ok(),
        }
    }
}

/// An uploaded blob and how it is split into items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlobSpec {
    /// The blob, uploaded before.
    pub blob: BlobHash,
    /// How it is split.
    #[serde(default)]
    pub split: Split,
    /// How the bytes of an item are read (records are always `text`).
    #[serde(default)]
    pub encoding: Encoding,
}

/// How a blob is split into items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Split {
    /// One item a line.
    #[default]
    Lines,
    /// Records of this many bytes.
    Records(u32),
}

/// Items that come later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenSpec {
    /// How the lines that are added are read.
    #[serde(default)]
    pub encoding: Encoding,
}

/// How the bytes of an item are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Encoding {
    /// One JSON value.
    #[default]
    Json,
    /// The bytes themselves, as text.
    Text,
}

/// How many items make a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Grain {
    /// Measured: a pilot first, then shards of about a quarter of a second.
    #[default]
    Auto,
    /// This many.
    Items(u32),
}

/// What a shard that fails for good does to its job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum OnFailure {
    /// The job fails.
    #[default]
    Fail,
    /// The shard is skipped, and the job goes on.
    Skip,
}

/// Limits of every shard of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Memory of one instance, in MiB.
    pub memory_mib: u32,
    /// CPU time of one shard, in milliseconds.
    pub shard_time_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mib: limits::MEMORY_MIB_DEFAULT,
            shard_time_ms: limits::SHARD_TIME_MS_DEFAULT,
        }
    }
}

/// What a worker must be to be given a job's shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Needs {
    /// Only native workers.
    pub native: bool,
    /// Only workers whose token carries the `trusted` scope.
    pub trusted: bool,
    /// Only workers that run fixed-width SIMD.
    pub simd: bool,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum JobState {
    /// Submitted; no shard was handed out yet.
    Queued,
    /// Shards are handed out.
    Running,
    /// Nothing new is handed out until it is resumed.
    Paused,
    /// Cancelled; what still runs is being stopped.
    Canceling,
    /// Every shard is accepted (or skipped, where the job asked for that).
    Succeeded,
    /// A shard failed for good.
    Failed,
    /// Cancelled.
    Canceled,
}

impl JobState {
    /// Whether nothing more will happen to it (unless its failed shards are retried).
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Canceling => "canceling",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

impl std::fmt::Display for JobState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_counted_in_either_direction() {
        let count = |start, end, step| RangeSpec { start, end, step }.count();
        assert_eq!(count(0, 10, 3), Some(4));
        assert_eq!(count(10, 0, -3), Some(4));
        assert_eq!(count(0, 10, -1), Some(0));
        assert_eq!(count(5, 5, 1), Some(0));
        assert_eq!(count(0, 10, 0), None);
        assert_eq!(count(i64::MIN, i64::MAX, 1), Some(u64::MAX));
    }

    #[test]
    fn the_shortest_job_takes_every_default() {
        let json = r#"{"program":"rust-core","entry":"null","input":{"range":{"end":5}}}"#;
        let spec: JobSpec = serde_json::from_str(json).unwrap();
        let range = InputSpec::Range(RangeSpec {
            start: 0,
            end: 5,
            step: 1,
        });
        assert_eq!(spec, JobSpec::new("rust-core", "null", range));
    }

    #[test]
    fn an_unknown_field_is_named() {
        let json = r#"{"program":"p","entry":"e","input":{"range":{"end":5}},"grian":3}"#;
        let error = serde_json::from_str::<JobSpec>(json).unwrap_err().to_string();
        assert!(error.contains("unknown field `grian`"), "{error}");
    }
}
