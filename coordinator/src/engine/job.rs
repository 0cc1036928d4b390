//! What sessions have to know of a job: how to open it, and where its items lie.
use crate::store::{Chunk, JobRecord, Source};
use bytes::Bytes;
use protocol::wire::{ItemSource, JobHandle, OpenJob};
use std::sync::{PoisonError, RwLock};

/// A job's fixed facts and its growing list of chunks, shared by the core and the sessions.
pub(crate) struct JobInfo {
    pub(crate) handle: JobHandle,
    pub(crate) record: JobRecord,
    chunks: RwLock<Vec<Chunk>>,
}

impl JobInfo {
    pub(crate) fn new(handle: JobHandle, record: JobRecord, chunks: Vec<Chunk>) -> Self {
        Self {
            handle,
            record,
            chunks: RwLock::new(chunks),
        }
    }

    /// Items were added.
    pub(crate) fn add_chunk(&self, chunk: Chunk) {
        let mut chunks = self.chunks.write().unwrap_or_else(PoisonError::into_inner);
        if chunks
            .last()
            .is_none_or(|last| last.first_item < chunk.first_item)
        {
            chunks.push(chunk);
        }
    }

    /// How many items its chunks hold.
    pub(crate) fn items_in_chunks(&self) -> u64 {
        let chunks = self.chunks.read().unwrap_or_else(PoisonError::into_inner);
        chunks.last().map_or(0, |last| last.first_item + last.items)
    }

    /// The chunks that hold the items `[first, end)`, in order.
    pub(crate) fn chunks_over(&self, first: u64, end: u64) -> Vec<Chunk> {
        let chunks = self.chunks.read().unwrap_or_else(PoisonError::into_inner);
        let from = chunks.partition_point(|c| c.first_item + c.items <= first);
        chunks[from..]
            .iter()
            .take_while(|c| c.first_item < end)
            .copied()
            .collect()
    }

    /// What a worker is told of it, once a session.
    pub(crate) fn open(&self) -> OpenJob {
        let (record, spec) = (&self.record, &self.record.spec);
        let source = match record.source {
            Source::Range { start, step } => ItemSource::Range { start, step },
            Source::Lines(encoding) => ItemSource::Lines(encoding),
            Source::Records { bytes } => ItemSource::Records { bytes },
        };
        let params = if spec.params.is_null() {
            Bytes::new()
        } else {
            spec.params.to_string().into()
        };
        OpenJob {
            job: self.handle,
            id: record.id,
            name: spec.name.clone(),
            owner: record.owner.clone(),
            program: record.program,
            entry: spec.entry.clone(),
            params,
            source,
            limits: spec.limits,
            picture: record.picture,
        }
    }
}
