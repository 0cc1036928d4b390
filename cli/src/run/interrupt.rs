//! Ctrl-C and SIGTERM while a job runs: the first one cancels the job, the second one ends at once.
use crate::failure::{Code, Failure};
use crate::say::note;
use elytra_client::Client;
use protocol::ids::JobId;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// From now on a signal cancels the job; its results end then, and with them the command.
pub(super) fn cancel_on_signal(client: Client, job: JobId) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::Other(error.into()));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        note("cancelling; once more quits at once");
        tokio::spawn(async move {
            if let Err(failure) = client.steer(job, "cancel").await {
                note(&format!(
                    "the job could not be cancelled ({:?}): elytra cancel {job}",
                    Failure::from(failure).code()
                ));
                std::process::exit(Code::Cancelled as i32);
            }
        });
        next(&mut interrupt, &mut terminate).await;
        std::process::exit(Code::Cancelled as i32);
    });
    Ok(())
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
