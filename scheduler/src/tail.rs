//! Backup attempts: when nothing waits, idle workers are given the last shards of stragglers.
//!
//! Shards that their owner has not begun are simply taken over from the end of its lease, so that both
//! finish at the same time. A shard that its owner has begun is tried again elsewhere only when the
//! owner is overdue. The first output wins, the other attempt is cancelled.
use crate::executor::Executor;
use crate::lease::{Lease, Twin};
use crate::place::{fits, predicted_ms};
use crate::runs::RunSet;
use crate::scheduler::Scheduler;
use protocol::cut::ShardRun;
use protocol::ids::{LeaseId, SessionId};

/// Leases looked at for one idle worker, oldest first.
const LEASES_LOOKED_AT_MAX: usize = 256;
/// A gain smaller than this is not worth a message, in milliseconds.
const GAIN_MS_MIN: f64 = 100.0;
/// An owner that returned nothing for so many times a shard's predicted time, and [`OVERDUE_MS_MIN`], is
/// overdue.
const OVERDUE_TIMES: f64 = 3.0;
const OVERDUE_MS_MIN: f64 = 1_000.0;

/// A run worth trying on another worker.
struct Candidate {
    lease: LeaseId,
    run: ShardRun,
    gain_ms: f64,
}

impl Scheduler {
    /// Gives a worker that has nothing to do part of somebody's straggling lease.
    pub(crate) fn offer_backup(&mut self, session: SessionId) {
        let Some(best) = self.best_backup(session) else {
            return;
        };
        let Some(lease) = self.leases.get(&best.lease) else {
            return;
        };
        let (handle, claim) = (lease.job, lease.claim);
        let Some(piece) = self.jobs.get(&handle).and_then(|job| job.cut.piece(best.run)) else {
            return;
        };
        let id = self.next_lease_id();
        if let Some(Lease {
            twin: Twin::First(backups),
            ..
        }) = self.leases.get_mut(&best.lease)
        {
            backups.push(id);
        }
        self.grant(session, handle, piece, claim, Twin::BackupOf(best.lease));
        self.refresh_hunger(session);
    }

    fn best_backup(&self, session: SessionId) -> Option<Candidate> {
        let helper = self.workers.get(&session)?;
        let others = self.leases.iter().filter(|(_, l)| l.session != session);
        others
            .take(LEASES_LOOKED_AT_MAX)
            .filter_map(|(id, lease)| self.backup_of(*id, lease, helper))
            .max_by(|a, b| a.gain_ms.total_cmp(&b.gain_ms))
    }

    fn backup_of(&self, id: LeaseId, lease: &Lease, helper: &Executor) -> Option<Candidate> {
        let Twin::First(backups) = &lease.twin else {
            return None;
        };
        let job = self
            .jobs
            .get(&lease.job)
            .filter(|j| j.is_live() && !j.has_waiting())?;
        let owner = self.workers.get(&lease.session)?;
        fits(job, helper).ok()?;
        let uncovered = self.uncovered(lease, backups);
        let grain = job.cut.piece(uncovered.last()?).map(|p| p.grain)?;
        let quiet_ms = self.now_ms.saturating_sub(lease.moved_ms) as f64;
        let overdue = quiet_ms > (OVERDUE_TIMES * lease.shard_ms).max(OVERDUE_MS_MIN);
        let begun = if overdue { 0 } else { u32::from(owner.slots) };
        let free = uncovered.count().saturating_sub(begun);
        let owner_ms = owner.ahead_ms / f64::from(owner.slots.max(1)) + if overdue { quiet_ms } else { 0.0 };
        let helper_ms = predicted_ms(job, helper, grain) / f64::from(helper.slots.max(1));
        let owner_shard_ms = (owner_ms / f64::from(lease.left.count().max(1))).max(1e-3);
        let share = owner_shard_ms / (owner_shard_ms + helper_ms.max(1e-3));
        let wanted = (f64::from(free) * share).ceil() as u32;
        let tail = uncovered.last()?;
        let room = helper.seed.window_max.saturating_sub(helper.in_flight);
        let count = wanted
            .min(free)
            .min(tail.count)
            .min(room)
            .min(self.share_room(job, helper));
        let gain_ms = owner_ms - helper_ms * f64::from(count);
        let run = ShardRun {
            first: tail.end() - count,
            count,
        };
        (count > 0 && gain_ms > GAIN_MS_MIN).then_some(Candidate {
            lease: id,
            run,
            gain_ms,
        })
    }

    fn uncovered(&self, lease: &Lease, backups: &[LeaseId]) -> RunSet {
        let mut left = lease.left.clone();
        for backup in backups.iter().filter_map(|id| self.leases.get(id)) {
            for run in backup.left.iter() {
                left.remove(run);
            }
        }
        left
    }
}
