//! What the coordinator does with shards that cost nothing: throughput, CPU, latency, memory, growth.
use crate::load::{Connection, Simulated};
use crate::process::{Coordinator, Setup};
use anyhow::Result;
use protocol::job::{Grain, InputSpec, JobSpec, RangeSpec, Trust};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// One run of null shards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) workers: u32,
    pub(crate) simulated: Simulated,
    pub(crate) shards: u64,
}

/// What it cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) per_second: f64,
    pub(crate) server_us: f64,
    pub(crate) turn_p50_us: f64,
}

/// Workers that serve until they are dropped.
struct Fleet(JoinSet<Vec<u64>>);

impl Fleet {
    async fn connect(coordinator: &Coordinator, run: Run) -> Result<Self> {
        let mut fleet = JoinSet::new();
        for id in 0..run.workers {
            let mut connection = Connection::open(coordinator.port, u64::from(id), run.simulated).await?;
            connection.welcomed().await?;
            fleet.spawn(async move {
                // Ends with the coordinator's process.
                let _ = connection.work().await;
                connection.turns_ns
            });
        }
        Ok(Self(fleet))
    }

    async fn turns(self, coordinator: Coordinator) -> Vec<u64> {
        drop(coordinator);
        let mut all: Vec<u64> = self.0.join_all().await.into_iter().flatten().collect();
        all.sort_unstable();
        all
    }
}

/// Drains a job of null shards; the clock runs from the submission to the last accepted shard.
pub(crate) async fn drain(setup: &Setup, run: Run) -> Result<Cost> {
    let coordinator = Coordinator::start(setup).await?;
    let fleet = Fleet::connect(&coordinator, run).await?;
    let (cpu, start) = (coordinator.cpu_s()?, Instant::now());
    let job = coordinator.submit(run.shards, Grain::Items(1)).await?;
    let end = coordinator.wait(&job).await?;
    let cpu = coordinator.cpu_s()? - cpu;
    let turns = fleet.turns(coordinator).await;
    Ok(Cost {
        per_second: run.shards as f64 / (end - start).as_secs_f64(),
        server_us: cpu * 1e6 / run.shards as f64,
        turn_p50_us: turns.get(turns.len() / 2).map_or(0.0, |ns| *ns as f64 / 1_000.0),
    })
}

/// Workers of the operator's own beside the strangers of [`trusted_per_second`].
const TRUSTED_WORKERS: u32 = 4;

/// Null shards a second at a trust level, while `run`'s workers are strangers and a few more are trusted.
pub(crate) async fn trusted_per_second(setup: &Setup, run: Run, trust: Trust) -> Result<f64> {
    let coordinator = Coordinator::start(setup).await?;
    let _strangers = Fleet::connect(&coordinator, run).await?;
    let mut trusted = JoinSet::new();
    for id in 0..TRUSTED_WORKERS {
        let (id, token) = (u64::from(run.workers + id), Some(coordinator.token.as_str()));
        let mut connection = Connection::open_as(coordinator.port, id, run.simulated, token).await?;
        connection.welcomed().await?;
        trusted.spawn(async move { connection.work().await });
    }
    let range = RangeSpec {
        start: 0,
        end: i64::try_from(run.shards)?,
        step: 1,
    };
    let spec = JobSpec {
        grain: Grain::Items(1),
        trust,
        ..JobSpec::new("rust-core", "null", InputSpec::Range(range))
    };
    let start = Instant::now();
    let job = coordinator.submit_spec(&spec).await?;
    let end = coordinator.wait(&job).await?;
    Ok(run.shards as f64 / (end - start).as_secs_f64())
}

/// Resident memory of an idle connected worker, in KiB.
pub(crate) async fn memory_per_worker(setup: &Setup, workers: u32) -> Result<f64> {
    let coordinator = Coordinator::start(setup).await?;
    let simulated = Simulated {
        window: 64,
        output_bytes: 16,
    };
    let one = Run {
        workers: 8,
        simulated,
        shards: 0,
    };
    let _warm = Fleet::connect(&coordinator, one).await?;
    settle().await;
    let before = coordinator.rss_kib()?;
    let mut idle = Vec::new();
    for id in 0..workers {
        let mut connection = Connection::open(coordinator.port, 100 + u64::from(id), simulated).await?;
        connection.welcomed().await?;
        idle.push(connection);
    }
    settle().await;
    Ok((coordinator.rss_kib()? - before) / f64::from(workers))
}

/// Bytes of resident memory for each shard that waits, while a job of many is half done.
pub(crate) async fn memory_per_pending_shard(setup: &Setup, shards: u64) -> Result<f64> {
    let coordinator = Coordinator::start(setup).await?;
    settle().await;
    let before = coordinator.rss_kib()?;
    coordinator.submit(shards, Grain::Items(1)).await?;
    let simulated = Simulated {
        window: 64,
        output_bytes: 16,
    };
    let mut lazy = Connection::open(coordinator.port, 1, simulated).await?;
    lazy.welcomed().await?;
    settle().await;
    Ok((coordinator.rss_kib()? - before) * 1_024.0 / shards as f64)
}

/// Time for what was freed to be given back and for buffers to be made.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(500)).await;
}

/// One shard alone, from the arrival of its lease at the worker to the news that its job is over: an upper
/// bound of leased to accepted, because the job's end is a commit of its own. Median in microseconds.
pub(crate) async fn single_shard_us(setup: &Setup, rounds: u32) -> Result<f64> {
    let coordinator = Coordinator::start(setup).await?;
    let mut alone = Connection::open(
        coordinator.port,
        1,
        Simulated {
            window: 1,
            output_bytes: 16,
        },
    )
    .await?;
    alone.welcomed().await?;
    let mut turns = Vec::new();
    for _ in 0..rounds {
        coordinator.submit(1, Grain::Items(1)).await?;
        turns.push(alone.one_job().await?.as_secs_f64() * 1e6);
    }
    turns.sort_by(f64::total_cmp);
    Ok(turns[turns.len() / 2])
}

/// Server CPU of a shard, in microseconds, when `jobs` jobs of `shards` shards follow each other.
pub(crate) async fn repeated_us(setup: &Setup, run: Run, jobs: u32) -> Result<f64> {
    let coordinator = Coordinator::start(setup).await?;
    let _fleet = Fleet::connect(&coordinator, run).await?;
    let cpu = coordinator.cpu_s()?;
    for _ in 0..jobs {
        let job = coordinator.submit(run.shards, Grain::Items(1)).await?;
        coordinator.wait(&job).await?;
    }
    Ok((coordinator.cpu_s()? - cpu) * 1e6 / (run.shards as f64 * f64::from(jobs)))
}
