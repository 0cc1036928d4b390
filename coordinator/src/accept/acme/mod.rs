//! Certificates that an authority gives by itself (ACME, RFC 8555), over the port that is served anyway (TLS-ALPN-01,
//! RFC 8737).
//!
//! Two thirds into a certificate's time the next one is ordered: the authority connects to each name, is shown a
//! certificate that only who made the order can make, and signs. What was got lies in the data folder, for its owner
//! alone, so that a restart orders nothing. An order that fails is tried again, each time later; the certificate
//! before it stays in use.
mod http;
mod keep;

use super::pair::Pair;
use super::tls::{Challenges, Tls, TlsError};
use crate::config::Settings;
use http::Http;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use keep::Keep;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Let's Encrypt.
pub(crate) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Let's Encrypt for trials: no browser believes its certificates, and it bears many orders.
pub(crate) const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
/// How long an authority may take for one step.
const STEP_TIME_MAX: Duration = Duration::from_secs(120);
/// How long an order may take.
const ORDER_TIME_MAX: Duration = Duration::from_secs(600);
/// The first and the longest pause before a failed order is tried again. Authorities count failures by the hour.
const PAUSE_MIN: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(6 * 60 * 60);
/// The clock is looked at this often: it may jump, and a machine may sleep.
const LOOK_AGAIN: Duration = Duration::from_secs(60 * 60);

/// What the settings say.
#[derive(Clone, Debug)]
pub(crate) struct Acme {
    /// The names to be certified; at least one.
    domains: Vec<String>,
    /// An address of mail, where the authority may write to.
    contact: Option<String>,
    /// Where the authority's directory is.
    directory: String,
    /// Who may sign the authority's own certificate, besides those the system knows.
    ca_file: Option<PathBuf>,
    keep: Keep,
}

/// An order that came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    #[error("the authority says: {}", told(.0))]
    Authority(#[from] Error),
    #[error(transparent)]
    Client(#[from] ::tls::TlsError),
    #[error("the HTTP client cannot be made: {0}")]
    Http(#[from] reqwest::Error),
    #[error(
        "the authority offers no TLS-ALPN-01 for {0}: choose one that does, or give tls_cert_file and tls_key_file"
    )]
    NoChallenge(String),
    #[error(
        "the authority does not believe that the names are ours: {0}; its connections to port 443 of each must end here"
    )]
    NotBelieved(String),
    #[error("a certificate request cannot be made: {0}")]
    Request(#[from] rcgen::Error),
    #[error("{}: {error}", path.display())]
    Keep { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Unfit(#[from] TlsError),
    #[error("the authority took more than {} minutes", ORDER_TIME_MAX.as_secs() / 60)]
    Late,
    #[error(
        "the certificate that was got is due for the next one already: is the clock of this machine right?"
    )]
    DueAlready,
}

/// The last cause says most; where it is TLS, what to do about it.
fn told(error: &Error) -> String {
    let by_tls = match error {
        Error::Other(cause) => ::tls::explain(&**cause),
        _ => None,
    };
    by_tls.unwrap_or_else(|| {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    })
}

