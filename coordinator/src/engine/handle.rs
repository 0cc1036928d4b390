//! The engine as everybody else sees it: messages go in, answers come back.
use super::core::Core;
use super::feed::EventFeed;
use super::job::JobInfo;
use crate::session::Member;
use crate::store::{Chunk, Done, JobRecord, Op, Reader, StoreError};
use protocol::api::{Explanation, ItemsAdded, Overview, Worker};
use protocol::ids::{AccountId, BlobHash, JobId, LeaseId, SessionId, WorkerId};
use protocol::limits::{ENGINE_QUEUE_MAX, SESSION_QUEUE_MESSAGES_MAX};
use protocol::trust::{NetworkPrefix, TrustReport};
use protocol::wire::{FromWorker, Hello, JobHandle, RefusalCode};
use scheduler::{Grant, Input, LiveJob};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Why the engine did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// There is no such thing here.
    #[error("not found")]
    NotFound,
    /// It is not possible as things stand; says why and what to do.
    #[error("{0}")]
    Refused(String),
    /// A table is full; says which and what to do.
    #[error("{0}")]
    Full(String),
    /// Nothing can be stored at the moment; says why.
    #[error("{0}")]
    StoreUnavailable(String),
    /// There is no room for more at the moment; says where.
    #[error("{0}")]
    StoreFull(String),
    /// The coordinator is shutting down.
    #[error("the coordinator is shutting down")]
    Gone,
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(why) => Self::StoreFull(why),
            other => Self::StoreUnavailable(other.to_string()),
        }
    }
}

/// A job that was checked and is ready to be stored.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The job. Its id is the least that it may get; who takes it is filled in when it is submitted.
    pub record: JobRecord,
    /// Items known now.
    pub items: u64,
    /// Whether no more come.
    pub closed: bool,
    /// The items' blob, where they are not computed.
    pub chunk: Option<Chunk>,
    /// The idempotency key.
    pub key: Option<String>,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The job.
    pub id: JobId,
    /// Whether it was there already, under the same idempotency key.
    pub already: bool,
}

/// How a job is steered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steer {
    /// Hand out nothing new.
    Pause,
    /// Hand out again.
    Resume,
    /// Stop for good.
    Cancel {
        /// Why, for people.
        reason: Option<String>,
    },
    /// Let the shards that failed for good wait again.
    RetryFailed,
}

/// What the core tells a session to write. Larger parts are boxed: every session has room for 32 of them.
pub(crate) enum SessionOut {
    Open(Arc<JobInfo>),
    Close(JobHandle),
    Lease(Box<(Grant, Arc<JobInfo>)>),
    Cancel(Box<(LeaseId, Vec<u32>)>),
    Drain,
    End(RefusalCode, String),
}

/// A hello whose token was checked.
pub(crate) struct WorkerHello {
    pub(crate) hello: Hello,
    /// Whom its answers are counted for.
    pub(crate) member: Member,
    pub(crate) trusted: bool,
    /// From where it connects.
    pub(crate) network: NetworkPrefix,
}

/// A session that joined.
pub(crate) struct Joined {
    pub(crate) session: SessionId,
    pub(crate) outputs: mpsc::Receiver<SessionOut>,
}

/// What reaches the core.
pub(super) enum Message {
    /// A worker's frame.
    Worker(SessionId, FromWorker),
    /// A session ended.
    Left(SessionId),
    /// Anything else, done between two inputs.
    Do(Box<dyn FnOnce(&mut Core) + Send>),
    /// Drain, commit what waits, and end.
    Stop(oneshot::Sender<()>),
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    messages: mpsc::Sender<Message>,
    reader: Arc<dyn Reader>,
    feed: EventFeed,
    /// How many jobs were over since the start.
    over: Arc<watch::Sender<u64>>,
}

impl Engine {
    pub(super) fn new(reader: Arc<dyn Reader>) -> (Self, mpsc::Receiver<Message>) {
        let (messages, waiting) = mpsc::channel(ENGINE_QUEUE_MAX);
        (
            Self {
                messages,
                reader,
                feed: EventFeed::new(),
                over: Arc::new(watch::Sender::new(0)),
            },
            waiting,
        )
    }

