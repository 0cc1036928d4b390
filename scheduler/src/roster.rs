//! Who is connected: workers that come, go, and are remembered.
use crate::executor::{Executor, Record, WorkerSeed};
use crate::fail::NETWORKS_MIN;
use crate::output::Output;
use crate::scheduler::{SWEEP_MS, Scheduler};
use crate::timer::Timer;
use protocol::ids::{LeaseId, SessionId, WorkerId};
use protocol::trust::NetworkPrefix;
use protocol::wire::RefusalCode;

/// Workers that left and are remembered with their speed.
const RECORDS_MAX: usize = 1_000;

impl Scheduler {
    pub(crate) fn on_worker_joined(&mut self, seed: WorkerSeed) {
        if let Some(&older) = self.sessions.get(&seed.id) {
            let detail = "the same worker connected again; this older connection ends".into();
            self.end_session(older, RefusalCode::Replaced, detail);
        }
        let (session, id) = (seed.session, seed.id);
        if seed.trusted {
            self.trusted.insert(session);
        }
        self.networks_left.remove(seed.network);
        let sessions = self.networks.entry(seed.network).or_default();
        *sessions += 1;
        // The next sweep counts anew; until then a crowd that comes at once must not be overlooked.
        self.networks_working += usize::from(*sessions == 1);
        let caught = seed.caught || self.standings.is_caught(seed.account);
        let record = self.take_record(id);
        for (program, known) in &seed.standings {
            self.standings.recall(seed.account, *program, *known);
        }
        self.sessions.insert(id, session);
        self.workers.insert(
            session,
            Executor::new(self.now_ms, WorkerSeed { caught, ..seed }, record),
        );
        self.timers.set(self.now_ms + SWEEP_MS, Timer::Sweep);
        self.emit(Output::WorkerChanged(id));
        self.feed(session);
    }

    fn take_record(&mut self, id: WorkerId) -> Record {
        let record = self.records.remove(&id);
        if record.is_some() {
            self.record_order.retain(|kept| *kept != id);
        }
        record.unwrap_or_default()
    }

    fn keep_record(&mut self, id: WorkerId, record: Record) {
        self.records.insert(id, record);
        self.record_order.push_back(id);
        while self.record_order.len() > RECORDS_MAX {
            if let Some(oldest) = self.record_order.pop_front() {
                self.records.remove(&oldest);
            }
        }
    }

    /// Ends a session from this side, as if it had been lost.
    pub(crate) fn end_session(&mut self, session: SessionId, code: RefusalCode, detail: String) {
        self.on_worker_left(session);
        self.emit(Output::End {
            session,
            code,
            detail,
        });
    }

    pub(crate) fn on_worker_left(&mut self, session: SessionId) {
        let Some(worker) = self.workers.remove(&session) else {
            return;
        };
        let id = worker.seed.id;
        if self.sessions.get(&id) == Some(&session) {
            self.sessions.remove(&id);
        }
        self.hungry.remove(&session);
        self.trusted.remove(&session);
        let (account, network) = (worker.seed.account, worker.seed.network);
        let slots = usize::from(worker.seed.slots);
        self.leave_network(network);
        for job in self.jobs.values_mut() {
            job.opened.remove(&session);
        }
        let leases: Vec<LeaseId> = worker.leases.iter().copied().collect();
        let lost = leases
            .iter()
            .filter_map(|id| self.leases.get(id))
            .map(|l| u64::from(l.left.count()))
            .sum::<u64>();
        let mut record = worker.record;
        record.lost += lost;
        self.keep_record(id, record);
        let (only_lease, mut begun_max) = (leases.len() == 1, slots);
        // In the order in which they were granted, which is that of execution: what is behind the slots was queued.
        for lease in leases {
            begun_max -= self.lose_lease(lease, (id, network), begun_max, only_lease);
        }
        if self.workers.values().all(|w| w.seed.account != account) {
            self.close_account(account);
        }
        self.emit(Output::WorkerChanged(id));
        self.feed_hungry();
    }

    fn leave_network(&mut self, network: NetworkPrefix) {
        if let Some(sessions) = self.networks.get_mut(&network) {
            *sessions -= 1;
            if *sessions == 0 {
                self.networks.remove(&network);
                self.networks_left.add(self.now_ms, network);
            }
        }
    }
}

/// Networks from which nobody is connected any more, for a while: as many as matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct NetworksLeft(Vec<(NetworkPrefix, u64)>);

/// How long a network counts as there after its last worker vanished, in milliseconds.
const NETWORK_LEFT_MS: u64 = 60_000;

impl NetworksLeft {
    fn add(&mut self, now_ms: u64, network: NetworkPrefix) {
        self.remove(network);
        self.0.push((network, now_ms));
        if self.0.len() > NETWORKS_MIN {
            self.0.remove(0);
        }
    }

    fn remove(&mut self, network: NetworkPrefix) {
        self.0.retain(|(left, _)| *left != network);
    }

    /// How many left lately.
    pub(crate) fn count(&self, now_ms: u64) -> usize {
        let lately = |(_, left_ms): &&(NetworkPrefix, u64)| now_ms.saturating_sub(*left_ms) < NETWORK_LEFT_MS;
        self.0.iter().filter(lately).count()
    }
}
