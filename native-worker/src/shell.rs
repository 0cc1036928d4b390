//! The one task of the worker: hand in what happened, drain what is asked for, flush once, sleep.
use crate::config::{Address, BATCH_SHARDS_MAX, DRAIN_MS_MAX, NativeWorkerConfig};
use crate::http::Fetcher;
use crate::identity::Identity;
use crate::link::{Arrived, Link, Opened, PING_EVERY};
use crate::sandbox::{Programs, Ready, Slots};
use crate::{RunError, Stop};
use protocol::account::audience;
use protocol::ids::ProgramHash;
use protocol::wire::{Cause, Failure, WorkerKind};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use worker::{Account, Activity, EndReason, Input, Output, Person, Worker, WorkerConfig};

/// How often a server that cannot be reached is told of.
const COMPLAIN_EVERY_MS: u64 = 30_000;
/// Events that wait for the shell; whoever has one more waits with it.
const EVENTS_WAITING_MAX: usize = 1_024;
/// Events handed in before the outputs are drained, so that sending never waits for long.
const EVENTS_PER_TURN_MAX: usize = 256;

/// What other tasks and threads tell the shell.
pub(crate) enum Event {
    /// Something the heart has to know.
    Input(Input),
    /// A connection is open, or could not be opened: the answer to attempt number so and so.
    Opened(u64, Result<Box<Opened>, String>),
    /// A program can be executed.
    Ready(ProgramHash, Ready),
}

/// Everything the worker has.
pub(crate) struct Shell {
    worker: Worker,
    start: Instant,
    address: Address,
    fetcher: Fetcher,
    programs: Programs,
    ready: HashMap<ProgramHash, Ready>,
    slots: Slots,
    link: Option<Link>,
    /// Which attempt to connect is the valid one.
    attempt: u64,
    events: Receiver<Event>,
    tell: Sender<Event>,
    ended: Option<EndReason>,
    told_away_ms: Option<u64>,
}

/// What wakes the shell.
enum Woken {
    Event(Event),
    Arrived(Arrived),
    Timer,
    Ping,
    Stop(Stop),
}

impl Shell {
    pub(crate) async fn new(
        config: &NativeWorkerConfig,
        address: Address,
        identity: &Identity,
        fetcher: Fetcher,
    ) -> Result<Self, RunError> {
        let (tell, events) = channel(EVENTS_WAITING_MAX);
        let (programs, slots) = Programs::start(config, tell.clone()).await?;
        let heart = WorkerConfig {
            worker: identity.worker,
            kind: WorkerKind::Native,
            name: config.name.clone(),
            agent: concat!("elytra ", env!("CARGO_PKG_VERSION")).into(),
            token: config.token.clone(),
            slots: config.slots,
            window_max: config.window_max(),
            batch_shards_max: BATCH_SHARDS_MAX,
            memory_mib: config.memory_mib,
            simd: true,
            cached: Vec::new(),
            account: Some(Account {
                key: identity.account.clone(),
                audience: audience(&address.host_port).unwrap_or_default(),
                display_name: None,
            }),
            seed: getrandom::u64().map_err(RunError::Chance)?,
        };
        Ok(Self {
            worker: Worker::new(heart, 0),
            start: Instant::now(),
            address,
            fetcher,
            programs,
            ready: HashMap::new(),
            slots,
            link: None,
            attempt: 0,
            events,
            tell,
            ended: None,
            told_away_ms: None,
        })
    }

    /// What makes programs ready; it outlives the shell.
    pub(crate) fn programs(&self) -> Programs {
        self.programs.clone()
    }

