//! Configuration: `elytra.toml`, then `ELYTRA_*`, then flags; each value knows where it came from.
//!
//! [`keys`] is the one table of what can be set. An unknown key is an error with a suggestion,
//! because a misspelt setting that is silently ignored is found out on the worst day.
pub mod keys;
mod values;

pub use keys::{Durability, LogFormat, Settings, StoreKind};

use keys::{KEYS, Key};
use protocol::description::nearest;
use std::fmt;
use std::path::{Path, PathBuf};

/// The file that is read when none is named and it exists.
pub const FILE_DEFAULT: &str = "elytra.toml";
const ENV_PREFIX: &str = "ELYTRA_";
/// Variables of the command line and of workers that share the prefix.
const ENV_OF_OTHERS: [&str; 12] = [
    "CONFIG",
    "LOG",
    "MEMORY_MIB",
    "WORKER_NAME",
    "SERVER",
    "TOKEN",
    "TOKEN_FILE",
    "SLOTS",
    "NAME",
    "OUTPUT",
    "CACHE_DIR",
    "SANDBOX",
];
/// What is shown in place of a secret.
const MASK: &str = "********";

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// Nothing is called that.
    #[error("{origin}: there is no setting '{key}'; {hint}")]
    UnknownKey {
        /// Where it was set.
        origin: Origin,
        /// What was written.
        key: String,
        /// What may have been meant.
        hint: String,
    },
    /// The value does not fit.
    #[error("{origin}: {key} = {value:?} {wanted}")]
    Value {
        /// Where it was set.
        origin: Origin,
        /// The setting.
        key: &'static str,
        /// What was written; masked where it is a secret.
        value: String,
        /// What would fit.
        wanted: String,
    },
    /// Two settings do not go together.
    #[error("{0}")]
    Together(String),
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.pad("default"),
            Self::File(path) => f.pad(&path.display().to_string()),
            Self::Env(name) => f.pad(name),
            Self::Flag(flag) => f.pad(flag),
        }
    }
}

/// One line of `config show`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The setting.
    pub key: &'static str,
    /// Its value; masked where it is a secret.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// The configuration: values, and where each came from.
#[derive(Clone, Debug)]
pub struct Config {
    /// The values.
    pub settings: Settings,
    origins: Vec<Origin>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            origins: vec![Origin::Default; KEYS.len()],
        }
    }
}

impl Config {
    /// Reads `file` (or [`FILE_DEFAULT`], where that exists), then `env`, then `flags` (key and value).
    pub fn load(
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
        flags: &[(String, String)],
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let default = Path::new(FILE_DEFAULT);
        if let Some(path) = file.or_else(|| default.exists().then_some(default)) {
            config.read_file(path)?;
        }
        config.read_env(env)?;
        for (key, value) in flags {
            let flag = format!("--{}", key.replace('_', "-"));
            config.set(key, value, Origin::Flag(flag))?;
        }
        config.settings.check().map_err(ConfigError::Together)?;
        Ok(config)
    }

