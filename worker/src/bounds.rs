//! The worker's own bounds; those that both sides must agree on stand in [`protocol::limits`].

/// Work that one batch to a slot aims at, in microseconds: a message to a tab's slot costs 190 µs, so
/// a batch this long loses half a percent to it, and a pause is still felt at once.
pub const BATCH_TARGET_US: u64 = 30_000;
/// Most input bytes in one batch (a batch always holds at least one shard).
pub const BATCH_INPUT_BYTES_MAX: usize = 4 << 20;
/// Outputs that wait to be sent or uploaded; beyond it nothing new is started, and while there is no
/// connection what does not fit is dropped (the coordinator hands those shards out again).
pub const OUTPUT_BYTES_HELD_MAX: usize = 64 << 20;
/// Most messages kept while there is no connection.
pub const MESSAGES_KEPT_MAX: usize = 16_384;
/// Longest input of a lease that is fetched from a blob.
pub const LEASE_INPUT_BYTES_MAX: u64 = 64 << 20;
/// Input bytes of leases held at once; further blobs are fetched when there is room.
pub const INPUT_BYTES_HELD_MAX: u64 = 128 << 20;
/// Most bytes of parameters of all jobs known to one session.
pub const PARAMS_BYTES_HELD_MAX: usize = 64 << 20;
/// Programs kept ready; the one used longest ago is forgotten first.
pub const PROGRAMS_READY_MAX: usize = 32;
/// First wait before connecting again, doubled with every failure.
pub const BACKOFF_MS_MIN: u64 = 250;
/// Longest wait before connecting again.
pub const BACKOFF_MS_MAX: u64 = 30_000;
/// A session shorter than this does not reset the backoff.
pub const SESSION_GOOD_MS: u64 = 5_000;
/// How long a connection attempt may take before it is given up.
pub const CONNECT_MS_MAX: u64 = 15_000;
/// Longest rest of a slot under a reduced intensity.
pub const REST_MS_MAX: u64 = 600_000;
