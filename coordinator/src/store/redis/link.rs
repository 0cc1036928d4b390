//! The connection: opened when it is needed, again when it broke, and errors that say what to do.
use super::scripts::Scripts;
use crate::store::StoreError;
use redis::{
    Client, Connection, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, TlsCertificates, Value,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for a connection.
const CONNECT_MS_MAX: u64 = 2_000;
/// How long to wait for an answer; a Redis that waits for its disk can take a while.
const ANSWER_MS_MAX: u64 = 15_000;

/// The authorities in a file.
fn believing(file: &Path) -> Result<TlsCertificates, StoreError> {
    let root = std::fs::read(file).map_err(|error| {
        StoreError::Unavailable(format!(
            "the file of authorities {} (ca_file): {error}",
            file.display()
        ))
    })?;
    Ok(TlsCertificates {
        client_tls: None,
        root_cert: Some(root),
    })
}

/// Where Redis is, and what runs there.
#[derive(Clone, Debug)]
pub(super) struct Address {
    client: Client,
    pub(super) scripts: Arc<Scripts>,
}

impl Address {
    pub(super) fn new(url: &str, ca_file: Option<&Path>, scripts: Scripts) -> Result<Self, StoreError> {
        let client = match ca_file.filter(|_| url.starts_with("rediss:")) {
            None => Client::open(url),
            Some(file) => Client::build_with_tls(url, believing(file)?),
        };
        let client = client.map_err(|error| {
            // The error does not repeat the address, which may hold a password.
            StoreError::Unavailable(format!(
                "the address of Redis is not understood ({error}). It looks like redis://host:6379/0"
            ))
        })?;
        let scripts = Arc::new(scripts);
        Ok(Self { client, scripts })
    }

    /// Host and port, never a password.
    pub(super) fn shown(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Opens a connection on which the scripts are known.
    pub(super) fn connect(&self) -> RedisResult<Connection> {
        let wait = Duration::from_millis(CONNECT_MS_MAX);
        let mut connection = self.client.get_connection_with_timeout(wait)?;
        let wait = Some(Duration::from_millis(ANSWER_MS_MAX));
        connection.set_read_timeout(wait)?;
        connection.set_write_timeout(wait)?;
        self.scripts.load(&mut connection)?;
        Ok(connection)
    }

    pub(super) fn explain(&self, error: &RedisError) -> StoreError {
        let at = self.shown();
        let text = match error.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                format!("Redis at {at} is a replica and takes no writes. Name its primary in the settings")
            }
            ErrorKind::AuthenticationFailed => format!(
                "Redis at {at} refuses the name or password ({error}). Put the right ones into its address"
            ),
            ErrorKind::Io => match tls::explain(error) {
                Some(why) => format!("Redis at {at} is not believed: {why}"),
                None => format!(
                    "Redis at {at} cannot be reached ({error}). Start it or look at the network; \
                     the coordinator goes on by itself"
                ),
            },
            _ => return self.explain_code(error),
        };
        StoreError::Unavailable(text)
    }

    fn explain_code(&self, error: &RedisError) -> StoreError {
        let at = self.shown();
        let text = match error.code() {
            Some("OOM") => {
                return StoreError::Full(format!("Redis at {at} is full (maxmemory). Give it more memory"));
            }
            Some("MISCONF") => format!("Redis at {at} cannot write to its disk ({error}). Make room there"),
            Some("NOAUTH" | "WRONGPASS" | "NOPERM") => {
                format!(
                    "Redis at {at} does not allow this ({error}). Put the right name and password into its address"
                )
            }
            _ => format!("Redis at {at}: {error}"),
        };
        StoreError::Unavailable(text)
    }
}

/// One connection that comes back.
pub(super) struct Link {
    pub(super) address: Address,
    connection: Option<Connection>,
    /// Whether the last commands may have been sent twice, because it is not known what became of the first.
    pub(super) is_again: bool,
    /// The run of Redis that holds all that was answered for, where that matters: no other hears a command
    /// before it was told.
    pub(super) run: Option<String>,
    /// Another run answers.
    pub(super) is_other: bool,
}

impl Link {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            connection: None,
            is_again: false,
            run: None,
            is_other: false,
        }
    }

    /// Connects anew; an error where another run answers, which is connected then.
    fn open(&mut self) -> RedisResult<Connection> {
        let mut connection = self.address.connect()?;
        let Some(run) = &self.run else {
            return Ok(connection);
        };
        if run_id(&mut connection)?.as_ref() == Some(run) {
            return Ok(connection);
        }
        (self.connection, self.is_other) = (Some(connection), true);
        Err((ErrorKind::Io, "it was started anew, or another took its place").into())
    }

    /// Which run of Redis this is.
    pub(super) fn run_id(&mut self) -> Result<Option<String>, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self
                .address
                .connect()
                .map_err(|error| self.address.explain(&error))?,
        };
        let run = run_id(&mut connection).map_err(|error| self.address.explain(&error))?;
        self.connection = Some(connection);
        Ok(run)
    }

    /// Sends commands that may be sent twice, and waits for their answers.
    pub(super) fn send(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>, StoreError> {
        if pipeline.is_empty() {
            return Ok(Vec::new());
        }
        let was_open = self.connection.is_some();
        let result = match self.try_send(pipeline) {
            // It broke while nobody used it, or Redis was started anew and forgot the scripts.
            Err(error) if was_open && (error.is_connection_dropped() || is_no_script(&error)) => {
                self.is_again = true;
                self.try_send(pipeline)
            }
            result => result,
        };
        result.map_err(|error| self.address.explain(&error))
    }

    fn try_send(&mut self, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.open()?,
        };
        let answers = pipeline.query(&mut connection)?;
        self.connection = Some(connection);
        Ok(answers)
    }
}

fn run_id(connection: &mut Connection) -> RedisResult<Option<String>> {
    let text: String = redis::cmd("INFO").arg("server").query(connection)?;
    let run = text.lines().find_map(|line| line.strip_prefix("run_id:"));
    Ok(run.map(|run| run.trim().to_owned()))
}

fn is_no_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
