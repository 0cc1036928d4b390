//! The connection: opening it, greeting, staying alive, losing it, coming back, leaving.
use crate::bounds;
use crate::output::{EndReason, Output};
use crate::worker::{AfterFinish, Mode, Worker};
use protocol::account::Nonce;
use protocol::ids::{LeaseId, SessionId};
use protocol::limits;
use protocol::wire::{FromWorker, Hello, PauseReason, RefusalCode};

/// How the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// None is wanted.
    Off,
    /// The next attempt comes at this time.
    Waiting { at_ms: u64 },
    /// Asked for; given up at this time.
    Connecting { until_ms: u64 },
    /// The hello is out; given up at this time.
    Greeting { until_ms: u64 },
    /// The coordinator said welcome.
    Up {
        session: SessionId,
        since_ms: u64,
        heartbeat_ms: u64,
        heartbeat_at_ms: u64,
    },
}

impl Link {
    pub(crate) fn is_up(self) -> bool {
        matches!(self, Self::Up { .. })
    }

    /// When something must happen although nothing happened.
    pub(crate) fn timer_ms(self) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::Waiting { at_ms } => Some(at_ms),
            Self::Connecting { until_ms } | Self::Greeting { until_ms } => Some(until_ms),
            Self::Up { heartbeat_at_ms, .. } => Some(heartbeat_at_ms),
        }
    }
}

