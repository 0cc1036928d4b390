//! What is held: each lease with its shards that have not ended, and the checks of a lease that comes.
use crate::bounds;
use crate::output::Output;
use crate::split::Items;
use crate::unstarted::Unstarted;
use crate::worker::Worker;
use bytes::Bytes;
use protocol::cut::{Piece, ShardRun};
use protocol::ids::LeaseId;
use protocol::limits;
use protocol::wire::{Cause, Failure, FromWorker, ItemSource, Lease, LeaseInput, OpenJob};
use std::sync::Arc;

/// A lease and what is left of it.
#[derive(Debug)]
pub(crate) struct HeldLease {
    pub(crate) job: Arc<OpenJob>,
    pub(crate) piece: Piece,
    pub(crate) input: HeldInput,
    pub(crate) lease_ms: u64,
    pub(crate) expires_ms: u64,
    /// Granted in the session that runs now; an older one is over at the coordinator.
    pub(crate) current: bool,
    pub(crate) unstarted: Unstarted,
    /// Shards that have neither ended nor been cancelled.
    pub(crate) open: u32,
    /// Input bytes that count against the bound.
    pub(crate) input_bytes: u64,
    /// Whether it stands in the order of leases with shards to start.
    pub(crate) queued: bool,
}

/// Where a lease's items are.
#[derive(Debug)]
pub(crate) enum HeldInput {
    Here(Items),
    /// Asked for.
    Fetching,
    /// To be asked for when there is room.
    Waiting(LeaseInput),
}

impl Worker {
    /// A lease came. What does not fit ends the session: it is the coordinator's mistake.
    pub(crate) fn on_lease(&mut self, lease: Lease) -> Result<(), String> {
        let Some(known) = self.jobs.get(&lease.job) else {
            return Err(format!(
                "lease {} is for job {}, which was not opened",
                lease.lease, lease.job.0
            ));
        };
        let job = Arc::clone(known);
        let piece = self.check_lease(&lease, &job)?;
        let mut held = HeldLease {
            job,
            piece,
            input: HeldInput::Fetching,
            lease_ms: u64::from(lease.lease_ms),
            expires_ms: self.now_ms + u64::from(lease.lease_ms),
            current: true,
            unstarted: Unstarted::new(piece.run),
            open: piece.run.count,
            input_bytes: 0,
            queued: true,
        };
        match self.input_of(&lease, &held)? {
            Ok(input) => held.input = input,
            Err(failure) => {
                self.refuse_lease(lease.lease, piece.run, &failure);
                return Ok(());
            }
        }
        self.shards_current += piece.run.count;
        self.expiry_earliest_ms = self.expiry_earliest_ms.min(held.expires_ms);
        self.order.push_back(lease.lease);
        self.leases.insert(lease.lease, held);
        self.fetch_waiting_inputs();
        if self.gives_back(lease.job) {
            self.return_lease(lease.lease);
        }
        Ok(())
    }

    fn check_lease(&self, lease: &Lease, job: &OpenJob) -> Result<Piece, String> {
        let wrong = |what: &str| Err(format!("lease {}: {what}", lease.lease));
        let shards = u64::from(lease.shards);
        let grain = u64::from(lease.grain);
        if self.leases.contains_key(&lease.lease) {
            return wrong("it is held already");
        }
        if lease.shards == 0 || lease.shards > limits::LEASE_SHARDS_MAX {
            return wrong("it has no shards, or too many");
        }
        if u64::from(self.shards_current) + shards > u64::from(self.config.window_max) {
            return wrong("more shards are in flight than the window allows");
        }
        let items = lease.end_item.saturating_sub(lease.first_item);
        let in_order = grain > 0 && lease.grain <= limits::GRAIN_MAX && items > (shards - 1) * grain;
        if !in_order || items > shards * grain || lease.end_item > limits::ITEMS_MAX {
            return wrong("its items do not fit its shards");
        }
        if lease.first_shard.checked_add(lease.shards).is_none() || !range_fits(job, lease.end_item) {
            return wrong("it reaches beyond the largest number");
        }
        let run = ShardRun {
            first: lease.first_shard,
            count: lease.shards,
        };
        Ok(Piece {
            run,
            first_item: lease.first_item,
            grain: lease.grain,
            end_item: lease.end_item,
        })
    }