    /// Every setting with its value and origin, in the order of the table.
    pub fn show(&self) -> Vec<Shown> {
        let shown = |(key, origin): (&Key, &Origin)| {
            let value = (key.get)(&self.settings);
            let value = if key.secret { masked(&value) } else { value };
            Shown {
                key: key.name,
                value,
                origin: origin.clone(),
            }
        };
        KEYS.iter().zip(&self.origins).map(shown).collect()
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
            path: path.into(),
            error,
        })?;
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| ConfigError::Syntax {
                path: path.into(),
                message: error.to_string(),
            })?;
        for (key, value) in table {
            self.set(&key, &plain(&value), Origin::File(path.into()))?;
        }
        Ok(())
    }

    fn read_env(&mut self, env: impl IntoIterator<Item = (String, String)>) -> Result<(), ConfigError> {
        for (name, value) in env {
            match name.strip_prefix(ENV_PREFIX) {
                Some(key) if !ENV_OF_OTHERS.contains(&key) => {
                    self.set(&key.to_lowercase(), &value, Origin::Env(name.clone()))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str, origin: Origin) -> Result<(), ConfigError> {
        let Some(at) = KEYS.iter().position(|key| key.name == name) else {
            let hint = hint(name);
            return Err(ConfigError::UnknownKey {
                origin,
                key: name.into(),
                hint,
            });
        };
        let key = &KEYS[at];
        if let Err(wanted) = (key.set)(&mut self.settings, value) {
            let value = if key.secret { MASK.into() } else { value.to_owned() };
            return Err(ConfigError::Value {
                origin,
                key: key.name,
                value,
                wanted,
            });
        }
        self.origins[at] = origin;
        Ok(())
    }
}

fn hint(name: &str) -> String {
    let known = || KEYS.iter().map(|key| key.name);
    match nearest(name, known()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
    }
}

/// A value of the file as the text that an environment variable would have.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A URL keeps its host, so that it can be recognised; what stands before the `@` or in the query may
/// be the secret.
fn masked(value: &str) -> String {
    let value = value.split('?').next().unwrap_or_default();
    match (value.split_once("://"), value.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{MASK}@{host}"),
        _ => value.into(),
    }
}

/// A flag for every setting, to add to a command.
pub fn args() -> impl Iterator<Item = clap::Arg> {
    KEYS.iter().map(|key| {
        clap::Arg::new(key.name)
            .long(key.flag)
            .value_name(key.wanted)
            .help(key.about)
            .help_heading("Settings")
    })
}

/// The flags that were given, for [`Config::load`].
pub fn flags(matches: &clap::ArgMatches) -> Vec<(String, String)> {
    let given = |key: &Key| {
        matches
            .get_one::<String>(key.name)
            .map(|value| (key.name.into(), value.clone()))
    };
    KEYS.iter().filter_map(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(k, v)| (k.into(), v.into())).collect()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn origin(config: &Config, key: &str) -> String {
        config
            .show()
            .into_iter()
            .find(|s| s.key == key)
            .unwrap()
            .origin
            .to_string()
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let file = file("listen = \"1.1.1.1:1\"\nadmin_listen = \"1.1.1.1:2\"\nworker_token_required = true");
        let env = pairs(&[
            ("ELYTRA_LISTEN", "2.2.2.2:1"),
            ("ELYTRA_ADMIN_LISTEN", "2.2.2.2:2"),
            ("HOME", "x"),
        ]);
        let config = Config::load(Some(file.path()), env, &pairs(&[("listen", "3.3.3.3:1")])).unwrap();
        assert_eq!(config.settings.listen, "3.3.3.3:1".parse().unwrap());
        assert_eq!(config.settings.admin_listen, Some("2.2.2.2:2".parse().unwrap()));
        assert!(config.settings.worker_token_required);
        assert_eq!(origin(&config, "listen"), "--listen");
        assert_eq!(origin(&config, "admin_listen"), "ELYTRA_ADMIN_LISTEN");
        assert_eq!(
            origin(&config, "worker_token_required"),
            file.path().display().to_string()
        );
        assert_eq!(origin(&config, "durability"), "default");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_a_suggestion() {
        let file = file("lisen = \"1.1.1.1:1\"");
        let error = Config::load(Some(file.path()), [], &[]).unwrap_err().to_string();
        assert!(
            error.ends_with("there is no setting 'lisen'; did you mean 'listen'?"),
            "{error}"
        );
        let none = tempfile::NamedTempFile::new().unwrap();
        let error = Config::load(Some(none.path()), pairs(&[("ELYTRA_DURABLITY", "full")]), &[]).unwrap_err();
        let told = "ELYTRA_DURABLITY: there is no setting 'durablity'; did you mean 'durability'?";
        assert_eq!(error.to_string(), told);
        let of_others = pairs(&[("ELYTRA_TOKEN", "x"), ("ELYTRA_SERVER", "x")]);
        assert!(Config::load(Some(none.path()), of_others, &[]).is_ok());
    }

    #[test]
    fn a_value_that_does_not_fit_says_what_would() {
        let none = tempfile::NamedTempFile::new().unwrap();
        let error = |key: &str, value: &str| {
            Config::load(Some(none.path()), [], &pairs(&[(key, value)]))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error("store", "mysql"),
            "--store: store = \"mysql\" must be one of sqlite, redis"
        );
        assert!(error("listen", "here").contains("must be an address and port"));
        assert!(error("connections_max", "0").contains("must be a number from 1"));
        for wrong in ["*", "https://example.org/", "example.org", "https://Example.org"] {
            assert!(
                error("cors_origins", wrong).contains("must be origins such as"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn names_and_certificates_are_checked_at_the_start() {
        let none = tempfile::NamedTempFile::new().unwrap();
        let load = |flags: &[(&str, &str)]| Config::load(Some(none.path()), [], &pairs(flags));
        let error = |flags: &[(&str, &str)]| load(flags).unwrap_err().to_string();
        for wrong in [
            "https://example.org",
            "example.org:443",
            "127.0.0.1",
            "a..b",
            "*.*.org",
        ] {
            assert!(
                error(&[("hosts", wrong)]).contains("must be names such as"),
                "{wrong}"
            );
            assert!(
                error(&[("acme_domains", wrong)]).contains("must be names such as"),
                "{wrong}"
            );
        }
        assert!(error(&[("acme_domains", "*.example.org")]).contains("cannot prove"));
        assert!(error(&[("acme_directory", "http://example.org")]).contains("letsencrypt-staging"));
        let two = [
            ("tls_cert_file", "a"),
            ("tls_key_file", "b"),
            ("acme_domains", "a.org"),
        ];
        assert!(error(&two).contains("two sources"));
        let settings = load(&[("hosts", "A.org, *.b.org,*"), ("acme_domains", "a.org")])
            .unwrap()
            .settings;
        assert_eq!(settings.hosts, ["a.org", "*.b.org", "*"]);
        assert!(settings.speaks_tls() && settings.acme_directory.contains("api.letsencrypt.org"));
    }

    #[test]
    fn origins_are_a_list_in_the_file_and_have_commas_elsewhere() {
        let file = file("cors_origins = [\"https://a.org\", \"http://localhost:81\"]");
        let config = Config::load(Some(file.path()), [], &[]).unwrap();
        assert_eq!(
            config.settings.cors_origins,
            ["https://a.org", "http://localhost:81"]
        );
        let flag = pairs(&[("cors_origins", "https://b.org, https://c.org")]);
        let config = Config::load(Some(file.path()), [], &flag).unwrap();
        assert_eq!(config.settings.cors_origins, ["https://b.org", "https://c.org"]);
    }

    #[test]
    fn a_secret_is_masked() {
        let none = tempfile::NamedTempFile::new().unwrap();
        let url = pairs(&[("redis_url", "redis://me:secret@example.org:1")]);
        let config = Config::load(Some(none.path()), [], &url).unwrap();
        let shown = format!("{:?}", config.show());
        assert!(
            shown.contains("redis://********@example.org:1") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
