//! The Rust client: rayon's names over items that are computed elsewhere, on tabs and servers.
//!
//! ```no_run
//! use elytra_client::{Elytra, Options};
//!
//! # async fn squares() -> Result<(), elytra_client::Error> {
//! let elytra = Elytra::connect(Options::from_env()?).await?;
//! let script = elytra.script("square.js", "export default (n) => n * n")?;
//! let squares: Vec<u64> = elytra.range(0..1000).map(script.entry("default")).collect().await?;
//! # drop(squares);
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `elytra` | [`Elytra`]: where programs and items come from |
//! | `program` | [`Program`] and [`Entry`]: what runs |
//! | `job` | [`Input`] and [`Mapped`]: what is computed, and how |
//! | `outputs` | [`Outputs`]: what comes back, as it comes |
//! | `feed` | items on their way to a job, with a bounded number in flight |
//! | `api` | [`Client`] and [`Results`]: the API as it is, one method an address |
//! | `error` | [`Error`]: everything that goes wrong |
#![forbid(unsafe_code)]

mod api;
mod elytra;
mod error;
mod feed;
mod job;
mod options;
mod output;
mod outputs;
mod program;

pub use api::{Client, Line, Results, idempotency_key};
pub use elytra::Elytra;
pub use error::Error;
pub use job::{Input, Mapped};
pub use options::{Options, SERVER_DEFAULT};
pub use outputs::Outputs;
pub use program::{Entry, Program, read_program};
pub use protocol::ids::JobId;
pub use protocol::job::{JobState, Limits, Needs};
pub use protocol::problem::Problem;
pub use protocol::trust::Trust;
pub use protocol::wire::Cause;
