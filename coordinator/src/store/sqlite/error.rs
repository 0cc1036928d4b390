//! What SQLite says, as what the rest of the coordinator can do about it.
use crate::store::StoreError;
use rusqlite::{Error, ErrorCode};
use std::path::Path;

/// Names the file, what is wrong and what to do.
pub(super) fn explain(path: &Path, error: &Error) -> StoreError {
    let at = path.display();
    let Some(code) = error.sqlite_error_code() else {
        return StoreError::Corrupt(format!("{at}: {error}"));
    };
    match code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt(format!(
            "{at} is damaged ({error}). Stop the coordinator and bring back a backup of its folder"
        )),
        ErrorCode::DiskFull => StoreError::Full(format!(
            "the disk that holds {at} is full. Make room on it; the coordinator goes on by itself"
        )),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            StoreError::Unavailable(format!(
                "{at} cannot be written ({error}). Let the coordinator's user write the file and its folder"
            ))
        }
        ErrorCode::SystemIoFailure => StoreError::Unavailable(format!(
            "the disk that holds {at} failed ({error}). Look at the disk and the system's log; \
             the coordinator tries again by itself"
        )),
        _ => StoreError::Unavailable(format!("{at}: {error}")),
    }
}

/// A stored value that cannot be read.
pub(super) fn corrupt(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what}: {error}"))
}
