//! What a caller is told when a request cannot be served: one type, from every cause there is.
//!
//! A handler returns [`ApiError`]; the layer in [`super::layer`] adds the request's id and writes the
//! body, so that an error made by the framework and one made here look the same.
use crate::blobs::BlobError;
use crate::engine::EngineError;
use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::description::ParamProblem;
use protocol::problem::Problem;
use std::fmt::Display;
use std::io::ErrorKind;

/// How long a caller should wait before it tries again, in seconds.
const RETRY_AFTER_S: u16 = 1;

/// A request that cannot be served.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Box<Told>);

#[derive(Clone, Debug)]
struct Told {
    problem: Problem,
    /// What only the log is told: paths, the words of the store and of the system.
    cause: Option<String>,
}

const LOG_SAYS: &str = "The log of the coordinator says more, under this request's id.";

/// The result of a handler.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

/// A kind of problem: its status, its stable word and its title.
pub(crate) struct Kind(u16, &'static str, &'static str);

/// The closed set of problems; the words are part of the API.
pub(crate) mod kind {
    use super::Kind;
    pub(crate) const NO_ROUTE: Kind = Kind(404, "no_route", "There is nothing at this address");
    pub(crate) const METHOD: Kind = Kind(
        405,
        "method_not_allowed",
        "This address does not know this method",
    );
    pub(crate) const ID: Kind = Kind(400, "id_invalid", "That is not an id");
    pub(crate) const QUERY: Kind = Kind(400, "query_invalid", "The query does not fit");
    pub(crate) const HEADER: Kind = Kind(400, "header_invalid", "A header does not fit");
    pub(crate) const BODY: Kind = Kind(422, "body_invalid", "The body does not fit");
    pub(crate) const BODY_CUT: Kind = Kind(400, "body_cut_off", "The body did not arrive whole");
    pub(crate) const TOO_LONG: Kind = Kind(413, "body_too_long", "The body is too long");
    pub(crate) const NO_SHARD: Kind = Kind(404, "shard_unknown", "There is no such shard");
    pub(crate) const NO_JOB: Kind = Kind(404, "job_unknown", "There is no such job");
    pub(crate) const NO_WORKER: Kind = Kind(404, "worker_unknown", "There is no such worker");
    pub(crate) const NO_PROGRAM: Kind = Kind(404, "program_unknown", "There is no such program");
    pub(crate) const NO_TOKEN: Kind = Kind(404, "token_unknown", "There is no such token");
    pub(crate) const NO_RECEIPT: Kind = Kind(404, "receipt_unknown", "There is no such receipt");
    pub(crate) const NO_BLOB: Kind = Kind(404, "blob_unknown", "There is no such blob");
    pub(crate) const RANGE: Kind = Kind(416, "range_invalid", "The blob does not have these bytes");
    pub(crate) const ENTRY: Kind = Kind(422, "entry_unknown", "The program has no such entry");
    pub(crate) const PROGRAM_FIELD: Kind = Kind(422, "program_unknown", "There is no such program");
    pub(crate) const PARAMS: Kind = Kind(422, "params_invalid", "The parameters do not fit");
    pub(crate) const ITEMS: Kind = Kind(422, "items_invalid", "The items do not fit");
    pub(crate) const EMPTY: Kind = Kind(422, "input_empty", "The input has no items");
    pub(crate) const STEP: Kind = Kind(422, "step_zero", "The range never ends");
    pub(crate) const BLOB_MISSING: Kind = Kind(422, "blob_missing", "The input's blob is not here");
    pub(crate) const LIMIT: Kind = Kind(422, "over_limit", "The job is over a limit");
    pub(crate) const KEY_REUSED: Kind = Kind(422, "key_reused", "The idempotency key belongs to another job");
    pub(crate) const CURSOR: Kind = Kind(400, "cursor_invalid", "That is not a cursor of this stream");
    pub(crate) const PROGRAM_REFUSED: Kind = Kind(422, "program_refused", "The program may not run here");
    pub(crate) const REFUSED: Kind = Kind(409, "refused", "That is not possible as things stand");
    pub(crate) const FULL: Kind = Kind(429, "full", "Too much is waiting already");
    pub(crate) const TOO_MANY: Kind = Kind(429, "too_many_requests", "There were too many requests");
    pub(crate) const ORIGIN: Kind = Kind(403, "origin_refused", "This page may not do that here");
    pub(crate) const HOST: Kind = Kind(421, "host_refused", "This server is not known by that name");
    pub(crate) const TOKEN_MISSING: Kind = Kind(401, "token_missing", "A token is needed");
    pub(crate) const TOKEN_WRONG: Kind = Kind(401, "token_wrong", "The token is worth nothing");
    pub(crate) const SCOPE: Kind = Kind(403, "scope_missing", "The token does not allow this");
    pub(crate) const UPGRADE: Kind = Kind(426, "websocket_wanted", "This address speaks WebSocket");
    pub(crate) const STORE: Kind = Kind(503, "store_unavailable", "Nothing can be stored at the moment");
    pub(crate) const NO_ROOM: Kind = Kind(507, "store_full", "There is no room for more at the moment");
    pub(crate) const GOING: Kind = Kind(503, "going_away", "The coordinator is stopping");
    pub(crate) const CORRUPT: Kind = Kind(500, "store_corrupt", "What is stored cannot be read");
    pub(crate) const INTERNAL: Kind = Kind(500, "internal", "Something went wrong here");
    pub(crate) const WEB_MISSING: Kind = Kind(404, "web_missing", "The web part is not built");
}

