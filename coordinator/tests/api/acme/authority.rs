//! A small authority: a directory, nonces, accounts, orders, authorizations that are really looked at, certificates.
use super::jws::{Jwk, Signed};
use super::look::look;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coordinator::accept::{Options, Tls, serve};
use coordinator::net::Networks;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair, SanType,
};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

const DAY: Duration = Duration::from_secs(86_400);
/// Longest request.
const BODY_BYTES_MAX: usize = 64 << 10;

/// The authority, until this is dropped.
pub(super) struct Authority {
    folder: TempDir,
    shared: Arc<Shared>,
    _stop: watch::Sender<bool>,
}

struct Shared {
    base: String,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// How long the first certificate is good; all others for 90 days.
    first: Duration,
    /// Where names lead: the answer of DNS.
    leads: watch::Sender<HashMap<String, SocketAddr>>,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    nonces: HashSet<String>,
    given: u32,
    accounts: Vec<Jwk>,
    orders: Vec<Order>,
    certificates: u32,
    refusals: u32,
}

struct Order {
    account: usize,
    names: Vec<Looked>,
    chain: Option<String>,
}

/// A name of an order, and what was seen there.
struct Looked {
    name: String,
    token: String,
    seen: Option<Result<(), String>>,
}

/// What a request is told: a status, what was made where, and a body.
type Told = Result<(StatusCode, Option<String>, Value), (StatusCode, &'static str)>;

impl Authority {
    pub(super) async fn start(first: Duration) -> Self {
        let folder = TempDir::new().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let own = KeyPair::generate().unwrap();
        let own_certificate = CertificateParams::new(vec!["localhost".into()]).unwrap();
        let own_certificate = own_certificate.signed_by(&own, &issuer).unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("ca.pem"), root.pem()).unwrap();
        std::fs::write(at("own.pem"), own_certificate.pem() + &own.serialize_pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            base: format!("https://localhost:{}", listener.local_addr().unwrap().port()),
            issuer,
            certificate: root.der().clone(),
            first,
            leads: watch::Sender::new(HashMap::new()),
            books: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let options = Options {
            connections_max: 100,
            connections_per_address_max: 100,
            exempt: Networks::default(),
            head_time_max: Duration::from_secs(5),
            drain_time_max: Duration::ZERO,
            tls: Some(Arc::new(Tls::load(&at("own.pem"), &at("own.pem")).unwrap())),
        };
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(serve(listener, router, options, stopping));
        Self {
            folder,
            shared,
            _stop: stop,
        }
    }

    pub(super) fn directory(&self) -> String {
        format!("{}/directory", self.shared.base)
    }

    pub(super) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        self.shared.certificate.clone()
    }

    /// From now on a name leads there.
    pub(super) fn leads(&self, name: &str, to: SocketAddr) {
        self.shared.leads.send_modify(|leads| {
            leads.insert(name.into(), to);
        });
    }

    pub(super) fn accounts(&self) -> usize {
        self.shared.books().accounts.len()
    }

    pub(super) fn certificates(&self) -> u32 {
        self.shared.books().certificates
    }

    pub(super) fn refusals(&self) -> u32 {
        self.shared.books().refusals
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let nonce = shared.books().nonce();
    let told = match (parts.method, &*path) {
        (Method::GET, "/directory") => Ok((StatusCode::OK, None, shared.directory())),
        (Method::HEAD, "/nonce") => Ok((StatusCode::OK, None, Value::Null)),
        (Method::POST, path) => {
            let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap();
            shared.signed(path, &parts.headers, &body).await
        }
        _ => Err((StatusCode::NOT_FOUND, "malformed")),
    };
    let mut response = match told {
        // A chain is a text, everything else JSON.
        Ok((status, _, Value::String(text))) => (status, text).into_response(),
        Ok((status, _, Value::Null)) => status.into_response(),
        Ok((status, made, body)) => {
            let mut response = (status, axum::Json(body)).into_response();
            if let Some(url) = made {
                response.headers_mut().insert("location", url.parse().unwrap());
            }
            response
        }
        Err((status, kind)) => {
            let problem = json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": path });
            (status, axum::Json(problem)).into_response()
        }
    };
    response
        .headers_mut()
        .insert("replay-nonce", nonce.parse().unwrap());
    response
}

impl Books {
    fn nonce(&mut self) -> String {
        self.given += 1;
        let nonce = URL_SAFE_NO_PAD.encode(format!("nonce {}", self.given));
        self.nonces.insert(nonce.clone());
        nonce
    }
}

impl Shared {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn directory(&self) -> Value {
        let [nonce, account, order] = ["/nonce", "/new-account", "/new-order"].map(|path| self.url(path));
        json!({ "newNonce": nonce, "newAccount": account, "newOrder": order })
    }

    /// A request that has to be signed, for this address, with a nonce that was never used.
    async fn signed(&self, path: &str, headers: &HeaderMap, body: &Bytes) -> Told {
        let malformed = (StatusCode::BAD_REQUEST, "malformed");
        let denied = (StatusCode::UNAUTHORIZED, "unauthorized");
        if headers
            .get("content-type")
            .is_none_or(|kind| kind != "application/jose+json")
        {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "malformed"));
        }
        let signed = Signed::read(body).ok_or(malformed)?;
        let nonce = signed.header["nonce"].as_str().ok_or(malformed)?;
        if !self.books().nonces.remove(nonce) {
            return Err((StatusCode::BAD_REQUEST, "badNonce"));
        }
        if signed.header["url"] != self.url(path) {
            return Err(denied);
        }
        if path == "/new-account" {
            let key = Jwk::of(&signed.header).ok_or(malformed)?;
            let wanted = signed.payload(&key).ok_or(denied)?;
            return self.account(key, &wanted);
        }
        let account = signed.header["kid"].as_str().and_then(number).ok_or(malformed)?;
        let key = self.books().accounts.get(account).cloned().ok_or(denied)?;
        let wanted = signed.payload(&key).ok_or(denied)?;
        self.of_account(account, &key, path, &wanted).await
    }

    fn account(&self, key: Jwk, wanted: &Value) -> Told {
        let agreed = wanted["termsOfServiceAgreed"] == true
            && wanted["contact"] == json!(["mailto:admin@example.org"]);
        if !agreed {
            return Err((StatusCode::FORBIDDEN, "userActionRequired"));
        }
        let mut books = self.books();
        books.accounts.push(key);
        let url = self.url(&format!("/account/{}", books.accounts.len() - 1));
        Ok((StatusCode::CREATED, Some(url), json!({ "status": "valid" })))
    }

    async fn of_account(&self, account: usize, key: &Jwk, path: &str, wanted: &Value) -> Told {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        if parts == ["new-order"] {
            return self.new_order(account, wanted);
        }
        let [what, order, rest @ ..] = &*parts else {
            return Err((StatusCode::NOT_FOUND, "malformed"));
        };
        let order: usize = order.parse().map_err(|_| (StatusCode::NOT_FOUND, "malformed"))?;
        let at = rest.first().and_then(|at| at.parse().ok()).unwrap_or(0);
        if self
            .books()
            .orders
            .get(order)
            .is_none_or(|order| order.account != account)
        {
            return Err((StatusCode::UNAUTHORIZED, "unauthorized"));
        }
        match *what {
            "challenge" => self.look(order, at, key).await,
            "finalize" => self.finalize(order, wanted)?,
            _ => {}
        }
        let books = self.books();
        let order_now = &books.orders[order];
        let body = match *what {
            "authorization" => self.authorization(order, at, order_now),
            "challenge" => self.challenge(order, at, &order_now.names[at]),
            "certificate" => json!(order_now.chain),
            _ => self.order(order, order_now),
        };
        Ok((StatusCode::OK, None, body))
    }

    fn new_order(&self, account: usize, wanted: &Value) -> Told {
        let names = wanted["identifiers"].as_array().into_iter().flatten();
        let mut books = self.books();
        let number = books.orders.len();
        let looked = |(at, name): (usize, &Value)| Looked {
            name: name["value"].as_str().unwrap().into(),
            token: format!("token-{number}-{at}"),
            seen: None,
        };
        books.orders.push(Order {
            account,
            names: names.enumerate().map(looked).collect(),
            chain: None,
        });
        let url = self.url(&format!("/order/{number}"));
        Ok((
            StatusCode::CREATED,
            Some(url),
            self.order(number, &books.orders[number]),
        ))
    }

    fn order(&self, number: usize, order: &Order) -> Value {
        let all = |is: fn(&Looked) -> bool| order.names.iter().all(is);
        let status = match &order.chain {
            Some(_) => "valid",
            None if order.names.iter().any(|name| matches!(name.seen, Some(Err(_)))) => "invalid",
            None if all(|name| name.seen == Some(Ok(()))) => "ready",
            None => "pending",
        };
        let authorizations =
            (0..order.names.len()).map(|at| self.url(&format!("/authorization/{number}/{at}")));
        let mut body = json!({
            "status": status,
            "identifiers": order.names.iter().map(|name| json!({ "type": "dns", "value": name.name })).collect::<Vec<_>>(),
            "authorizations": authorizations.collect::<Vec<_>>(),
            "finalize": self.url(&format!("/finalize/{number}")),
        });
        if order.chain.is_some() {
            body["certificate"] = json!(self.url(&format!("/certificate/{number}")));
        }
        body
    }

    fn authorization(&self, number: usize, at: usize, order: &Order) -> Value {
        let looked = &order.names[at];
        json!({
            "status": status(looked),
            "identifier": { "type": "dns", "value": looked.name },
            "challenges": [
                { "type": "http-01", "url": self.url("/nowhere"), "token": looked.token, "status": "pending" },
                self.challenge(number, at, looked),
            ],
        })
    }

    fn challenge(&self, number: usize, at: usize, looked: &Looked) -> Value {
        let url = self.url(&format!("/challenge/{number}/{at}"));
        let mut body =
            json!({ "type": "tls-alpn-01", "url": url, "token": looked.token, "status": status(looked) });
        if let Some(Err(why)) = &looked.seen {
            body["error"] = json!({ "type": "urn:ietf:params:acme:error:connection", "detail": why });
        }
        body
    }

    /// Goes where the name leads, and looks.
    async fn look(&self, order: usize, at: usize, key: &Jwk) {
        let (name, token) = {
            let books = self.books();
            let looked = &books.orders[order].names[at];
            (looked.name.clone(), looked.token.clone())
        };
        let mut leads = self.leads.subscribe();
        // The server begins before the test knows its port.
        let known = leads
            .wait_for(|leads| !leads.is_empty())
            .await
            .unwrap()
            .get(&name)
            .copied();
        let authorization = format!("{token}.{}", key.thumbprint());
        let seen = match known {
            Some(to) => look(to, &name, &authorization).await,
            None => Err("the name leads nowhere".into()),
        };
        let mut books = self.books();
        books.refusals += u32::from(seen.is_err());
        books.orders[order].names[at].seen = Some(seen);
    }

    /// Signs what is asked for, if it is just what was looked at.
    fn finalize(&self, order: usize, wanted: &Value) -> Result<(), (StatusCode, &'static str)> {
        let wrong = (StatusCode::BAD_REQUEST, "badCSR");
        let der = wanted["csr"]
            .as_str()
            .and_then(|csr| URL_SAFE_NO_PAD.decode(csr).ok())
            .ok_or(wrong)?;
        let mut request = CertificateSigningRequestParams::from_der(&der.into()).map_err(|_| wrong)?;
        let asked = request
            .params
            .subject_alt_names
            .iter()
            .filter_map(|name| match name {
                SanType::DnsName(name) => Some(name.as_str()),
                _ => None,
            });
        let asked: BTreeSet<&str> = asked.collect();
        let mut books = self.books();
        let names = &books.orders[order].names;
        if names.iter().any(|name| name.seen != Some(Ok(()))) {
            return Err((StatusCode::FORBIDDEN, "orderNotReady"));
        }
        if asked != names.iter().map(|name| &*name.name).collect() {
            return Err(wrong);
        }
        let now = SystemTime::now();
        let last = if books.certificates == 0 {
            self.first
        } else {
            DAY * 90
        };
        request.params.not_before = now.into();
        request.params.not_after = (now + last).into();
        let certificate = request.signed_by(&self.issuer).map_err(|_| wrong)?;
        books.certificates += 1;
        books.orders[order].chain = Some(certificate.pem());
        Ok(())
    }
}

fn status(looked: &Looked) -> &'static str {
    match looked.seen {
        None => "pending",
        Some(Ok(())) => "valid",
        Some(Err(_)) => "invalid",
    }
}

fn number(url: &str) -> Option<usize> {
    url.rsplit('/').next()?.parse().ok()
}