/// Waits that double with every failure, each with chance in its second half, so that the workers of
/// a coordinator that comes back do not all come at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    pub(crate) failures: u32,
    seed: u64,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self { failures: 0, seed }
    }

    fn next_ms(&mut self) -> u64 {
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        let full_ms = (bounds::BACKOFF_MS_MIN << doublings).min(bounds::BACKOFF_MS_MAX);
        full_ms / 2 + self.chance() % (full_ms / 2)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn chance(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Worker {
    pub(crate) fn connect(&mut self) {
        self.link = Link::Connecting {
            until_ms: self.now_ms + bounds::CONNECT_MS_MAX,
        };
        self.outputs.push_back(Output::Connect);
    }

    pub(crate) fn on_connected(&mut self) {
        if !matches!(self.link, Link::Connecting { .. }) {
            return;
        }
        self.link = Link::Greeting {
            until_ms: self.now_ms + u64::from(limits::HELLO_MS_MAX),
        };
        let config = &self.config;
        let hello = Hello {
            worker: config.worker,
            token: config.token.clone(),
            kind: config.kind,
            name: config.name.clone(),
            agent: config.agent.clone(),
            slots: self.slots_used,
            window_max: config.window_max,
            memory_mib: config.memory_mib,
            simd: config.simd,
            cached: self.programs_cached(),
            account: config.account.as_ref().map(|account| account.key.public()),
        };
        self.outputs.push_back(Output::Send(FromWorker::Hello(hello)));
    }

    /// The coordinator asks whether we have the key we named.
    pub(crate) fn on_challenge(&mut self, nonce: &Nonce) -> Result<(), String> {
        let Some(account) = self
            .config
            .account
            .as_ref()
            .filter(|_| matches!(self.link, Link::Greeting { .. }))
        else {
            return Err("a challenge to a worker that named no account".into());
        };
        self.outputs.push_back(Output::Send(FromWorker::Proof {
            signature: account.key.prove(nonce, &account.audience),
            audience: account.audience.clone(),
            display_name: account.display_name.clone(),
        }));
        Ok(())
    }

    pub(crate) fn on_welcome(&mut self, session: SessionId, heartbeat_ms: u32) -> Result<(), String> {
        if !matches!(self.link, Link::Greeting { .. }) {
            return Err("a second welcome".into());
        }
        let heartbeat_ms = u64::from(heartbeat_ms.clamp(100, limits::HEARTBEAT_MS));
        let (since_ms, heartbeat_at_ms) = (self.now_ms, self.now_ms + heartbeat_ms);
        self.link = Link::Up {
            session,
            since_ms,
            heartbeat_ms,
            heartbeat_at_ms,
        };
        // What was not begun under an older session's leases is the coordinator's to hand out again.
        let old: Vec<LeaseId> = self.leases.keys().copied().collect();
        for lease in old {
            self.drop_unstarted(lease);
        }
        self.send_kept();
        if self.pause().is_some() {
            self.tell_availability();
        }
        Ok(())
    }

    /// The coordinator ends the session; whether we come back depends on why.
    pub(crate) fn on_refused(&mut self, code: RefusalCode, detail: String) {
        if code.retry_helps() {
            return self.hang_up(detail);
        }
        self.outputs.push_back(Output::Disconnect {
            reason: detail.clone(),
        });
        self.link_gone();
        self.link = Link::Off;
        self.drop_everything();
        self.mode = Mode::Refused {
            code,
            detail: detail.clone(),
        };
        self.outputs
            .push_back(Output::Ended(EndReason::Refused { code, detail }));
    }

    /// Ends the connection from our side, to try again later.
    pub(crate) fn hang_up(&mut self, reason: String) {
        self.outputs.push_back(Output::Disconnect {
            reason: reason.clone(),
        });
        self.on_disconnected(reason);
    }

    /// The connection is gone; what runs goes on, and what finishes is kept.
    pub(crate) fn on_disconnected(&mut self, reason: String) {
        if matches!(self.link, Link::Off | Link::Waiting { .. }) {
            return;
        }
        self.link_gone();
        self.link_reason = reason;
        match self.mode {
            Mode::Finishing(AfterFinish::Leave) => self.end(),
            _ => {
                self.mode = Mode::Running;
                self.link = Link::Waiting {
                    at_ms: self.now_ms + self.backoff.next_ms(),
                };
            }
        }
    }

    fn link_gone(&mut self) {
        if let Link::Up { since_ms, .. } = self.link
            && self.now_ms >= since_ms + bounds::SESSION_GOOD_MS
        {
            self.backoff.failures = 0;
        }
        self.jobs.clear();
        self.refused.clear();
        self.speeds.clear();
        self.params_bytes_held = 0;
        self.shards_current = 0;
        for held in self.leases.values_mut() {
            held.current = false;
        }
    }

    /// What the connection's deadlines ask for.
    pub(crate) fn link_due(&mut self) {
        if self.link.timer_ms().is_none_or(|at_ms| at_ms > self.now_ms) {
            return;
        }
        match self.link {
            Link::Off => {}
            Link::Waiting { .. } => self.connect(),
            Link::Connecting { .. } => self.hang_up("the connection did not open in time".into()),
            Link::Greeting { .. } => self.hang_up("the coordinator did not answer the hello".into()),
            Link::Up { .. } => self.heartbeat(),
        }
    }

    fn heartbeat(&mut self) {
        let now_ms = self.now_ms;
        if let Link::Up {
            heartbeat_ms,
            heartbeat_at_ms,
            ..
        } = &mut self.link
        {
            *heartbeat_at_ms = now_ms + *heartbeat_ms;
        }
        let current = self.leases.iter().filter(|(_, held)| held.current);
        let leases = current.map(|(&lease, _)| lease).collect();
        self.outputs
            .push_back(Output::Send(FromWorker::Heartbeat { leases }));
        self.renew_leases();
    }

    /// Tells the coordinator how many slots there are for it, and why none.
    pub(crate) fn tell_availability(&mut self) {
        if !self.link.is_up() {
            return;
        }
        let pause = self.pause();
        let slots = if pause.is_some() { 0 } else { self.slots_used };
        self.outputs
            .push_back(Output::Send(FromWorker::Availability { slots, pause }));
    }

    /// Takes nothing new; when what runs has ended, leaves or comes back.
    pub(crate) fn begin_finish(&mut self, after: AfterFinish, reason: PauseReason) {
        self.mode = Mode::Finishing(after);
        self.finish_reason = reason;
        self.tell_availability();
    }

    /// Gives back the leases of which nothing runs, and goes when none is left.
    pub(crate) fn finish_step(&mut self) {
        let Mode::Finishing(after) = self.mode else { return };
        let idle: Vec<LeaseId> = self
            .leases
            .keys()
            .copied()
            .filter(|&lease| !self.lease_busy(lease))
            .collect();
        for lease in idle {
            self.return_lease(lease);
        }
        if !self.leases.is_empty() && self.link.is_up() {
            return;
        }
        self.flush_results();
        if self.link.is_up() {
            self.outputs.push_back(Output::Send(FromWorker::Goodbye));
        }
        match after {
            AfterFinish::Leave => self.leave(),
            AfterFinish::Reconnect => self.hang_up("the coordinator goes away".into()),
        }
    }

    fn lease_busy(&self, lease: LeaseId) -> bool {
        self.lease_runs(lease) || self.uploading.keys().any(|(of, _)| *of == lease)
    }

    /// Stops everything at once and leaves.
    pub(crate) fn leave_now(&mut self) {
        self.return_everything();
        if self.link.is_up() {
            self.outputs.push_back(Output::Send(FromWorker::Goodbye));
        }
        self.leave();
    }

    fn leave(&mut self) {
        if !matches!(self.link, Link::Off | Link::Waiting { .. }) {
            self.outputs.push_back(Output::Disconnect {
                reason: "finished".into(),
            });
            self.link_gone();
        }
        self.end();
    }

    fn end(&mut self) {
        self.link = Link::Off;
        self.drop_everything();
        self.mode = Mode::Ended;
        self.outputs.push_back(Output::Ended(EndReason::Finished));
    }

    fn drop_everything(&mut self) {
        let all: Vec<LeaseId> = self.leases.keys().copied().collect();
        for lease in all {
            self.drop_lease(lease);
        }
        self.drop_all_kept();
    }

    /// Stops what runs and gives everything back.
    pub(crate) fn return_everything(&mut self) {
        let all: Vec<LeaseId> = self.leases.keys().copied().collect();
        for lease in all {
            self.return_lease(lease);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_differ_between_seeds() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..12).map(|_| backoff.next_ms()).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
        for (failures, wait_ms) in waits(3).into_iter().enumerate() {
            let full_ms = (bounds::BACKOFF_MS_MIN << failures).min(bounds::BACKOFF_MS_MAX);
            assert!((full_ms / 2..full_ms).contains(&wait_ms), "{failures}: {wait_ms}");
        }
    }
}
