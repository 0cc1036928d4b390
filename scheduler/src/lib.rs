//! The heart of the coordinator: a deterministic scheduler.
