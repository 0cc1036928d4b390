//! Tokens: who a request comes from, and what its sender may do.
//!
//! A token's text is `ely_<id>_<secret>_<check>`: 16, 64 and 8 hex digits. The store keeps the id,
//! the scopes and the SHA-256 of the secret (256 bits of chance, so a plain hash is enough); the text
//! is shown once and never logged. The check digits tell a slip of the finger without a look-up.
use crate::engine::{Engine, EngineError};
use crate::holds::{Hold, Holds};
use crate::store::{Op, Reader, Store, StoreError};
use protocol::api::{Scope, TokenInfo, TokenMade, TokenRequest, WhoAmI};
use protocol::limits::NAME_CHARS_MAX;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long a token that was good is not looked up again: the longest a revoked one goes on working
/// at another coordinator.
const CACHE_TIME: Duration = Duration::from_millis(900);
/// Most tokens kept in memory.
const CACHE_TOKENS_MAX: usize = 4_096;
const PREFIX: &str = "ely";
const ID_DIGITS: usize = 16;
const SECRET_DIGITS: usize = 64;
/// What a request without a token is called.
pub const ANONYMOUS: &str = "anonymous";

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The text is not a token.
    #[error("this is not a token (ely_…): copy it whole, as it was shown when it was made")]
    Malformed,
    /// Unknown, or revoked.
    #[error("this token is unknown or revoked: make a new one with `elytra token create`")]
    Unknown,
    /// Its time is over.
    #[error("this token has expired: make a new one with `elytra token create`")]
    Expired,
    /// It could not be looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a token cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// The request does not fit.
    #[error("{0}")]
    Invalid(&'static str),
    /// The operating system has no chance to give.
    #[error("no random bytes: {0}")]
    NoChance(getrandom::Error),
    /// It could not be stored.
    #[error("the token could not be stored: {0}")]
    Store(#[from] StoreError),
    /// It could not be stored by the running coordinator.
    #[error("the token could not be stored: {0}")]
    Engine(#[from] EngineError),
}

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The token's public part; none without a token.
    pub token: Option<String>,
    /// The token's name, or [`ANONYMOUS`].
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
}

impl Bearer {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self {
            token: None,
            name: ANONYMOUS.into(),
            scopes: Vec::new(),
        }
    }

    /// Whether a scope is allowed: `admin` allows everything, `trusted` allows `work`.
    pub fn allows(&self, scope: Scope) -> bool {
        let has = |s| self.scopes.contains(&s);
        has(scope) || has(Scope::Admin) || (scope == Scope::Work && has(Scope::Trusted))
    }

    /// As the API tells it.
    pub fn who(&self) -> WhoAmI {
        WhoAmI {
            name: self.name.clone(),
            scopes: self.scopes.clone(),
        }
    }
}

/// Looks tokens up.
pub struct Auth {
    reader: Arc<dyn Reader>,
    holds: Holds,
    cache: Mutex<HashMap<String, Known>>,
}

struct Known {
    info: TokenInfo,
    secret_hash: [u8; 32],
    since: Instant,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth")
    }
}

impl Auth {
    /// Looks up in this store.
    pub fn new(reader: Arc<dyn Reader>) -> Self {
        Self {
            reader,
            holds: Holds::default(),
            cache: Mutex::default(),
        }
    }

    /// Looks after the tokens of open connections as long as this lives.
    pub(crate) fn follow(&self) -> impl Future<Output = ()> + Send + use<> {
        self.holds.clone().follow(Arc::clone(&self.reader))
    }

    /// For a connection that stays open: tells it when the bearer's token is worth nothing any more.
    pub(crate) fn hold(&self, bearer: &Bearer) -> Option<Hold> {
        bearer.token.as_ref().map(|id| self.holds.hold(id))
    }

    /// Who bears this token.
    pub async fn check(&self, token: &str) -> Result<Bearer, AuthError> {
        let text = Text::parse(token)?;
        let (info, secret_hash) = match self.cached(text.id) {
            Some(known) => known,
            None => self.look_up(text.id).await?,
        };
        if !same(&hash(text.secret), &secret_hash) {
            return Err(AuthError::Unknown);
        }
        bearer(info)
    }

    /// Who bears the token of this id, which was checked before.
    pub(crate) async fn bearer_of(&self, id: &str) -> Result<Bearer, AuthError> {
        let (info, _) = match self.cached(id) {
            Some(known) => known,
            None => self.look_up(id).await?,
        };
        bearer(info)
    }

