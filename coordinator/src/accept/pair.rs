//! A certificate chain with its private key, and what the certificate says of itself.
use super::tls::TlsError;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// A chain and its key, found to fit each other.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) facts: Facts,
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The names it is for, in small letters.
    pub(crate) names: Vec<String>,
    pub(super) begins: SystemTime,
    pub(super) ends: SystemTime,
}

impl Pair {
    /// From two files of PEM.
    pub(super) fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let wrong = |path: &Path, why: String| TlsError::File {
            path: path.into(),
            why,
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| wrong(certificate, error.to_string()))?;
        let Some(leaf) = chain.first() else {
            return Err(wrong(certificate, "there is no certificate in it".into()));
        };
        let facts = Facts::of(leaf).map_err(|why| wrong(certificate, why))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
        let provider = rustls::crypto::ring::default_provider();
        let certified = Arc::new(CertifiedKey::from_der(chain, secret, &provider)?);
        Ok(Self { certified, facts })
    }
}

impl Facts {
    fn of(leaf: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, read) = X509Certificate::from_der(leaf).map_err(|error| error.to_string())?;
        let names = read
            .subject_alternative_name()
            .map_err(|error| error.to_string())?;
        let names = names.iter().flat_map(|names| &names.value.general_names);
        let names = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        Ok(Self {
            names: names.collect(),
            begins: at(read.validity().not_before.timestamp()),
            ends: at(read.validity().not_after.timestamp()),
        })
    }

    /// When it should be followed by another one: after two thirds of its time, whatever that is.
    pub(super) fn due(&self) -> SystemTime {
        let lifetime = self.ends.duration_since(self.begins).unwrap_or_default();
        self.begins + lifetime * 2 / 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn a_certificate_tells_its_names_and_when_it_is_due() {
        let names = vec!["A.example.org".into(), "*.b.org".into(), "192.0.2.1".into()];
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 1, 31);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let facts = Facts::of(made.der()).unwrap();
        assert_eq!(facts.names, ["a.example.org", "*.b.org"]);
        let days = |days: u64| Duration::from_secs(days * 86_400);
        assert_eq!(facts.due(), facts.begins + days(20));
        assert_eq!(facts.ends, facts.begins + days(30));
    }
}
