//! From a shard's input to its processes, and from what they wrote to the outputs of its items.
use crate::params::{BadParams, Params};
use crate::process::{Ended, PROGRAM_NAME, Process};
use kernel_abi::{Encoding, Items, write_framed};
use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

/// Items in one shard.
pub const ITEMS_MAX: u32 = 1 << 20;
/// The length before each output.
const FRAME_BYTES: usize = 4;

/// Why a shard's input is none for a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadInput {
    /// The bytes are not those of a shard.
    #[error("the shard's input cannot be read: {0}")]
    Malformed(kernel_abi::Malformed),
    /// More items than a shard can have.
    #[error("a shard of {0} items; {ITEMS_MAX} are the most")]
    TooManyItems(u32),
    /// The job's parameters do not fit.
    #[error(transparent)]
    Params(#[from] BadParams),
}

impl From<kernel_abi::Malformed> for BadInput {
    fn from(error: kernel_abi::Malformed) -> Self {
        Self::Malformed(error)
    }
}

/// Why a process failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// Its exit code is not 0.
    #[error("{}", exit_message(*code, stderr))]
    Exit {
        /// The item whose process it was, in the shard; none when all items went to one process.
        item: Option<u64>,
        /// The exit code.
        code: u32,
        /// The end of its standard error, for people.
        stderr: String,
    },
    /// It wrote more than the limit.
    #[error("the output is over its limit")]
    OutputTooLarge,
}

fn exit_message(code: u32, stderr: &str) -> String {
    match stderr {
        "" => format!("the command ended with exit code {code} and wrote nothing to standard error"),
        _ => format!("the command ended with exit code {code}: {stderr}"),
    }
}

/// The processes of a shard, one after the other, and its output.
///
/// There is an output for each item, and joined they are standard output byte for byte. With `each` an item's
/// output is what its own process wrote. Otherwise one process reads all items, and where it wrote as many lines
/// as there are items, an item's output is its line with the line feed; else the first output is all of it and
/// the others are empty.
///
/// Take a process with [`Shard::next_process`], run it, give it back with [`Shard::finished`] before the next,
/// and take the output with [`Shard::into_output`].
#[derive(Debug)]
pub struct Shard {
    params: Arc<Params>,
    /// Every item with its line feed; empty once the one process has taken it.
    text: Vec<u8>,
    /// Where each item ends in it.
    ends: Vec<usize>,
    /// Processes begun.
    begun: usize,
    frames: Vec<u8>,
    output_bytes_max: usize,
}

impl Shard {
    /// Reads a shard's input, which is encoded as for a kernel.
    pub fn new(input: &[u8], output_bytes_max: usize) -> Result<Self, BadInput> {
        let input = kernel_abi::decode(input)?;
        let params = Arc::new(Params::parse(input.params, PROGRAM_NAME)?);
        let (text, ends) = lines(&input.items)?;
        Ok(Self {
            params,
            text,
            ends,
            begun: 0,
            frames: Vec::new(),
            output_bytes_max,
        })
    }

    /// The next process to run; none when all have run.
    pub fn next_process(&mut self) -> Option<Process> {
        let stdin = if self.params.each {
            let end = *self.ends.get(self.begun)?;
            let start = self.begun.checked_sub(1).map_or(0, |before| self.ends[before]);
            self.text[start..end].to_vec()
        } else if self.begun == 0 && !self.ends.is_empty() {
            std::mem::take(&mut self.text)
        } else {
            return None;
        };
        self.begun += 1;
        let frames_to_come = if self.params.each { 1 } else { self.ends.len() };
        let taken = self.frames.len() + frames_to_come * FRAME_BYTES;
        let stdout_bytes_max = self.output_bytes_max.saturating_sub(taken);
        Some(Process::new(Arc::clone(&self.params), stdin, stdout_bytes_max))
    }

    /// The item of the process begun last, where each item has one.
    pub fn item(&self) -> Option<u64> {
        let each = self.params.each && self.begun > 0;
        each.then(|| self.begun as u64 - 1)
    }