    /// The outer error is the coordinator's mistake; the inner one is ours, and fails the shards.
    fn input_of(&self, lease: &Lease, held: &HeldLease) -> Result<Result<HeldInput, Failure>, String> {
        let bytes = match (&lease.input, held.job.source) {
            (LeaseInput::Computed, ItemSource::Range { .. }) => Bytes::new(),
            (LeaseInput::Inline(bytes), ItemSource::Lines(_) | ItemSource::Records { .. }) => bytes.clone(),
            (LeaseInput::Blob { length, .. }, ItemSource::Lines(_) | ItemSource::Records { .. }) => {
                return Ok(if *length > bounds::LEASE_INPUT_BYTES_MAX {
                    let detail = format!("the lease's input has {length} bytes, too many for this worker");
                    Err(Failure {
                        cause: Cause::InputMissing,
                        detail,
                    })
                } else {
                    Ok(HeldInput::Waiting(lease.input.clone()))
                });
            }
            _ => return Err(format!("lease {}: its input does not fit its job", lease.lease)),
        };
        let items = Items::new(held.job.source, &held.piece, bytes);
        items
            .map(|items| Ok(HeldInput::Here(items)))
            .map_err(|what| format!("lease {}: {what}", lease.lease))
    }

    fn refuse_lease(&mut self, lease: LeaseId, run: ShardRun, failure: &Failure) {
        for shard in run.first..run.end() {
            self.counts.failed += 1;
            let failure = failure.clone();
            self.outputs.push_back(Output::Send(FromWorker::Failed {
                lease,
                shard,
                failure,
                busy_us: 0,
            }));
        }
    }

    /// Asks for inputs in the order of the leases, as long as there is room.
    fn fetch_waiting_inputs(&mut self) {
        for id in &self.order {
            let Some(held) = self.leases.get_mut(id) else {
                continue;
            };
            let HeldInput::Waiting(LeaseInput::Blob { blob, offset, length }) = held.input else {
                continue;
            };
            let room = bounds::INPUT_BYTES_HELD_MAX.saturating_sub(self.input_bytes_held);
            if length > room {
                return;
            }
            self.input_bytes_held += length;
            held.input_bytes = length;
            held.input = HeldInput::Fetching;
            self.outputs.push_back(Output::FetchInput {
                lease: *id,
                blob,
                offset,
                length,
            });
        }
    }

    /// The input of a lease is here; where it does not hold what it should, its shards fail.
    pub(crate) fn on_input_fetched(&mut self, lease: LeaseId, bytes: Bytes) {
        let Some(held) = self.leases.get_mut(&lease) else {
            return;
        };
        if !matches!(held.input, HeldInput::Fetching) {
            return;
        }
        let result = match bytes.len() as u64 == held.input_bytes {
            true => Items::new(held.job.source, &held.piece, bytes),
            false => Err("the input is shorter or longer than the lease says"),
        };
        match result {
            Ok(items) => held.input = HeldInput::Here(items),
            Err(what) => self.on_input_missing(lease, what.into()),
        }
    }

    /// The input of a lease cannot be had: its shards fail, by no fault of the program.
    pub(crate) fn on_input_missing(&mut self, lease: LeaseId, reason: String) {
        let Some(held) = self.leases.get_mut(&lease) else {
            return;
        };
        let mut shards = Vec::new();
        while let Some(shard) = held.unstarted.take() {
            shards.push(shard);
        }
        let failure = Failure {
            cause: Cause::InputMissing,
            detail: reason,
        };
        for shard in shards {
            self.shard_failed(lease, shard, failure.clone(), 0);
        }
    }

    /// One shard of a lease needs nothing more; the lease goes with its last one.
    pub(crate) fn shard_ended(&mut self, lease: LeaseId) {
        let Some(held) = self.leases.get_mut(&lease) else {
            return;
        };
        held.open -= 1;
        if held.current {
            self.shards_current -= 1;
        }
        if held.open == 0 {
            self.forget_lease(lease);
        }
    }

