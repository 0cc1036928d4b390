//! One tenant's batches, and the one process that runs them.
//!
//! A process that breaks takes nothing with it but what ran: the first time, everything unanswered is run again
//! in a new process, with each report leaving at once, so that the second time it is known what ran. Those
//! shards have failed; the others are run again. Each break is followed by a longer pause.
use super::process::Process;
use crate::report::{self, Ended};
use crate::shell::Event;
use crate::slots::{answer, limits_of};
use protocol::wire::{Cause, Failure};
use runtime::Code;
use runtime::guest::GuestOptions;
use runtime::guest::wire::{FromGuest, NoRun, Run, ToGuest};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{Instant, sleep_until};
use worker::{Batch, ShardInput};

/// How long a process is kept for a tenant who has nothing to do.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// The pause after the first break; each further one doubles it.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Breaks after which nothing is run again.
const BREAKS_MAX: u32 = 8;
/// What a shard may take beyond its wall time before its process counts as stuck.
const LATE_MAX: Duration = Duration::from_secs(15);
/// The same for one that was told to stop, which takes a tick: the rest is for a machine that is busy.
const STOP_MAX: Duration = Duration::from_secs(10);

/// A day: what a guest process says it took is summed up elsewhere, and one that lies must not break that.
const BUSY_US_MAX: u64 = 24 * 3_600 * 1_000_000;

/// What a house is asked for.
pub(super) enum Command {
    Run { slot: u16, code: Code, batch: Batch },
    Stop { slot: u16, shards: Vec<u32> },
}

/// A tenant's.
pub(super) struct House {
    options: Arc<GuestOptions>,
    tell: Sender<Event>,
    commands: Receiver<Command>,
    batches: Arc<AtomicUsize>,
    process: Option<Process>,
    running: HashMap<u16, Running>,
    /// Breaks since a batch was answered whole.
    breaks: u32,
    /// No new process before this.
    pause_until: Instant,
    idle_since: Instant,
    /// No further commands: it ends when what runs is over.
    is_leaving: bool,
}

/// A batch that is not answered whole.
struct Running {
    code: Code,
    batch: Batch,
    /// Those not answered; the first is the one that runs.
    shards: VecDeque<ShardInput>,
    stopped: Vec<u32>,
    carefully: bool,
    /// When the process counts as stuck.
    until: Instant,
}

enum Woken {
    Command(Option<Command>),
    Said(Result<FromGuest, String>),
    /// Something did not come in time, or the pause is over.
    Timer,
}

impl House {
    pub(super) fn new(
        options: Arc<GuestOptions>,
        tell: Sender<Event>,
        commands: Receiver<Command>,
        batches: Arc<AtomicUsize>,
        process: Option<Process>,
    ) -> Self {
        let now = Instant::now();
        Self {
            options,
            tell,
            commands,
            batches,
            process,
            running: HashMap::new(),
            breaks: 0,
            pause_until: now,
            idle_since: now,
            is_leaving: false,
        }
    }

    /// Until the worker has gone, or nobody has been at home for a while.
    pub(super) async fn keep(mut self) {
        while !(self.is_leaving && self.running.is_empty()) {
            match self.wait().await {
                Woken::Command(None) => return,
                Woken::Command(Some(command)) => self.obey(command).await,
                Woken::Said(Ok(message)) => self.hear(message).await,
                Woken::Said(Err(why)) => self.broke(&why).await,
                Woken::Timer if self.is_left() => self.leave().await,
                Woken::Timer => self.look().await,
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let due = self.due();
        let (process, commands, is_leaving) = (&mut self.process, &mut self.commands, self.is_leaving);
        tokio::select! {
            biased;
            command = commands.recv(), if !is_leaving => Woken::Command(command),
            said = next(process) => Woken::Said(said),
            () = sleep_until(due) => Woken::Timer,
        }
    }

    /// Takes no more; what came at this very moment is still served.
    async fn leave(&mut self) {
        self.is_leaving = true;
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command).await;
        }
    }

