//! The heart of a worker: a deterministic executor of leases.
