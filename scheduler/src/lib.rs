//! The heart of the coordinator: which worker gets which shards, and when an output counts.
//!
//! No IO, no clock, no thread, no chance: time comes in with every call, effects go out as values, and
//! the same inputs give the same outputs in the same order.
//!
//! # The contract
//! The owner of a [`Scheduler`] (one task, nobody else) does, for ever:
//! 1. wait for an [`Input`] or for [`Scheduler::next_timer_ms`];
//! 2. call [`Scheduler::handle`] with the time and the input ([`Input::TimerRang`] for the timer);
//! 3. take every [`Output`] with [`Scheduler::poll_output`] until there is none, and carry it out.
//!
//! An [`Output::Store`] is answered, once it is durable, with the [`Input`] named beside it, in the
//! order in which they were asked for. A lease may leave before anything is durable, because it
//! reveals nothing; "accepted" is counted only from what the store says.
//!
//! | file | what it decides |
//! |---|---|
//! | [`input`], [`output`] | everything that can happen to it, everything it can ask for |
//! | `scheduler` | owns all state; one `on_*` function for each input |
//! | `job`, `claims` | a job's shards: claimed, pending, leased, being stored |
//! | `grain` | how many items make a shard, from a pilot on |
//! | `executor` | a worker's window, speed and reliability |
//! | `roster` | who is connected and who is remembered |
//! | `place` | who gets what: priority, fairness, capability, length of a lease |
//! | `finish` | outputs, late ones too |
//! | `fail` | failed and lost attempts, poison |
//! | `trust` | whose answers are looked at again, and when they count |
//! | `tail` | backup attempts for stragglers |
//! | `explain`, `view` | why something does not move; how everything stands |
//! | `check` | every invariant, derived afresh |
#![forbid(unsafe_code)]

pub mod check;
mod claims;
mod executor;
mod explain;
mod fail;
mod finish;
mod grain;
pub mod input;
mod job;
mod lease;
pub mod output;
mod place;
mod rate;
mod roster;
pub mod runs;
mod scheduler;
mod tail;
mod timer;
mod trust;
mod view;

pub use executor::{SpeedKey, WorkerSeed};
pub use input::{Input, JobSeed, Steer};
pub use output::{Effect, Grant, Output};
pub use scheduler::{Scheduler, SchedulerConfig};
pub use trust::{Finished, Standing};
pub use view::{LiveJob, Sums};