    /// The id of a token that was found good a moment ago; asks nobody.
    pub(crate) fn known(&self, token: &str) -> Option<String> {
        let text = Text::parse(token).ok()?;
        let (_, secret_hash) = self.cached(text.id)?;
        same(&hash(text.secret), &secret_hash).then(|| text.id.to_owned())
    }

    /// Forgets a token that was revoked here, so that it is worth nothing at once, open connections included.
    pub fn forget(&self, id: &str) {
        self.cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        self.holds.revoke(id);
    }

    fn cached(&self, id: &str) -> Option<(TokenInfo, [u8; 32])> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cache.get(id).filter(|known| known.since.elapsed() < CACHE_TIME)?;
        Some((known.info.clone(), known.secret_hash))
    }

    async fn look_up(&self, id: &str) -> Result<(TokenInfo, [u8; 32]), AuthError> {
        let (reader, wanted) = (Arc::clone(&self.reader), id.to_owned());
        let found = tokio::task::spawn_blocking(move || reader.token(&wanted)).await;
        let found = found.map_err(|error| StoreError::Unavailable(error.to_string()))??;
        let (info, secret_hash) = found.ok_or(AuthError::Unknown)?;
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_TOKENS_MAX {
            cache.clear();
        }
        let known = Known {
            info: info.clone(),
            secret_hash,
            since: Instant::now(),
        };
        cache.insert(id.into(), known);
        Ok((info, secret_hash))
    }
}

fn bearer(info: TokenInfo) -> Result<Bearer, AuthError> {
    if info.expires_ms.is_some_and(|end| end <= now_ms()) {
        return Err(AuthError::Expired);
    }
    Ok(Bearer {
        token: Some(info.id),
        name: info.name,
        scopes: info.scopes,
    })
}

/// Makes a token through a running coordinator.
pub async fn make_token(engine: &Engine, request: TokenRequest) -> Result<TokenMade, MintError> {
    let (made, op) = mint(request)?;
    engine.write(op).await?;
    Ok(made)
}

/// Makes a token in a store that no coordinator has open.
pub fn make_token_offline(store: &mut dyn Store, request: TokenRequest) -> Result<TokenMade, MintError> {
    let (made, op) = mint(request)?;
    store.commit(&[op])?;
    Ok(made)
}

/// A token's text, and what has to be stored to make it worth something.
fn mint(request: TokenRequest) -> Result<(TokenMade, Op), MintError> {
    check_request(&request)?;
    let id = chance::<8>().map_err(MintError::NoChance)?;
    let secret = hex(&chance::<32>().map_err(MintError::NoChance)?);
    let TokenRequest {
        name,
        mut scopes,
        expires_ms,
    } = request;
    scopes.sort_unstable();
    scopes.dedup();
    let info = TokenInfo {
        id: hex(&id),
        name,
        scopes,
        created_ms: now_ms(),
        expires_ms,
    };
    let token = format!(
        "{PREFIX}_{}_{secret}_{}",
        info.id,
        check_digits(&info.id, &secret)
    );
    let op = Op::AddToken {
        info: info.clone(),
        secret: hash(&secret),
    };
    Ok((TokenMade { token, info }, op))
}

fn check_request(request: &TokenRequest) -> Result<(), MintError> {
    let chars = request.name.chars().count();
    if request.name.trim().is_empty() || chars > NAME_CHARS_MAX {
        return Err(MintError::Invalid("name: must be a name of 1 to 200 characters"));
    }
    if request.scopes.is_empty() {
        return Err(MintError::Invalid(
            "scopes: name at least one of submit, work, trusted, read, admin",
        ));
    }
    if request.expires_ms.is_some_and(|end| end <= now_ms()) {
        return Err(MintError::Invalid(
            "expires_ms: lies in the past; it counts milliseconds since 1970",
        ));
    }
    Ok(())
}

struct Text<'a> {
    id: &'a str,
    secret: &'a str,
}

impl<'a> Text<'a> {
    fn parse(token: &'a str) -> Result<Self, AuthError> {
        let mut parts = token.split('_');
        let mut next = || parts.next().ok_or(AuthError::Malformed);
        let (prefix, id, secret, check) = (next()?, next()?, next()?, next()?);
        let lengths_fit = id.len() == ID_DIGITS && secret.len() == SECRET_DIGITS && next().is_err();
        if prefix != PREFIX || !lengths_fit || check_digits(id, secret) != check {
            return Err(AuthError::Malformed);
        }
        Ok(Self { id, secret })
    }
}

