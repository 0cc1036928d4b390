//! The table of settings: what there is, what it means, how it is read and shown.
use super::values::{
    address, boolean, choice, directory, domains, file, filter, folder, hosts, mail, networks, number,
    optional, origins, redis_url, shown_file, word,
};
use crate::accept::acme::LETS_ENCRYPT;
use crate::net::Networks;
use protocol::trust::Trust;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Which store keeps what must not be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A file beside the coordinator.
    Sqlite,
    /// A Redis that several coordinators share.
    Redis,
}

/// What the embedded store promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing accepted is lost, also when the power goes.
    Full,
    /// Nothing accepted is lost when the process dies; the last moments may be when the power goes.
    Normal,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text for people.
    Pretty,
}

/// The values of every setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where pages, API and worker sockets are served.
    pub listen: SocketAddr,
    /// Where metrics and health are served, if anywhere.
    pub admin_listen: Option<SocketAddr>,
    /// Where the embedded store and the blobs live.
    pub data_dir: PathBuf,
    /// Where the blobs live, when not under the data folder.
    pub blob_dir: Option<PathBuf>,
    /// Which store.
    pub store: StoreKind,
    /// The Redis.
    pub redis_url: String,
    /// What the embedded store promises.
    pub durability: Durability,
    /// Whether a Redis that may lose what it accepted is good enough.
    pub allow_volatile: bool,
    /// Whether workers need a token with the scope `work`.
    pub worker_token_required: bool,
    /// The least level of trust of a job; a lower one is raised to it.
    pub trust_min: Trust,
    /// Origins whose pages may use the API, beside our own.
    pub cors_origins: Vec<String>,
    /// Most TCP connections at a time.
    pub connections_max: usize,
    /// Most of them from one address.
    pub connections_per_address_max: u32,
    /// Most requests a second of one token, or one address.
    pub requests_per_second_max: u32,
    /// Names by which this server may be asked for, beside those that are known without saying.
    pub hosts: Vec<String>,
    /// Proxies that stand before the coordinator, and are believed for whom they speak.
    pub proxies: Networks,
    /// The certificate chain, where TLS is spoken.
    pub tls_cert_file: Option<PathBuf>,
    /// Its private key.
    pub tls_key_file: Option<PathBuf>,
    /// Names for which an authority is asked for certificates by itself.
    pub acme_domains: Vec<String>,
    /// Where the authority may write to.
    pub acme_contact: Option<String>,
    /// The authority's directory.
    pub acme_directory: String,
    /// Authorities that are believed besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// How long a shutdown may take, in milliseconds.
    pub shutdown_ms_max: u64,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_filter: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 4750)),
            admin_listen: None,
            data_dir: PathBuf::from("elytra-data"),
            blob_dir: None,
            store: StoreKind::Sqlite,
            redis_url: "redis://127.0.0.1:6379".into(),
            durability: Durability::Full,
            allow_volatile: false,
            worker_token_required: false,
            trust_min: Trust::Private,
            cors_origins: Vec::new(),
            connections_max: 110_000,
            connections_per_address_max: 64,
            requests_per_second_max: 1_000,
            hosts: Vec::new(),
            proxies: Networks::default(),
            tls_cert_file: None,
            tls_key_file: None,
            acme_domains: Vec::new(),
            acme_contact: None,
            acme_directory: LETS_ENCRYPT.into(),
            ca_file: None,
            shutdown_ms_max: 10_000,
            log_format: LogFormat::Json,
            log_filter: "info".into(),
        }
    }
}

impl Settings {
    /// Where the blobs live.
    pub fn blob_dir(&self) -> PathBuf {
        self.blob_dir
            .clone()
            .unwrap_or_else(|| self.data_dir.join("blobs"))
    }

    /// Whether nothing but TLS is spoken.
    pub fn speaks_tls(&self) -> bool {
        self.tls_cert_file.is_some() || !self.acme_domains.is_empty()
    }

    /// Whether the values go together.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.admin_listen == Some(self.listen) && self.listen.port() != 0 {
            let listen = self.listen;
            return Err(format!(
                "listen and admin_listen are both {listen}: give one of them another port"
            ));
        }
        if self.tls_cert_file.is_some() != self.tls_key_file.is_some() {
            return Err("tls_cert_file and tls_key_file go together: give both or none".into());
        }
        if self.tls_cert_file.is_some() && !self.acme_domains.is_empty() {
            return Err("tls_cert_file and acme_domains are two sources of one certificate: give one".into());
        }
        Ok(())
    }
}

