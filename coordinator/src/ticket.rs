//! Tickets: how a page's worker shows that its page may lend itself here.
//!
//! A browser opens a WebSocket for any page to any address, and the page cannot add a header to it. So a page asks
//! for a ticket first, over HTTP, where its origin is checked and a token travels in a header as always; the ticket
//! goes with the worker's first message, never in an address. It is good once, for a minute, for that origin, and
//! carries which token asked for it: what that token allows is looked up when the ticket is shown, so a token that
//! was revoked meanwhile is worth nothing here too.
//!
//! Its text is `elt_<expiry>_<chance>_<token's id>_<digest>`. Any coordinator of a site takes it, as they share
//! the secret; each remembers only which ones it has taken itself.
use crate::auth::{now_ms, same};
use crate::secret::Secret;
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// How long a ticket is good.
pub(crate) const TICKET_MS_MAX: u64 = 60_000;
/// Most tickets that are remembered as used; those are the ones used within the last minute.
const USED_MAX: usize = 200_000;
const PREFIX: &str = "elt";
const PURPOSE: &str = "ticket";
/// In place of a token's id, where there was none.
const NOBODY: &str = "-";

/// Why a ticket is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TicketError {
    #[error("this is no ticket of this coordinator for this page; ask for one with POST /api/v1/tickets")]
    Wrong,
    #[error("the ticket is over; it is good for a minute: ask for a new one with POST /api/v1/tickets")]
    Late,
    #[error("the ticket was used before; it is good once: ask for a new one with POST /api/v1/tickets")]
    Used,
    #[error("too many tabs come at a time: try again in a moment")]
    Full,
    #[error("no random bytes are to be had")]
    NoChance,
}

/// Gives tickets out and takes them.
#[derive(Debug)]
pub(crate) struct Tickets {
    secret: Secret,
    used: Mutex<Used>,
}

/// Used ones until they are over, oldest first.
#[derive(Debug, Default)]
struct Used {
    known: HashSet<u64>,
    order: VecDeque<(u64, u64)>,
}

/// Whether a text is meant as a ticket.
pub(crate) fn is_ticket(text: &str) -> bool {
    text.split('_').next() == Some(PREFIX)
}

impl Tickets {
    pub(crate) fn new(secret: Secret) -> Self {
        Self {
            secret,
            used: Mutex::default(),
        }
    }

    /// A ticket for a page of `origin`, asked for with the token of this id.
    pub(crate) fn give(&self, origin: &str, token: Option<&str>) -> Result<String, TicketError> {
        let chance = getrandom::u64().map_err(|_| TicketError::NoChance)?;
        Ok(self.text(now_ms() + TICKET_MS_MAX, chance, origin, token))
    }

    fn text(&self, expires_ms: u64, chance: u64, origin: &str, token: Option<&str>) -> String {
        let token = token.unwrap_or(NOBODY);
        let digest = self.digest(expires_ms, chance, origin, token);
        format!("{PREFIX}_{expires_ms:x}_{chance:016x}_{token}_{digest}")
    }

    fn digest(&self, expires_ms: u64, chance: u64, origin: &str, token: &str) -> String {
        let numbers = [expires_ms.to_le_bytes(), chance.to_le_bytes()].concat();
        let parts: [&[u8]; 3] = [&numbers, origin.as_bytes(), token.as_bytes()];
        let digest = self.secret.digest(PURPOSE, &parts);
        digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Takes a ticket that a page of `origin` shows; tells the id of the token it was asked for with.
    pub(crate) fn take(&self, text: &str, origin: &str) -> Result<Option<String>, TicketError> {
        let parts: Vec<_> = text.split('_').collect();
        let &[PREFIX, expires, chance, token, _] = parts.as_slice() else {
            return Err(TicketError::Wrong);
        };
        let number = |digits| u64::from_str_radix(digits, 16).map_err(|_| TicketError::Wrong);
        let (expires_ms, chance) = (number(expires)?, number(chance)?);
        let named = (token != NOBODY).then_some(token);
        // Written again, so that a ticket has one text only.
        if !same(
            text.as_bytes(),
            self.text(expires_ms, chance, origin, named).as_bytes(),
        ) {
            return Err(TicketError::Wrong);
        }
        if expires_ms <= now_ms() {
            return Err(TicketError::Late);
        }
        self.used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note(chance, expires_ms)?;
        Ok(named.map(str::to_owned))
    }
}

impl Used {
    fn note(&mut self, chance: u64, expires_ms: u64) -> Result<(), TicketError> {
        let now_ms = now_ms();
        while let Some((_, over)) = self.order.pop_front_if(|(end_ms, _)| *end_ms <= now_ms) {
            self.known.remove(&over);
        }
        if self.known.len() >= USED_MAX {
            return Err(TicketError::Full);
        }
        if !self.known.insert(chance) {
            return Err(TicketError::Used);
        }
        self.order.push_back((expires_ms, chance));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets() -> Tickets {
        let folder = tempfile::tempdir().unwrap();
        Tickets::new(Secret::open(folder.path()).unwrap())
    }

    #[test]
    fn a_ticket_is_good_once_for_its_origin_and_not_for_long() {
        let (tickets, here) = (tickets(), "https://a.org");
        let ticket = tickets.give(here, Some("0123456789abcdef")).unwrap();
        assert_eq!(tickets.take(&ticket, "https://b.org"), Err(TicketError::Wrong));
        assert_eq!(tickets.take(&ticket, here), Ok(Some("0123456789abcdef".into())));
        assert_eq!(tickets.take(&ticket, here), Err(TicketError::Used));
        let anonymous = tickets.give(here, None).unwrap();
        assert_eq!(tickets.take(&anonymous, here), Ok(None));
        let late = tickets.text(now_ms() - 1, 5, here, None);
        assert_eq!(tickets.take(&late, here), Err(TicketError::Late));
    }

    #[test]
    fn what_nobody_here_gave_is_refused() {
        let (mine, other, here) = (tickets(), tickets(), "https://a.org");
        let ticket = mine.give(here, Some("0123456789abcdef")).unwrap();
        assert_eq!(other.take(&ticket, here), Err(TicketError::Wrong));
        for place in 0..ticket.len() {
            let mut forged = ticket.clone().into_bytes();
            forged[place] = if forged[place] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(mine.take(&forged, here), Err(TicketError::Wrong), "{forged}");
        }
        let upper = ticket.to_uppercase();
        for wrong in ["", "elt", "elt____", upper.as_str(), "ely_0_0_0_0"] {
            assert_eq!(mine.take(wrong, here), Err(TicketError::Wrong), "{wrong}");
        }
        assert!(mine.take(&ticket, here).is_ok(), "nothing was used up by that");
    }

    #[test]
    fn used_tickets_are_forgotten_when_they_are_over() {
        let mut used = Used::default();
        for chance in 0..10 {
            used.order.push_back((1, chance));
            used.known.insert(chance);
        }
        used.note(99, now_ms() + 1_000).unwrap();
        assert_eq!((used.known.len(), used.order.len()), (1, 1));
    }
}