impl ApiError {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let problem = Problem::new(kind.0, kind.1, kind.2, detail);
        Self(Box::new(Told { problem, cause: None }))
    }

    /// With a cause that is nobody's business but the operator's: [`super::layer`] writes it to the log with the
    /// request's id.
    pub(crate) fn hiding(kind: Kind, cause: impl Display, detail: impl Display) -> Self {
        let mut error = Self::new(kind, format!("{detail} {LOG_SAYS}"));
        error.0.cause = Some(cause.to_string());
        error
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// With the fields that are wrong; the detail sums them up.
    pub(crate) fn with_fields(kind: Kind, fields: Vec<ParamProblem>) -> Self {
        let told: Vec<_> = fields.iter().map(ToString::to_string).collect();
        let mut error = Self::new(kind, told.join("; "));
        error.0.problem.fields = fields;
        error
    }

    pub(crate) fn field(kind: Kind, field: &str, problem: impl Into<String>) -> Self {
        let problem = ParamProblem {
            field: field.into(),
            problem: problem.into(),
        };
        Self::with_fields(kind, vec![problem])
    }

    /// Something failed that has nothing to do with the request; the cause goes to the log only.
    pub(crate) fn internal(cause: impl Display) -> Self {
        Self::hiding(kind::INTERNAL, cause, "It is no fault of the request.")
    }
}

fn unavailable(cause: impl Display) -> ApiError {
    ApiError::hiding(kind::STORE, cause, "Try again in a moment.")
}

fn no_room(cause: impl Display) -> ApiError {
    ApiError::hiding(
        kind::NO_ROOM,
        cause,
        "What keeps the coordinator's data is full; it goes on by itself when its operator makes room.",
    )
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => unavailable(why),
            StoreError::Full(why) => no_room(why),
            StoreError::Corrupt(why) => Self::hiding(kind::CORRUPT, why, "The operator has to look at it."),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match &error {
            BlobError::Missing(_) => Self::new(kind::NO_BLOB, error.to_string()),
            BlobError::Io { error: cause, .. } if cause.kind() == ErrorKind::StorageFull => no_room(error),
            BlobError::Io { .. } => unavailable(error),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotFound => Self::new(kind::NO_JOB, "List the jobs to see which there are."),
            EngineError::Refused(why) => Self::new(kind::REFUSED, why),
            EngineError::Full(why) => Self::new(kind::FULL, why),
            EngineError::StoreFull(why) => no_room(why),
            EngineError::StoreUnavailable(why) => unavailable(why),
            EngineError::Gone => Self::new(kind::GOING, "Try again in a moment."),
        }
    }
}

impl IntoResponse for ApiError {
    /// Status and headers only: the layer writes the body from the extension.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Bearer realm=\"elytra\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::INSUFFICIENT_STORAGE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The whole answer to a request that failed, in the words of RFC 9457.
pub(crate) fn write_body(response: Response, request: &str) -> Response {
    let (mut parts, _) = response.into_parts();
    let problem = parts.extensions.remove::<ApiError>().map(|error| error.0.problem);
    let mut problem = problem.unwrap_or_else(|| of_status(parts.status));
    problem.request = request.into();
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let json = HeaderValue::from_static("application/problem+json");
    parts.headers.insert(header::CONTENT_TYPE, json);
    parts
        .headers
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, body.into())
}

/// The problem behind a refusal that the framework made.
fn of_status(status: StatusCode) -> Problem {
    let Kind(_, word, title) = match status {
        StatusCode::NOT_FOUND => kind::NO_ROUTE,
        StatusCode::METHOD_NOT_ALLOWED => kind::METHOD,
        StatusCode::PAYLOAD_TOO_LARGE => kind::TOO_LONG,
        StatusCode::UPGRADE_REQUIRED => kind::UPGRADE,
        s if s.is_client_error() => kind::BODY,
        _ => kind::INTERNAL,
    };
    let detail = "The addresses and what they take are listed at /api/v1/openapi.json.";
    Problem::new(status.as_u16(), word, title, detail)
}
