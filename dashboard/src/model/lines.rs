//! Cuts a stream of bytes into lines, as they arrive.

/// Longest line that is kept: an output of the largest size in base64, with room for its JSON.
pub const LINE_BYTES_MAX: usize = protocol::limits::OUTPUT_BYTES_MAX / 3 * 4 + 4_096;

/// A line was longer than [`LINE_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server sent a line of more than {LINE_BYTES_MAX} bytes")]
pub struct LineTooLong;

/// Keeps the unfinished end of what arrived.
#[derive(Debug, Default)]
pub struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes; returns the lines that are now complete, without their ends (LF or CRLF).
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, LineTooLong> {
        let mut lines = Vec::new();
        let mut from = bytes;
        while let Some(end) = from.iter().position(|&byte| byte == b'\n') {
            self.rest.extend_from_slice(&from[..end]);
            from = &from[end + 1..];
            lines.push(self.take());
        }
        self.rest.extend_from_slice(from);
        if self.rest.len() > LINE_BYTES_MAX {
            Err(LineTooLong)
        } else {
            Ok(lines)
        }
    }

    /// The last line, when the stream ended without a line end.
    pub fn finish(&mut self) -> Option<String> {
        (!self.rest.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        if self.rest.last() == Some(&b'\r') {
            self.rest.pop();
        }
        let line = String::from_utf8_lossy(&self.rest).into_owned();
        self.rest.clear();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_the_bytes_arrive() {
        let stream = "one\r\n\nthé end\nrest".as_bytes();
        for size in 1..stream.len() {
            let mut lines = Lines::default();
            let mut all: Vec<String> = Vec::new();
            for piece in stream.chunks(size) {
                all.extend(lines.push(piece).unwrap());
            }
            all.extend(lines.finish());
            assert_eq!(all, ["one", "", "thé end", "rest"], "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused_instead_of_kept() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 1 << 20];
        let refused = (0..64).find(|_| lines.push(&piece).is_err());
        assert!(refused.is_some_and(|pieces| pieces <= LINE_BYTES_MAX >> 20));
    }
}
