//! The bound of every queue, frame, table and wait, in one place. Units are in the names.

/// Longest WebSocket frame either side accepts.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Longest output of a shard that travels inside a frame; longer ones travel as blobs.
pub const OUTPUT_INLINE_BYTES_MAX: usize = 256 << 10;
/// Most output bytes a worker puts in one frame before it starts the next.
pub const OUTPUT_BATCH_BYTES_MAX: usize = 512 << 10;
/// Longest output a shard may write.
pub const OUTPUT_BYTES_MAX: usize = 16 << 20;
/// Longest input of a lease that travels inside a frame; longer ones are fetched from their blob.
pub const LEASE_INLINE_BYTES_MAX: usize = 256 << 10;
/// Longest parameters of a job as JSON.
pub const PARAMS_BYTES_MAX: usize = 512 << 10;
/// Longest single item.
pub const ITEM_BYTES_MAX: usize = 1 << 20;
/// Longest body of a request that carries a job or items; larger inputs are uploaded as blobs.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Longest program.
pub const PROGRAM_BYTES_MAX: usize = 8 << 20;
/// Longest blob.
pub const BLOB_BYTES_MAX: u64 = 4 << 30;
/// Most shards in one stage.
pub const SHARDS_PER_STAGE_MAX: u32 = 16 << 20;
/// Most items in one job.
pub const ITEMS_MAX: u64 = 1 << 40;
/// Most items in one shard.
pub const GRAIN_MAX: u32 = 1 << 20;
/// Most chunks of items appended to one open job.
pub const CHUNKS_PER_JOB_MAX: u32 = 1 << 20;
/// Most jobs that are not over at one coordinator.
pub const JOBS_OPEN_MAX: usize = 10_000;
/// Most workers connected to one coordinator.
pub const WORKERS_MAX: usize = 100_000;
/// Most slots of one worker.
pub const SLOTS_MAX: u16 = 1_024;
/// Most shards in flight to one worker.
pub const WINDOW_MAX: u32 = 65_536;
/// Most shards in one lease.
pub const LEASE_SHARDS_MAX: u32 = 16_384;
/// Most programs a worker names in its hello as already compiled.
pub const CACHED_PROGRAMS_MAX: usize = 64;
/// Most programs that a worker makes ready because the coordinator says that they are worth it.
pub const PREPARE_PROGRAMS_MAX: usize = 4;
/// Longest failure detail that travels and is stored.
pub const DETAIL_BYTES_MAX: usize = 4 << 10;
/// Longest name, title or label.
pub const NAME_CHARS_MAX: usize = 200;
/// Longest name under which a contributor is listed.
pub const DISPLAY_NAME_CHARS_MAX: usize = 40;
/// Outputs in one item of a reducing stage, where the job does not say.
pub const FAN_IN_DEFAULT: u32 = 256;
/// Fewest outputs in one item of a reducing stage: with them, 15 stages reduce the most items there may be.
pub const FAN_IN_MIN: u32 = 16;
/// Most outputs in one item of a reducing stage.
pub const FAN_IN_MAX: u32 = 4_096;
/// Failed attempts of a shard after which it is poison.
pub const ATTEMPTS_MAX_DEFAULT: u8 = 5;
/// Memory of one instance, where the job does not say.
pub const MEMORY_MIB_DEFAULT: u32 = 256;
/// Largest memory a job may ask for.
pub const MEMORY_MIB_MAX: u32 = 1_024;
/// CPU time of one shard, where the job does not say.
pub const SHARD_TIME_MS_DEFAULT: u32 = 60_000;
/// Largest CPU time of one shard a job may ask for.
pub const SHARD_TIME_MS_MAX: u32 = 3_600_000;
/// How long a worker may be silent before its shards are given to others (a hidden tab may sleep 60 s).
pub const SILENCE_MS_MAX: u32 = 75_000;
/// How often a worker says that it lives and renews its leases.
pub const HEARTBEAT_MS: u32 = 15_000;
/// How long a peer may take from the connection to a complete hello.
pub const HELLO_MS_MAX: u32 = 10_000;
/// A lease never ends sooner than this.
pub const LEASE_MS_MIN: u32 = 30_000;
/// Work that a lease aims at (the design says 2 to 5 seconds).
pub const LEASE_TARGET_MS: u32 = 3_000;
/// Work that a shard aims at when the grain is `auto`.
pub const SHARD_TARGET_MS: u32 = 250;
/// How long a job may stay in `canceling`.
pub const CANCELING_MS_MAX: u32 = 10_000;
/// Most messages waiting to be written to one worker; a reader slower than that is closed.
pub const SESSION_QUEUE_MESSAGES_MAX: usize = 256;
/// Most frames of workers that wait for the scheduler.
pub const ENGINE_QUEUE_MAX: usize = 1_024;
/// Most bytes of outputs that wait for their commit; beyond it no more outputs are read.
pub const COMMIT_BACKLOG_BYTES_MAX: usize = 64 << 20;
/// Most result lines in one page.
pub const RESULTS_PAGE_MAX: u32 = 10_000;
/// Most events kept for readers that come back.
pub const EVENTS_KEPT_MAX: usize = 4_096;
/// Most bytes of outputs of one job that are held back until their worker was checked; beyond it, workers
/// that must be checked get nothing more of the job until some are let go.
pub const HELD_BYTES_MAX: usize = 256 << 20;
/// Longest time an output is held back before its worker is checked to the end.
pub const HELD_MS_MAX: u64 = 30 * 60_000;
/// Standings of accounts that are remembered.
pub const STANDINGS_MAX: usize = 200_000;
