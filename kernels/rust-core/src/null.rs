//! The kernel that does nothing, to measure everything else.
use elytra_kernel::{Bytes, kernel};

/// Does nothing: every output is empty.
#[kernel(title = "Nothing", item = "any number")]
pub fn null(item: i64) -> Bytes {
    let _ = item;
    Bytes(Vec::new())
}
