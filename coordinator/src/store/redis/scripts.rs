//! The scripts that run inside Redis, and the keys they work on.
//!
//! Every key of a job carries the job as its hash tag, and every other key one tag of its own, so that
//! in a cluster each script finds its keys on one node.
use protocol::ids::JobId;
use redis::{Cmd, Connection, RedisResult, Script};

/// What the store runs inside Redis.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) job: Script,
    pub(super) registry: Script,
    pub(super) read: Script,
    pub(super) beat: Script,
    pub(super) ledger: Script,
}

/// The script for operations on one job.
pub(super) const JOB_SCRIPT: &str = include_str!("job.lua");

impl Scripts {
    pub(super) fn new(job: &str) -> Self {
        Self {
            job: Script::new(job),
            registry: Script::new(include_str!("registry.lua")),
            read: Script::new(include_str!("read.lua")),
            beat: Script::new(include_str!("beat.lua")),
            ledger: Script::new(include_str!("ledger.lua")),
        }
    }

    pub(super) fn load(&self, connection: &mut Connection) -> RedisResult<()> {
        for script in [&self.job, &self.registry, &self.read, &self.beat, &self.ledger] {
            script.load(connection)?;
        }
        Ok(())
    }
}

/// A call of a script that was loaded.
pub(super) fn call(script: &Script, keys: &[String]) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(keys.len()).arg(keys);
    command
}

/// Keys that are not of one job.
pub(super) mod key {
    /// Every job: sorted by name.
    pub(crate) const JOBS: &str = "{elytra}:jobs";
    /// Jobs that are not over.
    pub(crate) const OPEN: &str = "{elytra}:open";
    /// Owner and idempotency key -> job.
    pub(crate) const KEYS: &str = "{elytra}:keys";
    /// What changed, for the others.
    pub(crate) const CHANGES: &str = "{elytra}:changes";
    /// How many changes there were.
    pub(crate) const CHANGE_COUNT: &str = "{elytra}:change_count";
    /// Coordinator -> its beats.
    pub(crate) const COORDINATORS: &str = "{elytra}:coordinators";
    /// The version of all the keys.
    pub(crate) const VERSION: &str = "{elytra}:version";
    /// The last epoch that was given.
    pub(crate) const EPOCH: &str = "{elytra}:epoch";
    /// Booking's id -> booking.
    pub(crate) const BOOKINGS: &str = "{elytra}:bookings";
    /// Accounts with a name, by their shards.
    pub(crate) const LEADERS: &str = "{elytra}:leaders";
    /// Job -> its trust report.
    pub(crate) const REPORTS: &str = "{elytra}:reports";
    /// Token -> what is kept of it.
    pub(crate) const TOKENS: &str = "{elytra}:tokens";
    /// Program -> its length and description.
    pub(crate) const PROGRAMS: &str = "{elytra}:programs";
}

/// A job as it is named in keys and lists: 16 hex digits, so that names sort as ids do.
pub(super) fn job_name(job: JobId) -> String {
    format!("{:016x}", job.0)
}

/// The other way round.
pub(super) fn job_of(name: &[u8]) -> Option<JobId> {
    let text = std::str::from_utf8(name).ok()?;
    u64::from_str_radix(text, 16).ok().map(JobId)
}

/// One key of a job.
pub(super) fn job_key(job: JobId, what: &str) -> String {
    format!("{{elytra:job:{:016x}}}:{what}", job.0)
}

/// The keys of `job.lua`, in its order.
pub(super) fn job_keys(job: JobId) -> Vec<String> {
    let names = [
        "meta", "settled", "claims", "left", "runs", "order", "failed", "errors", "chunks", "appends",
    ];
    names.iter().map(|name| job_key(job, name)).collect()
}