/// One setting.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// The same as a flag.
    pub(super) flag: &'static str,
    pub(super) about: &'static str,
    /// What fits, in a word.
    pub(super) wanted: &'static str,
    pub(super) secret: bool,
    /// Takes a text, or says what would fit.
    pub(super) set: fn(&mut Settings, &str) -> Result<(), String>,
    pub(super) get: fn(&Settings) -> String,
}

const fn key(
    name: &'static str,
    flag: &'static str,
    wanted: &'static str,
    about: &'static str,
    set: fn(&mut Settings, &str) -> Result<(), String>,
    get: fn(&Settings) -> String,
) -> Key {
    Key {
        name,
        flag,
        about,
        wanted,
        secret: false,
        set,
        get,
    }
}

const STORES: &[(&str, StoreKind)] = &[("sqlite", StoreKind::Sqlite), ("redis", StoreKind::Redis)];
const DURABILITIES: &[(&str, Durability)] = &[("full", Durability::Full), ("normal", Durability::Normal)];
const TRUSTS: &[(&str, Trust)] = &[
    ("private", Trust::Private),
    ("fast", Trust::Fast),
    ("standard", Trust::Standard),
    ("strict", Trust::Strict),
    ("verified", Trust::Verified),
];
const FORMATS: &[(&str, LogFormat)] = &[("json", LogFormat::Json), ("pretty", LogFormat::Pretty)];

