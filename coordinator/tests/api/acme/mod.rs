//! Certificates that come and renew themselves, from an authority that speaks RFC 8555 over TLS.
mod authority;
mod jws;
mod look;

use crate::support::{Server, soon};
use authority::Authority;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const NAME: &str = "elytra.example.org";

async fn start(authority: &Authority, data: &Path, names: &[&str]) -> Server {
    let names = names.iter().map(ToString::to_string).collect();
    let server = Server::start_in(data, |settings| {
        settings.acme_domains = names;
        settings.acme_contact = Some("admin@example.org".into());
        settings.acme_directory = authority.directory();
        settings.ca_file = Some(authority.ca_file());
    })
    .await;
    authority.leads(NAME, server.address);
    server
}

/// As whoever believes the authority connects.
async fn connect(
    authority: &Authority,
    server: &Server,
    alpn: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(server.address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// The certificate that new connections are shown, once there is another one than `before`.
async fn shown(
    authority: &Authority,
    server: &Server,
    before: Option<&CertificateDer<'static>>,
) -> CertificateDer<'static> {
    let shown = async {
        loop {
            if let Ok(stream) = connect(authority, server, b"http/1.1").await {
                let leaf = leaf(&stream);
                if Some(&leaf) != before {
                    return leaf;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("a certificate", shown).await
}

fn leaf(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

async fn ask(stream: &mut TlsStream<TcpStream>, host: &str) -> String {
    let request = format!("GET /livez HTTP/1.1\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4 << 10];
    let length = soon("an answer", stream.read(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_comes_and_is_renewed_under_open_connections() {
    let data = TempDir::new().unwrap();
    // The first one is due for the next after three seconds; those behind it last.
    let authority = Authority::start(Duration::from_secs(5)).await;
    let server = start(&authority, data.path(), &[NAME]).await;
    let first = shown(&authority, &server, None).await;
    let mut open = connect(&authority, &server, b"http/1.1").await.unwrap();
    assert_eq!(leaf(&open), first);
    assert!(ask(&mut open, NAME).await.contains("alive"));
    assert!(
        ask(&mut open, "evil.example").await.starts_with("HTTP/1.1 421"),
        "only the certificate's own name is taken"
    );
    let second = shown(&authority, &server, Some(&first)).await;
    assert!(ask(&mut open, NAME).await.contains("alive"), "nobody is dropped");
    assert_eq!((authority.accounts(), authority.certificates()), (1, 2));
    // Between orders nobody is shown a proof.
    assert!(connect(&authority, &server, b"acme-tls/1").await.is_err());
    server.stop().await;

    let kept = data.path().join("acme");
    assert_eq!(mode(&kept), 0o700);
    for file in ["account.json", "certificate.pem"] {
        assert_eq!(mode(&kept.join(file)), 0o600, "{file}");
    }
    let again = start(&authority, data.path(), &[NAME]).await;
    assert_eq!(
        shown(&authority, &again, None).await,
        second,
        "a restart orders nothing"
    );
    assert_eq!((authority.accounts(), authority.certificates()), (1, 2));
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_elsewhere_gets_no_certificate() {
    let data = TempDir::new().unwrap();
    let authority = Authority::start(Duration::from_secs(3_600)).await;
    let server = start(&authority, data.path(), &[NAME, "elsewhere.example.org"]).await;
    let refused = async {
        while authority.refusals() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the refusal", refused).await;
    assert!(connect(&authority, &server, b"http/1.1").await.is_err());
    assert_eq!(authority.certificates(), 0);
    server.stop().await;
}
