//! Connections that stay open under a token, and how they learn that it is worth nothing any more.
//!
//! A request is checked when it comes. What stays open, a worker's socket or a stream, holds its token here instead,
//! and is told when the token is revoked (here: at once; at another coordinator: at the next look) or expires.
use crate::auth::now_ms;
use crate::store::{Reader, StoreError};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the tokens of open connections are looked up. With the time of the look it stays below a second.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// All that is held. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holds(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    made: u64,
    held: HashMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    token: String,
    /// Dropped to tell.
    _tell: oneshot::Sender<()>,
}

/// A token that an open connection relies on.
#[derive(Debug)]
pub(crate) struct Hold {
    number: u64,
    holds: Holds,
    over: oneshot::Receiver<()>,
}

impl Holds {
    /// Holds the token of this id.
    pub(crate) fn hold(&self, token: &str) -> Hold {
        let (tell, over) = oneshot::channel();
        let mut table = self.table();
        table.made += 1;
        let number = table.made;
        let held = Held {
            token: token.into(),
            _tell: tell,
        };
        table.held.insert(number, held);
        Hold {
            number,
            holds: self.clone(),
            over,
        }
    }

    /// The token is revoked: whoever holds it is told.
    pub(crate) fn revoke(&self, token: &str) {
        self.table().held.retain(|_, held| held.token != token);
    }

    /// Looks the held tokens up, again and again, until nobody can hold one any more.
    pub(crate) async fn follow(self, reader: Arc<dyn Reader>) {
        // The last one besides us goes with the coordinator.
        while Arc::strong_count(&self.0) > 1 {
            tokio::time::sleep(LOOK_AGAIN).await;
            let made = {
                let table = self.table();
                if table.held.is_empty() {
                    continue;
                }
                table.made
            };
            let reader = Arc::clone(&reader);
            match tokio::task::spawn_blocking(move || good_tokens(&*reader)).await {
                // What is held since the look began may be younger than what was looked at.
                Ok(Ok(good)) => self
                    .table()
                    .held
                    .retain(|number, held| *number > made || good.contains(&held.token)),
                // A store that is away for a moment revokes nobody.
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the tokens of open connections cannot be looked up");
                }
                Err(error) => tracing::warn!(%error, "the tokens of open connections were not looked up"),
            }
        }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ids of tokens that are worth something at the moment.
fn good_tokens(reader: &dyn Reader) -> Result<HashSet<String>, StoreError> {
    let now_ms = now_ms();
    let tokens = reader.tokens()?.into_iter();
    let good = tokens.filter(|token| token.expires_ms.is_none_or(|end_ms| end_ms > now_ms));
    Ok(good.map(|token| token.id).collect())
}

impl Hold {
    /// Resolves when the token is worth nothing any more.
    pub(crate) async fn over(&mut self) {
        // Nothing is ever sent: the sender is dropped.
        let _ = (&mut self.over).await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holds.table().held.remove(&self.number);
    }
}

/// Resolves when the token is worth nothing any more; never, where there is none.
pub(crate) async fn over(hold: Option<Hold>) {
    match hold {
        Some(mut hold) => hold.over().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_holds_a_revoked_token_is_told_and_nobody_else() {
        let holds = Holds::default();
        let (mut one, mut other) = (holds.hold("one"), holds.hold("other"));
        drop(holds.hold("one"));
        holds.revoke("one");
        one.over().await;
        let quiet = tokio::time::timeout(Duration::from_millis(20), other.over()).await;
        assert!(quiet.is_err());
        drop((one, other));
        assert!(holds.table().held.is_empty());
    }
}
