//! What a connection's stream has to know of the requests and messages that travel on it.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use protocol::limits::FRAME_BYTES_MAX;

/// Most bytes of a socket between two whole messages: one message, and what its frames cost besides.
const UNHEARD_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
/// Most pings and pongs of a socket between two messages. Each ping is answered, and the answer waits where
/// nobody reads.
const PINGS_MAX: u32 = 64;

/// Shared by a connection's stream, the requests on it, and the session that it may become.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Requests begun so far.
    begun: AtomicU32,
    /// Requests ended so far: as many as begun while the next head is waited for.
    ended: AtomicU32,
    upgraded: AtomicBool,
    /// Bytes since the last whole message.
    unheard_bytes: AtomicUsize,
    pings: AtomicU32,
    lingers: AtomicBool,
}

/// A request is being answered, until this is dropped.
#[derive(Debug)]
pub(crate) struct Serving(Arc<Gate>);

impl Gate {
    /// A whole head came.
    pub(crate) fn begin(self: &Arc<Self>) -> Serving {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Serving(Arc::clone(self))
    }

    /// The number of the head that is waited for; none while a request is answered, or frames travel.
    pub(super) fn awaited_head(&self) -> Option<u32> {
        let begun = self.begun.load(Ordering::Relaxed);
        let waits = !self.is_upgraded() && self.ended.load(Ordering::Relaxed) == begun;
        waits.then_some(begun)
    }

    /// Frames travel from now on.
    pub(super) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// Bytes came; says whether there may be so many.
    pub(super) fn came(&self, bytes: usize) -> bool {
        let unheard = self.unheard_bytes.fetch_add(bytes, Ordering::Relaxed);
        !self.is_upgraded() || unheard + bytes <= UNHEARD_BYTES_MAX
    }

    /// A whole message was read.
    pub(crate) fn heard(&self) {
        self.unheard_bytes.store(0, Ordering::Relaxed);
        self.pings.store(0, Ordering::Relaxed);
    }

    /// A ping or pong was read; says whether there may be so many.
    pub(crate) fn pinged(&self) -> bool {
        self.pings.fetch_add(1, Ordering::Relaxed) < PINGS_MAX
    }

    /// The peer is told why before the end, and may still be writing: what it writes is read for a moment,
    /// because a connection that is cut off takes with it what was said last.
    pub(crate) fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    pub(super) fn lingers(&self) -> bool {
        self.lingers.load(Ordering::Relaxed)
    }
}

impl Serving {
    pub(super) fn gate(&self) -> &Gate {
        &self.0
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Bytes of a body are no concern of the messages that may follow.
        self.0.unheard_bytes.store(0, Ordering::Relaxed);
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}
