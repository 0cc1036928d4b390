//! One message in one WebSocket frame: a version byte, then the message in postcard.
use crate::limits::FRAME_BYTES_MAX;
use crate::wire::{FromWorker, ToWorker};
use crate::{WIRE_VERSION, wire};
use serde::{Serialize, de::DeserializeOwned};

/// A frame that is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than either side accepts.
    #[error("the frame has {bytes} bytes; at most {FRAME_BYTES_MAX} are accepted")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Nothing in it.
    #[error("the frame is empty")]
    Empty,
    /// Another version of the wire.
    #[error(
        "the frame speaks version {got}; this side speaks version {WIRE_VERSION}. Update the older of the two"
    )]
    Version {
        /// The version it speaks.
        got: u8,
    },
    /// Cut off, or bytes that mean nothing.
    #[error("the frame is cut off or malformed")]
    Malformed,
    /// A run whose lengths do not add up.
    #[error("the frame's outputs do not add up")]
    Outputs,
}

impl FrameError {
    /// The code to refuse the peer with.
    pub fn code(&self) -> wire::RefusalCode {
        match self {
            Self::Version { .. } => wire::RefusalCode::VersionWrong,
            _ => wire::RefusalCode::FrameMalformed,
        }
    }
}

fn encode<M: Serialize>(message: &M) -> Vec<u8> {
    // The types serialize infallibly into a growing vector; the fold keeps that promise visible.
    postcard::to_extend(message, vec![WIRE_VERSION]).unwrap_or_else(|_| vec![WIRE_VERSION])
}

fn decode<M: DeserializeOwned>(frame: &[u8]) -> Result<M, FrameError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: frame.len() });
    }
    match frame.split_first() {
        None => Err(FrameError::Empty),
        Some((&WIRE_VERSION, body)) => match postcard::take_from_bytes(body) {
            Ok((message, [])) => Ok(message),
            _ => Err(FrameError::Malformed),
        },
        Some((&got, _)) => Err(FrameError::Version { got }),
    }
}

/// Writes a worker's message.
pub fn encode_from_worker(message: &FromWorker) -> Vec<u8> {
    encode(message)
}

/// Writes a coordinator's message.
pub fn encode_to_worker(message: &ToWorker) -> Vec<u8> {
    encode(message)
}

/// Reads a worker's message; its outputs are checked.
pub fn decode_from_worker(frame: &[u8]) -> Result<FromWorker, FrameError> {
    let message = decode(frame)?;
    if let FromWorker::Finished { outputs, .. } = &message {
        outputs.check().map_err(|_| FrameError::Outputs)?;
    }
    Ok(message)
}

/// Reads a coordinator's message.
pub fn decode_to_worker(frame: &[u8]) -> Result<ToWorker, FrameError> {
    decode(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::LeaseId;
    use crate::run::Outputs;
    use proptest::prelude::*;

    fn finished() -> FromWorker {
        let outputs = Outputs::single(3, bytes::Bytes::from_static(b"abc"));
        FromWorker::Finished {
            lease: LeaseId(5),
            outputs,
            busy_us: 7,
        }
    }

    #[test]
    fn a_message_comes_back_as_it_went_in() {
        let frame = encode_from_worker(&finished());
        assert_eq!(decode_from_worker(&frame), Ok(finished()));
    }

    #[test]
    fn wrong_frames_are_told_apart() {
        let frame = encode_from_worker(&finished());
        assert_eq!(decode_from_worker(&[]), Err(FrameError::Empty));
        assert_eq!(
            decode_from_worker(&frame[..frame.len() - 1]),
            Err(FrameError::Malformed)
        );
        let mut longer = frame.clone();
        longer.push(0);
        assert_eq!(decode_from_worker(&longer), Err(FrameError::Malformed));
        let mut other = frame;
        other[0] = 9;
        assert_eq!(decode_from_worker(&other), Err(FrameError::Version { got: 9 }));
        let long = vec![WIRE_VERSION; FRAME_BYTES_MAX + 1];
        assert_eq!(
            decode_from_worker(&long),
            Err(FrameError::TooLong { bytes: long.len() })
        );
    }

    proptest! {
        #[test]
        fn no_frame_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut frame = vec![WIRE_VERSION];
            frame.extend(bytes);
            let _ = decode_from_worker(&frame);
            let _ = decode_to_worker(&frame);
        }
    }
}
