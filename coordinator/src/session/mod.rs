//! One worker's WebSocket: frames in, frames out, bounded on both sides.
//!
//! The session decides nothing. It checks the hello, hands every message to the engine, and writes
//! what the engine tells it: all that waits is written with one flush. A peer that sends what is no
//! frame, reads too slowly or says nothing at first is told why and closed; nobody else notices.
mod account;
mod check;
mod input;

pub(crate) use account::Member;
pub(crate) use input::items_of;

use crate::accept::{Gate, Place};
use crate::auth::{Auth, Bearer};
use crate::blobs::Blobs;
use crate::engine::{Engine, EngineError, JobInfo, Joined, SessionOut, Steer, WorkerHello};
use crate::holds::{self, Hold};
use crate::launch::{LaunchError, launch};
use crate::metrics;
use crate::programs::Programs;
use crate::route::door::Door;
use crate::ticket::is_ticket;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use protocol::api::Scope;
use protocol::frame::{decode_from_worker, encode_to_worker};
use protocol::ids::{SessionId, WorkerId};
use protocol::limits::{CACHED_PROGRAMS_MAX, HEARTBEAT_MS, HELLO_MS_MAX, NAME_CHARS_MAX};
use protocol::trust::NetworkPrefix;
use protocol::wire::{FromWorker, Hello, OpenJob, RefusalCode, ToWorker, WorkerKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Messages written with one flush, and frames read before writing goes on.
const BURST_MAX: usize = 64;
/// How long a peer may take for one message, while it reads at all; one that reads nothing is cut off sooner.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a peer may take to read why its session ends.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(4);
/// Pings of a peer that has not said who it is.
const EARLY_PINGS_MAX: usize = 16;
/// What may be said in a close frame, in bytes.
const CLOSE_REASON_BYTES_MAX: usize = 120;

/// Who may be a worker here, and where the programs of jobs and the items of leases lie.
pub(crate) struct WorkerAccess {
    pub(crate) token_required: bool,
    /// The page that the socket belongs to, where it is a page's.
    pub(crate) page: Option<String>,
    /// What the socket's stream is told.
    pub(crate) gate: Arc<Gate>,
    pub(crate) door: Arc<Door>,
    /// As which the peer asked for this server.
    pub(crate) host: String,
    /// From where the peer connects.
    pub(crate) network: NetworkPrefix,
    pub(crate) auth: Arc<Auth>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) programs: Arc<Programs>,
}

/// Why a session ends, and what the peer is told of it.
enum End {
    /// The peer is gone, or said goodbye.
    Gone,
    /// The peer is told why.
    Refused(RefusalCode, String),
    /// A frame or message is longer than any may be.
    TooLong(String),
}

/// Why a close frame says that a session ends, as RFC 6455 and its register number it.
mod close {
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const MALFORMED: u16 = 1002;
    pub(super) const NOT_ALLOWED: u16 = 1008;
    pub(super) const TOO_LONG: u16 = 1009;
    pub(super) const TRY_LATER: u16 = 1013;
}

impl End {
    /// What the peer is told, and the number of the close frame.
    fn told(self) -> Option<(RefusalCode, String, u16)> {
        let (code, detail) = match self {
            Self::Gone => return None,
            Self::TooLong(detail) => return Some((RefusalCode::FrameMalformed, detail, close::TOO_LONG)),
            Self::Refused(code, detail) => (code, detail),
        };
        let number = match code {
            RefusalCode::GoingAway => close::GOING_AWAY,
            RefusalCode::FrameMalformed | RefusalCode::VersionWrong => close::MALFORMED,
            RefusalCode::Full | RefusalCode::TooSlow | RefusalCode::Silent => close::TRY_LATER,
            _ => close::NOT_ALLOWED,
        };
        Some((code, detail, number))
    }
}

impl From<axum::Error> for End {
    fn from(_: axum::Error) -> Self {
        Self::Gone
    }
}

