//! What a worker is, told once at its start.
use protocol::account::AccountKey;
use protocol::ids::{ProgramHash, WorkerId};
use protocol::wire::WorkerKind;

/// Whom a worker's answers are counted for.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its key.
    pub key: AccountKey,
    /// The server the shell connects to ([`protocol::account::audience`]).
    pub audience: String,
    /// The name under which it is listed, where its owner wants that.
    pub display_name: Option<String>,
}

/// What a worker is, told once at its start.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Chosen at the first start and kept by the shell.
    pub worker: WorkerId,
    /// Tab or native.
    pub kind: WorkerKind,
    /// A name for people; may be empty.
    pub name: String,
    /// Software and version, such as `elytra 0.1.0`.
    pub agent: String,
    /// A bearer token, where the operator asks for one.
    pub token: Option<String>,
    /// Shards executed at a time (at least 1).
    pub slots: u16,
    /// Most shards in flight to this worker.
    pub window_max: u32,
    /// Most shards in one message to a slot.
    pub batch_shards_max: u32,
    /// Memory one instance may have, in MiB.
    pub memory_mib: u32,
    /// Whether fixed-width SIMD runs here.
    pub simd: bool,
    /// Programs whose compiled code the shell already has, most recent first.
    pub cached: Vec<ProgramHash>,
    /// The contributor's account, where there is one.
    pub account: Option<Account>,
    /// Seeds the jitter of reconnections; the same seed gives the same trace.
    pub seed: u64,
}
