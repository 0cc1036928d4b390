//! A few connections, lent one at a time: queries beyond them wait instead of opening more.
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Connections that are not in use, and how many are.
#[derive(Debug)]
pub(super) struct Pool<C> {
    state: Mutex<State<C>>,
    returned: Condvar,
    lent_max: usize,
}

#[derive(Debug)]
struct State<C> {
    idle: Vec<C>,
    lent: usize,
}

impl<C> Pool<C> {
    pub(super) fn new(lent_max: usize) -> Self {
        let state = State {
            idle: Vec::new(),
            lent: 0,
        };
        Self {
            state: Mutex::new(state),
            returned: Condvar::new(),
            lent_max,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        // The state is whole between any two statements that hold the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection to `work`, opened where none is idle. One that failed is not used again.
    pub(super) fn with<T, E>(
        &self,
        open: impl FnOnce() -> Result<C, E>,
        work: impl FnOnce(&mut C) -> Result<T, E>,
    ) -> Result<T, E> {
        // Given back whatever happens, also when `work` panics.
        let mut place = Place {
            pool: self,
            connection: None,
        };
        let idle = self.borrow();
        let mut connection = idle.map_or_else(open, Ok)?;
        let result = work(&mut connection);
        if result.is_ok() {
            place.connection = Some(connection);
        }
        result
    }

    fn borrow(&self) -> Option<C> {
        let mut state = self.state();
        while state.lent >= self.lent_max {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.lent += 1;
        state.idle.pop()
    }
}

struct Place<'a, C> {
    pool: &'a Pool<C>,
    connection: Option<C>,
}

impl<C> Drop for Place<'_, C> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.lent -= 1;
        state.idle.extend(self.connection.take());
        drop(state);
        self.pool.returned.notify_one();
    }
}
