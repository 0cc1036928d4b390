//! The words of Elytra: everything that crosses a wire, a disk or an API, and nothing else.
//!
//! No IO, no clock, no chance. The glossary stands in ARCHITECTURE.md; each word has its home here:
//!
//! | file | words |
//! |---|---|
//! | [`account`] | a contributor's key, and how its owner is recognised |
//! | [`ids`] | job, shard, worker, session, lease, program hash, blob hash |
//! | [`limits`] | the bound of every queue, frame, table and wait |
//! | [`job`] | what a submitter asks for and how it stands |
//! | [`credit`] | verified work that is booked to accounts, and receipts for it |
//! | [`cut`] | how items become shards: arithmetic, never a table |
//! | [`run`] | the outputs of a run of shards |
//! | [`trust`] | how far strangers' answers are trusted, and what was done for it |
//! | [`totals`] | the counts of a stage that are durable |
//! | [`wire`] | messages between a coordinator and a worker |
//! | [`frame`] | one message in one WebSocket frame |
//! | [`description`] | what a program says of itself |
//! | [`api`] | HTTP bodies for people, the command line, SDKs and the dashboard |
//! | [`problem`] | RFC 9457 errors |
#![forbid(unsafe_code)]

pub mod account;
pub mod api;
pub mod credit;
pub mod cut;
pub mod description;
pub mod frame;
pub mod ids;
pub mod job;
pub mod limits;
pub mod problem;
pub mod run;
pub mod totals;
pub mod trust;
pub mod wire;

/// The version of the worker wire; a peer with another one is refused with a clear message.
pub const WIRE_VERSION: u8 = 2;

/// The WebSocket subprotocol that goes with [`WIRE_VERSION`].
pub const WIRE_SUBPROTOCOL: &str = "elytra.v2";

/// Response header of the door for workers: programs that are worth having ready before a job names them, by
/// hash, separated by commas. A hint; at most [`limits::PREPARE_PROGRAMS_MAX`] are read.
pub const PREPARE_HEADER: &str = "elytra-prepare";