impl From<EngineError> for End {
    fn from(error: EngineError) -> Self {
        let code = match error {
            EngineError::Full(_) => RefusalCode::Full,
            _ => RefusalCode::GoingAway,
        };
        Self::Refused(code, error.to_string())
    }
}

/// Serves one worker until it leaves or is refused.
pub(crate) async fn serve(
    mut socket: WebSocket,
    engine: Engine,
    access: WorkerAccess,
    greeting: Option<Place>,
) {
    let end = talk(&mut socket, &engine, &access, greeting).await;
    if let Some((code, detail, number)) = end.told() {
        ::metrics::counter!(metrics::SESSIONS_REFUSED_TOTAL, "code" => format!("{code:?}")).increment(1);
        tracing::info!(?code, detail, "a session was refused");
        access.gate.linger();
        let reason = detail[..detail.floor_char_boundary(CLOSE_REASON_BYTES_MAX)].into();
        let refused = encode_to_worker(&ToWorker::Refused { code, detail });
        let closing = CloseFrame { code: number, reason };
        let farewell = async {
            socket.send(Message::Binary(refused.into())).await?;
            socket.send(Message::Close(Some(closing))).await
        };
        // A peer that does not even read this is gone.
        let _ = tokio::time::timeout(FAREWELL_TIME_MAX, farewell).await;
    }
}

async fn talk(
    socket: &mut WebSocket,
    engine: &Engine,
    access: &WorkerAccess,
    greeting: Option<Place>,
) -> End {
    let (hello, hold) = match hello(socket, engine, access).await {
        Ok(hello) => hello,
        Err(end) => return end,
    };
    drop(greeting);
    let worker = hello.hello.worker;
    let Joined { session, outputs } = match engine.join(hello).await {
        Ok(joined) => joined,
        Err(error) => return error.into(),
    };
    tracing::debug!(%worker, %session, "a worker joined");
    // First what the session does: the token is looked at only when it waits.
    let end = tokio::select! {
        biased;
        end = Box::pin(exchange(socket, engine, access, session, outputs)) => end,
        () = holds::over(hold) => End::Refused(RefusalCode::TokenWrong, "the token was revoked, or has expired".into()),
    };
    engine.leave(session).await;
    tracing::debug!(%worker, %session, "a worker left");
    end
}

/// Who the worker is, and what keeps its session open.
async fn hello(
    socket: &mut WebSocket,
    engine: &Engine,
    access: &WorkerAccess,
) -> Result<(WorkerHello, Option<Hold>), End> {
    let wait = Duration::from_millis(u64::from(HELLO_MS_MAX));
    let Ok(first) = tokio::time::timeout(wait, next_frame(socket)).await else {
        let detail = format!("no hello came within {} s", wait.as_secs());
        return Err(End::Refused(RefusalCode::Silent, detail));
    };
    let FromWorker::Hello(hello) = first? else {
        return Err(End::Refused(
            RefusalCode::OutOfTurn,
            "the first message must be a hello".into(),
        ));
    };
    check_hello(&hello)?;
    let bearer = check_token(hello.token.as_deref(), access).await?;
    // A tab is lent by whoever sits before it, also where its page knows the operator's token.
    let is_tab = hello.kind == WorkerKind::Tab || access.page.is_some();
    let trusted = bearer.allows(Scope::Trusted) && !is_tab;
    let hold = access.auth.hold(&bearer);
    let member = account::member(socket, &hello, access, engine.reader()).await?;
    let hello = WorkerHello {
        hello: Hello { token: None, ..hello },
        member,
        trusted,
        network: access.network,
    };
    Ok((hello, hold))
}

fn check_hello(hello: &Hello) -> Result<(), End> {
    let long = |text: &str| text.chars().count() > NAME_CHARS_MAX;
    let wrong = match () {
        () if hello.slots == 0 => "slots must be at least 1",
        () if hello.window_max == 0 => "window_max must be at least 1",
        () if long(&hello.name) || long(&hello.agent) => "name and agent have at most 200 characters",
        () if hello.cached.len() > CACHED_PROGRAMS_MAX => "cached names at most 64 programs",
        () if hello.worker == WorkerId(0) => "the worker id must not be 0: choose one by chance and keep it",
        () => return Ok(()),
    };
    Err(End::Refused(RefusalCode::OutOfTurn, wrong.into()))
}

