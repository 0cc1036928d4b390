//! Whom a client of ours believes, and what is said when a server cannot be believed.
//!
//! [`config`] holds the authorities of the system and, where one is named, those of a file; [`http`] is a client for
//! requests on top of it, [`connect`] a stream. A client of a plain `http://` address reads no authorities: there are
//! more than a hundred, and commands are short. [`explain`] finds the TLS error in a chain of causes and puts it into
//! words that say what to do.
#![forbid(unsafe_code)]

mod explain;

pub use explain::explain;

use reqwest::redirect::{Attempt, Policy};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A client that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of authorities.
    #[error("the file of authorities {} cannot be used: {why}; it must hold certificates as PEM", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The system knows no authority, and none was given.
    #[error(
        "this system has no certificate authorities{0}: install its package ca-certificates, or name a file of your \
         own with --ca-file or ELYTRA_CA_FILE"
    )]
    NoAuthorities(String),
    /// The library lacks what we speak.
    #[error("TLS cannot be spoken here: {0}")]
    Library(#[from] rustls::Error),
}

/// Whether an address asks for TLS.
pub fn is_secure(url: &str) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss")
}

/// TLS 1.2 and 1.3 with the authorities of the system and those in `ca_file`.
pub fn config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    // Old and odd ones are passed over: who is signed by one of those is told so.
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = ca_file {
        add(&mut roots, path)?;
    }
    if roots.is_empty() {
        let why = system
            .errors
            .first()
            .map(|error| format!(" ({error})"))
            .unwrap_or_default();
        return Err(TlsError::NoAuthorities(why));
    }
    with(roots)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let wrong = |why: String| TlsError::File {
        path: path.into(),
        why,
    };
    let mut count = 0;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        count += 1;
    }
    match count {
        0 => Err(wrong("there is no certificate in it".into())),
        _ => Ok(()),
    }
}

fn with(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// A client for the requests to one server.
pub fn http(server: &str, ca_file: Option<&Path>) -> Result<reqwest::ClientBuilder, TlsError> {
    if !is_secure(server) {
        return plain_http();
    }
    Ok(http_with(&config(ca_file)?))
}

/// The same where the authorities are read already.
pub fn http_with(config: &ClientConfig) -> reqwest::ClientBuilder {
    // An answer that leads elsewhere is no answer of ours.
    reqwest::Client::builder()
        .tls_backend_preconfigured(config.clone())
        .redirect(Policy::none())
}

/// A client for plain HTTP. It believes nobody, and says so when a server sends it on to TLS.
pub fn plain_http() -> Result<reqwest::ClientBuilder, TlsError> {
    let builder = reqwest::Client::builder().tls_backend_preconfigured(with(RootCertStore::empty())?);
    Ok(builder.redirect(Policy::custom(stay_plain)))
}

fn stay_plain(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    if attempt.url().scheme() == "https" {
        let told = format!(
            "this server wants TLS: give its address as {}",
            attempt.url().origin().ascii_serialization()
        );
        return attempt.error(told);
    }
    Policy::default().redirect(attempt)
}

/// Speaks TLS on a stream with the server of that name.
pub async fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    // An address of IPv6 stands in brackets where it is part of a URL.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("'{host}' is no name of a server: {error}"),
        )
    })?;
    TlsConnector::from(config).connect(name, stream).await
}
