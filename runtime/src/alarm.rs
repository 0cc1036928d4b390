//! Rings when a run has had its time: a timer on its own thread's CPU time.
//!
//! The ticker is a thread among others, and comes late where all processors are taken: 36 to 86 ms were
//! measured beside a build. This timer needs no other thread. The kernel looks at it whenever it charges the
//! thread (every 4 ms at 250 Hz), and its signal interrupts the program where it is; the handler moves the
//! engine's epoch on, and the program ends at its next loop or call, if it has really had its time.
//!
//! A thread's timer is made once, see [`prepare`]. A run that is shorter than a tick and has time enough never
//! touches it. Where there is no such timer, the ticks remain.
#![cfg_attr(
    not(target_os = "linux"),
    allow(unused_variables, reason = "there is no such timer")
)]
use std::time::Duration;
use wasmtime::Engine;

/// A run with less time than this has its alarm from its beginning, others from their first tick on: even a ticker
/// that is late by as much is in time then.
pub(crate) const EARLY: Duration = Duration::from_secs(1);

#[cfg(target_os = "linux")]
use linux as system;

/// Makes the calling thread's timer. Without it, the first alarm does; where system calls are forbidden later,
/// it must be there before.
pub(crate) fn prepare() {
    system::prepare();
}

/// While it lives, alarms of this thread are for a run of this engine.
pub(crate) struct Alarm<'e> {
    engine: std::marker::PhantomData<&'e Engine>,
    /// The thread's own.
    not_send: std::marker::PhantomData<*const ()>,
}

impl<'e> Alarm<'e> {
    pub(crate) fn of(engine: &'e Engine) -> Self {
        system::begin(engine);
        Self {
            engine: std::marker::PhantomData,
            not_send: std::marker::PhantomData,
        }
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        system::end();
    }
}

