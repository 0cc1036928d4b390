//! What people see of a worker: what it does and for whom, and why it does nothing.
use crate::lease::HeldInput;
use crate::output::Output;
use crate::worker::{Mode, Worker};
use protocol::ids::JobId;
use protocol::wire::{OpenJob, PauseReason, RefusalCode};
use std::fmt;

/// What a worker does, and what it has done since it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it does, or why it does nothing.
    pub activity: Activity,
    /// The job that was handed to a slot last, while any slot is busy.
    pub current: Option<CurrentJob>,
    /// Slots it may use.
    pub slots: u16,
    /// Slots that execute now.
    pub slots_busy: u16,
    /// Share of the time it works, in percent.
    pub intensity_percent: u8,
    /// Leases held.
    pub leases: usize,
    /// Shards held that have not ended yet.
    pub shards_held: u32,
    /// What was done.
    pub done: Counts,
}

/// What was done since the worker was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Shards finished.
    pub shards: u64,
    /// Items in them.
    pub items: u64,
    /// Shards that ended without an output.
    pub failed: u64,
    /// Time spent executing, summed over slots, in microseconds.
    pub busy_us: u64,
}

/// For whom the worker works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentJob {
    /// The job.
    pub id: JobId,
    /// What people call it.
    pub name: String,
    /// For whom it is done.
    pub owner: String,
    /// The entry function.
    pub entry: String,
}

impl CurrentJob {
    pub(crate) fn of(job: &OpenJob) -> Self {
        Self {
            id: job.id,
            name: job.name.clone(),
            owner: job.owner.clone(),
            entry: job.entry.clone(),
        }
    }
}

/// What a worker does, or why it does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Nobody has pressed Start.
    NotStarted,
    /// There is no session yet.
    Connecting {
        /// Failures in a row.
        failures: u32,
        /// What was in the way last; empty at first.
        reason: String,
    },
    /// Connected, and the coordinator has no work that fits.
    NoWork,
    /// Work is here, and its program is being fetched or compiled.
    WaitingForProgram,
    /// Work is here, and its input is being fetched.
    WaitingForInput,
    /// Shards are executed.
    Working,
    /// Work is here, and the slots rest because of the intensity.
    Resting,
    /// Outputs wait to be sent or uploaded before more is started.
    WaitingForUpload,
    /// Takes nothing.
    Paused(PauseReason),
    /// Ends what runs, then leaves.
    Finishing,
    /// The coordinator does not want it.
    Refused {
        /// For programs.
        code: RefusalCode,
        /// For people.
        detail: String,
    },
    /// It has left.
    Ended,
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("not started"),
            Self::Connecting { failures: 0, .. } => f.write_str("connecting"),
            Self::Connecting { failures, reason } => {
                write!(f, "connecting again (failed {failures} times: {reason})")
            }
            Self::NoWork => f.write_str("no work at the coordinator"),
            Self::WaitingForProgram => f.write_str("getting the program ready"),
            Self::WaitingForInput => f.write_str("fetching input"),
            Self::Working => f.write_str("working"),
            Self::Resting => f.write_str("resting (intensity)"),
            Self::WaitingForUpload => f.write_str("waiting until outputs are sent"),
            Self::Paused(reason) => write!(f, "paused: {}", pause_words(*reason)),
            Self::Finishing => f.write_str("finishing what runs"),
            Self::Refused { detail, .. } => write!(f, "refused: {detail}"),
            Self::Ended => f.write_str("ended"),
        }
    }
}

fn pause_words(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::Person => "you pressed Pause",
        PauseReason::Finishing => "finishing what runs",
        PauseReason::Battery => "on battery",
        PauseReason::Hidden => "the tab is hidden",
        PauseReason::Schedule => "outside the chosen hours",
        PauseReason::Stopping => "stopping",
    }
}

impl Worker {
    /// What it does, why it does nothing, and what it has done.
    pub fn status(&self) -> Status {
        let slots_busy = self.slots_busy();
        Status {
            activity: self.activity(),
            current: self.current.clone().filter(|_| slots_busy > 0),
            slots: self.slots_used,
            slots_busy,
            intensity_percent: self.intensity_percent,
            leases: self.leases.len(),
            shards_held: self.leases.values().map(|held| held.open).sum(),
            done: self.counts,
        }
    }

    /// Says once that people see something else now.
    pub(crate) fn status_change(&mut self) -> Option<Output> {
        let job = self.current.as_ref().map(|job| job.id);
        let now = (self.activity(), job);
        if self.told.as_ref() == Some(&now) {
            return None;
        }
        self.told = Some(now);
        Some(Output::StatusChanged)
    }

    fn activity(&self) -> Activity {
        match &self.mode {
            Mode::NotStarted => Activity::NotStarted,
            Mode::Ended => Activity::Ended,
            Mode::Finishing(_) => Activity::Finishing,
            Mode::Refused { code, detail } => Activity::Refused {
                code: *code,
                detail: detail.clone(),
            },
            Mode::Running => self.running_activity(),
        }
    }

    fn running_activity(&self) -> Activity {
        if let Some(reason) = self.pause() {
            return Activity::Paused(reason);
        }
        if self.slots_busy() > 0 {
            return Activity::Working;
        }
        if !self.link.is_up() {
            let reason = self.link_reason.clone();
            return Activity::Connecting {
                failures: self.backoff.failures,
                reason,
            };
        }
        match self.order.front().and_then(|id| self.leases.get(id)) {
            None if self.uploading.is_empty() => Activity::NoWork,
            None => Activity::WaitingForUpload,
            Some(held) if !self.program_ready(held.job.program) => Activity::WaitingForProgram,
            Some(held) if !matches!(held.input, HeldInput::Here(_)) => Activity::WaitingForInput,
            Some(_) if self.resting > 0 => Activity::Resting,
            Some(_) => Activity::WaitingForUpload,
        }
    }
}
