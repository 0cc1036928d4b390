//! Tokens, and who a token makes of its bearer.
use super::App;
use super::caller::Caller;
use super::extract::Json as Body;
use super::problem::{ApiError, ApiResult, kind};
use crate::auth::{self, MintError};
use crate::store::Op;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::api::{Scope, TokenList, TokenMade, TokenRequest, WhoAmI};
use protocol::problem::Problem;
use std::sync::Arc;

/// Makes a token; its text is shown this once.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = TokenRequest,
    security(("bearer" = ["admin"])),
    responses((status = 201, body = TokenMade), (status = "default", body = Problem)))]
pub(crate) async fn make(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(request): Body<TokenRequest>,
) -> ApiResult<(StatusCode, Json<TokenMade>)> {
    caller.need(Scope::Admin)?;
    match auth::make_token(&app.engine, request).await {
        Ok(made) => Ok((StatusCode::CREATED, Json(made))),
        Err(MintError::Invalid(why)) => Err(ApiError::new(kind::BODY, why)),
        Err(MintError::Store(error)) => Err(error.into()),
        Err(MintError::Engine(error)) => Err(error.into()),
        Err(MintError::NoChance(error)) => Err(ApiError::internal(error)),
    }
}

/// The tokens that are not revoked.
#[utoipa::path(get, path = "/tokens", tag = "tokens", security(("bearer" = ["admin"])),
    responses((status = 200, body = TokenList), (status = "default", body = Problem)))]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller) -> ApiResult<Json<TokenList>> {
    caller.need(Scope::Admin)?;
    Ok(Json(TokenList {
        tokens: app.read(|reader| reader.tokens()).await?,
    }))
}

/// Makes a token worth nothing.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    security(("bearer" = ["admin"])),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    caller.need(Scope::Admin)?;
    let wanted = id.clone();
    if app.read(move |reader| reader.token(&wanted)).await?.is_none() {
        let detail = "GET /api/v1/tokens lists those that are not revoked.";
        return Err(ApiError::new(kind::NO_TOKEN, detail));
    }
    app.engine.write(Op::RevokeToken { id: id.clone() }).await?;
    app.auth.forget(&id);
    Ok(StatusCode::NO_CONTENT)
}

/// Who the caller is.
#[utoipa::path(get, path = "/whoami", tag = "tokens", security((), ("bearer" = [])),
    responses((status = 200, body = WhoAmI), (status = "default", body = Problem)))]
pub(crate) async fn whoami(caller: Caller) -> Json<WhoAmI> {
    Json(caller.bearer().who())
}
