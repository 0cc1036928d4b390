//! The house's words for people: states, causes and reasons, each with what to do about it.
use protocol::description::ProgramKind;
use protocol::job::JobState;
use protocol::trust::Trust;
use protocol::wire::{Cause, PauseReason, WorkerKind};

/// How something is meant: never shown by colour alone, always beside a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    Plain,
    /// Moving.
    Active,
    /// Done, and right.
    Good,
    /// Waits for somebody.
    Warn,
    /// Wrong.
    Bad,
}

impl Tone {
    /// Its CSS class.
    pub fn class(self) -> &'static str {
        match self {
            Tone::Plain => "tone-plain",
            Tone::Active => "tone-active",
            Tone::Good => "tone-good",
            Tone::Warn => "tone-warn",
            Tone::Bad => "tone-bad",
        }
    }
}

/// A job's state for people.
pub fn state(state: JobState) -> (&'static str, Tone) {
    match state {
        JobState::Queued => ("Queued", Tone::Plain),
        JobState::Running => ("Running", Tone::Active),
        JobState::Paused => ("Paused", Tone::Warn),
        JobState::Canceling => ("Canceling", Tone::Warn),
        JobState::Succeeded => ("Succeeded", Tone::Good),
        JobState::Failed => ("Failed", Tone::Bad),
        JobState::Canceled => ("Canceled", Tone::Plain),
    }
}

/// A cause of failed attempts, and what to do about it.
pub fn cause(cause: Cause) -> (&'static str, &'static str) {
    match cause {
        Cause::ItemFailed => (
            "Item failed",
            "The program said that an item cannot be computed. Check that item.",
        ),
        Cause::Trapped => (
            "Trapped",
            "The program crashed. Read the backtrace, fix it, submit again.",
        ),
        Cause::OutOfMemory => (
            "Out of memory",
            "Raise the job's memory limit, or take fewer items a shard.",
        ),
        Cause::OutOfTime => (
            "Out of time",
            "Raise the job's time limit, or take fewer items a shard.",
        ),
        Cause::OutputTooLong => (
            "Output too long",
            "Take fewer items a shard, or write less per item.",
        ),
        Cause::Refused => (
            "Refused",
            "A worker could not fetch or compile the program. Others are tried.",
        ),
        Cause::InputMissing => (
            "Input missing",
            "A worker could not fetch the input. Others are tried.",
        ),
        Cause::Lost => (
            "Lost",
            "A worker vanished. Nothing to do: its shards went to others.",
        ),
    }
}

/// Why a worker takes nothing.
pub fn pause(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::Person => "paused by its owner",
        PauseReason::Finishing => "finishing what it holds",
        PauseReason::Battery => "on battery",
        PauseReason::Hidden => "its tab is hidden",
        PauseReason::Schedule => "outside its hours",
        PauseReason::Stopping => "stopping",
    }
}

/// The kind of a worker.
pub fn kind(kind: WorkerKind) -> &'static str {
    match kind {
        WorkerKind::Tab => "Tab",
        WorkerKind::Native => "Native",
    }
}

/// The form of a program, and what that means.
pub fn program_kind(kind: ProgramKind) -> (&'static str, &'static str) {
    match kind {
        ProgramKind::Kernel => ("Kernel", "A WebAssembly module with entry functions."),
        ProgramKind::Command => (
            "Command",
            "A WASI program: items on standard input, answers on standard output.",
        ),
        ProgramKind::Script => ("Script", "A JavaScript module, run by the script engine."),
    }
}
/// A level of trust, with its bound and its price.
pub fn trust(level: Trust) -> String {
    let price = format!("about {:.2} executions a shard", level.executions_expected());
    match level.wrong_share_max() {
        None => "private: every worker is trusted, each shard is executed once".into(),
        Some(0.0) => "verified: every shard is computed again on a trusted worker".into(),
        Some(share) => format!(
            "{level}: at most 1 answer in {} is wrong, {price}",
            super::format::count((1.0 / share).round() as u64)
        ),
    }
}
