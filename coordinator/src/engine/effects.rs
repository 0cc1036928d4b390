//! What the scheduler asks for is carried out here, and what became of it is brought back.
use super::core::{Core, GONE_WORKERS_MAX, Waiter};
use super::handle::{EngineError, NewJob, SessionOut, Steer, Submitted};
use super::job::JobInfo;
use super::ledger::Verified;
use crate::store::{Done, JobRecord, Op, StoredJob, Totals};
use protocol::api::ItemsAdded;
use protocol::cut::Cut;
use protocol::ids::{BlobHash, JobId, SessionId};
use protocol::job::JobState;
use protocol::wire::{FromWorker, JobHandle};
use scheduler::{Effect, Input, Output};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

type Answer<R> = oneshot::Sender<Result<R, EngineError>>;

impl Core {
    /// Carries out every output of the last input, in order.
    pub(super) fn carry_out(&mut self) {
        while let Some(output) = self.scheduler.poll_output() {
            match output {
                Output::Open { session, job } => self.tell_of_job(session, job, SessionOut::Open),
                Output::Lease { session, grant } => {
                    self.tell_of_job(session, grant.job, |info| {
                        SessionOut::Lease(Box::new((grant, info)))
                    });
                }
                Output::Close { session, job } => self.tell(session, SessionOut::Close(job)),
                Output::Cancel {
                    session,
                    lease,
                    shards,
                } => self.tell(session, SessionOut::Cancel(Box::new((lease, shards)))),
                Output::Drain { session } => self.tell(session, SessionOut::Drain),
                Output::End {
                    session,
                    code,
                    detail,
                } => {
                    self.tell(session, SessionOut::End(code, detail));
                    self.sessions.remove(&session);
                }
                Output::Store { job, effect } => self.store(job, effect),
                Output::Reduce(id) => self.begin_reduction(id),
                Output::JobChanged(job) => drop(self.changed_jobs.insert(job)),
                Output::WorkerChanged(id) => self.publish_worker(id),
                Output::Caught { account, job, shard } => self.on_caught(account, job, shard),
                Output::Stands {
                    account,
                    program,
                    standing,
                } => self.on_stands(account, program, standing),
                Output::Verified {
                    account,
                    job,
                    batch,
                    outputs,
                    shards: _,
                    items,
                } => self.on_verified(Verified {
                    account,
                    job,
                    batch,
                    outputs,
                    items,
                }),
                Output::JobOver { job, id, trust } => {
                    if let Some(report) = trust {
                        self.keep_report(id, report);
                    }
                    self.on_job_over(job, id);
                }
            }
        }
    }

    fn tell_of_job(
        &mut self,
        session: SessionId,
        job: JobHandle,
        what: impl FnOnce(Arc<JobInfo>) -> SessionOut,
    ) {
        if let Some(info) = self.jobs.get(&job).cloned() {
            self.tell(session, what(info));
        }
    }

