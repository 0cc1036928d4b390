//! What a worker is told at its start.
use crate::RunError;
use protocol::limits;
use std::path::PathBuf;

/// How long a worker that drains may go on with what runs.
pub const DRAIN_MS_MAX: u64 = 60_000;
/// Shards in flight that this worker asks for, for each of its slots.
const WINDOW_PER_SLOT: u32 = 256;
/// Most shards in one batch to a slot.
pub(crate) const BATCH_SHARDS_MAX: u32 = 64;

/// What a worker is told at its start.
#[derive(Clone, Debug)]
pub struct NativeWorkerConfig {
    /// Where the server is, such as `http://127.0.0.1:8080`.
    pub server: String,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Host and port, to connect to.
    pub(crate) host_port: String,
    /// Host and port as written, with a path in front of the API if there is one.
    base: String,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, RunError> {
        let wrong = |why: &str| RunError::Url {
            url: url.into(),
            why: why.into(),
        };
        let parsed = reqwest::Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        match parsed.scheme() {
            "http" => {}
            "https" => {
                return Err(wrong(
                    "this worker speaks plain HTTP; put a TLS tunnel or VPN in between",
                ));
            }
            _ => return Err(wrong("it must begin with http://")),
        }
        let host = parsed.host_str().ok_or_else(|| wrong("it names no host"))?;
        let port = parsed.port_or_known_default().unwrap_or(80);
        let host_port = format!("{host}:{port}");
        let base = format!("{host_port}{}", parsed.path().trim_end_matches('/'));
        Ok(Self { host_port, base })
    }

    /// An address under the API.
    pub(crate) fn api(&self, path: &str) -> String {
        format!("http://{}/api/v1{path}", self.base)
    }

    /// Where workers connect.
    pub(crate) fn work(&self) -> String {
        format!("ws://{}/api/v1/work", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_apart() {
        let address = Address::parse("http://example.org/elytra/").unwrap();
        assert_eq!(address.host_port, "example.org:80");
        assert_eq!(address.work(), "ws://example.org:80/elytra/api/v1/work");
        let six = Address::parse("http://[::1]:8080").unwrap();
        assert_eq!(six.host_port, "[::1]:8080");
        assert_eq!(six.api("/blobs"), "http://[::1]:8080/api/v1/blobs");
    }

    #[test]
    fn a_wrong_address_says_what_to_give() {
        for url in ["", "127.0.0.1:8080", "ftp://x", "https://x"] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains("http://127.0.0.1:8080"), "{error}");
        }
    }
}
