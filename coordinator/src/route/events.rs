//! What happens, as server-sent events that can be taken up where they broke off.
use super::App;
use super::caller::Caller;
use super::extract::Query;
use super::problem::{ApiError, ApiResult, kind};
use super::sight::{Sight, seen};
use crate::accept::stopped;
use crate::holds;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as Sse, KeepAlive};
use futures_util::{Stream, StreamExt};
use protocol::api::Event;
use protocol::ids::JobId;
use protocol::problem::Problem;
use serde::Deserialize;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A comment this often shows proxies and readers that the stream lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Jobs that a reader's ear remembers.
const KNOWN_JOBS_MAX: usize = 4_096;
const LAST_EVENT_ID: &str = "last-event-id";

/// Whose events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Only those of this job.
    #[param(value_type = Option<String>)]
    job: Option<JobId>,
}

/// Events from now on, or from behind `Last-Event-ID`. Who may not read everything hears of their own jobs.
#[utoipa::path(get, path = "/events", tag = "events", params(EventsQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "The last event that was read")),
    security(("bearer" = ["read"]), ("bearer" = ["submit"])),
    responses((status = 200, body = Event, content_type = "text/event-stream"),
        (status = "default", body = Problem)))]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> ApiResult<axum::response::Sse<impl Stream<Item = Result<Sse, Infallible>>>> {
    let sight = caller.sight()?;
    if let Some(job) = query.job {
        seen(&app, &caller, job).await?;
    }
    let after = headers
        .get(LAST_EVENT_ID)
        .map(|id| id.to_str().ok().and_then(|id| id.parse().ok()));
    let after = match after {
        Some(None) => {
            return Err(ApiError::field(
                kind::HEADER,
                "Last-Event-ID",
                "must be the id of an event",
            ));
        }
        known => known.flatten(),
    };
    let job = query.job;
    let mut shutdown = app.shutdown.clone();
    let hold = app.auth.hold(caller.bearer());
    let stopped = async move {
        tokio::select! {
            () = stopped(&mut shutdown) => {}
            () = holds::over(hold) => {}
        }
    };
    let feed = app.engine.events().subscribe(after);
    let ear = Arc::new(Ear {
        app,
        sight,
        known: Mutex::default(),
    });
    let told = feed
        .filter_map(move |told| Arc::clone(&ear).hears(told))
        .filter(move |(_, event)| std::future::ready(job.is_none_or(|job| is_of(event, job))))
        .filter_map(|(id, event)| std::future::ready(write(id, &event)))
        .map(Ok)
        .take_until(Box::pin(stopped));
    Ok(axum::response::Sse::new(told).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// What lets through the events of what a caller sees.
struct Ear {
    app: Arc<App>,
    sight: Sight,
    /// Whether jobs met before are among that.
    known: Mutex<HashMap<JobId, bool>>,
}

impl Ear {
    async fn hears(self: Arc<Self>, told: (u64, Arc<Event>)) -> Option<(u64, Arc<Event>)> {
        let hears = match (&self.sight, &*told.1) {
            (Sight::All, _) | (_, Event::Missed) => true,
            (Sight::Own(_), Event::JobChanged { job }) => self.sight.sees_of(&job.owner),
            (Sight::Own(_), Event::JobProgress { id, .. }) => self.sees(*id).await,
            (Sight::Own(_), Event::WorkerChanged { .. } | Event::OverviewSample { .. }) => false,
        };
        hears.then_some(told)
    }

    /// Progress does not say whose it is, so the job is looked up, once.
    async fn sees(&self, id: JobId) -> bool {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sees) = known().get(&id).copied() {
            return sees;
        }
        let stored = self.app.read(move |reader| reader.job(id)).await;
        let sees = matches!(stored, Ok(Some(job)) if self.sight.sees(&job.record));
        let mut known = known();
        if known.len() >= KNOWN_JOBS_MAX {
            known.clear();
        }
        known.insert(id, sees);
        sees
    }
}

fn is_of(event: &Event, job: JobId) -> bool {
    match event {
        Event::JobChanged { job: changed } => changed.id == job,
        Event::JobProgress { id, .. } => *id == job,
        Event::Missed => true,
        Event::WorkerChanged { .. } | Event::OverviewSample { .. } => false,
    }
}

fn write(id: u64, event: &Event) -> Option<Sse> {
    let kind = match event {
        Event::JobChanged { .. } => "job_changed",
        Event::JobProgress { .. } => "job_progress",
        Event::WorkerChanged { .. } => "worker_changed",
        Event::OverviewSample { .. } => "overview_sample",
        Event::Missed => "missed",
    };
    Sse::default()
        .id(id.to_string())
        .event(kind)
        .json_data(event)
        .ok()
}
