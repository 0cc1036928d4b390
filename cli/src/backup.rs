//! `elytra backup` and `elytra restore`: all that a server on this machine keeps, to a folder and back.
use crate::args::{BackupArgs, CommonArgs, RestoreArgs};
use crate::failure::{Code, Failure};
use crate::output;
use crate::say::{bytes, count, duration, note};
use crate::shell::{self, BackupNote, Flags};
use std::path::Path;
use std::time::Instant;

pub(crate) fn backup(common: &CommonArgs, args: &BackupArgs, flags: &Flags) -> Result<Code, Failure> {
    let start = Instant::now();
    let taken = shell::backup(args.server.config.as_deref(), flags, &args.out)?;
    note(&format!("taken in {}", duration(start.elapsed())));
    output::one(common.output, &taken, |taken| told(taken, &args.out))?;
    Ok(Code::Done)
}

pub(crate) fn restore(common: &CommonArgs, args: &RestoreArgs, flags: &Flags) -> Result<Code, Failure> {
    let restored = shell::restore(args.server.config.as_deref(), flags, &args.from)?;
    output::one(common.output, &restored, |restored| told(restored, &args.from))?;
    note("brought back: start the server on it");
    Ok(Code::Done)
}

fn told(backup: &BackupNote, folder: &Path) -> String {
    format!(
        "{}: {} of database, {} ({})",
        folder.display(),
        bytes(backup.database_bytes),
        count(backup.blobs, "blob"),
        bytes(backup.blob_bytes)
    )
}
