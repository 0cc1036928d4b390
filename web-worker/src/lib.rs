//! The worker in a browser tab: the shell round the worker's heart, compiled to WebAssembly and loaded by the
//! tab's hub (`ts/hub.ts`).
//!
//! The heart ([`worker`]) decides; this shell brings it time and what happened, and performs what it asks for:
//!
//! | file | what it does |
//! |---|---|
//! | [`hub`] | what the hub's script can call, and what it must offer |
//! | [`shell`] | one turn: hand in what happened, perform every output, set the timer |
//! | [`link`] | the WebSocket |
//! | [`fetch`] | programs, inputs and large outputs, over HTTP, checked by their hash |
//! | [`slots`] | which blob worker holds which shards, and since when: the watchdog |
//! | [`programs`] | short numbers for programs, and their bytes |
//! | [`shown`] | the status and the picture tiles a contributor sees |
//! | [`options`] | how the contributor lends this tab |
//!
//! No program of a job runs here: that happens in the slots, behind the sandbox frame.
#![forbid(unsafe_code)]

pub mod fetch;
pub mod hub;
pub mod link;
pub mod options;
pub mod programs;
pub mod shell;
pub mod shown;
pub mod slots;