/// Rings when the calling thread has taken so much more CPU time, if it has an [`Alarm`] that is not set yet.
pub(crate) fn set(after: Duration) {
    system::set(after);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::Once;
    use std::sync::atomic::Ordering::SeqCst;
    use std::sync::atomic::{AtomicBool, AtomicPtr};
    use std::time::Duration;
    use wasmtime::Engine;

    /// Ignored where nobody handles it, and used by nobody else here: no socket sends urgent bytes.
    const SIGNAL: libc::c_int = libc::SIGURG;
    /// The kernel's clock and ours are the same one, but ours counts whole microseconds.
    const ROUNDING: Duration = Duration::from_micros(2);

    thread_local! {
        // Both without a destructor and without a first value to compute, so that the signal handler may look: they
        // are plain memory of the thread. Atomic, because the handler comes in between.
        static ENGINE: AtomicPtr<Engine> = const { AtomicPtr::new(ptr::null_mut()) };
        static IS_SET: AtomicBool = const { AtomicBool::new(false) };
        static TIMER: Option<Timer> = Timer::new();
    }

    /// A thread's timer. It is given back at the thread's end.
    struct Timer(libc::timer_t);

    impl Timer {
        /// `None` where the system has none to give.
        fn new() -> Option<Self> {
            static HANDLED: Once = Once::new();
            HANDLED.call_once(handle);
            // SAFETY: a structure of numbers and pointers that nobody follows, for which zero is a value.
            let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = SIGNAL;
            // SAFETY: the call takes nothing and cannot fail.
            event.sigev_notify_thread_id = unsafe { libc::gettid() };
            let mut timer = MaybeUninit::uninit();
            // SAFETY: both pointers are valid for the call's length.
            let made = unsafe {
                libc::timer_create(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut event, timer.as_mut_ptr())
            };
            // SAFETY: a call that answers 0 has written it.
            (made == 0).then(|| Self(unsafe { timer.assume_init() }))
        }

        /// Nothing at all stops it.
        fn set(&self, after: Duration) {
            // No limit is longer than some hours.
            let seconds = libc::time_t::try_from(after.as_secs()).unwrap_or(libc::time_t::MAX);
            // SAFETY: a structure of numbers only, for which zero is a value: it rings once.
            let mut when: libc::itimerspec = unsafe { std::mem::zeroed() };
            when.it_value.tv_sec = seconds;
            when.it_value.tv_nsec = after.subsec_nanos().into();
            // SAFETY: the timer is this value's own until it is dropped; the pointer is valid for the call's length.
            // It fails for no timer that exists and no time that is written as it should be.
            unsafe { libc::timer_settime(self.0, 0, &raw const when, ptr::null_mut()) };
        }
    }

    impl Drop for Timer {
        fn drop(&mut self) {
            // SAFETY: it was made by `new` and is not used again. Where the call is forbidden, it goes with the process.
            unsafe { libc::timer_delete(self.0) };
        }
    }

    fn handle() {
        // SAFETY: a structure of numbers and pointers, for which zero is a value.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = ring as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        // SAFETY: the handler does nothing that a signal handler must not do, see there; the structure lives as long
        // as the call. Without a handler the signal is ignored, and the ticks remain.
        unsafe { libc::sigaction(SIGNAL, &raw const action, ptr::null_mut()) };
    }

    extern "C" fn ring(_signal: libc::c_int) {
        // Whoever it rings too early for by a hair sets it again.
        IS_SET.with(|is_set| is_set.store(false, SeqCst));
        let engine = ENGINE.with(|engine| engine.load(SeqCst));
        // SAFETY: the pointer is null, or was put there on this very thread by `begin` from a reference that outlives
        // the `Alarm`, whose end takes it back before. Nobody writes through it. `increment_epoch` is one atomic addition, which Wasmtime documents as safe for signal handlers.
        if let Some(engine) = unsafe { engine.as_ref() } {
            engine.increment_epoch();
        }
    }

    pub(super) fn prepare() {
        // A thread that ends has no timer any more, and sets none.
        let _ = TIMER.try_with(|_| ());
    }

    pub(super) fn begin(engine: &Engine) {
        ENGINE.with(|of_run| of_run.store(ptr::from_ref(engine).cast_mut(), SeqCst));
    }

    pub(super) fn set(after: Duration) {
        let has_run = ENGINE.with(|engine| !engine.load(SeqCst).is_null());
        if !has_run || IS_SET.with(|is_set| is_set.swap(true, SeqCst)) {
            return;
        }
        let _ = TIMER.try_with(|timer| timer.as_ref().map(|timer| timer.set(after + ROUNDING)));
    }

    pub(super) fn end() {
        ENGINE.with(|engine| engine.store(ptr::null_mut(), SeqCst));
        if IS_SET.with(|is_set| is_set.swap(false, SeqCst)) {
            let _ = TIMER.try_with(|timer| timer.as_ref().map(|timer| timer.set(Duration::ZERO)));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn prepare() {}
    pub(super) fn begin(_engine: &wasmtime::Engine) {}
    pub(super) fn set(_after: std::time::Duration) {}
    pub(super) fn end() {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use wasmtime::{Config, Instance, Module, Store, Trap};

    const LOOP: &str = r#"(module (func (export "run") (loop $again (br $again))))"#;

    /// An engine that nobody ticks, and a program that never ends.
    fn endless() -> (Engine, Module) {
        let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
        let module = Module::new(&engine, wat::parse_str(LOOP).unwrap()).unwrap();
        (engine, module)
    }

    fn run(engine: &Engine, module: &Module) -> Trap {
        let mut store = Store::new(engine, ());
        store.set_epoch_deadline(1);
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        *run.call(&mut store, ()).unwrap_err().downcast_ref().unwrap()
    }

    #[test]
    fn it_rings_without_any_other_thread() {
        let (engine, module) = endless();
        for _ in 0..3 {
            let before_us = crate::clock::thread_cpu_us();
            let _alarm = Alarm::of(&engine);
            set(Duration::from_millis(10));
            assert_eq!(run(&engine, &module), Trap::Interrupt);
            let took_us = crate::clock::thread_cpu_us() - before_us;
            assert!(took_us >= 10_000, "{took_us} µs");
        }
    }

    #[test]
    fn it_is_the_last_one_that_counts() {
        let (engine, module) = endless();
        {
            let _alarm = Alarm::of(&engine);
            set(Duration::from_millis(1));
        }
        let _alarm = Alarm::of(&engine);
        set(Duration::from_millis(30));
        let before_us = crate::clock::thread_cpu_us();
        assert_eq!(run(&engine, &module), Trap::Interrupt);
        let took_us = crate::clock::thread_cpu_us() - before_us;
        assert!(took_us >= 29_000, "the first one rang: {took_us} µs");
    }
}
