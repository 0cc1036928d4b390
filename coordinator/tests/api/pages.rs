//! Pages, health and metrics.
use crate::support::{RawWorker, Server};
use reqwest::{Method, StatusCode};

#[tokio::test]
async fn health_and_metrics_are_told_on_the_admin_address() {
    let server = Server::start().await;
    server.get("/jobs").await;
    let _worker = RawWorker::join(&server, 1).await;
    let admin = async |path: &str| {
        let http = tls::plain_http().unwrap().build().unwrap();
        let response = http
            .get(format!("http://{}{path}", server.admin))
            .send()
            .await
            .unwrap();
        (response.status(), response.text().await.unwrap())
    };
    assert_eq!(admin("/livez").await, (StatusCode::OK, "alive\n".into()));
    assert_eq!(admin("/readyz").await, (StatusCode::OK, "ready\n".into()));
    let (status, text) = admin("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    for name in [
        "elytra_requests_total",
        "elytra_request_seconds_bucket",
        "elytra_connections",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
    let public = server.bare(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(
        public.status(),
        StatusCode::NOT_FOUND,
        "metrics are the operator's"
    );
    server.stop().await;
}

#[tokio::test]
async fn pages_are_protected_or_their_absence_is_explained() {
    let server = Server::start().await;
    for path in [
        "/",
        "/contribute",
        "/jobs",
        "/jobs/j-0000000000001",
        "/workers",
        "/submit",
        "/settings",
    ] {
        let response = server.bare(Method::GET, path).send().await.unwrap();
        let headers = response.headers().clone();
        if response.status() == StatusCode::NOT_FOUND {
            let text = response.text().await.unwrap();
            assert!(text.contains("npm start"), "{path}: {text}");
            continue;
        }
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("'unsafe-eval'"),
            "{policy}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
    let nowhere = server.bare(Method::GET, "/no/such/page").send().await.unwrap();
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn a_page_goes_compressed_to_those_who_accept_it_under_a_tag_of_its_own() {
    let server = Server::start().await;
    let ask = async |accepted: &str, known: &str| {
        let request = server.bare(Method::GET, "/");
        let request = request.header("accept-encoding", accepted);
        request.header("if-none-match", known).send().await.unwrap()
    };
    let (plain, packed) = (ask("identity", "").await, ask("gzip", "").await);
    if plain.status() == StatusCode::OK && packed.headers().contains_key("content-encoding") {
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        assert_eq!(packed.headers()["content-type"], plain.headers()["content-type"]);
        assert_eq!(packed.headers()["vary"], "accept-encoding");
        let tag = packed.headers()["etag"].to_str().unwrap().to_owned();
        assert_ne!(plain.headers()["etag"], tag);
        assert_eq!(ask("gzip", &tag).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask("identity", &tag).await.status(), StatusCode::OK);
        assert!(packed.bytes().await.unwrap().starts_with(&[0x1F, 0x8B]));
    }
    let alone = server.bare(Method::GET, "/index.html.gz").send().await.unwrap();
    assert_eq!(alone.status(), StatusCode::NOT_FOUND);
    server.stop().await;
}