    /// The next time to look after something.
    fn due(&self) -> Instant {
        match self.process {
            _ if self.running.is_empty() => self.idle_since + IDLE_MAX,
            None => self.pause_until,
            Some(_) => {
                let late = self.running.values().map(|running| running.until).min();
                late.unwrap_or(self.idle_since + IDLE_MAX)
            }
        }
    }

    fn is_left(&self) -> bool {
        self.running.is_empty() && Instant::now() >= self.idle_since + IDLE_MAX
    }

    async fn look(&mut self) {
        let now = Instant::now();
        if self.process.is_none() && now >= self.pause_until {
            self.start().await;
        } else if self.running.values().any(|running| now >= running.until) {
            self.broke("it did not stop in time").await;
        }
    }

    async fn start(&mut self) {
        match Process::start(&self.options) {
            Ok(process) => {
                self.process = Some(process);
                let slots: Vec<u16> = self.running.keys().copied().collect();
                for slot in slots {
                    self.send(slot).await;
                }
            }
            Err(error) => {
                self.breaks = BREAKS_MAX;
                self.broke(&format!("it cannot be started: {error}")).await;
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Run { slot, code, batch } => {
                let running = Running {
                    code,
                    shards: batch.shards.iter().cloned().collect(),
                    batch,
                    stopped: Vec::new(),
                    carefully: false,
                    until: Instant::now(),
                };
                self.running.insert(slot, running);
                match self.process {
                    Some(_) => self.send(slot).await,
                    None => self.look().await,
                }
            }
            Command::Stop { slot, shards } => self.stop(slot, shards).await,
        }
    }

    /// Sends what is not answered of a batch.
    async fn send(&mut self, slot: u16) {
        let (Some(process), Some(running)) = (&mut self.process, self.running.get_mut(&slot)) else {
            return;
        };
        running.expect_next();
        let job = &running.batch.job;
        let shards = running.shards.iter();
        let run = ToGuest::Run(Run {
            slot,
            program: job.program,
            entry: job.entry.clone(),
            limits: limits_of(&job.limits),
            carefully: running.carefully,
            shards: shards.map(|shard| (shard.shard, shard.input.clone())).collect(),
        });
        let sent = match process.load(job.program, &running.code).await {
            Ok(()) => process.send(&run).await,
            error => error,
        };
        if let Err(why) = sent {
            // What was said before it broke is lost with it, and done again.
            self.broke(&why).await;
        }
    }

    async fn stop(&mut self, slot: u16, shards: Vec<u32>) {
        let Some(running) = self.running.get_mut(&slot) else {
            return;
        };
        running.stopped.extend(&shards);
        if running.is_first_stopped() {
            running.until = running.until.min(Instant::now() + STOP_MAX);
        }
        let sent = match &mut self.process {
            Some(process) => process.send(&ToGuest::Stop { slot, shards }).await,
            None => return self.settle_stopped().await,
        };
        if let Err(why) = sent {
            self.broke(&why).await;
        }
    }

    async fn hear(&mut self, message: FromGuest) {
        let (slot, shard, result) = match message {
            FromGuest::Ready { missing } => return tracing::debug!(?missing, "a guest process is ready"),
            FromGuest::Ended { slot, shard, result } => (slot, shard, result),
        };
        let expected = self.running.get(&slot).and_then(|running| running.shards.front());
        if expected.is_none_or(|expected| expected.shard != shard) {
            return self.broke("it answered what it was not asked").await;
        }
        let (ended, busy_us) = match result {
            Ok(report) => {
                let busy_us = report.wall_us.min(BUSY_US_MAX);
                (report::ended(report), busy_us)
            }
            Err(NoRun::Unfit(why)) => (failed(Cause::Refused, why), 0),
            Err(NoRun::Broken(why)) => (
                failed(Cause::Lost, format!("the sandbox itself failed: {why}")),
                0,
            ),
        };
        self.answer_first(slot, ended, busy_us).await;
        if !self.running.contains_key(&slot) {
            self.breaks = 0;
        }
    }

    /// Answers the first of a slot's shards; after the last one the slot is free.
    async fn answer_first(&mut self, slot: u16, ended: Ended, busy_us: u64) {
        let Some(running) = self.running.get_mut(&slot) else {
            return;
        };
        let Some(shard) = running.shards.pop_front() else {
            return;
        };
        running.expect_next();
        let input = answer(slot, running.batch.lease, shard.shard, ended, busy_us);
        if running.shards.is_empty() {
            self.running.remove(&slot);
            self.batches.fetch_sub(1, Ordering::Relaxed);
            self.idle_since = Instant::now();
        }
        // The shell is gone only when the process leaves; nobody waits for the answer then.
        let _ = self.tell.send(Event::Input(input)).await;
    }

    /// The process has ended, or is ended here.
    async fn broke(&mut self, why: &str) {
        let how = match self.process.take() {
            Some(mut process) => process.end(why).await,
            None => why.to_owned(),
        };
        self.breaks = self.breaks.saturating_add(1);
        self.pause_until = Instant::now() + pause(self.breaks);
        tracing::warn!(
            how,
            shards = self.running.len(),
            "a guest process broke; what it ran is run again"
        );
        let slots: Vec<u16> = self.running.keys().copied().collect();
        for slot in slots {
            self.fail(slot, &format!("the process that ran it broke: {how}"))
                .await;
        }
        self.settle_stopped().await;
    }

    /// Fails the shard that ran, where it is known which; all of them where running again has not helped so often.
    async fn fail(&mut self, slot: u16, why: &str) {
        let Some(running) = self.running.get_mut(&slot) else {
            return;
        };
        let is_known = std::mem::replace(&mut running.carefully, true) || running.shards.len() == 1;
        let many = match (self.breaks > BREAKS_MAX, is_known) {
            (true, _) => running.shards.len(),
            (false, is_known) => usize::from(is_known),
        };
        for _ in 0..many {
            self.answer_first(slot, failed(Cause::Lost, why.to_owned()), 0)
                .await;
        }
    }

    /// Without a process, what was stopped is not begun.
    async fn settle_stopped(&mut self) {
        let slots: Vec<u16> = self.running.keys().copied().collect();
        for slot in slots {
            while self.running.get(&slot).is_some_and(Running::is_first_stopped) {
                self.answer_first(slot, Ended::Stopped, 0).await;
            }
        }
    }
}

impl Running {
    fn is_first_stopped(&self) -> bool {
        let first = self.shards.front();
        first.is_some_and(|first| self.stopped.contains(&first.shard))
    }

    /// The next answer is due so much later.
    fn expect_next(&mut self) {
        let wall = Duration::from_millis(limits_of(&self.batch.job.limits).wall_ms);
        self.until = Instant::now() + wall + LATE_MAX;
        if self.is_first_stopped() {
            self.until = Instant::now() + STOP_MAX;
        }
    }
}

/// What the process says next, or never, when there is none.
async fn next(process: &mut Option<Process>) -> Result<FromGuest, String> {
    match process {
        Some(process) => process.next().await,
        None => std::future::pending().await,
    }
}

fn failed(cause: Cause, detail: String) -> Ended {
    Ended::Failed(Failure { cause, detail })
}

/// How long to wait after so many breaks.
fn pause(breaks: u32) -> Duration {
    let doubled = 2u32.saturating_pow(breaks.saturating_sub(1));
    PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        assert_eq!(pause(1), PAUSE_MIN);
        assert_eq!(pause(3), 4 * PAUSE_MIN);
        assert_eq!(pause(u32::MAX), PAUSE_MAX);
    }
}