    /// Does something on the core's task and brings the answer back.
    async fn ask<R, F>(&self, ask: F) -> Result<R, EngineError>
    where
        R: Send + 'static,
        F: FnOnce(&mut Core) -> R + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let ask = Box::new(move |core: &mut Core| drop(answer.send(ask(core))));
        self.messages
            .send(Message::Do(ask))
            .await
            .map_err(|_| EngineError::Gone)?;
        answered.await.map_err(|_| EngineError::Gone)
    }

    /// Has the core start something whose answer comes later, when it is durable.
    async fn ask_later<R, F>(&self, ask: F) -> Result<R, EngineError>
    where
        R: Send + 'static,
        F: FnOnce(&mut Core, oneshot::Sender<Result<R, EngineError>>) + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let ask = Box::new(move |core: &mut Core| ask(core, answer));
        self.messages
            .send(Message::Do(ask))
            .await
            .map_err(|_| EngineError::Gone)?;
        answered.await.map_err(|_| EngineError::Gone)?
    }

    /// Stores a job; it runs from then on.
    pub async fn submit(&self, job: NewJob) -> Result<Submitted, EngineError> {
        self.ask_later(move |core, answer| core.submit(job, answer)).await
    }

    /// Steers a job.
    pub async fn steer(&self, job: JobId, steer: Steer) -> Result<(), EngineError> {
        self.ask_later(move |core, answer| core.steer(job, steer, answer))
            .await
    }

    /// Adds items to an open job.
    pub async fn append(&self, job: JobId, blob: BlobHash, items: u64) -> Result<ItemsAdded, EngineError> {
        self.ask_later(move |core, answer| core.append(job, blob, items, answer))
            .await
    }

    /// Says that no more items come.
    pub async fn close(&self, job: JobId) -> Result<(), EngineError> {
        self.ask_later(move |core, answer| core.close(job, answer)).await
    }

    /// How jobs stand in memory, `None` for those that are over or elsewhere; and what was done so that their
    /// answers can be trusted, also for those that lately were over.
    pub async fn live(
        &self,
        jobs: Vec<JobId>,
    ) -> Result<Vec<(Option<LiveJob>, Option<TrustReport>)>, EngineError> {
        self.ask(move |core| jobs.into_iter().map(|id| core.live_and_trust(id)).collect())
            .await
    }

    /// Shards of an account that wait for their verdict.
    pub async fn checking(&self, account: AccountId) -> Result<u64, EngineError> {
        let held = move |core: &mut Core| core.scheduler().held_of(account);
        Ok(self
            .ask(held)
            .await?
            .iter()
            .map(|(_, shards)| u64::from(*shards))
            .sum())
    }

    /// Why a job stands as it does.
    pub async fn explain_job(&self, id: JobId) -> Result<Explanation, EngineError> {
        self.ask(move |core| core.scheduler().explain_job(id))
            .await?
            .ok_or(EngineError::NotFound)
    }

    /// Why a worker does what it does.
    pub async fn explain_worker(&self, id: WorkerId) -> Result<Explanation, EngineError> {
        self.ask(move |core| core.scheduler().explain_worker(id))
            .await?
            .ok_or(EngineError::NotFound)
    }

    /// Workers: connected ones first, then those lately gone.
    pub async fn workers(&self) -> Result<Vec<Worker>, EngineError> {
        self.ask(|core| core.workers()).await
    }

    /// The whole picture.
    pub async fn overview(&self) -> Result<Overview, EngineError> {
        self.ask(|core| core.overview()).await
    }

    /// Everything that happens.
    pub fn events(&self) -> EventFeed {
        self.feed.clone()
    }

    /// Changes whenever a job is over.
    pub(crate) fn overs(&self) -> watch::Receiver<u64> {
        self.over.subscribe()
    }

    pub(super) fn tell_over(&self) {
        self.over.send_modify(|over| *over += 1);
    }

    /// The stages behind a job's map are over; `failed` says why there is no result.
    pub(crate) async fn reduced(&self, job: JobId, failed: Option<String>) {
        self.post(move |core| core.input(Input::Reduced { job, failed }))
            .await;
    }

    /// Stores something that is none of the scheduler's business: a token, a program.
    pub async fn write(&self, op: Op) -> Result<Done, EngineError> {
        self.ask_later(move |core, answer| core.write(op, answer)).await
    }

    /// The reading side of the store.
    pub fn reader(&self) -> Arc<dyn Reader> {
        self.reader.clone()
    }

    /// A worker said hello.
    pub(crate) async fn join(&self, hello: WorkerHello) -> Result<Joined, EngineError> {
        let (outputs, waiting) = mpsc::channel(SESSION_QUEUE_MESSAGES_MAX);
        let session = self.ask(move |core| core.join(hello, outputs)).await??;
        Ok(Joined {
            session,
            outputs: waiting,
        })
    }

    /// A worker said something else. Waits while the engine is busy: the socket is not read meanwhile.
    pub(crate) async fn tell(&self, session: SessionId, message: FromWorker) -> Result<(), EngineError> {
        self.messages
            .send(Message::Worker(session, message))
            .await
            .map_err(|_| EngineError::Gone)
    }

    /// A session ended.
    pub(crate) async fn leave(&self, session: SessionId) {
        // When the engine is gone, so is the session.
        let _ = self.messages.send(Message::Left(session)).await;
    }

    /// Tells workers to drain, commits what waits, and ends.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.messages.send(Message::Stop(done)).await.is_ok() {
            let _ = ended.await;
        }
    }

    /// Resolves when the engine ended: it was stopped, or its store is broken.
    pub(crate) async fn gone(&self) {
        self.messages.closed().await;
    }

    /// Does something on the core's task without waiting for it.
    pub(super) async fn post(&self, ask: impl FnOnce(&mut Core) + Send + 'static) {
        let _ = self.messages.send(Message::Do(Box::new(ask))).await;
    }
}