fn check_digits(id: &str, secret: &str) -> String {
    let digest = Sha256::new().chain_update(id).chain_update(secret).finalize();
    hex(&digest[..4])
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Compares without telling by its time where the first difference lies.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

fn chance<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> TokenRequest {
        TokenRequest {
            name: "ana".into(),
            scopes: vec![Scope::Submit],
            expires_ms: None,
        }
    }

    #[test]
    fn a_token_reads_back_and_a_slip_is_told() {
        let (made, op) = mint(request()).unwrap();
        let text = Text::parse(&made.token).unwrap();
        assert_eq!(text.id, made.info.id);
        let Op::AddToken { secret, .. } = op else {
            panic!("a token is stored")
        };
        assert!(same(&hash(text.secret), &secret));
        let slip = made.token.replacen(|c: char| c.is_ascii_digit(), "x", 1);
        assert!(matches!(Text::parse(&slip), Err(AuthError::Malformed)));
        assert!(Text::parse("").is_err() && Text::parse(&format!("{}_", made.token)).is_err());
    }

    #[test]
    fn what_is_stored_does_not_hold_the_secret() {
        let (made, op) = mint(request()).unwrap();
        let secret = Text::parse(&made.token).unwrap().secret.to_owned();
        assert!(!format!("{op:?}").contains(&secret));
    }

    #[test]
    fn scopes_include_what_they_imply() {
        let bearer = |scope| Bearer {
            token: None,
            name: String::new(),
            scopes: vec![scope],
        };
        assert!(bearer(Scope::Admin).allows(Scope::Submit));
        assert!(bearer(Scope::Trusted).allows(Scope::Work));
        assert!(!bearer(Scope::Work).allows(Scope::Trusted));
        assert!(!Bearer::anonymous().allows(Scope::Read));
    }

    #[test]
    fn a_token_for_nothing_or_nobody_is_refused() {
        let nothing = TokenRequest {
            scopes: Vec::new(),
            ..request()
        };
        assert!(mint(nothing).unwrap_err().to_string().contains("scopes"));
        let nobody = TokenRequest {
            name: " ".into(),
            ..request()
        };
        assert!(mint(nobody).unwrap_err().to_string().contains("name"));
        let past = TokenRequest {
            expires_ms: Some(1),
            ..request()
        };
        assert!(mint(past).unwrap_err().to_string().contains("expires_ms"));
    }

    /// What a thousand comparisons take.
    fn round(compare: impl Fn(&[u8; 32], &[u8; 32]) -> bool, other: &[u8; 32]) -> Duration {
        let since = Instant::now();
        for _ in 0..1_000 {
            let told = compare(std::hint::black_box(&[0; 32]), std::hint::black_box(other));
            assert!(!std::hint::black_box(told));
        }
        since.elapsed()
    }

    /// How much longer a difference at the back takes than one at the front: the least of a hundred rounds each, in
    /// turn, so that interruptions count for neither.
    fn back_to_front(compare: impl Fn(&[u8; 32], &[u8; 32]) -> bool + Copy) -> f64 {
        let (mut front, mut back) = ([0; 32], [0; 32]);
        (front[0], back[31]) = (1, 1);
        let rounds = (0..100).map(|_| (round(compare, &front), round(compare, &back)));
        let least = |a: (Duration, Duration), b: (Duration, Duration)| (a.0.min(b.0), a.1.min(b.1));
        let (front, back) = rounds.fold((Duration::MAX, Duration::MAX), least);
        back.as_secs_f64() / front.as_secs_f64()
    }

    /// 100,000 comparisons with a difference at the front against as many with one at the back. Whoever really differs
    /// does so in every try.
    #[test]
    fn comparing_takes_as_long_wherever_the_difference_lies() {
        let even = |share: &f64| (0.9..1.1).contains(share);
        let tries: Vec<f64> = (0..10).map(|_| back_to_front(|a, b| same(a, b))).collect();
        assert!(tries.iter().any(even), "{tries:?}");
        let hasty = |a: &[u8; 32], b: &[u8; 32]| a.iter().zip(b).all(|(x, y)| x == y);
        let tries: Vec<f64> = (0..10).map(|_| back_to_front(hasty)).collect();
        assert!(
            !tries.iter().any(even),
            "who stops at the first difference is found out: {tries:?}"
        );
    }
}
