//! One file a page; the larger pages keep their parts beside them.
pub mod contribute;
pub mod job;
pub mod job_errors;
pub mod job_picture;
pub mod job_results;
pub mod job_steer;
pub mod jobs;
pub mod missing;
pub mod overview;
pub mod settings;
pub mod submit;
pub mod submit_items;
pub mod submit_preview;
pub mod workers;
