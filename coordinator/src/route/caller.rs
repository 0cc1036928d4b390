//! Who asks: the bearer of a token, or nobody in particular.
use super::App;
use super::problem::{ApiError, ApiResult, kind};
use crate::auth::{AuthError, Bearer};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use protocol::api::Scope;
use std::sync::Arc;

/// Who asks. A wrong token is refused even where none is needed, so that it is found out early.
pub(crate) struct Caller {
    bearer: Bearer,
    has_token: bool,
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> ApiResult<Self> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else {
            return Ok(Self {
                bearer: Bearer::anonymous(),
                has_token: false,
            });
        };
        let text = header.to_str().unwrap_or_default();
        let token = match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => {
                return Err(ApiError::new(
                    kind::TOKEN_WRONG,
                    "Send `Authorization: Bearer ely_…`.",
                ));
            }
        };
        let bearer = app.auth.check(token).await.map_err(refused)?;
        Ok(Self {
            bearer,
            has_token: true,
        })
    }
}

fn refused(error: AuthError) -> ApiError {
    match error {
        AuthError::Store(error) => error.into(),
        wrong => ApiError::new(kind::TOKEN_WRONG, wrong.to_string()),
    }
}

impl Caller {
    /// Refuses who has none of these scopes.
    pub(crate) fn need_any(&self, scopes: &[Scope]) -> ApiResult<&Bearer> {
        if scopes.iter().any(|&scope| self.bearer.allows(scope)) {
            return Ok(&self.bearer);
        }
        let wanted: Vec<_> = scopes.iter().map(|&scope| word(scope)).collect();
        let wanted = wanted.join(" or ");
        if self.has_token {
            let detail = format!("The token '{}' lacks the scope {wanted}.", self.bearer.name);
            return Err(ApiError::new(kind::SCOPE, detail));
        }
        let detail = format!(
            "Send `Authorization: Bearer ely_…` with a token that has the scope {wanted}; \
             `elytra token create --scope {}` makes one.",
            scopes.first().map_or("read", |&scope| word(scope))
        );
        Err(ApiError::new(kind::TOKEN_MISSING, detail))
    }

    /// Refuses who lacks this scope.
    pub(crate) fn need(&self, scope: Scope) -> ApiResult<&Bearer> {
        self.need_any(&[scope])
    }

    pub(crate) fn bearer(&self) -> &Bearer {
        &self.bearer
    }
}

fn word(scope: Scope) -> &'static str {
    Scope::ALL
        .iter()
        .find(|(s, _)| *s == scope)
        .map_or("", |(_, word)| word)
}
