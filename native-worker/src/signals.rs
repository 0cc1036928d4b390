//! The first SIGTERM or SIGINT drains, the second one ends at once.
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How a worker is told to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Go on.
    #[default]
    No,
    /// Finish what runs, give back the rest, leave.
    Drain,
    /// Leave now.
    Now,
}

/// Listens for SIGTERM and SIGINT from now on.
pub fn listen() -> std::io::Result<watch::Receiver<Stop>> {
    let (tell, stop) = watch::channel(Stop::No);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for order in [Stop::Drain, Stop::Now] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tell.send_replace(order);
        }
        // The channel stays open: a closed one would not say more.
        tell.closed().await;
    });
    Ok(stop)
}
