//! Everything that happened, as lines and as one number.

/// Collects lines; the number is the same exactly when the lines are.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    lines: u64,
    shown: bool,
}

impl Trace {
    /// A trace that prints its lines, or only counts them.
    pub(crate) fn new(shown: bool) -> Self {
        // The offset basis of FNV-1a.
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            lines: 0,
            shown,
        }
    }

    /// One thing that happened.
    pub(crate) fn line(&mut self, now_us: u64, text: &str) {
        self.lines += 1;
        for byte in now_us.to_le_bytes().iter().chain(text.as_bytes()) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        if self.shown {
            println!("{:>12.6} {text}", now_us as f64 / 1e6);
        }
    }

    /// FNV-1a over all lines.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// How many lines there were.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }
}
