//! The API over a real socket, with the real engine and the embedded store.
mod accept;
mod access;
mod accounts;
mod bad_input;
mod blobs;
mod engines;
mod jobs;
mod pages;
mod reduce;
mod results;
mod support;
mod trust;
mod wire;
