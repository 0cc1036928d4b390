//! What other coordinators on the same store do, and what only the store knows.
use super::core::{Core, Waiter};
use crate::store::{Chunk, Done, Op, StoreError, StoredJob};
use protocol::ids::JobId;
use protocol::trust::TrustReport;

/// A job with its new items, and what was done for the trust in its answers.
type Found = (StoredJob, Vec<Chunk>, Option<TrustReport>);

impl Core {
    /// Says that this coordinator lives, and hears what others changed.
    pub(super) fn on_heartbeat(&mut self) {
        let then = |core: &mut Core, done: Done| {
            if let Done::Changes { jobs } = done {
                jobs.into_iter().for_each(|job| core.load_job(job));
            }
        };
        let time_ms = self.now_ms();
        self.push(Op::Heartbeat { time_ms }, Waiter::Request(Box::new(then)));
    }

    /// Reads a job from the store and takes it up, or takes over how it stands.
    pub(super) fn load_job(&self, id: JobId) {
        let engine = self.engine.clone();
        let known_items = self.info_of(id).map_or(0, |info| info.items_in_chunks());
        tokio::spawn(async move {
            let reader = engine.reader();
            let read = tokio::task::spawn_blocking(move || -> Result<Option<Found>, StoreError> {
                let Some(job) = reader.job(id)? else {
                    return Ok(None);
                };
                let report = reader.reports(&[id])?.pop().flatten();
                Ok(Some((job, reader.chunks(id, known_items)?, report)))
            });
            match read.await {
                Ok(Ok(Some((job, chunks, report)))) => {
                    engine.post(move |core| core.take_over(job, chunks, report)).await;
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::error!(job = %id, %error, "a job cannot be read"),
                Err(error) => tracing::error!(job = %id, %error, "a job could not be read"),
            }
        });
    }

    fn take_over(&mut self, job: StoredJob, chunks: Vec<Chunk>, report: Option<TrustReport>) {
        match self.info_of(job.record.id) {
            Some(info) => {
                chunks.into_iter().for_each(|chunk| info.add_chunk(chunk));
                self.moved(job.record.id, job.totals, Some(job.state));
            }
            None if !job.state.is_over() => self.add_job(job, chunks, report, None),
            None => {}
        }
    }
}