    /// Takes back a process that ended by itself: its entry returned, or a call ended it.
    pub fn finished(&mut self, process: Process) -> Result<(), Failed> {
        match process.ended() {
            Some(Ended::OutputTooLarge) => Err(Failed::OutputTooLarge),
            Some(Ended::Exit(code)) if code != 0 => Err(Failed::Exit {
                item: self.item(),
                code,
                stderr: process.stderr_shown(),
            }),
            _ => self.add_output(&process.stdout),
        }
    }

    fn add_output(&mut self, stdout: &[u8]) -> Result<(), Failed> {
        if self.params.each {
            write_framed(&mut self.frames, stdout);
        } else {
            self.frames.reserve(stdout.len() + self.ends.len() * FRAME_BYTES);
            write_lines(&mut self.frames, stdout, self.ends.len());
        }
        // A process that writes nothing has a frame all the same.
        let too_large = self.frames.len() > self.output_bytes_max;
        if too_large {
            Err(Failed::OutputTooLarge)
        } else {
            Ok(())
        }
    }

    /// The output of the shard, when all its processes are back.
    pub fn into_output(self) -> Vec<u8> {
        self.frames
    }
}

/// Every item with a line feed behind it, and where each ends.
fn lines(items: &Items<'_>) -> Result<(Vec<u8>, Vec<usize>), BadInput> {
    let (mut text, mut ends) = (Vec::new(), Vec::new());
    match *items {
        Items::Range { count, .. } if count > ITEMS_MAX => return Err(BadInput::TooManyItems(count)),
        Items::Range { first, step, count } => {
            for index in 0..i64::from(count) {
                let value = first.wrapping_add(step.wrapping_mul(index));
                // Writing to a vector cannot fail.
                let _ = writeln!(text, "{value}");
                ends.push(text.len());
            }
        }
        Items::List(list) if list.count > ITEMS_MAX => return Err(BadInput::TooManyItems(list.count)),
        Items::List(list) => {
            for item in list.iter() {
                text.extend_from_slice(&as_text(item?, list.encoding));
                text.push(b'\n');
                ends.push(text.len());
            }
        }
    }
    Ok((text, ends))
}

/// A JSON text is what it says; every other JSON value is as it is written. A text that no program can be given,
/// such as half a surrogate pair, stays as it is written, too.
fn as_text(item: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    let is_quoted = encoding == Encoding::Json && item.trim_ascii_start().starts_with(b"\"");
    let said = is_quoted
        .then(|| serde_json::from_slice::<String>(item).ok())
        .flatten();
    said.map_or(Cow::Borrowed(item), |text| Cow::Owned(text.into_bytes()))
}

