//! The API over a real socket, with the real engine and the embedded store.
mod jobs;
mod results;
mod support;
