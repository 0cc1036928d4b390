//! The headless worker.
