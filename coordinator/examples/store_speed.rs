//! What accepting a shard costs in the store alone: CPU of this process and wall time for each shard.
//!
//! `cargo run --release -p coordinator --example store_speed -- [REDIS_URL]`
//!
//! SQLite runs in a folder under the system's temporary one, with either durability. Redis only where
//! an address is given, and its own CPU is not in the figure.
use bytes::Bytes;
use coordinator::store::{
    Done, JobRecord, Op, RedisOptions, RedisStore, Source, SqliteOptions, SqliteStore, Store, Synchronous,
};
use protocol::cut::ShardRun;
use protocol::ids::{ClaimId, JobId, ProgramHash};
use protocol::job::{InputSpec, JobSpec, RangeSpec};
use protocol::run::{Lengths, Outputs};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// One way to bring outputs: shards in a run, runs in a batch, bytes in an output.
const SHAPES: [(u32, u32, u32); 4] = [(64, 16, 16), (1, 16, 16), (1, 1, 16), (64, 16, 1_024)];
/// How long each is measured.
const MEASURED: Duration = Duration::from_millis(1_500);

fn main() -> Outcome<()> {
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        let folder = std::env::temp_dir().join(format!("elytra-store-speed-{}", std::process::id()));
        let options = SqliteOptions {
            synchronous,
            ..SqliteOptions::new(&folder)
        };
        measure(&mut SqliteStore::open(&options)?)?;
        start_again(&options)?;
        std::fs::remove_dir_all(&folder)?;
    }
    if let Some(url) = std::env::args().nth(1) {
        let options = RedisOptions {
            allow_volatile: true,
            ..RedisOptions::new(url)
        };
        measure(&mut RedisStore::open(&options)?)?;
    }
    Ok(())
}

fn measure(store: &mut dyn Store) -> Outcome<()> {
    println!("{}", store.durability());
    for (k, shape) in (0..).zip(SHAPES) {
        let job = JobId::new(u64::from(store.epoch()), k);
        let (shards, cpu, wall) = accept_for_a_while(store, job, shape)?;
        let per_shard = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(shards);
        println!(
            "  {:>2} shards a run, {:>2} runs a batch, {:>4} B: {:6.2} µs CPU, {:6.2} µs wall a shard ({:.0} shards/s)",
            shape.0,
            shape.1,
            shape.2,
            per_shard(cpu),
            per_shard(wall),
            f64::from(shards) / wall.as_secs_f64(),
        );
    }
    Ok(())
}

/// How long a start takes with all that was stored.
fn start_again(options: &SqliteOptions) -> Outcome<()> {
    let start = Instant::now();
    let jobs = SqliteStore::open(options)?.restore()?;
    let shards: u64 = jobs
        .iter()
        .map(|(job, _)| u64::from(job.totals.shards_accepted))
        .sum();
    println!(
        "  started again in {} ms with {shards} shards stored",
        start.elapsed().as_millis()
    );
    Ok(())
}

fn accept_for_a_while(
    store: &mut dyn Store,
    job: JobId,
    shape: (u32, u32, u32),
) -> Outcome<(u32, Duration, Duration)> {
    let (run_shards, runs, bytes) = shape;
    store.commit(&[add(job)])?;
    let (wall, cpu, mut shards) = (Instant::now(), cpu_time(), 0);
    while wall.elapsed() < MEASURED {
        let per_claim = run_shards * runs * 16;
        let claimed = store.commit(&[Op::Claim {
            job,
            stage: 0,
            shards_max: per_claim,
            grain: 1,
        }])?;
        let Some(Done::Claimed {
            claim, runs: claimed, ..
        }) = claimed.into_iter().next()
        else {
            return Err("nothing claimed".into());
        };
        for batch in 0..16 {
            let first = claimed[0].first + batch * run_shards * runs;
            let op = |k| {
                accept(
                    job,
                    claim,
                    ShardRun {
                        first: first + k * run_shards,
                        count: run_shards,
                    },
                    bytes,
                )
            };
            let ops: Vec<Op> = (0..runs).map(op).collect();
            store.commit(&ops)?;
            shards += run_shards * runs;
        }
    }
    Ok((shards, cpu_time() - cpu, wall.elapsed()))
}

fn accept(job: JobId, claim: ClaimId, run: ShardRun, bytes: u32) -> Op {
    let data = Bytes::from(vec![7; (run.count * bytes) as usize]);
    let outputs = Outputs {
        run,
        lengths: Lengths::Equal(bytes),
        data,
    };
    Op::Accept {
        job,
        stage: 0,
        claim,
        outputs,
        items: u64::from(run.count),
        busy_us: 1,
    }
}

fn add(job: JobId) -> Op {
    let range = RangeSpec {
        start: 0,
        end: 1 << 30,
        step: 1,
    };
    let record = JobRecord {
        id: job,
        spec: JobSpec::new("rust-core", "null", InputSpec::Range(range)),
        program: ProgramHash::of(b""),
        owner: "speed".into(),
        submitted_ms: 0,
        taken_by: 1,
        source: Source::Range { start: 0, step: 1 },
        picture: false,
        stage_of: None,
    };
    Op::AddJob {
        record: Box::new(record),
        items: 1 << 30,
        closed: true,
        chunk: None,
        key: None,
    }
}

/// User and system time of this process (Linux, in ticks of 10 ms).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
