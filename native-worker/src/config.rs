//! What a worker is told at its start.
use crate::RunError;
use protocol::limits;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How long a worker that drains may go on with what runs.
pub const DRAIN_MS_MAX: u64 = 60_000;
/// Shards in flight that this worker asks for, for each of its slots.
const WINDOW_PER_SLOT: u32 = 256;
/// Most shards in one batch to a slot.
pub(crate) const BATCH_SHARDS_MAX: u32 = 64;

/// What a worker is told at its start.
#[derive(Clone, Debug)]
pub struct NativeWorkerConfig {
    /// Where the server is, such as `http://127.0.0.1:8080` or `https://example.org`.
    pub server: String,
    /// Authorities besides those of the system, as PEM: who may sign the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// A bearer token, where the operator asks for one.
    pub token: Option<String>,
    /// How many shards run at a time.
    pub slots: u16,
    /// Memory one instance may have, in MiB.
    pub memory_mib: u32,
    /// A name for people; may be empty.
    pub name: String,
    /// Where the worker's identity and compiled code are kept.
    pub cache_dir: PathBuf,
    /// Where programs are compiled. An executable that asks for a child must call
    /// [`runtime::child`] first in its `main`.
    pub compiler: runtime::Compiler,
    /// What processes of tenants are made of; in this process without it.
    pub guests: Option<runtime::guest::GuestProgram>,
}

impl NativeWorkerConfig {
    /// A worker with a slot for every core, compiling and running in this process.
    pub fn new(server: impl Into<String>, cache_dir: impl Into<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            server: server.into(),
            ca_file: None,
            token: None,
            slots: u16::try_from(cores)
                .unwrap_or(limits::SLOTS_MAX)
                .min(limits::SLOTS_MAX),
            memory_mib: limits::MEMORY_MIB_MAX,
            name: String::new(),
            cache_dir: cache_dir.into(),
            compiler: runtime::Compiler::InProcess,
            guests: None,
        }
    }

    /// Compiles in children of the executable `program`, and runs programs as `sandbox` says. It must call
    /// [`runtime::child`] first in its `main`.
    pub fn use_children(&mut self, program: PathBuf, sandbox: runtime::guest::Sandbox) {
        self.guests = sandbox.guests_of(program.clone());
        self.compiler = runtime::Compiler::Child { program };
    }

    pub(crate) fn window_max(&self) -> u32 {
        (u32::from(self.slots) * WINDOW_PER_SLOT).min(limits::WINDOW_MAX)
    }

    pub(crate) fn runtime(&self) -> runtime::RuntimeConfig {
        runtime::RuntimeConfig {
            cache_dir: Some(self.cache_dir.join("code")),
            slots: u32::from(self.slots),
            memory_bytes_max: (self.memory_mib as usize) << 20,
            compiler: self.compiler.clone(),
            ..runtime::RuntimeConfig::default()
        }
    }
}

/// A server's address, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// Host and port, to connect to.
    pub(crate) host_port: String,
    /// The host as its certificate names it.
    pub(crate) host: String,
    /// Whom to believe, where TLS is spoken.
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    /// Host and port as written, with a path in front of the API if there is one.
    base: String,
}

impl Address {
    pub(crate) fn parse(url: &str, ca_file: Option<&Path>) -> Result<Self, RunError> {
        let wrong = |why: &str| RunError::Url {
            url: url.into(),
            why: why.into(),
        };
        let parsed = reqwest::Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        let tls = match parsed.scheme() {
            "http" | "ws" => None,
            "https" | "wss" => Some(Arc::new(tls::config(ca_file)?)),
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        let host = parsed.host_str().ok_or_else(|| wrong("it names no host"))?;
        let port = parsed.port_or_known_default().unwrap_or(80);
        let host_port = format!("{host}:{port}");
        let base = format!("{host_port}{}", parsed.path().trim_end_matches('/'));
        Ok(Self {
            host: host.into(),
            host_port,
            tls,
            base,
        })
    }

    /// An address under the API.
    pub(crate) fn api(&self, path: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/api/v1{path}", self.base)
    }

    /// Where workers connect.
    pub(crate) fn work(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://{}/api/v1/work", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_apart() {
        let address = Address::parse("http://example.org/elytra/", None).unwrap();
        assert_eq!(address.host_port, "example.org:80");
        assert_eq!(address.work(), "ws://example.org:80/elytra/api/v1/work");
        let six = Address::parse("ws://[::1]:8080", None).unwrap();
        assert_eq!(six.host_port, "[::1]:8080");
        assert_eq!(six.api("/blobs"), "http://[::1]:8080/api/v1/blobs");
    }

    #[test]
    fn a_wrong_address_says_what_to_give() {
        for url in ["", "127.0.0.1:8080", "ftp://x"] {
            let error = Address::parse(url, None).unwrap_err().to_string();
            assert!(error.contains("http://127.0.0.1:8080"), "{error}");
        }
    }

    #[test]
    fn tls_is_asked_for_by_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let error = Address::parse("https://example.org", Some(&file)).unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{error}");
        let made = rcgen::generate_simple_self_signed(vec!["example.org".into()]).unwrap();
        std::fs::write(&file, made.cert.pem()).unwrap();
        for url in ["https://example.org/elytra", "wss://example.org/elytra"] {
            let address = Address::parse(url, Some(&file)).unwrap();
            assert_eq!(
                (&*address.host, &*address.host_port),
                ("example.org", "example.org:443")
            );
            assert_eq!(address.work(), "wss://example.org:443/elytra/api/v1/work");
            assert_eq!(
                address.api("/blobs"),
                "https://example.org:443/elytra/api/v1/blobs"
            );
        }
    }
}