/// Whose worker it is; an error when it may not work here.
async fn check_token(token: Option<&str>, access: &WorkerAccess) -> Result<Bearer, End> {
    let bearer = match (&access.page, token) {
        (Some(page), Some(ticket)) => by_ticket(ticket, page, access).await?,
        (Some(_), None) if !access.token_required => return Err(ticket_missing()),
        (Some(_), None) => Bearer::anonymous(),
        (None, Some(token)) => access.auth.check(token).await.map_err(token_wrong)?,
        (None, None) => Bearer::anonymous(),
    };
    if bearer.allows(Scope::Work) || (bearer.token.is_none() && !access.token_required) {
        return Ok(bearer);
    }
    if bearer.token.is_none() {
        let detail = "this coordinator asks workers for a token with the scope `work`; ask its operator for one, \
                      who makes it with: elytra token create --scope work";
        return Err(End::Refused(RefusalCode::TokenMissing, detail.into()));
    }
    let detail = "the token lacks the scope `work`; make one with: elytra token create --scope work";
    Err(End::Refused(RefusalCode::ScopeMissing, detail.into()))
}

fn ticket_missing() -> End {
    let detail = "a page's worker shows a ticket: ask for one with POST /api/v1/tickets";
    End::Refused(RefusalCode::TokenMissing, detail.into())
}

/// Whose page showed this ticket. A token in its place is told what is wrong with it, and never enough.
async fn by_ticket(ticket: &str, page: &str, access: &WorkerAccess) -> Result<Bearer, End> {
    if !is_ticket(ticket) {
        let bearer = access.auth.check(ticket).await.map_err(token_wrong)?;
        return if bearer.allows(Scope::Work) {
            Err(ticket_missing())
        } else {
            Ok(bearer)
        };
    }
    let taken = access.door.tickets.take(ticket, page);
    match taken.map_err(token_wrong)? {
        Some(id) => access.auth.bearer_of(&id).await.map_err(token_wrong),
        None => Ok(Bearer::anonymous()),
    }
}

fn token_wrong(error: impl std::fmt::Display) -> End {
    End::Refused(RefusalCode::TokenWrong, error.to_string())
}

/// Waits for the next binary frame.
async fn next_frame(socket: &mut WebSocket) -> Result<FromWorker, End> {
    for _ in 0..EARLY_PINGS_MAX {
        if let Some(message) = understood(socket.next().await)? {
            return Ok(message);
        }
    }
    Err(too_many_pings())
}

fn too_many_pings() -> End {
    End::Refused(
        RefusalCode::OutOfTurn,
        "too many pings, and no message between them".into(),
    )
}

/// What came off the socket: a message, something to ignore, or the end.
fn understood(came: Option<Result<Message, axum::Error>>) -> Result<Option<FromWorker>, End> {
    match came {
        Some(Ok(Message::Binary(frame))) => match decode_from_worker(&frame) {
            Ok(message) => Ok(Some(message)),
            Err(error) => Err(End::Refused(error.code(), error.to_string())),
        },
        Some(Ok(Message::Text(_))) => Err(End::Refused(
            RefusalCode::FrameMalformed,
            "frames are binary, this one is text".into(),
        )),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Ok(Message::Close(_))) | None => Err(End::Gone),
        Some(Err(error)) => Err(too_long(&error)),
    }
}

/// The library reports a frame over the limit as an error of the stream; the peer deserves the reason.
fn too_long(error: &axum::Error) -> End {
    let text = error.to_string();
    if text.contains("too long") || text.contains("too large") || text.contains("too big") {
        let detail = format!(
            "a frame has at most {} bytes: {text}",
            protocol::limits::FRAME_BYTES_MAX
        );
        return End::TooLong(detail);
    }
    End::Gone
}

