//! The clocks of a run: its thread's CPU time, wall time, and the ticks at which both are looked at.
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};
use wasmtime::Engine;

/// How often a running program is looked at.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// Ticks without any run after which the ticker sleeps.
const IDLE_TICKS_MAX: u32 = 200;

/// CPU time of the calling thread, in microseconds.
pub(crate) fn thread_cpu_us() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid, exclusive pointer for the call's length.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    // The clock exists on every Linux; zero would only make a run look cheap.
    if result != 0 {
        return 0;
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanoseconds / 1_000
}

/// How long the ticker runs at a time: the shorter, the earlier it is let in on a busy machine. The kernel's least.
#[cfg(target_os = "linux")]
const TICKER_SLICE_NS: u64 = 100_000;

/// Asks the scheduler to let the calling thread in as soon as it wakes, although programs compute beside it. Measured
/// beside two that do, at load 9 on two cores: ticks that are late by at most 26 ms instead of 358.
#[cfg(target_os = "linux")]
fn be_prompt() {
    // SAFETY: a structure of numbers only, for which zero is a value.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    attributes.size = size_of::<libc::sched_attr>() as u32;
    attributes.sched_policy = libc::SCHED_OTHER as u32;
    // SAFETY: the call takes numbers; 0 is the calling thread.
    attributes.sched_nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    attributes.sched_runtime = TICKER_SLICE_NS;
    // SAFETY: the structure is as long as it says and lives as long as the call. A kernel before 6.12 has no slices
    // of one's own and does nothing.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

/// Elsewhere the ticker is a thread as any other.
#[cfg(not(target_os = "linux"))]
fn be_prompt() {}

/// Measures one run on its own thread.
#[derive(Clone, Copy)]
pub(crate) struct Meter {
    cpu_us_at_start: u64,
    start: Instant,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self {
            cpu_us_at_start: thread_cpu_us(),
            start: Instant::now(),
        }
    }

    pub(crate) fn cpu_us(&self) -> u64 {
        thread_cpu_us().saturating_sub(self.cpu_us_at_start)
    }

    pub(crate) fn wall_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A thread that moves the engine's epoch on every [`TICK`] while anything runs.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    sleeper: Thread,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    started: AtomicU64,
    asleep: AtomicBool,
    over: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: Engine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let (tell, told) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("ticker".into()).spawn(move || {
            be_prompt();
            // Whoever made it has gone only when it needs no ticks.
            let _ = tell.send(());
            for_thread.tick(&engine);
        })?;
        // A guest process shuts its door behind this, and a thread's first steps must be done by then.
        told.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(Self {
            shared,
            sleeper: thread.thread().clone(),
            thread: Some(thread),
        })
    }

    /// Ticks come at least until the returned guard is dropped.
    pub(crate) fn run(&self) -> Running<'_> {
        // The order (count, then look at `asleep`) is the ticker's order turned round, so one of the
        // two always sees the other.
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        self.shared.started.fetch_add(1, Ordering::Relaxed);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.sleeper.unpark();
        }
        Running(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.sleeper.unpark();
        if let Some(thread) = self.thread.take() {
            // A panic of the ticker has been printed already; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

/// While it lives, the ticker ticks.
pub(crate) struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn tick(&self, engine: &Engine) {
        let (mut idle_ticks, mut started) = (0, 0);
        while !self.over.load(Ordering::SeqCst) {
            thread::park_timeout(TICK);
            engine.increment_epoch();
            let started_now = self.started.load(Ordering::Relaxed);
            let idle = started_now == started && self.running.load(Ordering::SeqCst) == 0;
            idle_ticks = if idle { idle_ticks + 1 } else { 0 };
            started = started_now;
            if idle_ticks > IDLE_TICKS_MAX {
                self.sleep();
                idle_ticks = 0;
            }
        }
    }

    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.over.load(Ordering::SeqCst) {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}
