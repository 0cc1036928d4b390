//! Whatever a guest calls, in whatever order and with whatever numbers: an answer, never a panic, never more memory
//! than the limits, and the same answer the second time.
use kernel_abi::{Encoding, encode_list};
use proptest::prelude::*;
use wasi::{Ended, GuestMemory, Process, Shard, SliceMemory, calls};

const MEMORY_BYTES: usize = 64 << 10;
const OUTPUT_BYTES_MAX: usize = 4096;

type Call = fn(&mut Process, &mut dyn GuestMemory, &[u64]) -> Result<u32, Ended>;

macro_rules! table {
    ($($name:ident($($arg:ident: $ty:ty),* $(,)?) $(= $errno:ident)?;)*) => {
        const CALLS: &[Call] = &[$(
            |process, memory, numbers| {
                let mut numbers = numbers.iter().copied();
                let _ = &mut numbers;
                calls::$name(process, memory, $({ let $arg = numbers.next().unwrap_or(0); $arg as $ty }),*)
            }
        ),*];
    };
}

wasi::each_function!(table);

/// Small numbers meet descriptors, flags and addresses that exist; the others everything else.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..8u64,
        4 => 0..MEMORY_BYTES as u64,
        1 => (MEMORY_BYTES as u64 - 8)..(MEMORY_BYTES as u64 + 8),
        1 => any::<u64>(),
        1 => Just(u64::MAX),
    ]
}

fn process() -> Process {
    let params = br#"{"args":["a"],"env":{"B":"c"},"files":{"d/e":"text","f":"more"}}"#;
    let input = encode_list(params, Encoding::Text, [b"line".as_slice()].into_iter());
    let mut shard = Shard::new(&input, OUTPUT_BYTES_MAX).unwrap();
    shard.next_process().unwrap()
}

/// Everything that came of some calls: the answers and the memory.
fn play(start: &[u8], play: &[(usize, Vec<u64>)]) -> (Vec<Result<u32, Ended>>, Vec<u8>) {
    let mut memory = start.to_vec();
    let mut process = process();
    let answers = play
        .iter()
        .map(|(call, numbers)| CALLS[*call](&mut process, &mut SliceMemory(&mut memory), numbers));
    (answers.collect(), memory)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_calls_are_answered_and_answered_alike(
        seed in proptest::collection::vec(prop_oneof![3 => Just(0u8), 1 => 0..8u8, 1 => any::<u8>()], 2048),
        calls in proptest::collection::vec((0..CALLS.len(), proptest::collection::vec(number(), 9)), 1..60),
    ) {
        let start: Vec<u8> = seed.iter().copied().cycle().take(MEMORY_BYTES).collect();
        let (answers, memory) = play(&start, &calls);
        let known = |errno: &u32| *errno <= 76;
        prop_assert!(answers.iter().flatten().all(known), "{answers:?}");
        prop_assert_eq!((answers, memory), play(&start, &calls));
    }
}

