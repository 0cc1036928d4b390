//! What shards came to: merged into few messages, sent, or kept until there is a session again.
use crate::bounds;
use crate::output::Output;
use crate::worker::Worker;
use bytes::Bytes;
use protocol::ids::{BlobHash, LeaseId};
use protocol::limits;
use protocol::run::{Outputs, OutputsBuilder};
use protocol::wire::{Cause, Failure, FromWorker};

/// An output that finished in this turn.
#[derive(Debug)]
pub(crate) struct Pending {
    lease: LeaseId,
    shard: u32,
    output: Bytes,
    busy_us: u64,
    /// When its lease ends, for the case that it must be kept.
    expires_ms: u64,
}

/// A message that waits for a session.
#[derive(Debug)]
pub(crate) struct Kept {
    lease: LeaseId,
    pub(crate) expires_ms: u64,
    bytes: usize,
    message: FromWorker,
}

/// An output on its way to the blobs.
#[derive(Debug)]
pub(crate) struct Uploading {
    bytes: usize,
    busy_us: u64,
}

impl Worker {
    /// An output is here: it travels in a frame, or as a blob where it is too long for one.
    pub(crate) fn shard_finished(&mut self, lease: LeaseId, shard: u32, output: Bytes, busy_us: u64) {
        let Some(held) = self.leases.get(&lease) else {
            return;
        };
        let expires_ms = held.expires_ms;
        if output.len() > limits::OUTPUT_BYTES_MAX {
            let detail = format!(
                "the output has {} bytes; at most {} are allowed",
                output.len(),
                limits::OUTPUT_BYTES_MAX
            );
            let failure = Failure {
                cause: Cause::OutputTooLong,
                detail,
            };
            return self.shard_failed(lease, shard, failure, busy_us);
        }
        if output.len() > limits::OUTPUT_INLINE_BYTES_MAX {
            let bytes = output.len();
            self.output_bytes_held += bytes;
            self.uploading
                .insert((lease, shard), Uploading { bytes, busy_us });
            return self.outputs.push_back(Output::UploadBlob {
                lease,
                shard,
                bytes: output,
            });
        }
        self.output_bytes_held += output.len();
        self.pending.push(Pending {
            lease,
            shard,
            output,
            busy_us,
            expires_ms,
        });
        self.shard_ended(lease);
    }

    /// A shard ended without an output.
    pub(crate) fn shard_failed(&mut self, lease: LeaseId, shard: u32, mut failure: Failure, busy_us: u64) {
        let Some(held) = self.leases.get(&lease) else {
            return;
        };
        let expires_ms = held.expires_ms;
        shorten(&mut failure.detail);
        self.counts.failed += 1;
        let bytes = failure.detail.len();
        self.send_or_keep(
            lease,
            expires_ms,
            bytes,
            FromWorker::Failed {
                lease,
                shard,
                failure,
                busy_us,
            },
        );
        self.shard_ended(lease);
    }

    /// An output is stored as a blob and can be told.
    pub(crate) fn on_blob_uploaded(&mut self, lease: LeaseId, shard: u32, blob: BlobHash) {
        let Some(Uploading { bytes, busy_us }) = self.take_upload(lease, shard) else {
            return;
        };
        let Some(expires_ms) = self.leases.get(&lease).map(|held| held.expires_ms) else {
            return;
        };
        let length = bytes as u64;
        let message = FromWorker::FinishedBlob {
            lease,
            shard,
            blob,
            length,
            busy_us,
        };
        self.send_or_keep(lease, expires_ms, 0, message);
        self.shard_ended(lease);
    }

    /// An output could not be uploaded: never the program's fault.
    pub(crate) fn on_upload_failed(&mut self, lease: LeaseId, shard: u32, reason: &str) {
        let Some(upload) = self.take_upload(lease, shard) else {
            return;
        };
        let detail = format!("the output could not be uploaded: {reason}");
        self.shard_failed(
            lease,
            shard,
            Failure {
                cause: Cause::Lost,
                detail,
            },
            upload.busy_us,
        );
    }

    /// An upload is over, or not wanted any more.
    pub(crate) fn take_upload(&mut self, lease: LeaseId, shard: u32) -> Option<Uploading> {
        let upload = self.uploading.remove(&(lease, shard))?;
        self.output_bytes_held -= upload.bytes;
        Some(upload)
    }

