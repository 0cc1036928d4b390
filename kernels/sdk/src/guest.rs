//! Inside the sandbox: the four imports, and what happens to a shard that fails.
use crate::entry::{Failure, Host};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU32, Ordering};

#[link(wasm_import_module = "elytra")]
unsafe extern "C" {
    safe fn input_len() -> usize;
    fn input_read(pointer: *mut u8, offset: usize, length: usize);
    fn output_write(pointer: *const u8, length: usize);
    fn log(pointer: *const u8, length: usize);
}

/// The item being computed, for the message of a panic.
static CURRENT_INDEX: AtomicU32 = AtomicU32::new(0);

/// Runs a shard from the sandbox's input to its output; traps when it fails.
pub fn run(entry: fn(&[u8], &mut dyn Host) -> Result<(), Failure>) {
    std::panic::set_hook(Box::new(on_panic));
    if let Err(failure) = entry(&read_input(), &mut Sandbox) {
        trap(&failure);
    }
}

struct Sandbox;

impl Host for Sandbox {
    fn begin(&mut self, index: u32) {
        CURRENT_INDEX.store(index, Ordering::Relaxed);
    }

    fn write(&mut self, bytes: &[u8]) {
        // SAFETY: the pointer and the length are those of a live slice, which the host only reads.
        unsafe { output_write(bytes.as_ptr(), bytes.len()) };
    }
}

fn read_input() -> Vec<u8> {
    let mut input = vec![0; input_len()];
    // SAFETY: the pointer and the length are those of a live buffer nobody else refers to; the host
    // writes that many bytes or traps.
    unsafe { input_read(input.as_mut_ptr(), 0, input.len()) };
    input
}

fn trap(failure: &Failure) -> ! {
    let line = failure.to_string();
    // SAFETY: the pointer and the length are those of a live string, which the host only reads.
    unsafe { log(line.as_ptr(), line.len()) };
    core::arch::wasm32::unreachable()
}

fn on_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("(no message)");
    let place = info
        .location()
        .map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
    let cause = format!("panicked{place}: {message}");
    trap(&Failure {
        index: CURRENT_INDEX.load(Ordering::Relaxed),
        cause,
    });
}