    /// Removes a lease with all that belongs to it; its shards in slots must be stopped before.
    pub(crate) fn forget_lease(&mut self, lease: LeaseId) {
        let Some(held) = self.leases.remove(&lease) else {
            return;
        };
        if held.current {
            self.shards_current -= held.open;
        }
        self.input_bytes_held -= held.input_bytes;
        if held.queued {
            self.order.retain(|&id| id != lease);
        }
        self.fetch_waiting_inputs();
    }

    /// Stops and forgets a lease whose outputs nobody wants.
    pub(crate) fn drop_lease(&mut self, lease: LeaseId) {
        self.stop_shards(lease, None);
        self.drop_results(lease);
        self.forget_lease(lease);
    }

    /// Says that what has not ended of a lease will not be executed here, and forgets it.
    pub(crate) fn return_lease(&mut self, lease: LeaseId) {
        self.flush_results();
        if self.leases.get(&lease).is_some_and(|held| held.current) {
            self.outputs
                .push_back(Output::Send(FromWorker::Returned { lease }));
        }
        self.stop_shards(lease, None);
        self.drop_uploads(lease);
        self.forget_lease(lease);
    }

    /// The coordinator does not want a lease, or some shards of it, any more.
    pub(crate) fn on_cancel(&mut self, lease: LeaseId, shards: &[u32]) {
        let Some(held) = self.leases.get_mut(&lease) else {
            return;
        };
        if shards.is_empty() {
            return self.drop_lease(lease);
        }
        let mut rest = shards.to_vec();
        rest.retain(|&shard| !held.unstarted.cancel(shard));
        rest.retain(|&shard| self.take_upload(lease, shard).is_none());
        // At most LEASE_SHARDS_MAX.
        let cancelled = (shards.len() - rest.len()) as u32 + self.stop_shards(lease, Some(&rest));
        self.shards_cancelled(lease, cancelled);
    }

    /// The unstarted shards of a lease that nobody wants.
    pub(crate) fn drop_unstarted(&mut self, lease: LeaseId) {
        let Some(held) = self.leases.get_mut(&lease) else {
            return;
        };
        let mut dropped = 0;
        while held.unstarted.take().is_some() {
            dropped += 1;
        }
        self.shards_cancelled(lease, dropped);
    }

    fn shards_cancelled(&mut self, lease: LeaseId, cancelled: u32) {
        let Some(held) = self.leases.get_mut(&lease) else {
            return;
        };
        held.open -= cancelled;
        let (open, current) = (held.open, held.current);
        if current {
            self.shards_current -= cancelled;
        }
        if open == 0 {
            self.forget_lease(lease);
        }
    }

    /// Gives back the leases that have run out by our clock: the coordinator gives them to others.
    pub(crate) fn expire_leases(&mut self) {
        if self.now_ms < self.expiry_earliest_ms {
            return;
        }
        let now_ms = self.now_ms;
        let over: Vec<LeaseId> = self
            .leases
            .iter()
            .filter(|(_, held)| held.expires_ms <= now_ms)
            .map(|(&id, _)| id)
            .collect();
        for lease in over {
            self.return_lease(lease);
        }
        self.expire_kept();
        self.find_earliest_expiry();
    }

    /// A renewal went out: every lease of this session lasts its full length from now on.
    pub(crate) fn renew_leases(&mut self) {
        let now_ms = self.now_ms;
        for held in self.leases.values_mut().filter(|held| held.current) {
            held.expires_ms = now_ms + held.lease_ms;
        }
        self.find_earliest_expiry();
    }

    fn find_earliest_expiry(&mut self) {
        let leases = self.leases.values().map(|held| held.expires_ms);
        let kept = self.kept.iter().map(|kept| kept.expires_ms);
        self.expiry_earliest_ms = leases.chain(kept).min().unwrap_or(u64::MAX);
    }
}

/// Whether the values of a range's items fit their type.
fn range_fits(job: &OpenJob, end_item: u64) -> bool {
    let ItemSource::Range { start, step } = job.source else {
        return true;
    };
    let last = i128::from(start) + i128::from(end_item.saturating_sub(1)) * i128::from(step);
    i64::try_from(last).is_ok()
}