    /// Works until it has left.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<Stop>) -> Result<(), RunError> {
        let mut ping = tokio::time::interval(PING_EVERY);
        let mut drain_until = None;
        self.hand_in(Input::Person(Person::Start));
        loop {
            self.turn().await;
            match self.ended.take() {
                Some(EndReason::Finished) => return Ok(()),
                Some(EndReason::Refused { code, detail }) => return Err(RunError::Refused { code, detail }),
                None => {}
            }
            match self.wait(&mut stop, &mut ping, drain_until).await {
                Woken::Event(event) => self.on_event(event),
                Woken::Arrived(arrived) => self.on_arrived(arrived),
                Woken::Timer if drain_until.is_some_and(|at| Instant::now() >= at) => {
                    tracing::warn!("what runs did not finish in time; leaving");
                    self.hand_in(Input::Shutdown { drain: false });
                }
                Woken::Timer => self.hand_in(Input::TimerRang),
                Woken::Ping => self.ping().await,
                Woken::Stop(Stop::Drain) if drain_until.is_none() => {
                    tracing::info!("finishing what runs; a second signal ends at once");
                    drain_until = Some(Instant::now() + Duration::from_millis(DRAIN_MS_MAX));
                    self.hand_in(Input::Shutdown { drain: true });
                }
                Woken::Stop(Stop::Now) => self.hand_in(Input::Shutdown { drain: false }),
                Woken::Stop(_) => {}
            }
            self.take_waiting();
        }
    }

    async fn wait(
        &mut self,
        stop: &mut watch::Receiver<Stop>,
        ping: &mut tokio::time::Interval,
        drain_until: Option<Instant>,
    ) -> Woken {
        let timer = self
            .worker
            .next_timer_ms()
            .map(|at_ms| self.start + Duration::from_millis(at_ms));
        let timer = timer.into_iter().chain(drain_until).min();
        let connected = self.link.is_some();
        tokio::select! {
            biased;
            Ok(()) = stop.changed() => Woken::Stop(*stop.borrow_and_update()),
            // There is always a sender: our own.
            Some(event) = self.events.recv() => Woken::Event(event),
            arrived = next(&mut self.link) => Woken::Arrived(arrived),
            () = sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => Woken::Timer,
            _ = ping.tick(), if connected => Woken::Ping,
        }
    }

    /// Takes what has come meanwhile, so that one flush serves all of it.
    fn take_waiting(&mut self) {
        for _ in 0..EVENTS_PER_TURN_MAX {
            if let Ok(event) = self.events.try_recv() {
                self.on_event(event);
            } else if let Some(arrived) = self.link.as_mut().and_then(Link::next_now) {
                self.on_arrived(arrived);
            } else {
                return;
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn hand_in(&mut self, input: Input) {
        self.worker.handle(self.now_ms(), input);
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Input(input) => self.hand_in(input),
            // An attempt that was given up meanwhile: the connection ends with its value.
            Event::Opened(attempt, _) if attempt != self.attempt => {}
            Event::Opened(_, Ok(opened)) => {
                self.link = Some(opened.link);
                self.hand_in(Input::Connected);
                self.prepare_ahead(opened.ahead);
            }
            Event::Opened(_, Err(reason)) => self.hand_in(Input::Disconnected { reason }),
            Event::Ready(program, ready) => {
                self.ready.insert(program, ready);
                self.hand_in(Input::ProgramReady { program });
            }
        }
    }

    fn on_arrived(&mut self, arrived: Arrived) {
        match arrived {
            Arrived::Frame(bytes) => self.worker.handle_frame(self.now_ms(), &bytes),
            Arrived::Ended(reason) => self.lost(reason),
        }
    }

    fn lost(&mut self, reason: String) {
        self.link = None;
        self.hand_in(Input::Disconnected { reason });
    }

    async fn ping(&mut self) {
        if let Some(link) = &mut self.link
            && let Err(reason) = link.ping().await
        {
            self.lost(reason);
        }
    }

    /// Performs everything asked for; what is sent is written with one flush.
    async fn turn(&mut self) {
        while let Some(output) = self.worker.poll_output() {
            self.perform(output).await;
        }
        if let Some(link) = &mut self.link
            && let Err(reason) = link.flush().await
        {
            self.lost(reason);
        }
    }

    async fn perform(&mut self, output: Output) {
        match output {
            Output::Send(message) => self.send(&message).await,
            Output::Execute { slot, batch } => match self.ready.get(&batch.job.program) {
                Some(program) => {
                    let refused = self.slots.execute(slot, program.clone(), batch);
                    refused.into_iter().for_each(|answer| self.hand_in(answer));
                }
                // The heart asks only for what was said to be ready, so this slot is simply fresh.
                None => self.hand_in(Input::SlotReset { slot }),
            },
            Output::StopSlot { slot, lease, shards } => self.slots.stop(slot, lease, &shards),
            Output::Connect => self.connect(),
            Output::Disconnect { reason } => self.disconnect(&reason).await,
            Output::FetchProgram { program } => self.fetch_program(program),
            Output::ForgetProgram { program } => drop(self.ready.remove(&program)),
            Output::FetchInput {
                lease,
                blob,
                offset,
                length,
            } => {
                let fetcher = self.fetcher.clone();
                self.answer(async move {
                    Event::Input(match fetcher.part(blob, offset, length).await {
                        Ok(bytes) => Input::InputFetched { lease, bytes },
                        Err(reason) => Input::InputMissing { lease, reason },
                    })
                });
            }
            Output::UploadBlob { lease, shard, bytes } => {
                let fetcher = self.fetcher.clone();
                self.answer(async move {
                    Event::Input(match fetcher.upload(bytes).await {
                        Ok(blob) => Input::BlobUploaded { lease, shard, blob },
                        Err(reason) => Input::UploadFailed { lease, shard, reason },
                    })
                });
            }
            Output::StatusChanged => self.say_status(),
            Output::Ended(reason) => self.ended = Some(reason),
        }
    }

    async fn send(&mut self, message: &protocol::wire::FromWorker) {
        if let Some(link) = &mut self.link
            && let Err(reason) = link.feed(message).await
        {
            self.lost(reason);
        }
    }

    /// Performs something that takes its time, elsewhere.
    fn answer(&self, work: impl Future<Output = Event> + Send + 'static) {
        let tell = self.tell.clone();
        tokio::spawn(async move {
            // When the shell is gone, so is the need for an answer.
            let _ = tell.send(work.await).await;
        });
    }

    fn connect(&mut self) {
        self.attempt += 1;
        let (attempt, address) = (self.attempt, self.address.clone());
        self.answer(async move { Event::Opened(attempt, Link::open(address).await.map(Box::new)) });
    }

    /// Closing takes a round trip, which only the end of the process waits for.
    async fn disconnect(&mut self, reason: &str) {
        tracing::debug!(reason, "closing the connection");
        self.attempt += 1;
        let Some(link) = self.link.take() else { return };
        let leaving = matches!(
            self.worker.status().activity,
            Activity::Ended | Activity::Refused { .. }
        );
        let closing = tokio::spawn(link.close());
        if leaving {
            // It cannot fail: the closing does not panic, and nobody cancels it.
            let _ = closing.await;
        }
    }

    /// From memory, from compiled code on disk, or from the server and the compiler.
    fn fetch_program(&mut self, program: ProgramHash) {
        if let Some(ready) = self.programs.ready(program) {
            return self.on_event(Event::Ready(program, ready));
        }
        let (programs, fetcher) = (self.programs.clone(), self.fetcher.clone());
        self.answer(async move {
            match prepare(programs, &fetcher, program).await {
                Ok(ready) => Event::Ready(program, ready),
                Err(detail) => {
                    tracing::warn!(%program, detail, "a program cannot be made ready");
                    let failure = Failure {
                        cause: Cause::Refused,
                        detail,
                    };
                    Event::Input(Input::ProgramFailed { program, failure })
                }
            }
        });
    }

    /// Programs that no job here names yet, one after the other and beside everything else.
    fn prepare_ahead(&self, programs: Vec<ProgramHash>) {
        let (made, fetcher) = (self.programs.clone(), self.fetcher.clone());
        tokio::spawn(async move {
            for program in programs {
                if let Err(why) = ahead(made.clone(), &fetcher, program).await {
                    tracing::debug!(%program, why, "a program is not made ready ahead");
                }
            }
        });
    }

    fn say_status(&mut self) {
        match self.worker.status().activity {
            Activity::Connecting { failures, reason } if failures > 0 => self.say_away(&reason),
            Activity::Connecting { .. } => {}
            activity => {
                // Who stops while the server is away has not found it.
                if self.link.is_some() && self.told_away_ms.take().is_some() {
                    tracing::info!("connected again");
                }
                tracing::debug!(%activity, "worker");
            }
        }
    }

    /// Says that the server is away: once, and then now and again.
    fn say_away(&mut self, reason: &str) {
        let now_ms = self.now_ms();
        if self
            .told_away_ms
            .is_none_or(|told_ms| now_ms >= told_ms + COMPLAIN_EVERY_MS)
        {
            self.told_away_ms = Some(now_ms);
            tracing::warn!(
                reason,
                "no connection to the server; trying again until it is there"
            );
        }
    }
}

/// The next thing that arrives, or never, when there is no link.
async fn next(link: &mut Option<Link>) -> Arrived {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}

async fn ahead(programs: Programs, fetcher: &Fetcher, program: ProgramHash) -> Result<(), String> {
    let cached = programs.clone();
    if let Ok(Some(_)) = tokio::task::spawn_blocking(move || cached.prepare_cached(program)).await {
        return Ok(());
    }
    let module = fetcher.program(program).await?;
    let compiled = tokio::task::spawn_blocking(move || programs.prepare_ahead(program, &module)).await;
    let compiled = compiled.map_err(|error| error.to_string())?;
    compiled.map_err(|error| error.to_string())
}

async fn prepare(programs: Programs, fetcher: &Fetcher, program: ProgramHash) -> Result<Ready, String> {
    let cached = programs.clone();
    if let Ok(Some(ready)) = tokio::task::spawn_blocking(move || cached.prepare_cached(program)).await {
        return Ok(ready);
    }
    let module = fetcher.program(program).await?;
    let compiled = tokio::task::spawn_blocking(move || programs.prepare(program, &module)).await;
    match compiled {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(error) => Err(format!("the compiler failed: {error}")),
    }
}
