//! What a message may say beyond being a whole frame. Everything behind the session relies on it.
use super::End;
use crate::blobs::Blobs;
use protocol::ids::BlobHash;
use protocol::limits::{LEASE_SHARDS_MAX, OUTPUT_BYTES_MAX, SHARD_TIME_MS_MAX};
use protocol::wire::{FromWorker, RefusalCode};

/// Longest execution time of a shard that is believed, in microseconds; sums of it overflow nowhere.
const SHARD_BUSY_US_MAX: u64 = SHARD_TIME_MS_MAX as u64 * 1_000;

/// The message, with times that can be; an error where the worker breaks the rules.
pub(super) async fn message(mut message: FromWorker, blobs: &Blobs) -> Result<FromWorker, End> {
    match &mut message {
        FromWorker::Finished { outputs, busy_us, .. } => {
            let shards = outputs.run.count;
            if shards > LEASE_SHARDS_MAX {
                let detail = format!("outputs of {shards} shards; a lease has at most {LEASE_SHARDS_MAX}");
                return Err(out_of_turn(detail));
            }
            *busy_us = (*busy_us).min(u64::from(shards) * SHARD_BUSY_US_MAX);
        }
        FromWorker::FinishedBlob {
            blob,
            length,
            busy_us,
            ..
        } => {
            *busy_us = (*busy_us).min(SHARD_BUSY_US_MAX);
            // Boxed, as it waits for the disk: an idle session keeps no room for it.
            Box::pin(uploaded(blobs, *blob, *length)).await?;
        }
        _ => {}
    }
    Ok(message)
}

/// An output that cannot be read must never be accepted.
async fn uploaded(blobs: &Blobs, blob: BlobHash, length: u64) -> Result<(), End> {
    if length > OUTPUT_BYTES_MAX as u64 {
        let detail = format!("an output of {length} bytes; at most {OUTPUT_BYTES_MAX} are accepted");
        return Err(out_of_turn(detail));
    }
    match blobs.length(blob).await {
        Ok(Some(stored)) if stored == length => Ok(()),
        Ok(Some(stored)) => Err(out_of_turn(format!(
            "the blob {blob} has {stored} bytes, not {length}"
        ))),
        Ok(None) => Err(out_of_turn(format!(
            "the blob {blob} is not here: upload an output before saying that it is finished"
        ))),
        Err(error) => Err(End::Refused(RefusalCode::GoingAway, error.to_string())),
    }
}

fn out_of_turn(detail: String) -> End {
    End::Refused(RefusalCode::OutOfTurn, detail)
}
