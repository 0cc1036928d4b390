//! What goes wrong, for real: processes are killed, frames are wrong, the disk is full, Redis is away.
//!
//! The coordinator runs as a process of its own, so that it can be killed and its memory can be measured.
mod checker;
mod crash;
mod disk;
mod frames;
mod process;
mod site;
mod worker;
