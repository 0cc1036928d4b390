//! The stream of one connection, with its patience: for the head of a request, for a peer that does not read, and
//! for a socket that sends what never becomes a message.
use super::caps::Place;
use super::gate::Gate;
use super::tls::Transport;
use crate::metrics;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};

/// How long a worker may take nothing of what is written to it.
const WORKER_STALL_MAX: Duration = Duration::from_secs(10);
/// The same for the reader of an answer: people look at long ones page by page.
const READER_STALL_MAX: Duration = Duration::from_secs(60);
/// Fewer bytes than these are no progress.
const PROGRESS_BYTES_MIN: usize = 16 << 10;
/// How long, and for how many bytes, a peer that was told why is still read.
const LINGER_TIME_MAX: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 4 << 20;
const LINGER_PIECE_BYTES: usize = 16 << 10;

/// What a connection takes of what there is: a place among all, and one among those of its address.
pub(super) type Places = (OwnedSemaphorePermit, Place);

/// The stream.
pub(super) struct Guarded {
    /// Taken out only by the drop.
    transport: Option<Transport>,
    gate: Arc<Gate>,
    head_time_max: Duration,
    /// Rings when the head with this number took too long.
    head: Option<(u32, Pin<Box<Sleep>>)>,
    stall: Option<Stall>,
    places: Option<Places>,
}

/// A peer has not taken what was written.
struct Stall {
    until: Pin<Box<Sleep>>,
    moved_bytes: usize,
}

impl Guarded {
    /// The time of the first head runs since `begun`.
    pub(super) fn new(
        transport: Transport,
        gate: Arc<Gate>,
        places: Places,
        begun: Instant,
        head_time_max: Duration,
    ) -> Self {
        let head = Box::pin(tokio::time::sleep_until(begun + head_time_max));
        Self {
            transport: Some(transport),
            gate,
            head_time_max,
            head: Some((0, head)),
            stall: None,
            places: Some(places),
        }
    }

    fn transport(&mut self) -> io::Result<Pin<&mut Transport>> {
        let closed = || io::Error::from(io::ErrorKind::NotConnected);
        self.transport.as_mut().map(Pin::new).ok_or_else(closed)
    }

    /// The first bytes of a head start its time.
    fn on_bytes(&mut self, bytes: usize) -> io::Result<()> {
        if !self.gate.came(bytes) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "so many bytes, and no whole message",
            ));
        }
        match self.gate.awaited_head() {
            Some(number) if self.head.as_ref().is_none_or(|(known, _)| *known != number) => {
                self.head = Some((number, Box::pin(sleep(self.head_time_max))));
            }
            Some(_) => {}
            None => self.head = None,
        }
        Ok(())
    }

    /// Whether a head that began has taken too long.
    fn head_is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let awaited = self.gate.awaited_head();
        match &mut self.head {
            Some((number, late)) if awaited == Some(*number) => late.as_mut().poll(cx).is_ready(),
            _ => {
                self.head = None;
                false
            }
        }
    }

    /// Bytes left, or did not: for how long is a peer's to choose only up to a point.
    fn on_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                if let Some(stall) = &mut self.stall {
                    stall.moved_bytes += bytes;
                    if stall.moved_bytes >= PROGRESS_BYTES_MIN {
                        self.stall = None;
                    }
                }
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.on_stall(cx),
        }
    }

    fn on_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let patience = if self.gate.is_upgraded() {
            WORKER_STALL_MAX
        } else {
            READER_STALL_MAX
        };
        let stall = self.stall.get_or_insert_with(|| Stall {
            until: Box::pin(sleep(patience)),
            moved_bytes: 0,
        });
        ready!(stall.until.as_mut().poll(cx));
        ::metrics::counter!(metrics::READERS_STALLED_TOTAL).increment(1);
        let error = io::Error::new(io::ErrorKind::TimedOut, "the peer does not read");
        Poll::Ready(Err(error))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match self.transport()?.poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                self.on_bytes(buffer.filled().len() - before)?;
                Poll::Ready(Ok(()))
            }
            Poll::Pending if self.head_is_late(cx) => {
                let error = io::Error::new(io::ErrorKind::TimedOut, "the head of a request took too long");
                Poll::Ready(Err(error))
            }
            other => other,
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.transport()?.poll_write(cx, bytes);
        self.on_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.transport()?.poll_write_vectored(cx, pieces);
        self.on_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    /// Whoever flushes has handed over all there is; with that no reader is late any more.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.transport()?.poll_flush(cx) {
            Poll::Ready(flushed) => {
                self.stall = None;
                Poll::Ready(flushed)
            }
            Poll::Pending => self.on_stall(cx).map_ok(drop),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.transport()?.poll_shutdown(cx) {
            Poll::Pending => self.on_stall(cx).map_ok(drop),
            closed => closed,
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let (Some(transport), true) = (self.transport.take(), self.gate.lingers()) else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(linger(transport, self.places.take()));
        }
    }
}

/// Ends our side, and reads on for a moment (RFC 9112, section 9.6). The connection keeps its places meanwhile.
async fn linger(mut transport: Transport, places: Option<Places>) {
    let drained = async {
        transport.shutdown().await?;
        let mut piece = vec![0; LINGER_PIECE_BYTES];
        let mut left = LINGER_BYTES_MAX;
        loop {
            match transport.read(&mut piece).await? {
                0 => return io::Result::Ok(()),
                bytes if bytes > left => return Ok(()),
                bytes => left -= bytes,
            }
        }
    };
    // However it ends, nobody is left to be told.
    let _ = tokio::time::timeout(LINGER_TIME_MAX, drained).await;
    drop(places);
}
