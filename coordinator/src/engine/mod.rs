//! The one task that owns the scheduler, and the thread that commits.
//!
//! ```text
//! sessions, routes ──messages──▶ core (scheduler) ──leases──▶ sessions
//!                                 │        ▲
//!                              batches   what is durable
//!                                 ▼        │
//!                               writer thread ──▶ store
//! ```
//! The core takes one input, drains all outputs, then takes the next. Operations gather while the
//! writer commits; when it is free it gets all of them at once: group commit without a timer. When the
//! store cannot take a batch the writer tries the same batch again until it can, outputs pile up to
//! [`protocol::limits::COMMIT_BACKLOG_BYTES_MAX`], and then no more are read from workers.
mod core;
mod effects;
mod feed;
mod handle;
mod job;
mod ledger;
mod remote;
mod reports;
mod stats;
mod writer;

pub use feed::EventFeed;
pub use handle::{Engine, EngineError, NewJob, Steer, Submitted};
pub(crate) use handle::{Joined, SessionOut, WorkerHello};
pub(crate) use job::{JobInfo, Launch};
pub use scheduler::LiveJob;

use crate::store::{Store, StoreError};
use protocol::ids::JobId;
use protocol::limits::JOBS_OPEN_MAX;
use tokio::sync::mpsc;

/// An engine that runs, and the jobs whose outputs it wants reduced.
pub struct Started {
    /// The engine.
    pub engine: Engine,
    /// Each is answered with [`Engine::reduced`].
    pub(crate) reductions: mpsc::Receiver<JobId>,
}

/// Reads what is stored and starts the core and the writer.
pub fn start(mut store: Box<dyn Store>) -> Result<Started, StoreError> {
    let reader = store.reader();
    let restored = store.restore()?;
    let (epoch, shared, durability) = (store.epoch(), store.is_shared(), store.durability());
    let no_chance = |error| StoreError::Unavailable(format!("no random bytes to be had: {error}"));
    let seed = getrandom::u64().map_err(no_chance)?;
    let (writer, committed) = writer::spawn(store);
    let (engine, messages) = Engine::new(reader.clone());
    let (wanted, reductions) = mpsc::channel(JOBS_OPEN_MAX);
    let mut core = core::Core::new(
        engine.clone(),
        writer,
        core::Facts {
            epoch,
            shared,
            durability,
            seed,
        },
        wanted,
    );
    core.restore(restored);
    tokio::spawn(core.run(messages, committed));
    Ok(Started { engine, reductions })
}
