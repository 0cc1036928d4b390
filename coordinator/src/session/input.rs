//! The bytes that go with a lease: none for a range, a few inline, many as a piece of a blob.
use super::WorkerAccess;
use crate::blobs::{BlobError, Blobs};
use crate::engine::JobInfo;
use crate::store::{Chunk, Source};
use bytes::{Bytes, BytesMut};
use protocol::cut::Piece;
use protocol::ids::BlobHash;
use protocol::limits::LEASE_INLINE_BYTES_MAX;
use protocol::wire::{Lease, LeaseInput};
use scheduler::Grant;

/// A lease as it goes to the worker. Items that cannot be read make it an input that cannot be fetched:
/// the worker reports that, and the job fails with the real cause.
pub(super) async fn lease(access: &WorkerAccess, grant: Grant, info: &JobInfo) -> Lease {
    let piece = grant.piece;
    let mut input = items_of(&access.blobs, info, &piece)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(job = %info.record.id, %error, "the items of a lease cannot be read");
            missing(info, piece.first_item, piece.end_item)
        });
    if let LeaseInput::Blob { blob, .. } = &mut input {
        // A worker reads what it was leased, and nothing by its hash.
        *blob = access.door.secret.seal(*blob);
    }
    Lease {
        lease: grant.lease,
        job: grant.job,
        stage: grant.stage,
        first_shard: piece.run.first,
        shards: piece.run.count,
        first_item: piece.first_item,
        grain: piece.grain,
        end_item: piece.end_item,
        input,
        lease_ms: grant.lease_ms,
    }
}

/// The bytes of a piece's items.
pub(crate) async fn items_of(blobs: &Blobs, info: &JobInfo, piece: &Piece) -> Result<LeaseInput, BlobError> {
    match info.record.source {
        Source::Range { .. } => Ok(LeaseInput::Computed),
        // Boxed, as it waits for the disk: an idle session keeps no room for it.
        source => Box::pin(items(blobs, source, info, piece.first_item, piece.end_item)).await,
    }
}

fn missing(info: &JobInfo, first: u64, end: u64) -> LeaseInput {
    let blob = info
        .chunks_over(first, end)
        .first()
        .map_or(BlobHash([0; 32]), |chunk| chunk.blob);
    LeaseInput::Blob {
        blob,
        offset: 0,
        length: u64::MAX,
    }
}

/// A piece of one chunk, in bytes.
struct Span {
    blob: BlobHash,
    offset: u64,
    length: u64,
}

async fn items(
    blobs: &Blobs,
    source: Source,
    info: &JobInfo,
    first: u64,
    end: u64,
) -> Result<LeaseInput, BlobError> {
    let mut spans = Vec::new();
    for chunk in info.chunks_over(first, end) {
        spans.push(span(blobs, source, chunk, first, end).await?);
    }
    let total: u64 = spans.iter().map(|span| span.length).sum();
    match spans.as_slice() {
        [one] if total > LEASE_INLINE_BYTES_MAX as u64 => Ok(LeaseInput::Blob {
            blob: one.blob,
            offset: one.offset,
            length: one.length,
        }),
        _ => joined(blobs, source, &spans, total).await,
    }
}

async fn span(blobs: &Blobs, source: Source, chunk: Chunk, first: u64, end: u64) -> Result<Span, BlobError> {
    let from = first.max(chunk.first_item) - chunk.first_item;
    let to = end.min(chunk.first_item + chunk.items) - chunk.first_item;
    let (offset, length) = match source {
        Source::Records { bytes } => {
            let bytes = u64::from(bytes);
            let whole = blobs.length(chunk.blob).await?.unwrap_or(0);
            (from * bytes, (to * bytes).min(whole).saturating_sub(from * bytes))
        }
        _ => blobs.lines(chunk.blob, from, to).await?,
    };
    Ok(Span {
        blob: chunk.blob,
        offset,
        length,
    })
}

/// The bytes of several pieces, one behind the other; when they are many, as a blob of their own.
async fn joined(blobs: &Blobs, source: Source, spans: &[Span], total: u64) -> Result<LeaseInput, BlobError> {
    let mut all = BytesMut::with_capacity(usize::try_from(total).unwrap_or(0) + spans.len());
    for span in spans {
        all.extend_from_slice(&blobs.read_at(span.blob, span.offset, span.length).await?);
        let is_cut = matches!(source, Source::Lines(_)) && all.last().is_some_and(|byte| *byte != b'\n');
        if is_cut {
            all.extend_from_slice(b"\n");
        }
    }
    let all: Bytes = all.freeze();
    if all.len() <= LEASE_INLINE_BYTES_MAX {
        return Ok(LeaseInput::Inline(all));
    }
    let length = all.len() as u64;
    Ok(LeaseInput::Blob {
        blob: blobs.put(all).await?,
        offset: 0,
        length,
    })
}
