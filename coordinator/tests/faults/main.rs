//! What goes wrong, for real: processes are killed, frames are wrong, the disk is full, Redis is away.
//!
//! The coordinator runs as a process of its own, so that it can be killed and its memory can be measured.
mod backup;
mod chance;
mod checker;
mod clock;
mod crash;
mod disk;
mod drain;
mod frames;
mod idempotent;
mod netns;
mod poison;
mod process;
mod redis;
#[path = "../store_contract/server.rs"]
mod server;
mod site;
mod submit;
mod worker;
