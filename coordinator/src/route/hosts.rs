//! By which names this server may be asked for.
//!
//! A page of a foreign site may have its own name lead to this machine (DNS rebinding); to the browser it is then one
//! page with us, whatever we say of origins. But the name stays in its requests. So a name has to be ours: one that
//! the operator lists, one of the certificate, or one that no foreign site can have: an address, `localhost`, and,
//! where other machines are served at all, the names that only their own network gives (`server`, `pi.local`).
use super::problem::{ApiError, ApiResult, kind};
use crate::accept::Tls;
use crate::config::Settings;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// Longest part of a name that is told back.
const TOLD_CHARS_MAX: usize = 100;

/// The names.
pub(crate) struct Hosts {
    listed: Vec<String>,
    /// Whether other machines are served, which may call us by a name of their network. Who serves this machine alone
    /// is spared what a neighbour may make of such names.
    serves_network: bool,
    /// Its certificate may change.
    tls: Option<Arc<Tls>>,
}

impl Hosts {
    /// What the settings list or imply, and the certificate's names.
    pub(crate) fn new(settings: &Settings, tls: Option<Arc<Tls>>) -> Self {
        let of_pages = settings.cors_origins.iter();
        let of_pages = of_pages.filter_map(|origin| origin.split_once("://"));
        let of_pages = of_pages.map(|(_, authority)| bare(authority).to_owned());
        let listed = settings.hosts.iter().chain(&settings.acme_domains).cloned();
        Self {
            listed: listed.chain(of_pages).collect(),
            serves_network: !settings.listen.ip().is_loopback(),
            tls,
        }
    }

    /// Whether a request names us. What is no browser need not name anybody.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> ApiResult<()> {
        let named = headers.get_all(HOST).iter();
        let named = named.map(|name| name.to_str().unwrap_or("(not a text)"));
        let mut named = named.chain(uri.authority().map(Authority::as_str));
        match named.find(|name| !self.is_ours(name)) {
            Some(name) => Err(refused(name)),
            None => Ok(()),
        }
    }

    fn is_ours(&self, authority: &str) -> bool {
        let name = bare(authority).to_ascii_lowercase();
        if is_address(&name) || name == "localhost" || name.ends_with(".localhost") {
            return true;
        }
        if self.serves_network && is_of_network(&name) {
            return true;
        }
        let is = |pattern: &String| matches(pattern, &name);
        let certified = || self.tls.as_ref().and_then(|tls| tls.facts());
        self.listed.iter().any(is) || certified().is_some_and(|facts| facts.names.iter().any(is))
    }
}

/// Without port, and without the dot that a whole name may end with.
fn bare(authority: &str) -> &str {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    name.strip_suffix('.').unwrap_or(name)
}

fn is_address(name: &str) -> bool {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(inside) => inside.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()),
    }
}

/// A name that is never in the public DNS: of one part, as containers and small networks have them, or of multicast DNS
/// (RFC 6762).
fn is_of_network(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let first = name.strip_suffix(".local").unwrap_or(name);
    !first.is_empty() && first.bytes().all(plain)
}

/// `*.example.org` stands for one part more, as in certificates.
fn matches(pattern: &str, name: &str) -> bool {
    if pattern == "*" || pattern == name {
        return true;
    }
    let below = pattern.strip_prefix("*.");
    below.is_some_and(|below| {
        name.split_once('.')
            .is_some_and(|(first, rest)| !first.is_empty() && rest == below)
    })
}

fn refused(name: &str) -> ApiError {
    let name: String = bare(name).chars().take(TOLD_CHARS_MAX).collect();
    let detail = format!(
        "This server does not know that it is called '{name}'. Where that is its name, its operator lists it: hosts = \
         [\"{name}\"] in elytra.toml, or ELYTRA_HOSTS={name}. Its addresses are always taken."
    );
    ApiError::new(kind::HOST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn check(hosts: &Hosts, names: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(HOST, HeaderValue::from_str(name).unwrap());
        }
        hosts.check(&Uri::from_static("/"), &headers).is_ok()
    }

    fn hosts(listed: &[&str]) -> Hosts {
        Hosts {
            listed: listed.iter().map(ToString::to_string).collect(),
            serves_network: false,
            tls: None,
        }
    }

    #[test]
    fn names_that_can_lead_elsewhere_are_listed_or_refused() {
        let some = hosts(&["elytra.example.org", "*.lab.example.org"]);
        for ours in [
            "127.0.0.1:4750",
            "192.168.1.20:4750",
            "[::1]:4750",
            "[fe80::1]",
            "localhost",
            "LocalHost:80",
            "app.localhost:1",
            "elytra.example.org",
            "Elytra.Example.ORG:443",
            "elytra.example.org.:443",
            "a.lab.example.org",
        ] {
            assert!(check(&some, &[ours]), "{ours}");
        }
        for foreign in [
            "evil.example",
            "evil.example:4750",
            "127.0.0.1.evil.example",
            "elytra.example.org.evil.example",
            "xelytra.example.org",
            "lab.example.org",
            "a.b.lab.example.org",
            ".lab.example.org",
            "localhost.evil.example",
            "notlocalhost",
            "[127.0.0.1]",
            "[evil.example]",
            "127.0.0.1:4750.evil.example",
            "a@127.0.0.1",
            "",
            ":80",
        ] {
            assert!(!check(&some, &[foreign]), "{foreign}");
            // The twin: who takes every name lets the same page in.
            assert!(check(&hosts(&["*"]), &[foreign]), "{foreign}");
        }
        assert!(
            !check(&some, &["127.0.0.1", "evil.example"]),
            "each has to be ours"
        );
        let mut served = hosts(&[]);
        for name in ["server:8080", "raspberrypi.local:4750"] {
            served.serves_network = false;
            assert!(!check(&served, &[name]), "{name}");
            served.serves_network = true;
            assert!(check(&served, &[name]), "{name}");
        }
        for foreign in ["evil.example", "a.evil.local", "", ".local", "x@y"] {
            assert!(!check(&served, &[foreign]), "{foreign}");
        }
        assert!(check(&some, &[]), "who is no browser names nobody");
        let asked = Uri::from_static("http://evil.example/");
        assert!(some.check(&asked, &HeaderMap::new()).is_err());
    }
}
