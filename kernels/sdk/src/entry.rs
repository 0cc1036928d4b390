//! The way of a shard through a kernel: parse the input, compute item after item, frame the
//! outputs. One code path for the sandbox and for native callers.
use crate::Params;
use crate::item;
use kernel_abi::Items;
use serde::de::DeserializeOwned;
use std::fmt;

/// From this many bytes on, finished outputs are handed over, so that memory stays bounded.
const OUTPUT_CHUNK_BYTES: usize = 64 * 1024;

/// One entry function of a program, as `#[kernel]` makes it.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The entry's name: the function's.
    pub name: &'static str,
    /// The entry's description: one JSON object and a newline (see the kernel ABI).
    pub description: &'static str,
    /// Runs a shard.
    #[doc(hidden)]
    pub run: fn(&[u8], &mut dyn Host) -> Result<(), Failure>,
}

/// Why a shard has no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The place of the item in the shard, from 0; 0 too when the parameters are at fault.
    pub index: u32,
    /// What went wrong.
    pub cause: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", kernel_abi::FAILURE_PREFIX, self.index, self.cause)
    }
}
impl std::error::Error for Failure {}

/// Who a shard is run for: the sandbox, or a buffer.
#[doc(hidden)]
pub trait Host {
    /// The item at `index` is computed next.
    fn begin(&mut self, index: u32);
    /// Appends to the shard's output.
    fn write(&mut self, bytes: &[u8]);
}

/// Runs a shard outside the sandbox, through the same code as inside it: takes the input's bytes,
/// gives the output's. A panic in the kernel stays a panic.
pub fn run_native(entry: &Entry, input: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut output = Buffer(Vec::new());
    (entry.run)(input, &mut output)?;
    Ok(output.0)
}

struct Buffer(Vec<u8>);

impl Host for Buffer {
    fn begin(&mut self, _: u32) {}
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Runs `compute` over every item of `input`; it appends one item's output to the buffer.
#[doc(hidden)]
pub fn drive<I: DeserializeOwned, P: Params>(
    input: &[u8],
    host: &mut dyn Host,
    compute: impl Fn(I, &P, &mut Vec<u8>) -> Result<(), String>,
) -> Result<(), Failure> {
    let failure = |index, cause| Failure { index, cause };
    let input =
        kernel_abi::decode(input).map_err(|e| failure(0, format!("the input cannot be read: {e}")))?;
    let params = P::from_json(input.params).map_err(|cause| failure(0, cause))?;
    let mut frames = Frames {
        host,
        buffer: Vec::new(),
    };
    let mut one = |index, item: Result<I, String>| {
        let item = item.map_err(|cause| failure(index, format!("the item cannot be read: {cause}")))?;
        frames
            .item(index, |out| compute(item, &params, out))
            .map_err(|cause| failure(index, cause))
    };
    match input.items {
        Items::Range { first, step, count } => {
            for index in 0..count {
                one(index, item::from_range(first, step, index))?;
            }
        }
        Items::List(list) => {
            for (index, bytes) in (0..).zip(list.iter()) {
                one(index, item::from_list(list.encoding, bytes))?;
            }
        }
    }
    frames.flush();
    Ok(())
}

/// Frames the outputs of items one behind the other and hands them over in chunks.
struct Frames<'a> {
    host: &'a mut dyn Host,
    buffer: Vec<u8>,
}

impl Frames<'_> {
    fn item(
        &mut self,
        index: u32,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        self.host.begin(index);
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 4]);
        fill(&mut self.buffer)?;
        let length = u32::try_from(self.buffer.len() - start - 4)
            .map_err(|_| "the output is over 4 GiB".to_owned())?;
        self.buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
        if self.buffer.len() >= OUTPUT_CHUNK_BYTES {
            self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) {
        for chunk in self.buffer.chunks(OUTPUT_CHUNK_BYTES) {
            self.host.write(chunk);
        }
        self.buffer.clear();
    }
}