    /// A session whose queue is full reads too slowly: its end of the queue is dropped, which closes it.
    fn tell(&mut self, session: SessionId, what: SessionOut) {
        let Some(outputs) = self.sessions.get(&session) else {
            return;
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = outputs.try_send(what) {
            self.sessions.remove(&session);
            self.scheduler
                .handle(self.now_ms(), Input::WorkerLeft { session });
        }
    }

    fn store(&mut self, handle: JobHandle, effect: Effect) {
        let Some(info) = self.jobs.get(&handle) else {
            return;
        };
        let (job, time_ms) = (info.record.id, self.now_ms());
        let (op, waiter) = match effect {
            Effect::Claim {
                stage,
                shards_max,
                grain,
            } => (
                Op::Claim {
                    job,
                    stage,
                    shards_max,
                    grain,
                },
                Waiter::Claim(handle),
            ),
            Effect::Accept {
                stage,
                claim,
                outputs,
                items,
                busy_us,
            } => {
                let waiter = Waiter::Count(handle, Some((claim, outputs.run.count)));
                (
                    Op::Accept {
                        job,
                        stage,
                        claim,
                        outputs,
                        items,
                        busy_us,
                    },
                    waiter,
                )
            }
            Effect::AcceptBlob {
                stage,
                claim,
                shard,
                blob,
                items,
                busy_us,
            } => {
                let waiter = Waiter::Count(handle, Some((claim, 1)));
                (
                    Op::AcceptBlob {
                        job,
                        stage,
                        claim,
                        shard,
                        blob,
                        items,
                        busy_us,
                    },
                    waiter,
                )
            }
            Effect::Fail {
                stage,
                claim,
                shard,
                items,
                failure,
                skipped,
            } => {
                let waiter = Waiter::Count(handle, Some((claim, 1)));
                (
                    Op::Fail {
                        job,
                        stage,
                        claim,
                        shard,
                        items,
                        failure,
                        skipped,
                    },
                    waiter,
                )
            }
            Effect::NoteFailure { shard, failure } => {
                ::metrics::counter!(crate::metrics::ATTEMPTS_FAILED_TOTAL, "cause" => format!("{:?}", failure.cause)).increment(1);
                (
                    Op::NoteFailure {
                        job,
                        shard,
                        failure,
                        time_ms,
                    },
                    Waiter::Nobody,
                )
            }
            Effect::SetState { state, reason } => (
                Op::SetState {
                    job,
                    state,
                    reason,
                    time_ms,
                },
                Waiter::Count(handle, None),
            ),
        };
        self.push(op, waiter);
    }

    /// An operation is durable.
    pub(super) fn on_done(&mut self, waiter: Waiter, done: Done) {
        match (waiter, done) {
            (
                Waiter::Claim(job),
                Done::Claimed {
                    claim,
                    runs,
                    cut,
                    totals,
                },
            ) => {
                self.input(Input::Claimed {
                    job,
                    claim,
                    runs,
                    cut,
                    totals,
                });
            }
            (
                Waiter::Count(job, claim),
                Done::Counted {
                    shards,
                    totals,
                    state,
                },
            ) => {
                ::metrics::counter!(crate::metrics::SHARDS_ACCEPTED_TOTAL).increment(u64::from(shards));
                self.input(Input::Counted {
                    job,
                    claim,
                    shards,
                    totals,
                    state,
                });
            }
            (Waiter::Request(then), done) => then(self, done),
            (Waiter::Nobody, _) => {}
            (Waiter::Claim(_) | Waiter::Count(..), done) => {
                tracing::error!(?done, "the store answered something else than it was asked");
            }
        }
    }

    fn on_job_over(&mut self, handle: JobHandle, id: JobId) {
        self.jobs.remove(&handle);
        self.changed_jobs.remove(&handle);
        self.engine.tell_over();
        self.publish_job(id, None);
    }

    /// There is room for every job that may be open.
    fn begin_reduction(&mut self, id: JobId) {
        if self.reductions.try_send(id).is_err() {
            tracing::error!(job = %id, "a reduction could not begin; it does after a restart");
        }
    }

    /// A worker tells an item by its place in the shard, and a script's line by its place in the bundle;
    /// people are told the item of the job, and the line in the author's file.
    pub(super) fn locate(&self, message: &mut FromWorker) {
        if let FromWorker::Failed {
            lease,
            shard,
            failure,
            ..
        } = message
            && let Some((job, first_item)) = self.scheduler.place_of(*lease, *shard)
            && let Some(info) = self.jobs.get(&job)
        {
            info.locate(failure, first_item);
        }
    }

    /// Stores a new job and takes it up when it is durable.
    pub(super) fn submit(&mut self, mut new: NewJob, answer: Answer<Submitted>) {
        if let Err(error) = self.check_room() {
            return drop(answer.send(Err(error)));
        }
        self.name(&mut new.record);
        let op = Op::AddJob {
            record: Box::new(new.record.clone()),
            items: new.items,
            closed: new.closed,
            chunk: new.chunk,
            key: new.key.clone(),
        };
        let then = move |core: &mut Core, done: Done| match done {
            Done::JobAdded { older: Some(id) } => drop(answer.send(Ok(Submitted { id, already: true }))),
            Done::JobIdTaken => core.submit(new, answer),
            _ => {
                let id = new.record.id;
                core.take_up(new);
                drop(answer.send(Ok(Submitted { id, already: false })));
            }
        };
        self.push(op, Waiter::Request(Box::new(then)));
    }

    /// Gives a submission an id that no other had here: in a burst many come in one millisecond, and that has but 65,536
    /// ids to draw from. A later stage has its id from its job.
    fn name(&mut self, record: &mut JobRecord) {
        if record.stage_of.is_none() {
            record.id = record.id.max(self.last_id.following());
            record.taken_by = self.facts.epoch;
            self.last_id = record.id;
        }
    }

    fn take_up(&mut self, new: NewJob) {
        let totals = Totals {
            items: new.items,
            items_closed: new.closed,
            ..Totals::default()
        };
        let job = StoredJob {
            record: new.record,
            state: JobState::Queued,
            reason: None,
            started_ms: None,
            ended_ms: None,
            cut: Cut::default(),
            totals,
        };
        self.add_job(job, new.chunk.into_iter().collect(), None, None);
    }

    /// Steers a job that is not over, or brings a failed one back.
    pub(super) fn steer(&mut self, id: JobId, steer: Steer, answer: Answer<()>) {
        let is_live = self.scheduler.handle_of(id).is_some();
        let steer = match steer {
            Steer::RetryFailed if is_live => {
                let why =
                    "the job is not over; failed shards are tried again by themselves until then".into();
                return drop(answer.send(Err(EngineError::Refused(why))));
            }
            Steer::RetryFailed => return self.retry_failed(id, answer),
            _ if !is_live => return self.answer_not_live(id, answer),
            Steer::Pause => scheduler::Steer::Pause,
            Steer::Resume => scheduler::Steer::Resume,
            Steer::Cancel { reason } => scheduler::Steer::Cancel { reason },
        };
        self.input(Input::Steer { job: id, steer });
        self.when_durable(move || drop(answer.send(Ok(()))));
    }

    fn answer_not_live<R: Send + 'static>(&self, id: JobId, answer: Answer<R>) {
        let reader = self.engine.reader();
        tokio::task::spawn_blocking(move || {
            let error = match reader.job(id) {
                Ok(Some(job)) => EngineError::Refused(format!("the job is {} and stays so", job.state)),
                Ok(None) => EngineError::NotFound,
                Err(error) => error.into(),
            };
            drop(answer.send(Err(error)));
        });
    }