fn write_u32(memory: &mut [u8], at: usize, value: u32) {
    memory[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn read_u32(memory: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(memory[at..at + 4].try_into().unwrap())
}

/// A process and its memory, with one buffer of `length` bytes at 64, described at 0.
fn guest(length: u32) -> (Process, Vec<u8>) {
    let mut memory = vec![0; 256];
    write_u32(&mut memory, 0, 64);
    write_u32(&mut memory, 4, length);
    (process(), memory)
}

fn open(process: &mut Process, memory: &mut [u8], path: &[u8], how: u32, rights: u64) -> Result<u32, u32> {
    memory[64..64 + path.len()].copy_from_slice(path);
    let mut memory = SliceMemory(memory);
    let errno = calls::path_open(
        process,
        &mut memory,
        3,
        0,
        64,
        path.len() as u32,
        how,
        rights,
        0,
        0,
        16,
    )
    .unwrap();
    if errno == 0 {
        Ok(read_u32(memory.0, 16))
    } else {
        Err(errno)
    }
}

#[test]
fn files_are_read_and_never_written() {
    let (mut process, mut memory) = guest(3);
    let fd = open(&mut process, &mut memory, b"d/e", 0, 2).unwrap();
    assert_eq!(fd, 4);
    let read = |process: &mut Process, memory: &mut [u8]| {
        assert_eq!(
            calls::fd_read(process, &mut SliceMemory(memory), fd, 0, 1, 8),
            Ok(0)
        );
        memory[64..64 + read_u32(memory, 8) as usize].to_vec()
    };
    assert_eq!(read(&mut process, &mut memory), b"tex");
    assert_eq!(read(&mut process, &mut memory), b"t");
    assert_eq!(read(&mut process, &mut memory), b"");
    let seek = |process: &mut Process, memory: &mut [u8], by: i64, whence| {
        calls::fd_seek(process, &mut SliceMemory(memory), fd, by as u64, whence, 8)
    };
    assert_eq!(
        seek(&mut process, &mut memory, -5, 2),
        Ok(28),
        "before the beginning"
    );
    assert_eq!(seek(&mut process, &mut memory, -2, 2), Ok(0));
    assert_eq!(read(&mut process, &mut memory), b"xt");
    assert_eq!(
        calls::fd_write(&mut process, &mut SliceMemory(&mut memory), fd, 0, 1, 8),
        Ok(8)
    );
    assert_eq!(open(&mut process, &mut memory, b"f", 8, 2), Err(69), "truncating");
    assert_eq!(
        open(&mut process, &mut memory, b"f", 0, 64),
        Err(69),
        "for writing"
    );
    assert_eq!(open(&mut process, &mut memory, b"new", 1, 2), Err(69), "creating");
    assert_eq!(open(&mut process, &mut memory, b"new", 0, 2), Err(44));
    assert_eq!(open(&mut process, &mut memory, b"../x", 0, 2), Err(76));
    assert_eq!(
        open(&mut process, &mut memory, b"f", 2, 2),
        Err(54),
        "no directory"
    );
}

#[test]
fn descriptors_are_bounded_and_closed_ones_are_gone() {
    let (mut process, mut memory) = guest(1);
    let opened = (0..1000)
        .map(|_| open(&mut process, &mut memory, b"f", 0, 2))
        .take_while(Result::is_ok);
    assert_eq!(opened.count(), 252);
    assert_eq!(open(&mut process, &mut memory, b"f", 0, 2), Err(33));
    let mut memory = SliceMemory(&mut memory);
    assert_eq!(calls::fd_close(&mut process, &mut memory, 7), Ok(0));
    assert_eq!(calls::fd_close(&mut process, &mut memory, 7), Ok(8));
    assert_eq!(calls::fd_read(&mut process, &mut memory, 7, 0, 1, 8), Ok(8));
    assert_eq!(calls::fd_renumber(&mut process, &mut memory, 9, 1), Ok(0));
    assert_eq!(
        calls::fd_write(&mut process, &mut memory, 1, 0, 1, 8),
        Ok(8),
        "what is a file now is not written"
    );
}

#[test]
fn a_process_that_has_ended_stays_ended() {
    let (mut process, mut memory) = guest(190);
    let mut memory = SliceMemory(&mut memory);
    let write =
        |process: &mut Process, memory: &mut SliceMemory<'_>| calls::fd_write(process, memory, 1, 0, 1, 8);
    let written = (0..100)
        .take_while(|_| write(&mut process, &mut memory).is_ok())
        .count();
    assert_eq!(written, (OUTPUT_BYTES_MAX - 4) / 190);
    assert_eq!(process.ended(), Some(Ended::OutputTooLarge));
    assert_eq!(
        calls::sched_yield(&mut process, &mut memory),
        Err(Ended::OutputTooLarge)
    );
    assert_eq!(calls::proc_exit(&mut process, 0), Ended::OutputTooLarge);
}

#[test]
fn only_the_end_of_standard_error_is_kept() {
    let (mut process, mut memory) = guest(190);
    for turn in 0..1000u32 {
        memory[64..254].fill(b'a' + (turn % 26) as u8);
        assert_eq!(
            calls::fd_write(&mut process, &mut SliceMemory(&mut memory), 2, 0, 1, 8),
            Ok(0)
        );
    }
    assert_eq!(process.stderr().len(), wasi::STDERR_BYTES_KEPT);
    assert!(process.stderr_shown().starts_with('…') && process.stderr_shown().ends_with("lll"));
}

#[test]
fn sleeping_takes_no_time_and_moves_the_clocks() {
    let (mut process, mut memory) = guest(0);
    memory[64 + 24..64 + 32].copy_from_slice(&5_000_000_000u64.to_le_bytes());
    write_u32(&mut memory, 64 + 16, 1);
    let mut memory = SliceMemory(&mut memory);
    assert_eq!(
        calls::poll_oneoff(&mut process, &mut memory, 64, 128, 1, 8),
        Ok(0)
    );
    assert_eq!(read_u32(memory.0, 8), 1);
    assert_eq!(calls::clock_time_get(&mut process, &mut memory, 1, 0, 16), Ok(0));
    let now_ns = u64::from_le_bytes(memory.0[16..24].try_into().unwrap());
    assert_eq!(now_ns, 5_000_000_000 + wasi::CLOCK_STEP_NS);
    assert_eq!(
        calls::poll_oneoff(&mut process, &mut memory, 64, 128, 0, 8),
        Ok(28)
    );
    assert_eq!(
        calls::poll_oneoff(&mut process, &mut memory, 64, 128, u32::MAX, 8),
        Ok(28)
    );
}

#[test]
fn a_listing_can_be_read_in_small_pieces() {
    let (mut process, mut memory) = guest(0);
    let mut memory = SliceMemory(&mut memory);
    let mut names = Vec::new();
    let mut cookie = 0;
    loop {
        assert_eq!(
            calls::fd_readdir(&mut process, &mut memory, 3, 64, 30, cookie, 8),
            Ok(0)
        );
        if read_u32(memory.0, 8) < 24 {
            break;
        }
        let length = read_u32(memory.0, 64 + 16) as usize;
        names.push(String::from_utf8(memory.0[88..88 + length].to_vec()).unwrap());
        cookie = u64::from_le_bytes(memory.0[64..72].try_into().unwrap());
    }
    assert_eq!(names, [".", "..", "d", "f"]);
}
