//! What a guest process and its parent say to each other: frames of a length and a message, and behind
//! [`ToGuest::Load`] the code itself.
//!
//! Both ends are the same executable, so there are no versions. The parent believes nothing of what it reads:
//! a frame that is too long, or not one, ends the guest process.
use crate::config::Limits;
use crate::report::RunReport;
use bytes::Bytes;
use protocol::ids::ProgramHash;
use protocol::limits::{FRAME_BYTES_MAX, OUTPUT_BYTES_MAX};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Bytes of a frame's length, little-endian.
pub const LENGTH_BYTES: usize = 4;
/// A report's longest parts are an output and a log; what is around them is short.
pub const FROM_GUEST_BYTES_MAX: usize = OUTPUT_BYTES_MAX + FRAME_BYTES_MAX;

/// What a parent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToGuest {
    /// Load a program; so many bytes of code follow the frame.
    Load {
        /// Its name.
        program: ProgramHash,
        /// Length of the code.
        bytes: u32,
    },
    /// Unload a program. What runs goes on.
    Forget {
        /// Its name.
        program: ProgramHash,
    },
    /// Run shards, one after the other.
    Run(Run),
    /// Stop shards of what a slot runs; those not begun are skipped.
    Stop {
        /// The slot.
        slot: u16,
        /// The shards.
        shards: Vec<u32>,
    },
}

/// Shards of one program and entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The parent's name for it; one at a time for each slot.
    pub slot: u16,
    /// A program that was loaded.
    pub program: ProgramHash,
    /// The entry.
    pub entry: String,
    /// What each shard may take.
    pub limits: Limits,
    /// Whether every report leaves at once, so that what was not reported did not end.
    pub carefully: bool,
    /// The shards.
    pub shards: Vec<(u32, Bytes)>,
}

/// What a guest process says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromGuest {
    /// First of all: it is locked down and waits for work.
    Ready {
        /// The walls that the kernel did not give.
        missing: Vec<String>,
    },
    /// A shard is over; for each slot in the order in which they were sent.
    Ended {
        /// The slot.
        slot: u16,
        /// The shard.
        shard: u32,
        /// How it ended, or why it could not run.
        result: Result<RunReport, NoRun>,
    },
}

/// Why a shard could not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoRun {
    /// The program cannot be loaded here.
    Unfit(String),
    /// The sandbox itself broke.
    Broken(String),
}

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame that cannot be read")]
pub struct BadFrame;

/// Appends a frame.
pub fn encode(message: &impl Serialize, frames: &mut Vec<u8>) {
    let start = frames.len();
    frames.extend_from_slice(&[0; LENGTH_BYTES]);
    // Writing into memory cannot fail, and every type of ours has a length of its own.
    if let Ok(written) = postcard::to_extend(message, std::mem::take(frames)) {
        *frames = written;
    }
    let length = u32::try_from(frames.len().saturating_sub(start + LENGTH_BYTES)).unwrap_or(u32::MAX);
    if let Some(at) = frames.get_mut(start..start + LENGTH_BYTES) {
        at.copy_from_slice(&length.to_le_bytes());
    }
}

/// Reads the message of a frame, without its length.
pub fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, BadFrame> {
    postcard::from_bytes(frame).map_err(|_| BadFrame)
}

/// How long the frame's message is that begins here, if that much is there.
pub fn length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<LENGTH_BYTES>()?;
    Some(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunOutcome;

    #[test]
    fn frames_come_back_one_by_one() {
        let ended = |output: &[u8]| FromGuest::Ended {
            slot: 3,
            shard: 70_000,
            result: Ok(RunReport {
                outcome: RunOutcome::Finished(output.into()),
                log: vec![9; 3],
                cpu_us: 1,
                wall_us: 2,
                memory_bytes_peak: 3,
            }),
        };
        let mut frames = Vec::new();
        encode(&ended(&[7; 300]), &mut frames);
        encode(&ended(&[]), &mut frames);
        let first = length(&frames).unwrap();
        let (one, rest) = frames[LENGTH_BYTES..].split_at(first);
        assert_eq!(decode::<FromGuest>(one), Ok(ended(&[7; 300])));
        assert_eq!(length(rest), Some(rest.len() - LENGTH_BYTES));
        assert_eq!(decode::<FromGuest>(&rest[LENGTH_BYTES..]), Ok(ended(&[])));
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        assert_eq!(decode::<FromGuest>(&[]), Err(BadFrame));
        // A list of more texts than memory holds.
        assert_eq!(decode::<FromGuest>(&[0, 255, 255, 255, 255, 15]), Err(BadFrame));
        assert_eq!(length(&[1, 0, 0]), None);
    }
}
