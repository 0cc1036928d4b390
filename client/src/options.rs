//! Which server, and with which token.
use crate::Error;
use std::env::VarError;
use std::path::PathBuf;

/// Where a server is looked for when nothing says where it is.
pub const SERVER_DEFAULT: &str = "http://127.0.0.1:4750";

/// Which server, and with which token.
#[derive(Clone)]
pub struct Options {
    pub(crate) server: String,
    pub(crate) token: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
}

impl Options {
    /// A server by its address, such as `http://127.0.0.1:4750` or `https://example.org`, without a token.
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            token: None,
            ca_file: None,
        }
    }

    /// `ELYTRA_SERVER` (else [`SERVER_DEFAULT`]), `ELYTRA_TOKEN` and `ELYTRA_CA_FILE`.
    ///
    /// # Errors
    /// [`Error::Usage`] when one of them is not text.
    pub fn from_env() -> Result<Self, Error> {
        let server = variable("ELYTRA_SERVER")?.unwrap_or_else(|| SERVER_DEFAULT.into());
        let token = variable("ELYTRA_TOKEN")?;
        let ca_file = variable("ELYTRA_CA_FILE")?.map(PathBuf::from);
        Ok(Self {
            server,
            token,
            ca_file,
        })
    }

    /// With the authorities in this PEM file besides those of the system: who may sign the server's certificate.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// With this token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }
}

/// The token is nobody's business, in no log.
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Options");
        shown.field("server", &self.server).finish_non_exhaustive()
    }
}

fn variable(name: &str) -> Result<Option<String>, Error> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Error::Usage(format!("{name} is not text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let shown = format!("{:?}", Options::new(SERVER_DEFAULT).token("secret"));
        assert!(shown.contains("4750") && !shown.contains("secret"), "{shown}");
    }
}
