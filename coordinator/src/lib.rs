//! The coordinator: axum around the scheduler.
#![forbid(unsafe_code)]

pub mod store;
