//! Connections: every frame takes its time, none overtakes another, and a cut loses what is on its way.
use crate::world::{Event, NodeEvent, World};
use std::collections::BTreeMap;

/// One connection, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnId(pub(crate) u64);

/// One connection between a worker and the coordinator.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) node: usize,
    /// When the last frame on its way arrives, in each direction.
    to_coordinator_us: u64,
    to_worker_us: u64,
}

/// All connections that carry frames.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) conns: BTreeMap<ConnId, Conn>,
    made: u64,
}

impl World {
    fn delay_us(&mut self) -> u64 {
        let (low, high) = self.plan.delay_us;
        self.chance.between(low, high)
    }

    /// A worker opens a connection.
    pub(crate) fn open(&mut self, node: usize) {
        let delay_us = self.delay_us();
        let reachable = self.nodes[node].unreachable_until_us <= self.now_us;
        if !self.coordinator.is_up() || self.coordinator.draining || !reachable {
            return self.after(delay_us, Event::Node(node, NodeEvent::Ended(None, "unreachable")));
        }
        self.network.made += 1;
        let (id, open_us) = (ConnId(self.network.made), self.now_us + delay_us);
        self.network.conns.insert(
            id,
            Conn {
                node,
                to_coordinator_us: open_us,
                to_worker_us: open_us,
            },
        );
        self.nodes[node].opening = Some(id);
        self.at(open_us, Event::Node(node, NodeEvent::Opened(id)));
    }

    pub(crate) fn send_to_coordinator(&mut self, id: ConnId, frame: Vec<u8>) {
        let arrives_us = self.now_us + self.delay_us();
        let Some(conn) = self.network.conns.get_mut(&id) else {
            return;
        };
        conn.to_coordinator_us = conn.to_coordinator_us.max(arrives_us);
        let at_us = conn.to_coordinator_us;
        self.at(at_us, Event::ToCoordinator(id, frame));
    }

    pub(crate) fn send_to_worker(&mut self, id: ConnId, frame: Vec<u8>) {
        let arrives_us = self.now_us + self.delay_us();
        let Some(conn) = self.network.conns.get_mut(&id) else {
            return;
        };
        conn.to_worker_us = conn.to_worker_us.max(arrives_us);
        let at_us = conn.to_worker_us;
        self.at(at_us, Event::ToWorker(id, frame));
    }

    /// The worker closes: what it sent still arrives, and then the end.
    pub(crate) fn close_from_worker(&mut self, id: ConnId) {
        let Some(conn) = self.network.conns.get(&id) else {
            return;
        };
        let at_us = conn.to_coordinator_us.max(self.now_us);
        self.at(at_us, Event::CoordinatorLearns(id));
    }

    /// The coordinator closes: what it sent still arrives, and then the end.
    pub(crate) fn close_from_coordinator(&mut self, id: ConnId) {
        let Some(conn) = self.network.conns.get(&id) else {
            return;
        };
        let (node, at_us) = (conn.node, conn.to_worker_us.max(self.now_us));
        self.at(
            at_us,
            Event::Node(node, NodeEvent::Ended(Some(id), "closed by the coordinator")),
        );
    }

    /// The connection of a worker is dead from now on; each side learns of it in its own time.
    pub(crate) fn cut(&mut self, node: usize, worker_learns_us: u64, coordinator_learns_us: u64) {
        let dead: Vec<ConnId> = self
            .network
            .conns
            .iter()
            .filter(|(_, conn)| conn.node == node)
            .map(|(&id, _)| id)
            .collect();
        for id in dead {
            self.network.conns.remove(&id);
            self.after(
                worker_learns_us,
                Event::Node(node, NodeEvent::Ended(Some(id), "cut")),
            );
            self.after(coordinator_learns_us, Event::CoordinatorLearns(id));
        }
    }
}
