//! The shared store: Redis 7.0 or later carries the queue and the results of any number of coordinators.
//!
//! What has to hold for a job is checked and written inside Redis by one script (`job.lua`), which
//! takes many operations at once: Redis sees one call for thousands of shards. A claim names its
//! coordinator by its epoch; when a coordinator is silent for too long the others put back what it
//! claimed, and whatever it sends later counts nothing, because its claims are gone.
//!
//! A batch that spans several jobs is not one step, but every operation may be sent again (see
//! `batch.rs`), and [`Store::commit`] says what is stored only when all of it is. Two things can be told
//! twice and no harm is done: a change to other coordinators, and the count of a failed attempt. When
//! the answer to an accepted output was lost, sending it again counts 0 shards, and the totals are right.
mod batch;
mod beat;
mod decode;
mod durable;
mod encode;
mod journal;
mod ledger;
mod link;
mod read;
mod reassert;
mod said;
mod scripts;

use self::batch::{Doubt, Plan};
use self::beat::Watch;
use self::link::{Address, Link};
use self::read::RedisReader;
use self::reassert::Keeping;
use self::scripts::{JOB_SCRIPT, Scripts, key};
use super::{Done, Op, Reader, Restored, Store, StoreError};
use redis::{Cmd, Value};
use std::path::PathBuf;
use std::sync::Arc;

/// How the shared store is opened.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// Where Redis is, such as `redis://:password@host:6379/0`. Never shown.
    pub url: String,
    /// The only authorities that may sign its certificate, where it speaks TLS (`rediss://`), as PEM; those of the system
    /// where there is no such file.
    pub ca_file: Option<PathBuf>,
    /// Whether a Redis that forgets is good enough: for trying things out.
    pub allow_volatile: bool,
    /// The folder for the journal of what this coordinator answered for; without one, what Redis loses is lost.
    pub journal: Option<PathBuf>,
}

impl RedisOptions {
    /// The defaults, at this address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ca_file: None,
            allow_volatile: false,
            journal: None,
        }
    }
}

/// The shared store.
pub struct RedisStore {
    link: Link,
    plan: Plan,
    epoch: u32,
    last_name: u32,
    doubts: Vec<Doubt>,
    watch: Watch,
    durability: String,
    reader: Arc<RedisReader>,
    keeping: Keeping,
}

/// Gives an epoch that was never given before: the clock of Redis keeps it growing even if Redis lost
/// the last one with a power cut.
const NEXT_EPOCH: &str = "
    local since_2020 = tonumber(redis.call('TIME')[1]) - 1577836800
    local epoch = math.max(tonumber(redis.call('GET', KEYS[1]) or 0) + 1, since_2020)
    redis.call('SET', KEYS[1], epoch)
    return epoch";

impl RedisStore {
    /// Connects, checks that Redis can keep what it is given, and enters the circle of coordinators.
    ///
    /// # Errors
    /// Redis cannot be reached, is too old, a replica, or would forget.
    pub fn open(options: &RedisOptions) -> Result<Self, StoreError> {
        Self::open_with(options, JOB_SCRIPT)
    }

    /// The same with another script for jobs: a test shows that it fails where the fence is off.
    #[doc(hidden)]
    pub fn open_with(options: &RedisOptions, job_script: &str) -> Result<Self, StoreError> {
        let address = Address::new(&options.url, options.ca_file.as_deref(), Scripts::new(job_script))?;
        let mut link = Link::new(address.clone());
        let durability = durable::check(&mut link, options.allow_volatile)?;
        let durability = match &options.journal {
            Some(_) => format!("{durability}. A journal beside this coordinator gives back what Redis loses"),
            None => durability,
        };
        check_version(&mut link)?;
        let epoch = next_epoch(&mut link)?;
        let mut store = Self {
            plan: Plan {
                scripts: Arc::clone(&address.scripts),
            },
            link,
            epoch,
            last_name: 0,
            doubts: Vec::new(),
            watch: Watch::default(),
            durability,
            reader: Arc::new(RedisReader::new(address)),
            keeping: Keeping::in_folder(options.journal.clone()),
        };
        store.enter()?;
        Ok(store)
    }

    /// From now on the others watch whether this coordinator lives.
    fn enter(&mut self) -> Result<(), StoreError> {
        let command = Cmd::hset_nx(key::COORDINATORS, self.epoch, 0);
        self.link.send(redis::pipe().add_command(command))?;
        self.skip_changes()
    }
}

/// The version of the keys: raised when an older Elytra could not work with what a newer one keeps.
const KEYS_VERSION: u64 = 1;

/// Refuses keys of a newer Elytra, and marks those that are not marked yet.
fn check_version(link: &mut Link) -> Result<(), StoreError> {
    let mut pipeline = redis::pipe();
    pipeline.add_command(Cmd::set_nx(key::VERSION, KEYS_VERSION));
    pipeline.add_command(Cmd::get(key::VERSION));
    let answers = link.send(&pipeline)?;
    let found = answers.get(1).and_then(decode::number);
    match found {
        Some(version) if version <= KEYS_VERSION => Ok(()),
        Some(version) => Err(StoreError::Corrupt(format!(
            "Redis at {} was written by a newer Elytra (version {version} of the keys); start that one",
            link.address.shown()
        ))),
        None => Err(decode::corrupt("the version of the keys")),
    }
}

fn next_epoch(link: &mut Link) -> Result<u32, StoreError> {
    let mut command = redis::cmd("EVAL");
    command.arg(NEXT_EPOCH).arg(1).arg(key::EPOCH);
    let answers = link.send(redis::pipe().add_command(command))?;
    match answers.first() {
        Some(Value::Int(epoch)) => u32::try_from(*epoch).map_err(|_| decode::corrupt("the epoch")),
        _ => Err(decode::corrupt("the epoch")),
    }
}

impl Store for RedisStore {
    fn epoch(&self) -> u32 {
        self.epoch
    }

    fn restore(&mut self) -> Result<Vec<Restored>, StoreError> {
        self.begin_journal()?;
        // What changes from here on is told by the next heartbeat.
        self.skip_changes()?;
        let mut restored = Vec::new();
        for id in self.open_jobs()? {
            let job = self.reader.job(id)?.filter(|job| !job.state.is_over());
            restored.extend(job.map(|job| (job, None)));
        }
        Ok(restored)
    }

    fn commit(&mut self, ops: &[Op]) -> Result<Vec<Done>, StoreError> {
        self.commit_batch(ops)
    }

    fn leave(&mut self) -> Result<(), StoreError> {
        self.take_back(&[self.epoch]).map(drop)
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn durability(&self) -> String {
        self.durability.clone()
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.reader.clone()
    }
}
