//! The OpenAPI document, from the same declarations as the router: neither can lack a route.
use super::{
    App, blobs, credit, events, items, jobs, programs, results, shards, submit, tickets, tokens, work,
    workers,
};
use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use std::sync::Arc;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Elytra", description = "Jobs on browser tabs and servers. Errors are RFC 9457 problems."),
    servers((url = "/api/v1")),
    modifiers(&BearerTokens)
)]
struct Document;

struct BearerTokens;

impl utoipa::Modify for BearerTokens {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("ely_…")
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The routes under `/api/v1`, and the document about them.
pub(super) fn api() -> (Router<Arc<App>>, OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(submit::submit, jobs::list))
        .routes(routes!(jobs::read))
        .routes(routes!(jobs::cancel))
        .routes(routes!(jobs::pause))
        .routes(routes!(jobs::resume))
        .routes(routes!(jobs::retry))
        .routes(routes!(items::append))
        .routes(routes!(items::close))
        .routes(routes!(results::results))
        .routes(routes!(jobs::errors))
        .routes(routes!(jobs::explain))
        .routes(routes!(shards::read))
        .routes(routes!(workers::list))
        .routes(routes!(workers::explain))
        .routes(routes!(workers::overview))
        .routes(routes!(programs::list, programs::upload))
        .routes(routes!(programs::read))
        .routes(routes!(programs::module))
        .routes(routes!(blobs::upload))
        .routes(routes!(blobs::download))
        .routes(routes!(events::events))
        .routes(routes!(tokens::make, tokens::list))
        .routes(routes!(tokens::revoke))
        .routes(routes!(tokens::whoami))
        .routes(routes!(tickets::give))
        .routes(routes!(credit::account))
        .routes(routes!(credit::receipts))
        .routes(routes!(credit::receipt))
        .routes(routes!(credit::digests))
        .routes(routes!(credit::leaders))
        .routes(routes!(work::work))
        .split_for_parts()
}

/// The document as JSON.
pub(super) fn text(document: &OpenApi) -> Bytes {
    serde_json::to_vec(document).unwrap_or_default().into()
}

/// `GET /openapi.json`.
pub(super) async fn serve(text: Bytes) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")],
        text,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in `protocol::api`, row by row.
    const TABLE: &[(&str, &str)] = &[
        ("post", "/jobs"),
        ("get", "/jobs"),
        ("get", "/jobs/{id}"),
        ("post", "/jobs/{id}/cancel"),
        ("post", "/jobs/{id}/pause"),
        ("post", "/jobs/{id}/resume"),
        ("post", "/jobs/{id}/retry"),
        ("post", "/jobs/{id}/items"),
        ("post", "/jobs/{id}/close"),
        ("get", "/jobs/{id}/results"),
        ("get", "/jobs/{id}/errors"),
        ("get", "/jobs/{id}/explain"),
        ("get", "/jobs/{id}/shards/{shard}"),
        ("get", "/workers"),
        ("get", "/workers/{id}/explain"),
        ("get", "/programs"),
        ("get", "/programs/{hash}"),
        ("post", "/programs"),
        ("get", "/programs/{hash}/module"),
        ("post", "/blobs"),
        ("get", "/blobs/{hash}"),
        ("get", "/overview"),
        ("get", "/events"),
        ("post", "/tokens"),
        ("get", "/tokens"),
        ("delete", "/tokens/{id}"),
        ("get", "/whoami"),
        ("post", "/tickets"),
        ("get", "/work"),
        ("get", "/accounts/{id}"),
        ("get", "/accounts/{id}/receipts"),
        ("get", "/receipts/{id}"),
        ("get", "/receipts/{id}/digests"),
        ("get", "/leaders"),
    ];

    #[test]
    fn the_document_holds_the_table_and_nothing_else() {
        let document: serde_json::Value = serde_json::from_slice(&text(&api().1)).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let mut there: Vec<_> = paths
            .iter()
            .flat_map(|(path, item)| {
                item.as_object()
                    .unwrap()
                    .keys()
                    .map(move |method| (method.as_str(), path.as_str()))
            })
            .collect();
        let mut wanted = TABLE.to_vec();
        there.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(there, wanted);
        assert!(document["components"]["schemas"]["JobSpec"].is_object());
    }
}
