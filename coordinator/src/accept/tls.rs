//! TLS 1.2 and 1.3 where the operator gives a certificate; read again when its files change.
//!
//! A connection keeps the certificate it was greeted with, so nothing is dropped when a new one comes.
use super::stopped;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often the files are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The only protocol inside.
const HTTP: &[u8] = b"http/1.1";

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
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<(Stamp, Arc<ServerConfig>)>,
}

/// When the two files were changed, and how long they are.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Tls {
    /// Reads the certificate chain and its key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        // First the stamp: what changes while the files are read is seen at the next look.
        let stamp = stamp(certificate, key);
        let config = config(certificate, key)?;
        Ok(Self {
            certificate: certificate.into(),
            key: key.into(),
            current: RwLock::new((stamp, Arc::new(config))),
        })
    }

    /// Greets a peer.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Transport> {
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).1);
        let stream = TlsAcceptor::from(current).accept(stream).await?;
        Ok(Transport::Tls(Box::new(stream)))
    }

    /// Reads the files again whenever they change. A pair that does not fit leaves the one before in use.
    pub(super) async fn follow(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = stopped(&mut shutdown) => return,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            let tls = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || tls.look_again()).await;
            match looked {
                Ok(Ok(true)) => tracing::info!("a new certificate is in use"),
                Ok(Err(error)) => tracing::warn!(%error, "the certificate stays as it was"),
                Ok(Ok(false)) | Err(_) => {}
            }
        }
    }

    fn look_again(&self) -> Result<bool, TlsError> {
        let stamp = stamp(&self.certificate, &self.key);
        if self.current.read().unwrap_or_else(PoisonError::into_inner).0 == stamp {
            return Ok(false);
        }
        let read = config(&self.certificate, &self.key);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // A pair that is wrong is told once, not at every look.
        current.0 = stamp;
        current.1 = Arc::new(read?);
        Ok(true)
    }
}

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| {
        let data = fs::metadata(path).ok()?;
        Some((data.modified().ok()?, data.len()))
    })
}

fn config(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let wrong = |path: &Path, why: String| TlsError::File {
        path: path.into(),
        why,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "there is no certificate in it".into()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, secret)?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(config)
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
