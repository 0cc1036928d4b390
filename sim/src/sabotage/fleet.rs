//! Visitors and trusted workers: what each has to do, and whether it lies.
use protocol::ids::{AccountId, LeaseId, SessionId, WorkerId};
use protocol::trust::NetworkPrefix;
use protocol::wire::WorkerKind;
use scheduler::WorkerSeed;
use std::collections::VecDeque;

/// One worker.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) id: u64,
    pub(crate) trusted: bool,
    pub(crate) liar: bool,
    /// His machine errs.
    pub(crate) faulty: bool,
    /// One of many names.
    pub(crate) sybil: bool,
    pub(crate) network: u64,
    /// Milliseconds for a shard.
    pub(crate) shard_ms: u64,
    pub(crate) slots: u16,
    pub(crate) queue: VecDeque<(LeaseId, u32)>,
    pub(crate) running: Vec<(LeaseId, u32)>,
    pub(crate) done: u32,
    pub(crate) here: bool,
}

impl Visitor {
    pub(crate) fn session(&self) -> SessionId {
        SessionId(self.id)
    }

    pub(crate) fn seed(&self, counts_as_trusted: bool) -> WorkerSeed {
        WorkerSeed {
            id: WorkerId(self.id),
            session: self.session(),
            kind: if self.trusted {
                WorkerKind::Native
            } else {
                WorkerKind::Tab
            },
            name: String::new(),
            agent: "sim".into(),
            slots: self.slots,
            window_max: 1_024,
            memory_mib: 256,
            simd: true,
            trusted: self.trusted || counts_as_trusted,
            account: AccountId(self.id),
            network: NetworkPrefix(self.network),
            caught: false,
            standings: Vec::new(),
            cached: Vec::new(),
        }
    }

    /// The shards of a lease that are not wanted any more; empty means all.
    pub(crate) fn cancel(&mut self, lease: LeaseId, shards: &[u32]) {
        let unwanted =
            |(of, shard): &(LeaseId, u32)| *of == lease && (shards.is_empty() || shards.contains(shard));
        self.queue.retain(|work| !unwanted(work));
    }

    /// Leases of which it still has shards.
    pub(crate) fn leases(&self) -> Vec<LeaseId> {
        let mut leases: Vec<LeaseId> = self
            .queue
            .iter()
            .chain(&self.running)
            .map(|(id, _)| *id)
            .collect();
        leases.sort_unstable();
        leases.dedup();
        leases
    }
}
