//! Promise 24 (certificates that renew themselves are tried in `acme`): nothing but TLS 1.2 and 1.3, and a new certificate
//! drops nobody.
use crate::support::{Server, soon};
use promise::{amount, kept};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Makes a certificate for this machine and writes it where the server reads it.
fn write_certificate(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    // The key first: until both are new the pair does not fit, and the old one stays.
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    cert.der().clone()
}

async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = vec![0; 4 << 10];
    let length = soon("an answer", stream.read(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// The greeting of an older version of TLS, by hand: the first bytes that a client of 1.0 or 1.1 sends.
fn old_greeting(minor: u8) -> Vec<u8> {
    let suites = [0xc0, 0x14, 0xc0, 0x0a, 0x00, 0x35];
    let mut body = vec![3, minor];
    body.extend([7; 32]);
    body.extend([0, 0, u8::try_from(suites.len()).unwrap()]);
    body.extend(suites);
    body.extend([1, 0]);
    let mut message = vec![1, 0, 0, u8::try_from(body.len()).unwrap()];
    message.extend(body);
    let mut record = vec![22, 3, 1, 0, u8::try_from(message.len()).unwrap()];
    record.extend(message);
    record
}

/// What the server says to bytes that are no greeting of today.
async fn said_to(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    // A reset is a no too.
    let _ = soon("the close", stream.read_to_end(&mut said)).await;
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_profile() {
    coordinator::raise_file_limit();
    let folder = TempDir::new().unwrap();
    let first = write_certificate(folder.path());
    let server = Server::start_with(|settings| {
        settings.tls_cert_file = Some(folder.path().join("cert.pem"));
        settings.tls_key_file = Some(folder.path().join("key.pem"));
    })
    .await;
    for version in [&TLS12, &TLS13] {
        let mut stream = soon("the greeting", connect(&server, &first, &[version]))
            .await
            .unwrap();
        let answer = ask(&mut stream).await;
        assert!(
            answer.contains("alive") && answer.contains("strict-transport-security: max-age=31536000"),
            "{answer}"
        );
    }
    for minor in [1, 2] {
        let said = said_to(&server, &old_greeting(minor)).await;
        // An alert (21), and no greeting (22) in return.
        assert_ne!(said.first(), Some(&22), "TLS 1.{} is not spoken", minor - 1);
    }
    let plain = said_to(&server, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(
        !String::from_utf8_lossy(&plain).contains("HTTP/"),
        "plain HTTP is not answered"
    );
    let mut open = Vec::new();
    for _ in 0..amount(20, 1_000) {
        let mut stream = connect(&server, &first, &[&TLS13]).await.unwrap();
        assert!(ask(&mut stream).await.contains("alive"));
        open.push(stream);
    }
    let second = write_certificate(folder.path());
    let renewed = async {
        while connect(&server, &second, &[&TLS13]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("the new certificate", renewed).await;
    assert!(
        connect(&server, &first, &[&TLS13]).await.is_err(),
        "the old one is out of use"
    );
    let mut kept_open = 0;
    for stream in &mut open {
        kept_open += usize::from(ask(stream).await.contains("alive"));
    }
    assert_eq!(kept_open, open.len(), "nobody is dropped");
    drop(open);
    server.stop().await;
    kept(
        "tls_profile",
        &format!(
            "1.2 and 1.3 spoken, 1.0, 1.1 and plain HTTP refused; a new certificate under {kept_open} open connections dropped none"
        ),
    );
}
