//! The coordinator: axum around the scheduler.
#![forbid(unsafe_code)]

pub mod config;
pub mod log;
pub mod metrics;
pub mod store;
