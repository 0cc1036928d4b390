//! WASI's functions, called in any order with any arguments over a small memory.
use arbitrary::{Arbitrary as _, Unstructured};
use kernel_abi::Encoding;
use wasi::{Ended, GuestMemory, Process, Shard, SliceMemory, calls};

const MEMORY_BYTES: usize = 4 << 10;
const OUTPUT_BYTES_MAX: usize = 64 << 10;
const CALLS_MAX: usize = 200;

type Call = fn(&mut Process, &mut dyn GuestMemory, &mut Unstructured<'_>) -> Result<u32, Ended>;

/// Numbers that are mostly small, so that they are descriptors and addresses that exist.
trait Argument: Sized {
    fn take(from: &mut Unstructured<'_>) -> Self;
}

impl Argument for u32 {
    fn take(from: &mut Unstructured<'_>) -> Self {
        match u8::arbitrary(from).unwrap_or(0) {
            200.. => Self::arbitrary(from).unwrap_or(0),
            100.. => u16::arbitrary(from).unwrap_or(0) as Self % MEMORY_BYTES as Self,
            small => Self::from(small) % 8,
        }
    }
}

impl Argument for u64 {
    fn take(from: &mut Unstructured<'_>) -> Self {
        match u8::arbitrary(from).unwrap_or(0) {
            200.. => Self::arbitrary(from).unwrap_or(0),
            small => Self::from(small),
        }
    }
}

macro_rules! table {
    ($($name:ident($($arg:ident: $ty:ty),* $(,)?) $(= $errno:ident)?;)*) => {
        const CALLS: &[Call] = &[$(
            |process, memory, from| {
                let _ = &from;
                $(let $arg = <$ty as Argument>::take(from);)*
                calls::$name(process, memory, $($arg),*)
            }
        ),*];
    };
}
wasi::each_function!(table);

/// No call panics, and the memory keeps its length. What a shard begins with comes out of the bytes too.
pub(crate) fn run(bytes: &[u8]) {
    let split = bytes.len().min(usize::from(bytes.first().copied().unwrap_or(0)));
    let (input, script) = bytes.split_at(split);
    let params = br#"{"args":["a"],"env":{"B":"c"},"files":{"d":"text"}}"#;
    let items = [input];
    let framed = kernel_abi::encode_list(params, Encoding::Text, items.into_iter());
    // Raw bytes as the input, where they happen to be one; else a proper one.
    let shard = Shard::new(input, OUTPUT_BYTES_MAX).or_else(|_| Shard::new(&framed, OUTPUT_BYTES_MAX));
    let Ok(mut shard) = shard else { return };
    let mut from = Unstructured::new(script);
    let mut memory = vec![0x2e; MEMORY_BYTES];
    while let Some(mut process) = shard.next_process() {
        for _ in 0..CALLS_MAX {
            let Ok(at) = from.choose_index(CALLS.len()) else {
                break;
            };
            if from.is_empty() || CALLS[at](&mut process, &mut SliceMemory(&mut memory), &mut from).is_err() {
                break;
            }
        }
        if shard.finished(process).is_err() {
            return;
        }
    }
}
