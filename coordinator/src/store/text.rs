//! Texts of failures, kept within their bounds.
use protocol::limits::{DETAIL_BYTES_MAX, NAME_CHARS_MAX};

/// As much of a failure's detail as is stored, cut between characters.
pub(crate) fn clip(detail: &str) -> &str {
    &detail[..detail.floor_char_boundary(DETAIL_BYTES_MAX)]
}

/// What failures are grouped by: the first line of the detail, cut between characters.
pub(crate) fn headline(detail: &str) -> &str {
    let line = detail.lines().next().unwrap_or("");
    &line[..line.floor_char_boundary(NAME_CHARS_MAX)]
}
