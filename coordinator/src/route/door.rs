//! What stands before every public route: for whom a request is, whether there were too many of them, and from which
//! page it comes.
use super::App;
use super::hosts::Hosts;
use super::problem::{ApiError, ApiResult, kind};
use crate::accept::Caps;
use crate::auth::Auth;
use crate::net::{AddressKey, Networks, client_of};
use crate::rate::{Rates, Sender};
use crate::secret::Secret;
use crate::ticket::Tickets;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, STRICT_TRANSPORT_SECURITY};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A year: browsers ask for nothing but TLS from then on.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What the operator allows.
pub(crate) struct Door {
    /// Who may say for whom they speak.
    pub(crate) proxies: Networks,
    /// Who is not counted: this machine.
    pub(crate) exempt: Networks,
    pub(crate) rates: Rates,
    /// Sockets that have not said who they are.
    pub(crate) handshakes: Caps,
    pub(crate) tickets: Tickets,
    /// Names blobs for workers.
    pub(crate) secret: Secret,
    /// Whose pages may use the API and lend themselves, beside our own.
    pub(crate) origins: Arc<[String]>,
    pub(crate) speaks_tls: bool,
    /// By which names we may be asked for.
    pub(crate) hosts: Hosts,
}

/// For whom a request is: the peer, or whom our proxies name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client(pub(crate) IpAddr);

/// The layer itself.
pub(crate) async fn around(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let client = peer.map(|peer| client_of(peer.0.ip(), request.headers(), &app.door.proxies));
    let counted = client.map_or(Ok(()), |client| {
        app.door.count(client, request.headers(), &app.auth)
    });
    if let Some(client) = client {
        request.extensions_mut().insert(Client(client));
    }
    let mut response = match (counted, app.door.hosts.check(request.uri(), request.headers())) {
        (Err(wait), _) => too_many(wait).into_response(),
        (Ok(()), Err(error)) => error.into_response(),
        (Ok(()), Ok(())) => next.run(request).await,
    };
    if app.door.speaks_tls {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    response
}

fn too_many(wait: Duration) -> ApiError {
    let detail = format!(
        "Send fewer requests: the next is taken in {} ms. The operator sets how many, with requests_per_second_max.",
        wait.as_millis() + 1
    );
    ApiError::new(kind::TOO_MANY, detail)
}

impl Door {
    /// Counts a request to its token, where that was found good a moment ago; otherwise to its address.
    fn count(&self, client: IpAddr, headers: &HeaderMap, auth: &Auth) -> Result<(), Duration> {
        if self.exempt.contains(client) {
            return Ok(());
        }
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|text| auth.known(text.split_once(' ')?.1.trim()));
        let sender = match token {
            Some(id) => {
                let digest = self.secret.digest("sender", &[id.as_bytes()]);
                let mut bits = [0; 8];
                bits.copy_from_slice(&digest[..8]);
                Sender(u64::from_le_bytes(bits))
            }
            None => Sender(AddressKey::of(client).bits()),
        };
        self.rates.count(sender)
    }

    /// The origin of the page that sent this, where a page did; an error where it may not.
    ///
    /// Programs send no origin. Browsers always do with a socket, and no page can change it.
    pub(crate) fn page(&self, headers: &HeaderMap) -> ApiResult<Option<String>> {
        let mut given = headers.get_all(ORIGIN).iter();
        let (Some(origin), None) = (given.next(), given.next()) else {
            return match headers.contains_key(ORIGIN) {
                true => Err(foreign("several origins")),
                false => Ok(None),
            };
        };
        let origin = origin.to_str().map_err(|_| foreign("that origin"))?;
        let listed = self.origins.iter().any(|known| known == origin);
        if listed || self.is_own(origin, headers) {
            return Ok(Some(origin.into()));
        }
        Err(foreign(origin))
    }

    /// Whether an origin is the address that was asked. What ends TLS may stand before us, so over plain HTTP either
    /// scheme is ours.
    fn is_own(&self, origin: &str, headers: &HeaderMap) -> bool {
        let secure = origin.strip_prefix("https://");
        let host = match self.speaks_tls {
            true => secure,
            false => secure.or_else(|| origin.strip_prefix("http://")),
        };
        let asked = headers.get(HOST).map(HeaderValue::as_bytes);
        host.is_some_and(|host| !host.is_empty() && asked == Some(host.as_bytes()))
    }
}

fn foreign(origin: &str) -> ApiError {
    let detail = format!(
        "Pages of {origin} may not be workers here; the operator lists those that may as cors_origins."
    );
    ApiError::new(kind::ORIGIN, detail)
}
