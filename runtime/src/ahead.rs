//! The one program that is compiled before anybody asked for it.
//!
//! It holds no lock that another program's compilation needs. Whoever wants this very program waits until it is
//! there, because half of the work may be done.
use crate::compile::Stop;
use protocol::ids::ProgramHash;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What is compiled ahead, if anything is.
#[derive(Default)]
pub(crate) struct Ahead {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Default)]
struct State {
    current: Option<(ProgramHash, Arc<Stop>)>,
    /// The process ends: nothing more begins.
    ending: bool,
}

impl Ahead {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the turn; `None` while another program has it, and at the end.
    pub(crate) fn begin(&self, program: ProgramHash) -> Option<Turn<'_>> {
        let mut state = self.lock();
        if state.ending || state.current.is_some() {
            return None;
        }
        let stop = Arc::new(Stop::default());
        state.current = Some((program, Arc::clone(&stop)));
        Some(Turn { ahead: self, stop })
    }

    /// Waits while this program is being compiled; its end may have been a failure.
    pub(crate) fn wait_for(&self, program: ProgramHash) {
        let is_it = |state: &mut State| matches!(&state.current, Some((current, _)) if *current == program);
        let waited = self.over.wait_while(self.lock(), is_it);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.ending = true;
        if let Some((_, stop)) = &state.current {
            stop.stop();
        }
    }
}

/// The right to compile ahead; it ends when this is dropped, however the compilation ended.
pub(crate) struct Turn<'a> {
    ahead: &'a Ahead,
    stop: Arc<Stop>,
}

impl Turn<'_> {
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.ahead.lock().current = None;
        self.ahead.over.notify_all();
    }
}
