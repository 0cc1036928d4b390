//! Pages, health and metrics.
use crate::support::{RawWorker, Server};
use reqwest::{Method, StatusCode};

#[tokio::test]
async fn health_and_metrics_are_told_on_the_admin_address() {
    let server = Server::start().await;
    server.get("/jobs").await;
    let _worker = RawWorker::join(&server, 1).await;
    let admin = async |path: &str| {
        let response = reqwest::get(format!("http://{}{path}", server.admin))
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
