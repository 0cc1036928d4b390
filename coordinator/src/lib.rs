//! The coordinator: axum around the scheduler.
