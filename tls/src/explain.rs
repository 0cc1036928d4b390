//! TLS errors in words: what is wrong with the server's certificate, and what to do about it.
use rustls::{AlertDescription, CertificateError, Error as Tls};
use std::error::Error;
use std::io;
use std::sync::Arc;

const DAY_S: u64 = 24 * 60 * 60;

/// What stands behind an error, where that is TLS.
pub fn explain(error: &(dyn Error + 'static)) -> Option<String> {
    find(error).map(in_words)
}

/// Causes hide in errors of input and output, and in shared ones, which do not name them as their source.
fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Tls> {
    if let Some(found) = error.downcast_ref::<Tls>() {
        return Some(found);
    }
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return find(&**shared);
    }
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    if let Some(inner) = inner
        && let Some(found) = find(inner)
    {
        return Some(found);
    }
    error.source().and_then(find)
}

fn in_words(error: &Tls) -> String {
    match error {
        Tls::InvalidCertificate(problem) => of_certificate(problem),
        Tls::InvalidMessage(_) => "it does not speak TLS at this port: is it an http:// address?".into(),
        Tls::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::AccessDenied) => {
            "it has no certificate for that name yet: see its log".into()
        }
        other => format!("TLS: {other}"),
    }
}

fn of_certificate(problem: &CertificateError) -> String {
    match problem {
        // The second: an authority of that name is known, and it was another one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => "its certificate was signed by an authority that this machine does not \
            know: name the authority's file with --ca-file or ELYTRA_CA_FILE"
            .into(),
        CertificateError::Expired => expired(None),
        CertificateError::ExpiredContext { time, not_after } => {
            expired(Some(time.as_secs().saturating_sub(not_after.as_secs()) / DAY_S))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: is the clock of this machine right?".into()
        }
        CertificateError::NotValidForName => other_name("", &[]),
        CertificateError::NotValidForNameContext { expected, presented } => {
            other_name(&expected.to_str(), presented)
        }
        // What `openssl req -x509` makes, unless it is told otherwise.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => "it shows the \
            certificate of an authority as its own: its operator has to make one that is none (basicConstraints \
            CA:FALSE)"
            .into(),
        other => format!("its certificate cannot be used ({other})"),
    }
}

fn expired(days: Option<u64>) -> String {
    let since = match days {
        None | Some(0) => String::new(),
        Some(1) => " a day ago".into(),
        Some(days) => format!(" {days} days ago"),
    };
    format!(
        "its certificate ran out{since}: its operator has to renew it, unless the clock of this machine is wrong"
    )
}

fn other_name(asked: &str, presented: &[String]) -> String {
    // As in DnsName("example.org").
    let plain = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
    let names: Vec<_> = presented.iter().map(plain).collect();
    let has = match names.as_slice() {
        [] => "is for another name".into(),
        names => format!("is for {}, not for {asked}", names.join(", ")),
    };
    format!("its certificate {has}: ask for the server by a name in its certificate")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{ServerName, UnixTime};
    use std::time::Duration;

    fn told(problem: CertificateError) -> String {
        let hidden = io::Error::other(io::Error::new(
            io::ErrorKind::InvalidData,
            Tls::InvalidCertificate(problem),
        ));
        explain(&hidden).unwrap()
    }

    #[test]
    fn each_says_what_to_do() {
        assert!(told(CertificateError::UnknownIssuer).contains("--ca-file"));
        let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * DAY_S));
        let late = CertificateError::ExpiredContext {
            time: at(30),
            not_after: at(10),
        };
        assert!(told(late).contains("ran out 20 days ago: its operator has to renew it"));
        let name = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("b.org").unwrap(),
            presented: vec!["DnsName(\"a.org\")".into()],
        };
        let name = told(name);
        assert!(name.contains("is for a.org, not for b.org"), "{name}");
        assert_eq!(explain(&io::Error::other("something else")), None);
    }
}
