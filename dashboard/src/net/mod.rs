//! The browser's side: HTTP, streams, timers and what is kept between visits.
pub mod contributor;
pub mod download;
pub mod feed;
pub mod http;
pub mod poll;
pub mod rest;
pub mod storage;
pub mod stream;
pub mod timer;
pub mod upload;
