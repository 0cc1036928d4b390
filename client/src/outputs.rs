//! What comes back, as it comes. A connection that breaks is taken up where it broke off; a job whose
//! outputs nobody waits for is cancelled.
use crate::error::{item_failed, named_item};
use crate::output::Output;
use crate::{Client, Error, Line, Results};
use futures_util::Stream;
use protocol::api::ResultLine;
use protocol::ids::JobId;
use protocol::job::JobState;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How outputs are told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Order {
    pub(crate) is_unordered: bool,
    /// Outputs that are `null` are left out.
    pub(crate) leaves_null_out: bool,
    /// Failed items are told, and what lies behind them too.
    pub(crate) goes_on: bool,
}

/// The outputs of a job. Dropped before its end, it cancels the job (in the background: the runtime
/// that it was read in must still be there).
pub struct Outputs<T> {
    /// Nothing when there are no items.
    reading: Option<Reading>,
    output: PhantomData<fn() -> T>,
}

struct Reading {
    client: Client,
    job: JobId,
    order: Order,
    results: Results,
    feeder: Option<JoinHandle<Result<(), Error>>>,
    /// Items whose results were taken: makes room for others.
    taken: watch::Sender<u64>,
    /// The item that comes next, in order.
    next: u64,
    /// A failed job tells what it has; behind a gap that is no answer, only its failure is.
    has_gap: bool,
    /// The job needs no cancelling.
    is_over: bool,
    /// Nothing more is told.
    is_done: bool,
}

impl<T: DeserializeOwned> Outputs<T> {
    pub(crate) fn nothing() -> Self {
        Self {
            reading: None,
            output: PhantomData,
        }
    }

    pub(crate) fn new(client: &Client, job: JobId, order: Order) -> Self {
        let reading = Reading {
            client: client.clone(),
            job,
            order,
            results: Results::new(client, job, order.is_unordered, true),
            feeder: None,
            taken: watch::channel(0).0,
            next: 0,
            has_gap: false,
            is_over: false,
            is_done: false,
        };
        Self {
            reading: Some(reading),
            output: PhantomData,
        }
    }

    /// Has `feed` add the items; it hears how many were taken.
    pub(crate) fn feed_by<F>(&mut self, feed: impl FnOnce(watch::Receiver<u64>) -> F)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        if let Some(reading) = &mut self.reading {
            reading.feeder = Some(tokio::spawn(feed(reading.taken.subscribe())));
        }
    }

    /// The job; none where there were no items.
    pub fn job(&self) -> Option<JobId> {
        self.reading.as_ref().map(|reading| reading.job)
    }

    /// The next output; `None` at the end. Safe to drop while it waits.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        let next = self.next_with_index().await?;
        Some(next.map(|(_, output)| output))
    }

    /// The next output and the number of its item, from 0.
    pub async fn next_with_index(&mut self) -> Option<Result<(u64, T), Error>> {
        let next = self.reading.as_mut()?.next().await?;
        Some(next.and_then(|(index, output)| {
            let output = output.read();
            output
                .map(|output| (index, output))
                .map_err(|source| Error::Output { index, source })
        }))
    }

    /// As a stream, for the adapters of the `futures` crates.
    pub fn into_stream(self) -> impl Stream<Item = Result<T, Error>> {
        futures_util::stream::unfold(self, |mut outputs| async {
            let next = outputs.next().await?;
            Some((next, outputs))
        })
    }
}

impl Reading {
    async fn next(&mut self) -> Option<Result<(u64, Output), Error>> {
        while !self.is_done {
            let line = tokio::select! {
                line = self.results.next(|_| {}) => line,
                error = fed(&mut self.feeder) => Err(error),
            };
            let told = match line {
                Ok(Line::Result(line)) => self.take(line),
                Ok(Line::End { state, .. }) => self.end(state).await,
                Err(error) => {
                    self.is_done = true;
                    Some(Err(error))
                }
            };
            if told.is_some() {
                return told;
            }
        }
        None
    }

    fn take(&mut self, line: ResultLine) -> Option<Result<(u64, Output), Error>> {
        match line {
            ResultLine::Cursor { .. } => None,
            ResultLine::Failed {
                first_item,
                end_item,
                cause,
                detail,
            } => {
                self.taken
                    .send_modify(|taken| *taken += end_item.saturating_sub(first_item));
                self.next = end_item;
                self.is_done = !self.order.goes_on;
                // The job has failed; nothing is left to cancel.
                self.is_over |= self.is_done;
                Some(Err(item_failed(self.job, first_item..end_item, cause, &detail)))
            }
            ResultLine::Item { item, output, bytes } => {
                self.taken.send_modify(|taken| *taken += 1);
                self.has_gap |= !self.order.is_unordered && item != self.next;
                self.next = item + 1;
                let output = match bytes {
                    Some(bytes) => Output::Bytes(bytes),
                    None => Output::Json(output.unwrap_or_default()),
                };
                let is_left_out = self.has_gap || (self.order.leaves_null_out && output.is_null());
                (!is_left_out).then_some(Ok((item, output)))
            }
        }
    }

    async fn end(&mut self, state: JobState) -> Option<Result<(u64, Output), Error>> {
        (self.is_over, self.is_done) = (true, true);
        if state == JobState::Succeeded && !self.has_gap {
            return None;
        }
        Some(Err(self.why_ended(state).await.unwrap_or_else(|error| error)))
    }

    /// Why there are no more outputs.
    async fn why_ended(&self, state: JobState) -> Result<Error, Error> {
        let client = &self.client;
        let job = client.patiently(|| client.job(self.job), |_| {}).await?;
        let groups = client.patiently(|| client.errors(self.job), |_| {}).await?.groups;
        let worst = groups.first();
        // A later stage counts lists of outputs; only the errors of the map name items.
        let is_of_map = job.reason.as_ref().is_none_or(|why| !why.starts_with("stage "));
        if let (JobState::Failed, true, Some(worst)) = (state, is_of_map, worst)
            && let Some((item, _)) = named_item(&worst.detail)
        {
            return Ok(item_failed(self.job, item..item + 1, worst.cause, &worst.detail));
        }
        let reason = job.reason.or_else(|| worst.map(|worst| worst.detail.clone()));
        Ok(Error::Ended {
            job: self.job,
            state,
            reason: reason.unwrap_or_else(|| "without a reason".into()),
        })
    }
}

/// Resolves with what went wrong while items were added, and never when all is well.
async fn fed(feeder: &mut Option<JoinHandle<Result<(), Error>>>) -> Error {
    if let Some(task) = feeder {
        let ended = task.await;
        *feeder = None;
        match ended {
            Ok(Ok(())) => {}
            // The job takes no more because it is over: its results say why.
            Ok(Err(Error::Problem(problem))) if problem.status == 409 => {}
            Ok(Err(error)) => return error,
            Err(error) => return Error::Machine(format!("the items could not be sent: {error}")),
        }
    }
    std::future::pending().await
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(task) = &self.feeder {
            task.abort();
        }
        if self.is_over {
            return;
        }
        // Without a runtime there is nobody who could tell the server.
        if let Ok(runtime) = Handle::try_current() {
            let (client, job) = (self.client.clone(), self.job);
            runtime.spawn(async move {
                // Nobody is left to hear that it could not be cancelled.
                drop(client.steer(job, "cancel").await);
            });
        }
    }
}