/// Every setting, in the order it is shown.
pub(super) const KEYS: &[Key] = &[
    key(
        "listen",
        "listen",
        "ADDRESS:PORT",
        "Where pages, API and worker sockets are served",
        |s, v| address(v).map(|v| s.listen = v),
        |s| s.listen.to_string(),
    ),
    key(
        "admin_listen",
        "admin-listen",
        "ADDRESS:PORT",
        "Where /metrics, /livez and /readyz are served; nowhere when empty",
        |s, v| optional(v, address).map(|v| s.admin_listen = v),
        |s| s.admin_listen.map(|v| v.to_string()).unwrap_or_default(),
    ),
    key(
        "data_dir",
        "data-dir",
        "FOLDER",
        "Where the embedded store and the blobs live",
        |s, v| folder(v).map(|v| s.data_dir = v),
        |s| s.data_dir.display().to_string(),
    ),
    key(
        "blob_dir",
        "blob-dir",
        "FOLDER",
        "Where the blobs live; under the data folder when empty. Coordinators on one Redis share it",
        |s, v| optional(v, folder).map(|v| s.blob_dir = v),
        |s| s.blob_dir().display().to_string(),
    ),
    key(
        "store",
        "store",
        "sqlite|redis",
        "Which store keeps what must not be lost",
        |s, v| choice(v, STORES).map(|v| s.store = v),
        |s| word(s.store, STORES),
    ),
    Key {
        secret: true,
        ..key(
            "redis_url",
            "redis-url",
            "URL",
            "The Redis, where the store is redis; rediss:// for TLS",
            |s, v| redis_url(v).map(|v| s.redis_url = v),
            |s| s.redis_url.clone(),
        )
    },
    key(
        "durability",
        "durability",
        "full|normal",
        "Whether what the embedded store accepted outlives the power (full) or the process (normal)",
        |s, v| choice(v, DURABILITIES).map(|v| s.durability = v),
        |s| word(s.durability, DURABILITIES),
    ),
    key(
        "allow_volatile",
        "allow-volatile",
        "BOOL",
        "Whether a Redis that may forget what it accepted is good enough",
        |s, v| boolean(v).map(|v| s.allow_volatile = v),
        |s| s.allow_volatile.to_string(),
    ),
    key(
        "worker_token_required",
        "worker-token-required",
        "BOOL",
        "Whether workers, tabs included, need a token with the scope work",
        |s, v| boolean(v).map(|v| s.worker_token_required = v),
        |s| s.worker_token_required.to_string(),
    ),
    key(
        "trust_min",
        "trust-min",
        "private|fast|standard|strict|verified",
        "The least level of trust of a job; a lower one is raised to it. standard where anybody may contribute",
        |s, v| choice(v, TRUSTS).map(|v| s.trust_min = v),
        |s| s.trust_min.to_string(),
    ),
    key(
        "cors_origins",
        "cors-origins",
        "ORIGIN,…",
        "Origins whose pages may use the API, such as https://example.org; only our own pages when empty",
        |s, v| origins(v).map(|v| s.cors_origins = v),
        |s| s.cors_origins.join(","),
    ),
    key(
        "connections_max",
        "connections-max",
        "NUMBER",
        "Most TCP connections at a time",
        |s, v| number(v, 1_000_000).map(|v| s.connections_max = v),
        |s| s.connections_max.to_string(),
    ),
    key(
        "connections_per_address_max",
        "connections-per-address-max",
        "NUMBER",
        "Most TCP connections of one address (an IPv6 /64 is one); more for a classroom behind one router. \
         This machine and the proxies are not counted",
        |s, v| number(v, 1_000_000).map(|v| s.connections_per_address_max = v),
        |s| s.connections_per_address_max.to_string(),
    ),
    key(
        "requests_per_second_max",
        "requests-per-second-max",
        "NUMBER",
        "Most requests a second of one token, or of one address without; this machine is not counted",
        |s, v| number(v, 1_000_000).map(|v| s.requests_per_second_max = v),
        |s| s.requests_per_second_max.to_string(),
    ),
    key(
        "hosts",
        "hosts",
        "NAME,…",
        "Names by which this server may be asked for, such as elytra.example.org or *.example.org. Addresses, \
         localhost, the names of its certificate and those of a local network need no saying; * takes every name",
        |s, v| hosts(v).map(|v| s.hosts = v),
        |s| s.hosts.join(","),
    ),
    key(
        "proxies",
        "proxies",
        "NETWORK,…",
        "Addresses or networks of proxies before the coordinator, such as 10.0.0.0/8: only their X-Forwarded-For is \
         believed",
        |s, v| networks(v).map(|v| s.proxies = v),
        |s| {
            s.proxies
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(",")
        },
    ),
    key(
        "tls_cert_file",
        "tls-cert-file",
        "FILE",
        "The certificate chain as PEM: with it and its key only TLS is spoken. Read again when it changes",
        |s, v| optional(v, file).map(|v| s.tls_cert_file = v),
        |s| shown_file(s.tls_cert_file.as_ref()),
    ),
    key(
        "tls_key_file",
        "tls-key-file",
        "FILE",
        "The certificate's private key as PEM",
        |s, v| optional(v, file).map(|v| s.tls_key_file = v),
        |s| shown_file(s.tls_key_file.as_ref()),
    ),
    key(
        "acme_domains",
        "acme-domains",
        "NAME,…",
        "Names for which certificates are asked for and renewed by themselves: port 443 of each must lead here. \
         Naming them agrees to the authority's terms",
        |s, v| domains(v).map(|v| s.acme_domains = v),
        |s| s.acme_domains.join(","),
    ),
    key(
        "acme_contact",
        "acme-contact",
        "EMAIL",
        "Where the authority may write to",
        |s, v| optional(v, mail).map(|v| s.acme_contact = v),
        |s| s.acme_contact.clone().unwrap_or_default(),
    ),
    key(
        "acme_directory",
        "acme-directory",
        "letsencrypt|letsencrypt-staging|URL",
        "The authority; letsencrypt-staging for trials, which no browser believes",
        |s, v| directory(v).map(|v| s.acme_directory = v),
        |s| s.acme_directory.clone(),
    ),
    key(
        "ca_file",
        "ca-file",
        "FILE",
        "Authorities as PEM that are believed besides those of the system, where this server connects to others",
        |s, v| optional(v, file).map(|v| s.ca_file = v),
        |s| shown_file(s.ca_file.as_ref()),
    ),
    key(
        "shutdown_ms_max",
        "shutdown-ms-max",
        "MILLISECONDS",
        "How long a shutdown may take",
        |s, v| number(v, 600_000).map(|v| s.shutdown_ms_max = v),
        |s| s.shutdown_ms_max.to_string(),
    ),
    key(
        "log_format",
        "log-format",
        "json|pretty",
        "How log lines look",
        |s, v| choice(v, FORMATS).map(|v| s.log_format = v),
        |s| word(s.log_format, FORMATS),
    ),
    key(
        "log_filter",
        "log-filter",
        "FILTER",
        "What is logged: a level, or a list such as info,coordinator=debug",
        |s, v| filter(v).map(|v| s.log_filter = v),
        |s| s.log_filter.clone(),
    ),
];
