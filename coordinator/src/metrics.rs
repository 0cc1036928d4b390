//! What is counted and measured, under which names, and how it is told to Prometheus.
//!
//! Units are base units and stand in the names. Whoever measures uses the `metrics` macros with
//! the constants here, so that this page lists everything there is.
use axum::http::Method;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;

/// Requests answered, by `route`, `method` and `status`.
pub const REQUESTS_TOTAL: &str = "elytra_requests_total";
/// Time from a request's head to the beginning of its answer, by `route`.
pub const REQUEST_SECONDS: &str = "elytra_request_seconds";
/// TCP connections open now.
pub const CONNECTIONS: &str = "elytra_connections";
/// TCP connections turned away because too many were open.
pub const CONNECTIONS_REFUSED_TOTAL: &str = "elytra_connections_refused_total";
/// Connections cut off because their peer did not read.
pub const READERS_STALLED_TOTAL: &str = "elytra_readers_stalled_total";
/// Workers connected now.
pub const SESSIONS: &str = "elytra_sessions";
/// Sessions that the coordinator ended, by `code`.
pub const SESSIONS_REFUSED_TOTAL: &str = "elytra_sessions_refused_total";
/// Shards whose output is accepted and durable.
pub const SHARDS_ACCEPTED_TOTAL: &str = "elytra_shards_accepted_total";
/// Attempts that failed, by `cause`.
pub const ATTEMPTS_FAILED_TOTAL: &str = "elytra_attempts_failed_total";
/// Shards waiting for a worker.
pub const SHARDS_PENDING: &str = "elytra_shards_pending";
/// Shards with workers.
pub const SHARDS_LEASED: &str = "elytra_shards_leased";
/// Time of one commit of the store.
pub const COMMIT_SECONDS: &str = "elytra_commit_seconds";
/// Operations of one commit.
pub const COMMIT_OPS: &str = "elytra_commit_ops";
/// Commits that failed; nothing of them is stored, and they are tried again.
pub const COMMITS_FAILED_TOTAL: &str = "elytra_commits_failed_total";
/// Bytes of outputs that wait for their commit.
pub const COMMIT_BACKLOG_BYTES: &str = "elytra_commit_backlog_bytes";

/// Bounds of the time histograms, in seconds: from a commit to memory to a slow disk.
const SECONDS: [f64; 12] = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
/// Bounds of the histograms of numbers.
const NUMBERS: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// The process's metrics. The first call begins to collect them; a process that has a recorder of its
/// own already keeps it, and then this one stays empty.
pub fn handle() -> &'static PrometheusHandle {
    HANDLE.get_or_init(|| {
        let recorder = builder().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("this process collects metrics elsewhere; /metrics stays empty");
        }
        handle
    })
}

fn builder() -> PrometheusBuilder {
    let seconds = Matcher::Suffix("_seconds".into());
    let with = |builder: PrometheusBuilder, of: Matcher, bounds: &[f64]| {
        // The only error is an empty list of bounds; without bounds it would be a summary.
        builder.set_buckets_for_metric(of, bounds).unwrap_or_default()
    };
    let builder = with(PrometheusBuilder::new(), seconds, &SECONDS);
    with(builder, Matcher::Full(COMMIT_OPS.into()), &NUMBERS)
}

/// Counts a request.
pub(crate) fn request(route: &str, method: &Method, status: u16, took: Duration) {
    let route = route.to_owned();
    let method = word(method);
    metrics::counter!(REQUESTS_TOTAL, "route" => route.clone(), "method" => method, "status" => status.to_string())
        .increment(1);
    metrics::histogram!(REQUEST_SECONDS, "route" => route).record(took);
}

/// A caller may invent methods; a label may not have endless values.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
