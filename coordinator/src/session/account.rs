//! Whom a worker's answers are counted for: it proves that it has the key it named, and what is remembered of the
//! account is read.
use super::{End, WorkerAccess, next_frame};
use crate::store::{AccountRecord, Reader};
use axum::extract::ws::{Message, WebSocket};
use protocol::account::{Nonce, is_audience};
use protocol::frame::encode_to_worker;
use protocol::ids::{AccountId, PublicKey};
use protocol::limits::{DISPLAY_NAME_CHARS_MAX, HELLO_MS_MAX};
use protocol::wire::{FromWorker, Hello, RefusalCode, ToWorker};
use std::sync::Arc;
use std::time::Duration;

/// An account that is who it says to be.
pub(crate) struct Member {
    pub(crate) account: AccountId,
    /// The name under which it wants to be listed; of a worker without a key nothing is known.
    pub(crate) name: Option<Option<String>>,
    /// What is remembered of it.
    pub(crate) record: AccountRecord,
}

pub(super) async fn member(
    socket: &mut WebSocket,
    hello: &Hello,
    access: &WorkerAccess,
    reader: Arc<dyn Reader>,
) -> Result<Member, End> {
    let (account, name) = match &hello.account {
        Some(key) => (key.account(), Some(proved(socket, key, access).await?)),
        None => (AccountId::of_worker(hello.worker), None),
    };
    let record = tokio::task::spawn_blocking(move || reader.account(account)).await;
    let record = record
        .map_err(|error| going_away(&error))?
        .map_err(|error| going_away(&error))?;
    Ok(Member {
        account,
        name,
        record: record.unwrap_or_default(),
    })
}

/// The name under which the owner of a key wants to be listed, once the worker has shown to be that owner.
async fn proved(
    socket: &mut WebSocket,
    key: &PublicKey,
    access: &WorkerAccess,
) -> Result<Option<String>, End> {
    let mut nonce = Nonce([0; 32]);
    getrandom::fill(&mut nonce.0).map_err(|error| going_away(&error))?;
    let challenge = encode_to_worker(&ToWorker::Challenge { nonce });
    socket.send(Message::Binary(challenge.into())).await?;
    let wait = Duration::from_millis(u64::from(HELLO_MS_MAX));
    let Ok(answer) = tokio::time::timeout(wait, next_frame(socket)).await else {
        let detail = format!("no proof of the account came within {} s", wait.as_secs());
        return Err(End::Refused(RefusalCode::Silent, detail));
    };
    let FromWorker::Proof {
        audience,
        signature,
        display_name,
    } = answer?
    else {
        let detail = "after a challenge the next message must be its proof".into();
        return Err(End::Refused(RefusalCode::OutOfTurn, detail));
    };
    if !is_audience(&audience, &access.host) {
        return Err(wrong(format!(
            "the account was proved to '{}', and this server was asked for as '{}'; a proxy before it must pass \
             the header Host on",
            audience.escape_default(),
            access.host.escape_default()
        )));
    }
    if !key.has_proved(&nonce, &audience, &signature) {
        return Err(wrong("the account's key did not sign this session".into()));
    }
    Ok(display_name.and_then(|name| listable(&name)))
}

/// A name as it is listed: none, where nothing is left of it.
fn listable(name: &str) -> Option<String> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let shown = words.join(" ");
    let shown = shown
        .chars()
        .filter(|c| !c.is_control())
        .take(DISPLAY_NAME_CHARS_MAX);
    Some(shown.collect::<String>()).filter(|name| !name.is_empty())
}

fn wrong(detail: String) -> End {
    End::Refused(RefusalCode::AccountWrong, detail)
}

fn going_away(error: &dyn std::fmt::Display) -> End {
    tracing::error!(%error, "an account cannot be read");
    let detail = "what is remembered of the account cannot be read at the moment".into();
    End::Refused(RefusalCode::GoingAway, detail)
}
