//! The heart of a worker: which lease runs in which slot, when to renew, pause, give back, reconnect.
//!
//! Deterministic and sans-IO: no socket, thread, clock or chance in here. The shell (a tab's hub or the
//! native worker) brings time and what happened as an [`Input`], and performs every [`Output`].
//!
//! # The calling contract
//! 1. [`Worker::handle`] everything that is waiting, in the order in which it happened.
//! 2. Then [`Worker::poll_output`] until it returns `None`, and perform each output in that order.
//!    Outputs of shards that finished since the last drain are merged here, so one flush of the
//!    socket after `None` is the whole batching there is: no timer lies on a shard's path.
//! 3. Sleep until [`Worker::next_timer_ms`] or the next thing that happens; when the time has come,
//!    hand in [`Input::TimerRang`]. Being late is harmless, ringing for nothing too.
//!
//! | file | what it decides |
//! |---|---|
//! | [`input`], [`output`] | everything that can happen, everything that can be asked for |
//! | [`status`] | what people see: why is it idle, what does it do and for whom |
//! | `link` | connecting, greeting, heartbeats, backoff, ending |
//! | `lease` | what is held, and the checks of what the coordinator says |
//! | `unstarted` | which shards of a lease wait for a slot |
//! | `split` | which bytes of a lease's input belong to which shard |
//! | `slots` | batches to slots, duty cycle, stopping |
//! | `results` | merging, sending, keeping over a disconnection |
//! | `programs` | fetching and forgetting programs |
#![forbid(unsafe_code)]

pub mod bounds;
mod config;
pub mod input;
mod lease;
mod link;
pub mod output;
mod programs;
mod results;
mod slots;
mod split;
pub mod status;
mod unstarted;
mod worker;

pub use config::{Account, WorkerConfig};
pub use input::{Input, Person};
pub use output::{Batch, EndReason, Output, ShardInput};
pub use split::shard_input;
pub use status::{Activity, Status};
pub use worker::Worker;