/// Carries messages both ways until one side ends it.
async fn exchange(
    socket: &mut WebSocket,
    engine: &Engine,
    access: &WorkerAccess,
    session: SessionId,
    mut outputs: mpsc::Receiver<SessionOut>,
) -> End {
    let welcome = ToWorker::Welcome {
        session,
        heartbeat_ms: HEARTBEAT_MS,
    };
    if socket
        .send(Message::Binary(encode_to_worker(&welcome).into()))
        .await
        .is_err()
    {
        return End::Gone;
    }
    let mut burst = Vec::new();
    loop {
        let step = tokio::select! {
            biased;
            count = outputs.recv_many(&mut burst, BURST_MAX) => match count {
                0 => Err(End::Refused(RefusalCode::TooSlow, "it reads too slowly: too many messages wait".into())),
                _ => write(socket, engine, access, &mut burst).await,
            },
            came = socket.next() => read(came, socket, engine, access, session).await,
        };
        if let Err(end) = step {
            return end;
        }
    }
}

/// Hands one frame to the engine, and those that are here already with it.
async fn read(
    mut came: Option<Result<Message, axum::Error>>,
    socket: &mut WebSocket,
    engine: &Engine,
    access: &WorkerAccess,
    session: SessionId,
) -> Result<(), End> {
    for left in (0..BURST_MAX).rev() {
        let message = understood(came)?;
        if message.is_none() && !access.gate.pinged() {
            return Err(too_many_pings());
        }
        if let Some(message) = message {
            access.gate.heard();
            let goodbye = message == FromWorker::Goodbye;
            let message = check::message(message, &access.blobs).await?;
            engine.tell(session, message).await?;
            if goodbye {
                return Err(End::Gone);
            }
        }
        // What is taken off the socket is never left behind: not even by the last turn.
        match (left > 0).then(|| socket.next().now_or_never()).flatten() {
            Some(more) => came = more,
            None => break,
        }
    }
    Ok(())
}

/// Writes what the engine told, with one flush.
async fn write(
    socket: &mut WebSocket,
    engine: &Engine,
    access: &WorkerAccess,
    burst: &mut Vec<SessionOut>,
) -> Result<(), End> {
    for out in burst.drain(..) {
        let message = match out {
            // Boxed: it is rare, and what it needs while it waits would lie in every idle session.
            SessionOut::Open(info) => ToWorker::Open(Box::pin(open(engine, access, &info)).await?),
            SessionOut::Close(job) => ToWorker::Close { job },
            SessionOut::Lease(lease) => {
                let (grant, info) = *lease;
                ToWorker::Lease(input::lease(access, grant, &info).await)
            }
            SessionOut::Cancel(cancel) => {
                let (lease, shards) = *cancel;
                ToWorker::Cancel { lease, shards }
            }
            SessionOut::Drain => ToWorker::Drain,
            SessionOut::End(code, detail) => return Err(End::Refused(code, detail)),
        };
        in_time(socket.feed(Message::Binary(encode_to_worker(&message).into()))).await?;
    }
    in_time(socket.flush()).await
}

/// A job that cannot be started ends the session: its worker connects again, and the store may be back.
/// One that never will be is cancelled, so that no worker meets it twice.
async fn open(engine: &Engine, access: &WorkerAccess, info: &JobInfo) -> Result<OpenJob, End> {
    let made: Result<_, LaunchError> = info.launch(launch(&access.programs, &access.blobs, info)).await;
    let error = match made {
        Ok(launch) => return Ok(info.open(launch)),
        Err(error) => error,
    };
    tracing::error!(job = %info.record.id, %error, "a job cannot be started");
    if !error.may_pass() {
        let reason = Some(format!("it cannot be started: {error}"));
        engine.steer(info.record.id, Steer::Cancel { reason }).await?;
    }
    let detail = "the coordinator cannot read a job".into();
    Err(End::Refused(RefusalCode::GoingAway, detail))
}

async fn in_time(writing: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    match tokio::time::timeout(WRITE_TIME_MAX, writing).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(End::Gone),
    }
}
