//! RFC 9457 errors: what an API caller is told when a request cannot be served.
use serde::{Deserialize, Serialize};

/// The body of every error response, as `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{title}: {detail}")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A stable word for programs, such as `params_invalid`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every problem of a kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what to do.
    pub detail: String,
    /// Which fields are wrong, where fields are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<crate::description::ParamProblem>,
    /// The request's id, as in the log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
}

impl Problem {
    /// A problem without fields.
    pub fn new(status: u16, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            title: title.into(),
            status,
            detail: detail.into(),
            fields: Vec::new(),
            request: String::new(),
        }
    }
}