fn write_lines(frames: &mut Vec<u8>, stdout: &[u8], items: usize) {
    let pieces = stdout.split_inclusive(|&byte| byte == b'\n');
    // One more than wanted is enough to know.
    if pieces.clone().take(items + 1).count() == items {
        pieces.for_each(|line| write_framed(frames, line));
        return;
    }
    write_framed(frames, stdout);
    (1..items).for_each(|_| write_framed(frames, b""));
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel_abi::{encode_list, encode_range, split_framed};

    fn list(params: &str, items: &[&str]) -> Vec<u8> {
        encode_list(
            params.as_bytes(),
            Encoding::Text,
            items.iter().map(|item| item.as_bytes()),
        )
    }

    /// What the items' outputs are when every process writes what `write` makes of its standard input.
    fn outputs(input: &[u8], write: impl Fn(&[u8]) -> Vec<u8>) -> Vec<String> {
        let mut shard = Shard::new(input, 1 << 20).unwrap();
        while let Some(mut process) = shard.next_process() {
            process.stdout = write(&process.stdin);
            shard.finished(process).unwrap();
        }
        let output = shard.into_output();
        let frames = split_framed(&output).map(|frame| String::from_utf8(frame.unwrap().to_vec()).unwrap());
        frames.collect()
    }

    #[test]
    fn as_many_lines_as_items_are_a_line_for_each() {
        let input = list("", &["b", "", "a"]);
        assert_eq!(outputs(&input, <[u8]>::to_vec), ["b\n", "\n", "a\n"]);
        assert_eq!(outputs(&input, |_| b"1\n2\n3".to_vec()), ["1\n", "2\n", "3"]);
        let range = encode_range(b"{}", 5, -5, 3);
        assert_eq!(outputs(&range, <[u8]>::to_vec), ["5\n", "0\n", "-5\n"]);
    }

    #[test]
    fn a_json_text_is_what_it_says_and_other_values_are_as_written() {
        let items = [r#""a\tb""#, r#"{"x": 1}"#, "[\"y\"]", "2", r#""\ud800""#];
        let input = encode_list(b"", Encoding::Json, items.iter().map(|item| item.as_bytes()));
        let wanted = ["a\tb\n", "{\"x\": 1}\n", "[\"y\"]\n", "2\n", "\"\\ud800\"\n"];
        assert_eq!(outputs(&input, <[u8]>::to_vec), wanted);
    }

    #[test]
    fn any_other_number_of_lines_is_the_first_item_s() {
        let input = list("", &["b", "a"]);
        assert_eq!(outputs(&input, |_| b"one\n".to_vec()), ["one\n", ""]);
        assert_eq!(outputs(&input, |_| b"1\n2\n3\n".to_vec()), ["1\n2\n3\n", ""]);
        assert_eq!(outputs(&input, |_| vec![]), ["", ""]);
    }

    #[test]
    fn with_each_every_item_has_a_process() {
        let input = list("{\"each\":true}", &["b", "x\ny"]);
        let twice = |stdin: &[u8]| [stdin, stdin].concat();
        assert_eq!(outputs(&input, twice), ["b\nb\n", "x\ny\nx\ny\n"]);
    }

    #[test]
    fn a_shard_without_items_runs_nothing() {
        for params in ["", "{\"each\":true}"] {
            assert!(
                Shard::new(&list(params, &[]), 100)
                    .unwrap()
                    .next_process()
                    .is_none()
            );
        }
    }

    #[test]
    fn inputs_that_are_none_are_refused() {
        assert!(matches!(Shard::new(b"", 1), Err(BadInput::Malformed(_))));
        let cut = list("", &["abc"]);
        assert!(matches!(
            Shard::new(&cut[..cut.len() - 1], 1),
            Err(BadInput::Malformed(_))
        ));
        let many = encode_range(b"", 0, 1, ITEMS_MAX + 1);
        assert_eq!(
            Shard::new(&many, 1).unwrap_err(),
            BadInput::TooManyItems(ITEMS_MAX + 1)
        );
        assert!(matches!(Shard::new(&list("7", &[]), 1), Err(BadInput::Params(_))));
    }

    #[test]
    fn frames_count_towards_the_output() {
        let mut shard = Shard::new(&list("{\"each\":true}", &["a", "b"]), 9).unwrap();
        let mut first = shard.next_process().unwrap();
        assert_eq!(first.stdout_bytes_max, 5);
        first.stdout = b"12345".to_vec();
        shard.finished(first).unwrap();
        let second = shard.next_process().unwrap();
        assert_eq!((second.stdout_bytes_max, shard.item()), (0, Some(1)));
        assert_eq!(shard.finished(second), Err(Failed::OutputTooLarge));
    }

    #[test]
    fn an_exit_code_is_a_failure_with_the_end_of_standard_error() {
        let mut shard = Shard::new(&list("{\"each\":true}", &["a", "b"]), 100).unwrap();
        let mut first = shard.next_process().unwrap();
        first.exit(0);
        shard.finished(first).unwrap();
        let mut second = shard.next_process().unwrap();
        second.stderr.push(b"no such thing\n");
        second.exit(3);
        let failed = shard.finished(second).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "the command ended with exit code 3: no such thing"
        );
        assert!(matches!(
            failed,
            Failed::Exit {
                item: Some(1),
                code: 3,
                ..
            }
        ));
    }
}
