//! How an authority looks whether a name leads to who asks (RFC 8737): it connects, speaks `acme-tls/1`, and is shown
//! a certificate with the digest of what only the account can know.
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

const CHALLENGE: &[u8] = b"acme-tls/1";
/// id-pe-acmeIdentifier.
const IDENTIFIER: &str = "1.3.6.1.5.5.7.1.31";

/// What is wrong, if anything.
pub(super) async fn look(at: SocketAddr, name: &str, authorization: &str) -> Result<(), String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![CHALLENGE.to_vec()];
    let stream = TcpStream::connect(at).await.map_err(|error| error.to_string())?;
    let server = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(server, stream).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let session = stream.get_ref().1;
    if session.alpn_protocol() != Some(CHALLENGE) {
        return Err("acme-tls/1 is not spoken".into());
    }
    match session.peer_certificates() {
        Some([certificate]) => proves(certificate, name, authorization),
        _ => Err("not just one certificate".into()),
    }
}

fn proves(certificate: &CertificateDer<'_>, name: &str, authorization: &str) -> Result<(), String> {
    let (_, read) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let names = read.subject_alternative_name().ok().flatten();
    let names = names.map(|names| &*names.value.general_names).unwrap_or_default();
    if !matches!(names, [GeneralName::DNSName(only)] if *only == name) {
        return Err(format!("the certificate is for {names:?}"));
    }
    // An octet string of 32 bytes.
    let wanted = [&[4, 32][..], &Sha256::digest(authorization)].concat();
    let proof = read
        .extensions()
        .iter()
        .find(|extension| extension.oid.to_id_string() == IDENTIFIER);
    match proof {
        Some(proof) if proof.critical && proof.value == wanted => Ok(()),
        _ => Err("the certificate does not prove the authorization".into()),
    }
}

/// Who signed does not matter: the digest does.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // By the key alone: the certificate has a critical extension that no verifier of servers knows.
        let (_, read) =
            X509Certificate::from_der(certificate).map_err(|error| Error::General(error.to_string()))?;
        let key = SubjectPublicKeyInfoDer::from(read.tbs_certificate.subject_pki.raw);
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature_with_raw_key(message, &key, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
