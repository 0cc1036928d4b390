//! What sessions have to know of a job: how to open it, and where its items lie.
use crate::store::{Chunk, JobRecord, Source};
use bytes::Bytes;
use program::script::Script;
use protocol::ids::ProgramHash;
use protocol::wire::{Cause, Failure};
use protocol::wire::{ItemSource, JobHandle, OpenJob};
use std::sync::{PoisonError, RwLock};
use tokio::sync::OnceCell;

/// `item 3: why` of a shard that begins at item 100 becomes `item 103: why`.
fn with_item_of_job(detail: &str, first_item: u64) -> String {
    let parts = detail.strip_prefix("item ").and_then(|rest| rest.split_once(':'));
    match parts.and_then(|(item, why)| Some((item.trim().parse::<u64>().ok()?, why))) {
        Some((item, why)) => format!("item {}:{why}", first_item.saturating_add(item)),
        None => detail.to_owned(),
    }
}

impl From<Source> for ItemSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Range { start, step } => Self::Range { start, step },
            Source::Lines(encoding) => Self::Lines(encoding),
            Source::Records { bytes } => Self::Records { bytes },
        }
    }
}

/// What workers execute for a job: its own program, or the script engine with its script.
pub(crate) struct Launch {
    pub(crate) program: ProgramHash,
    pub(crate) entry: String,
    pub(crate) params: Bytes,
    pub(crate) script: Option<Script>,
}

/// A job's fixed facts and its growing list of chunks, shared by the core and the sessions.
pub(crate) struct JobInfo {
    pub(crate) handle: JobHandle,
    pub(crate) record: JobRecord,
    chunks: RwLock<Vec<Chunk>>,
    launch: OnceCell<Launch>,
}

impl JobInfo {
    pub(crate) fn new(handle: JobHandle, record: JobRecord, chunks: Vec<Chunk>) -> Self {
        Self {
            handle,
            record,
            chunks: RwLock::new(chunks),
            launch: OnceCell::new(),
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

    /// How workers start it; `make` is asked the first time, and again when it failed.
    pub(crate) async fn launch<E>(
        &self,
        make: impl Future<Output = Result<Launch, E>>,
    ) -> Result<&Launch, E> {
        self.launch.get_or_try_init(|| make).await
    }

    /// Tells which item of the job failed, and where in the author's file.
    pub(crate) fn locate(&self, failure: &mut Failure, first_item: u64) {
        if failure.cause == Cause::ItemFailed {
            failure.detail = with_item_of_job(&failure.detail, first_item);
        }
        if let Some(script) = self.launch.get().and_then(|launch| launch.script.as_ref()) {
            failure.detail = script.trace(&failure.detail);
        }
    }

    /// What a worker is told of it, once a session.
    pub(crate) fn open(&self, launch: &Launch) -> OpenJob {
        let (record, spec) = (&self.record, &self.record.spec);
        OpenJob {
            job: self.handle,
            id: record.id,
            name: spec.name.clone(),
            owner: record.owner.clone(),
            program: launch.program,
            entry: launch.entry.clone(),
            params: launch.params.clone(),
            source: record.source.into(),
            limits: spec.limits,
            picture: record.picture,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_item_is_told_by_its_place_in_the_job() {
        assert_eq!(with_item_of_job("item 3: odd: 7", 100), "item 103: odd: 7");
        assert_eq!(
            with_item_of_job("the program has no entry 'x'", 100),
            "the program has no entry 'x'"
        );
    }
}
