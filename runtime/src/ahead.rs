//! The one program that is compiled before anybody asked for it.
//!
//! It holds no lock that another program's compilation needs. Whoever wants this very program compiles it too,
//! because on a busy machine a child of low priority may take very long; the first of the two stops the other.
use crate::compile::Stop;
use protocol::ids::ProgramHash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is compiled ahead, if anything is.
#[derive(Default)]
pub(crate) struct Ahead(Mutex<State>);

#[derive(Default)]
struct State {
    current: Option<Current>,
    /// The process ends: nothing more begins.
    ending: bool,
}

struct Current {
    program: ProgramHash,
    stop: Arc<Stop>,
    /// A compilation for somebody who waits.
    rival: Option<Arc<Stop>>,
}

impl Ahead {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the turn; `None` while another program has it, and at the end.
    pub(crate) fn begin(&self, program: ProgramHash) -> Option<Turn<'_>> {
        let mut state = self.lock();
        if state.ending || state.current.is_some() {
            return None;
        }
        let stop = Arc::new(Stop::default());
        state.current = Some(Current {
            program,
            stop: Arc::clone(&stop),
            rival: None,
        });
        Some(Turn { ahead: self, stop })
    }

    /// The compilation that `rival` stops begins, for somebody who waits.
    pub(crate) fn race(&self, program: ProgramHash, rival: &Arc<Stop>) {
        let mut state = self.lock();
        if let Some(current) = state.current.as_mut().filter(|c| c.program == program) {
            current.rival = Some(Arc::clone(rival));
        }
    }

    /// Somebody else was first.
    pub(crate) fn lost(&self, program: ProgramHash) {
        if let Some(current) = self.lock().current.as_ref().filter(|c| c.program == program) {
            current.stop.stop();
        }
    }

    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.ending = true;
        if let Some(current) = &state.current {
            current.stop.stop();
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

    /// The program is ready.
    pub(crate) fn won(self) {
        let rival = self.ahead.lock().current.as_mut().and_then(|c| c.rival.take());
        if let Some(rival) = rival {
            rival.stop();
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.ahead.lock().current = None;
    }
}
