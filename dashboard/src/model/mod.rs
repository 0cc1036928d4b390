//! What the pages show, worked out without a browser: pure, and tested natively.
pub mod chart;
pub mod command;
pub mod contribute;
pub mod escape;
pub mod form;
pub mod format;
pub mod gallery;
pub mod input;
pub mod lines;
pub mod live;
pub mod palette;
pub mod picture;
pub mod route;
pub mod segments;
pub mod sse;
pub mod words;
