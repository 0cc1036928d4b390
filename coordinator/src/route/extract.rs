//! What handlers take from a request, each with errors that name the thing and what would be right.
use super::problem::{ApiError, ApiResult, Kind, kind};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Query as AxumQuery, Request};
use axum::http::request::Parts;
use futures_util::StreamExt;
use protocol::description::{ParamProblem, nearest};
use protocol::limits;
use serde::de::DeserializeOwned;
use std::str::FromStr;
use std::time::Duration;

/// How long a body may pause between two pieces before the request is given up.
pub(crate) const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// A JSON body of at most [`limits::BODY_BYTES_MAX`].
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, _: &S) -> ApiResult<Self> {
        let bytes = whole(request.into_body(), limits::BODY_BYTES_MAX).await?;
        serde_json::from_slice(&bytes)
            .map(Json)
            .map_err(|error| misfit(kind::BODY, &error.to_string()))
    }
}

/// A body in memory, of at most `bytes_max`.
pub(crate) async fn whole(body: Body, bytes_max: usize) -> ApiResult<Bytes> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_long(bytes_max as u64));
    }
    let mut all = Vec::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = next_piece(&mut pieces).await? {
        if all.len() + piece.len() > bytes_max {
            return Err(too_long(bytes_max as u64));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.into())
}

/// The next piece of a body, waited for no longer than [`BODY_PAUSE_MAX`].
pub(crate) async fn next_piece(pieces: &mut axum::body::BodyDataStream) -> ApiResult<Option<Bytes>> {
    match tokio::time::timeout(BODY_PAUSE_MAX, pieces.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(piece))) => Ok(Some(piece)),
        Ok(Some(Err(error))) => Err(ApiError::new(kind::BODY_CUT, format!("{error}. Send it again."))),
        Err(_) => {
            let s = BODY_PAUSE_MAX.as_secs();
            Err(ApiError::new(
                kind::BODY_CUT,
                format!("Nothing came for {s} s. Send it again."),
            ))
        }
    }
}

pub(crate) fn too_long(bytes_max: u64) -> ApiError {
    let advice = "Upload long inputs as a blob (POST /api/v1/blobs) and name it in the job.";
    ApiError::new(
        kind::TOO_LONG,
        format!("At most {bytes_max} bytes are taken here. {advice}"),
    )
}

/// A query string; unknown names are errors.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        match AxumQuery::from_request_parts(parts, state).await {
            Ok(AxumQuery(query)) => Ok(Query(query)),
            Err(error) => Err(misfit(kind::QUERY, &error.body_text())),
        }
    }
}

/// The id in the address.
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr<Err: std::fmt::Display>> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> ApiResult<Self> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::new(kind::ID, error.body_text()))?;
        text.parse()
            .map(Id)
            .map_err(|error: T::Err| ApiError::new(kind::ID, error.to_string()))
    }
}

/// Turns serde's words into a problem; an unknown name becomes a field with a suggestion.
fn misfit(kind: Kind, told: &str) -> ApiError {
    match unknown_name(told) {
        Some(field) => ApiError::with_fields(kind, vec![field]),
        None => ApiError::new(kind, told),
    }
}

/// From "unknown field `grian`, expected one of `grain`, `entry` at line 1 column 5".
fn unknown_name(told: &str) -> Option<ParamProblem> {
    let is_field = told.contains("unknown field `");
    let from = told
        .find("unknown field `")
        .or_else(|| told.find("unknown variant `"))?;
    let mut quoted = told[from..].split('`').skip(1).step_by(2);
    let name = quoted.next()?;
    let known: Vec<_> = quoted.collect();
    let what = if is_field {
        "is not known here"
    } else {
        "is not one of the words known here"
    };
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("there are {}", known.join(", ")),
    };
    Some(ParamProblem {
        field: name.into(),
        problem: format!("{what}; {hint}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::job::JobSpec;

    fn told(json: &str) -> Option<String> {
        let error = serde_json::from_str::<JobSpec>(json).unwrap_err();
        unknown_name(&error.to_string()).map(|field| field.to_string())
    }

    #[test]
    fn an_unknown_name_comes_with_the_one_that_was_meant() {
        let spec = r#"{"program":"p","entry":"e","input":{"range":{"end":5}},"grian":3}"#;
        assert_eq!(
            told(spec).unwrap(),
            "grian: is not known here; did you mean 'grain'?"
        );
        let input = r#"{"program":"p","entry":"e","input":{"rnge":{"end":5}}}"#;
        let words = "rnge: is not one of the words known here; did you mean 'range'?";
        assert_eq!(told(input).unwrap(), words);
        assert_eq!(told("{}"), None, "a missing field is told as it is");
    }
}