    pub(crate) fn drop_uploads(&mut self, lease: LeaseId) {
        let held = &mut self.output_bytes_held;
        self.uploading.retain(|(of, _), upload| {
            let stays = *of != lease;
            *held -= if stays { 0 } else { upload.bytes };
            stays
        });
    }

    /// Drops what a cancelled lease has finished but not sent.
    pub(crate) fn drop_results(&mut self, lease: LeaseId) {
        self.drop_uploads(lease);
        let held = &mut self.output_bytes_held;
        self.pending.retain(|pending| {
            let stays = pending.lease != lease;
            *held -= if stays { 0 } else { pending.output.len() };
            stays
        });
        self.drop_kept(|kept| kept.lease == lease);
    }

    /// Drops what was kept under leases that have run out.
    pub(crate) fn expire_kept(&mut self) {
        let now_ms = self.now_ms;
        self.drop_kept(|kept| kept.expires_ms <= now_ms);
    }

    pub(crate) fn drop_all_kept(&mut self) {
        self.drop_kept(|_| true);
    }

    fn drop_kept(&mut self, drops: impl Fn(&Kept) -> bool) {
        let held = &mut self.output_bytes_held;
        self.kept.retain(|kept| {
            let stays = !drops(kept);
            *held -= if stays { 0 } else { kept.bytes };
            stays
        });
    }

    /// Merges what finished in this turn into as few messages as there are runs of neighbours.
    pub(crate) fn flush_results(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.sort_unstable_by_key(|pending| (pending.lease, pending.shard));
        let mut rest = pending.as_slice();
        while let Some(first) = rest.first() {
            let count = run_length(rest);
            let (run, after) = rest.split_at(count);
            let bytes = run.iter().map(|pending| pending.output.len()).sum();
            self.output_bytes_held -= bytes;
            let message = merge(run);
            self.send_or_keep(first.lease, first.expires_ms, bytes, message);
            rest = after;
        }
        pending.clear();
        self.pending = pending;
    }

    fn send_or_keep(&mut self, lease: LeaseId, expires_ms: u64, bytes: usize, message: FromWorker) {
        if self.link.is_up() {
            return self.outputs.push_back(Output::Send(message));
        }
        let full = self.output_bytes_held + bytes > bounds::OUTPUT_BYTES_HELD_MAX;
        if !full && self.kept.len() < bounds::MESSAGES_KEPT_MAX {
            self.output_bytes_held += bytes;
            self.expiry_earliest_ms = self.expiry_earliest_ms.min(expires_ms);
            self.kept.push_back(Kept {
                lease,
                expires_ms,
                bytes,
                message,
            });
        }
    }

    /// There is a session again: what was kept goes out under its old leases.
    pub(crate) fn send_kept(&mut self) {
        for kept in std::mem::take(&mut self.kept) {
            self.output_bytes_held -= kept.bytes;
            self.outputs.push_back(Output::Send(kept.message));
        }
    }
}

/// How many outputs from the first on are neighbours that fit in one frame.
fn run_length(pending: &[Pending]) -> usize {
    let mut bytes = pending[0].output.len();
    let follows = |pair: &[Pending]| {
        bytes += pair[1].output.len();
        let neighbours = pair[0].lease == pair[1].lease && pair[0].shard + 1 == pair[1].shard;
        neighbours && bytes <= limits::OUTPUT_BATCH_BYTES_MAX
    };
    1 + pending
        .windows(2)
        .map(follows)
        .take_while(|&follows| follows)
        .count()
}

fn merge(run: &[Pending]) -> FromWorker {
    let (lease, busy_us) = (run[0].lease, run.iter().map(|pending| pending.busy_us).sum());
    if let [one] = run {
        let outputs = Outputs::single(one.shard, one.output.clone());
        return FromWorker::Finished {
            lease,
            outputs,
            busy_us,
        };
    }
    let mut builder = OutputsBuilder::default();
    for pending in run {
        builder.push(pending.shard, &pending.output);
    }
    let empty = || Outputs::single(run[0].shard, Bytes::new());
    FromWorker::Finished {
        lease,
        outputs: builder.finish().unwrap_or_else(empty),
        busy_us,
    }
}

/// Cuts a detail to what travels, between two characters.
pub(crate) fn shorten(detail: &mut String) {
    if detail.len() > limits::DETAIL_BYTES_MAX {
        let end = (0..=limits::DETAIL_BYTES_MAX)
            .rev()
            .find(|&end| detail.is_char_boundary(end));
        detail.truncate(end.unwrap_or(0));
    }
}
