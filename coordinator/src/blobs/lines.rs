//! Where the lines of a blob begin: every 256th offset, and a short scan from there.
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

/// Lines between two kept offsets.
const STRIDE: u64 = 256;

/// The offsets of every [`STRIDE`]th line of a file that never changes.
#[derive(Debug)]
pub(super) struct LineIndex {
    offsets: Vec<u64>,
    lines: u64,
    length: u64,
    longest: Longest,
}

/// The longest line of a file, the first where there are several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Longest {
    /// Which, counted from 0.
    pub line: u64,
    /// Its length without the line feed.
    pub bytes: u64,
}

impl LineIndex {
    /// Reads the file once.
    pub(super) fn scan(path: &Path) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
        let mut index = Self {
            offsets: vec![0],
            lines: 0,
            length: 0,
            longest: Longest::default(),
        };
        let mut ends_with_feed = true;
        let mut begins = 0;
        loop {
            let piece = reader.fill_buf()?;
            let Some(last) = piece.last() else { break };
            ends_with_feed = *last == b'\n';
            for (at, _) in piece.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                let end = index.length + at as u64;
                index.measure(end - begins);
                begins = end + 1;
                index.lines += 1;
                if index.lines.is_multiple_of(STRIDE) {
                    index.offsets.push(index.length + at as u64 + 1);
                }
            }
            let read = piece.len();
            index.length += read as u64;
            reader.consume(read);
        }
        if !ends_with_feed {
            index.measure(index.length - begins);
            index.lines += 1;
        }
        Ok(index)
    }

    /// The line behind those counted has this many bytes.
    fn measure(&mut self, bytes: u64) {
        if bytes > self.longest.bytes {
            let line = self.lines;
            self.longest = Longest { line, bytes };
        }
    }

    pub(super) fn longest(&self) -> Longest {
        self.longest
    }

    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Where a line begins; the end of the file for the line behind the last.
    pub(super) fn offset_of(&self, path: &Path, line: u64) -> io::Result<u64> {
        if line >= self.lines {
            return Ok(self.length);
        }
        let kept = usize::try_from(line / STRIDE).map_err(io::Error::other)?;
        let mut offset = self
            .offsets
            .get(kept)
            .copied()
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut left = line % STRIDE;
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut reader = BufReader::with_capacity(1 << 14, file);
        while left > 0 {
            let piece = reader.fill_buf()?;
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let end = piece.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            left -= u64::from(end.is_some());
            let read = end.unwrap_or(piece.len());
            offset += read as u64;
            reader.consume(read);
        }
        Ok(offset)
    }
}