impl Acme {
    /// With what lies in the data folder.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            domains: settings.acme_domains.clone(),
            contact: settings.acme_contact.clone(),
            directory: settings.acme_directory.clone(),
            ca_file: settings.ca_file.clone(),
            keep: Keep::new(&settings.data_dir),
        }
    }

    /// The certificate of the last time, where it is for these names and still in its time.
    pub(super) fn kept(&self) -> Option<Pair> {
        let pair = self.keep.pair()?;
        let fits = self
            .domains
            .iter()
            .all(|domain| pair.facts.names.contains(domain));
        (fits && pair.facts.ends > SystemTime::now()).then_some(pair)
    }

    /// The account of the last time at this authority, or a new one.
    async fn account(&self) -> Result<Account, AcmeError> {
        let client = ::tls::http(&self.directory, self.ca_file.as_deref())?;
        let http = Box::new(Http::new(client)?);
        let builder = Account::builder_with_http(http);
        if let Some(credentials) = self.keep.credentials(&self.directory) {
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact = self.contact.as_ref().map(|mail| format!("mailto:{mail}"));
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            // Whoever names domains in the settings agrees: docs/operating.md says so.
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, credentials) = builder.create(&new, self.directory.clone(), None).await?;
        self.keep.keep_credentials(&self.directory, credentials)?;
        Ok(account)
    }

    async fn order(&self, challenges: &Challenges) -> Result<Pair, AcmeError> {
        let account = self.account().await?;
        let names: Vec<_> = self.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = match account.new_order(&NewOrder::new(&names)).await {
            Err(error) if is_unknown_account(&error) => {
                // The next try makes another.
                self.keep.forget_credentials();
                return Err(error.into());
            }
            order => order?,
        };
        answer(&mut order, challenges).await?;
        let retries = RetryPolicy::new().timeout(STEP_TIME_MAX);
        match order.poll_ready(&retries).await {
            Ok(OrderStatus::Ready) => {}
            Ok(_) => return Err(AcmeError::NotBelieved(why(&mut order).await)),
            Err(error) => return Err(error.into()),
        }
        let key = KeyPair::generate()?;
        let mut request = CertificateParams::new(self.domains.clone())?;
        request.distinguished_name = DistinguishedName::new();
        order.finalize_csr(request.serialize_request(&key)?.der()).await?;
        let chain = order.poll_certificate(&retries).await?;
        self.keep.keep_pair(&chain, &key.serialize_pem())
    }
}

/// Makes the server show, for every name, that the order is ours.
async fn answer(order: &mut Order, challenges: &Challenges) -> Result<(), AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let name = authorization.identifier().to_string();
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
            return Err(AcmeError::NoChallenge(name));
        };
        let digest = challenge.key_authorization().digest();
        challenges.put(name.clone(), proof(&name, digest.as_ref())?);
        challenge.set_ready().await?;
    }
    Ok(())
}

/// The certificate by which an authority recognises its question.
fn proof(name: &str, digest: &[u8]) -> Result<CertifiedKey, AcmeError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let secret = rustls::crypto::ring::sign::any_supported_type(&secret).map_err(TlsError::from)?;
    // Nobody but the authority understands the certificate: so it is not asked whether the key fits it.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], secret))
}

/// What the authority found wrong, name by name.
async fn why(order: &mut Order) -> String {
    let mut found = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else {
            continue;
        };
        let errors = state
            .challenges
            .iter()
            .filter_map(|challenge| challenge.error.as_ref());
        found.extend(errors.map(|error| format!("{name}: {error}")));
    }
    found.join("; ")
}

fn is_unknown_account(error: &Error) -> bool {
    let Error::Api(problem) = error else {
        return false;
    };
    problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:accountDoesNotExist")
}

/// Sees to it that there is always a certificate.
pub(super) async fn follow(acme: &Acme, tls: &Tls) {
    let mut pause = PAUSE_MIN;
    loop {
        let now = SystemTime::now();
        let wait = tls
            .facts()
            .map(|facts| facts.due().duration_since(now).unwrap_or_default());
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            tokio::time::sleep(wait.min(LOOK_AGAIN)).await;
            continue;
        }
        match renew(acme, tls).await {
            Ok(()) => pause = PAUSE_MIN,
            Err(error) => {
                let again_s = pause.as_secs();
                tracing::warn!(%error, again_s, "there is no new certificate; it is asked for again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

async fn renew(acme: &Acme, tls: &Tls) -> Result<(), AcmeError> {
    let domains = acme.domains.join(", ");
    tracing::info!(domains, directory = acme.directory, "a certificate is ordered");
    let ordered = tokio::time::timeout(ORDER_TIME_MAX, acme.order(tls.challenges())).await;
    tls.challenges().clear();
    let pair = ordered.map_err(|_| AcmeError::Late)??;
    let due_already = pair.facts.due() <= SystemTime::now();
    let left = pair
        .facts
        .ends
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    tls.put_in(pair)?;
    tracing::info!(
        domains,
        days = left.as_secs() / 86_400,
        "a new certificate is in use"
    );
    if due_already {
        return Err(AcmeError::DueAlready);
    }
    Ok(())
}