    fn retry_failed(&mut self, id: JobId, answer: Answer<()>) {
        let time_ms = self.now_ms();
        let then = move |core: &mut Core, done: Done| match done {
            Done::Counted {
                state: JobState::Running | JobState::Queued,
                ..
            } => {
                core.load_job(id);
                drop(answer.send(Ok(())));
            }
            _ => {
                let why = "no shard of it failed; there is nothing to retry".into();
                drop(answer.send(Err(EngineError::Refused(why))));
            }
        };
        self.push(
            Op::RetryFailed { job: id, time_ms },
            Waiter::Request(Box::new(then)),
        );
    }

    /// Adds items to an open job.
    pub(super) fn append(&mut self, id: JobId, blob: BlobHash, items: u64, answer: Answer<ItemsAdded>) {
        if self.info_of(id).is_none() {
            return self.answer_not_live(id, answer);
        }
        let then = move |core: &mut Core, done: Done| {
            let Done::ItemsAppended {
                chunk: Some(chunk),
                totals,
            } = done
            else {
                let why = "the job is closed: it takes no more items".into();
                return drop(answer.send(Err(EngineError::Refused(why))));
            };
            if let Some(info) = core.info_of(id) {
                info.add_chunk(chunk);
            }
            core.moved(id, totals, None);
            let waiting = totals.items.saturating_sub(totals.items_accepted);
            drop(answer.send(Ok(ItemsAdded {
                added: items,
                items: totals.items,
                waiting,
            })));
        };
        self.push(
            Op::AppendItems { job: id, blob, items },
            Waiter::Request(Box::new(then)),
        );
    }

    /// No more items come.
    pub(super) fn close(&mut self, id: JobId, answer: Answer<()>) {
        if self.info_of(id).is_none() {
            return self.answer_not_live(id, answer);
        }
        let then = move |core: &mut Core, done: Done| {
            if let Done::Counted { totals, state, .. } = done {
                core.moved(id, totals, Some(state));
            }
            drop(answer.send(Ok(())));
        };
        self.push(Op::CloseItems { job: id }, Waiter::Request(Box::new(then)));
    }

    /// Stores something that the scheduler need not know.
    pub(super) fn write(&mut self, op: Op, answer: Answer<Done>) {
        if let Some(problem) = &self.commits.problem {
            return drop(answer.send(Err(problem.clone().into())));
        }
        let then = move |_: &mut Core, done| drop(answer.send(Ok(done)));
        self.push(op, Waiter::Request(Box::new(then)));
    }

    /// The counts (and perhaps the state) of a job changed outside the scheduler.
    pub(super) fn moved(&mut self, job: JobId, totals: Totals, state: Option<JobState>) {
        let live = self
            .scheduler
            .handle_of(job)
            .and_then(|handle| self.scheduler.live_job(handle));
        let Some(state) = state.or(live.map(|live| live.state)) else {
            return;
        };
        self.input(Input::JobMoved { job, totals, state });
    }

    /// Keeps what a worker was, for the list of those lately gone.
    pub(super) fn keep_gone(&mut self, mut worker: protocol::api::Worker) {
        worker.connected = false;
        worker.leased = 0;
        self.gone.retain(|gone| gone.id != worker.id);
        self.gone.push_front(worker);
        self.gone.truncate(GONE_WORKERS_MAX);
    }
}
