//! TLS 1.2 and 1.3 with the operator's certificate: from files that are read again when they change, or from an
//! authority that is asked for it ([`super::acme`]).
//!
//! A connection keeps the certificate it was greeted with, so nothing is dropped when a new one comes.
use super::acme::{self, Acme};
use super::pair::{Facts, Pair};
use super::stopped;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often the files are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The only protocol inside.
const HTTP: &[u8] = b"http/1.1";
/// What an authority speaks that looks whether a name leads here (RFC 8737).
const CHALLENGE: &[u8] = b"acme-tls/1";

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("{path}: {why}; it must be a PEM file that this process may read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The key does not fit, or is of a kind that TLS does not know.
    #[error("the certificate and its key cannot be used: {0}")]
    Unfit(#[from] rustls::Error),
}

/// The certificate, and where it comes from.
#[derive(Debug)]
pub struct Tls {
    source: Source,
    current: RwLock<Current>,
    challenges: Arc<Challenges>,
}

#[derive(Debug)]
enum Source {
    Files { certificate: PathBuf, key: PathBuf },
    Acme(Box<Acme>),
}

/// What new connections are greeted with.
#[derive(Debug)]
struct Current {
    /// Of the files.
    stamp: Stamp,
    config: Arc<ServerConfig>,
    /// Of the certificate; none where there is no certificate yet.
    facts: Option<Arc<Facts>>,
}

/// When the two files were changed, and how long they are.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Tls {
    /// Reads the certificate chain and its key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let source = Source::Files {
            certificate: certificate.into(),
            key: key.into(),
        };
        // First the stamp: what changes while the files are read is seen at the next look.
        let stamp = stamp(certificate, key);
        Self::start(source, stamp, Some(Pair::load(certificate, key)?))
    }

    /// Takes the certificate that was got the last time; the first one, and every later one, is asked for while we
    /// serve.
    pub(crate) fn automatic(acme: Acme) -> Result<Self, TlsError> {
        let kept = acme.kept();
        Self::start(Source::Acme(Box::new(acme)), Stamp::default(), kept)
    }

    fn start(source: Source, stamp: Stamp, pair: Option<Pair>) -> Result<Self, TlsError> {
        let challenges = Arc::default();
        let current = Current {
            stamp,
            config: Arc::new(config(pair.as_ref(), &challenges)?),
            facts: pair.map(|pair| Arc::new(pair.facts)),
        };
        Ok(Self {
            source,
            current: RwLock::new(current),
            challenges,
        })
    }

    /// What is known of the certificate in use.
    pub(crate) fn facts(&self) -> Option<Arc<Facts>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .facts
            .clone()
    }

    pub(super) fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// From now on connections are greeted with this.
    pub(super) fn put_in(&self, pair: Pair) -> Result<(), TlsError> {
        let config = Arc::new(config(Some(&pair), &self.challenges)?);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.config = config;
        current.facts = Some(Arc::new(pair.facts));
        Ok(())
    }

    /// Greets a peer.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Transport> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).config);
        let mut stream = TlsAcceptor::from(current).accept(stream).await?;
        if stream.get_ref().1.alpn_protocol() == Some(CHALLENGE) {
            stream.shutdown().await?;
            return Err(io::Error::other(
                "an authority looked whether a name leads here, and has seen it",
            ));
        }
        Ok(Transport::Tls(Box::new(stream)))
    }

    /// Puts a new certificate in whenever there is one, until the shutdown.
    pub(super) async fn follow(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        let followed = async {
            match &self.source {
                Source::Files { .. } => self.follow_files().await,
                Source::Acme(acme) => acme::follow(acme, &self).await,
            }
        };
        tokio::select! {
            () = stopped(&mut shutdown) => {}
            () = followed => {}
        }
    }

    /// Reads the files again whenever they change. A pair that does not fit leaves the one before in use.
    async fn follow_files(self: &Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let tls = Arc::clone(self);
            let looked = tokio::task::spawn_blocking(move || tls.look_again()).await;
            match looked {
                Ok(Ok(true)) => tracing::info!("a new certificate is in use"),
                Ok(Err(error)) => tracing::warn!(%error, "the certificate stays as it was"),
                Ok(Ok(false)) | Err(_) => {}
            }
        }
    }

    fn look_again(&self) -> Result<bool, TlsError> {
        let Source::Files { certificate, key } = &self.source else {
            return Ok(false);
        };
        let stamp = stamp(certificate, key);
        if self.current.read().unwrap_or_else(PoisonError::into_inner).stamp == stamp {
            return Ok(false);
        }
        let read = Pair::load(certificate, key);
        // A pair that is wrong is told once, not at every look.
        self.current.write().unwrap_or_else(PoisonError::into_inner).stamp = stamp;
        self.put_in(read?)?;
        Ok(true)
    }
}

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| {
        let data = fs::metadata(path).ok()?;
        Some((data.modified().ok()?, data.len()))
    })
}

fn config(pair: Option<&Pair>, challenges: &Arc<Challenges>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let resolver = Resolver {
        certificate: pair.map(|pair| Arc::clone(&pair.certified)),
        challenges: Arc::clone(challenges),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![HTTP.to_vec(), CHALLENGE.to_vec()];
    Ok(config)
}

/// Which certificate a peer is shown.
#[derive(Debug)]
struct Resolver {
    certificate: Option<Arc<CertifiedKey>>,
    challenges: Arc<Challenges>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asks = hello
            .alpn()
            .is_some_and(|mut spoken| spoken.any(|protocol| protocol == CHALLENGE));
        match asks {
            true => self.challenges.of(hello.server_name()?),
            false => self.certificate.clone(),
        }
    }
}

/// Certificates that answer an authority's question, by the name it asks about, while an order is under way.
#[derive(Debug, Default)]
pub(super) struct Challenges(RwLock<HashMap<String, Arc<CertifiedKey>>>);

impl Challenges {
    pub(super) fn put(&self, name: String, answer: CertifiedKey) {
        let mut waiting = self.0.write().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(name, Arc::new(answer));
    }

    pub(super) fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn of(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let waiting = self.0.read().unwrap_or_else(PoisonError::into_inner);
        waiting.get(&name.to_ascii_lowercase()).cloned()
    }
}

/// What a connection's bytes travel on.
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The same call on whichever it is.
macro_rules! on {
    ($transport:expr, $method:ident, $($argument:expr),*) => {
        match $transport.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Transport::Tls(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on!(self, poll_read, cx, buffer)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on!(self, poll_write, cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on!(self, poll_write_vectored, cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(self, poll_shutdown, cx)
    }
}
