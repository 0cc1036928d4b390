//! The words of Elytra: ids, messages, frames, limits and API bodies.
