//! Keeps [`Live`] up to date: events by a stream; where the stream breaks, by reading afresh until it is back.
use super::http::{self, Trouble};
use super::poll::gone;
use super::stream::ByteStream;
use super::timer;
use crate::model::live::{Begun, Live, Then};
use crate::model::sse::{Message, Sse};
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::{Event, Job, JobPage, Overview, WorkerList};

/// A stream that is silent for so long is taken for dead: samples come every second.
const SILENCE_MS_MAX: u64 = 20_000;
/// Pauses between attempts to get the stream back; the last one is repeated.
const RETRY_MS: [i32; 5] = [500, 1_000, 2_000, 4_000, 8_000];
/// How often a page that is shown reads what is in no event.
const FRESH_MS: i32 = 3_000;
/// How many of the newest jobs are read at the start.
const JOBS_READ: u32 = 100;

/// How this page hears from the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The first attempt.
    Connecting,
    /// Events arrive as they happen.
    Live,
    /// Only by asking again and again.
    Polling,
    /// Not at all, at the moment.
    Lost,
    /// The coordinator wants a token that may read.
    Denied,
}

/// What the pages read.
#[derive(Clone, Copy)]
pub struct Feed {
    /// The state of the fleet.
    pub live: RwSignal<Live>,
    /// How it is kept up to date.
    pub link: RwSignal<Link>,
}

/// The feed of this page.
pub fn feed() -> Feed {
    expect_context()
}

impl Feed {
    /// Starts it for the life of the page.
    pub fn start() -> Feed {
        let feed = Feed {
            live: RwSignal::new(Live::default()),
            link: RwSignal::new(Link::Connecting),
        };
        spawn_local(feed.run());
        feed
    }

    async fn run(self) {
        let mut sse = Sse::default();
        let mut failures = 0;
        loop {
            let was_live = self.listen(&mut sse).await;
            failures = if was_live { 0 } else { failures + 1 };
            timer::sleep(RETRY_MS[failures.min(RETRY_MS.len() - 1)]).await;
        }
    }

    /// One life of the stream; returns whether events came.
    async fn listen(self, sse: &mut Sse) -> bool {
        sse.reconnect();
        let last_id = sse.last_id().to_owned();
        let headers = [
            ("Accept", "text/event-stream"),
            ("Last-Event-ID", last_id.as_str()),
        ];
        let headers = if last_id.is_empty() {
            &headers[..1]
        } else {
            &headers[..]
        };
        let opened = ByteStream::open("/events", headers).await;
        // Read after the stream was opened, so that nothing falls between the two.
        let read = self.read_all().await;
        let link = match (&opened, &read) {
            (_, Err(trouble)) if trouble.wants_token() => Link::Denied,
            (_, Err(_)) => Link::Lost,
            (Err(_), Ok(())) => Link::Polling,
            (Ok(_), Ok(())) => Link::Live,
        };
        self.link.set(link);
        match (opened, link) {
            (Ok(stream), Link::Live) => self.follow(stream, sse).await,
            _ => return false,
        }
        self.link.set(Link::Lost);
        true
    }

    async fn follow(self, mut stream: ByteStream, sse: &mut Sse) {
        stream.watch(SILENCE_MS_MAX);
        while let Ok(Some(bytes)) = stream.next().await {
            let Ok(messages) = sse.push(&bytes) else { return };
            if self.apply(&messages) == Then::ReadAfresh && self.read_all().await.is_err() {
                return;
            }
        }
    }

    /// Everything that came at once is folded in at once: one burst, one redraw.
    fn apply(self, messages: &[Message]) -> Then {
        let events: Vec<Event> = messages
            .iter()
            .filter_map(|m| serde_json::from_str(&m.data).ok())
            .collect();
        if events.is_empty() {
            return Then::Nothing;
        }
        let mut then = Then::Nothing;
        self.live.update(|live| {
            for event in events {
                if live.apply(event) == Then::ReadAfresh {
                    then = Then::ReadAfresh;
                }
            }
        });
        then
    }

    /// Reads the workers again and again while the calling page is shown: their counters are in no event.
    pub fn keep_workers_fresh(self) {
        while_shown(async move || {
            if let Ok(list) = http::get::<WorkerList>("/workers").await {
                self.live.update(|live| live.put_workers(list.workers));
            }
        });
    }

    /// Reads the overview again and again while the calling page is shown: problems are in no event.
    pub fn keep_overview_fresh(self) {
        while_shown(async move || {
            if let Ok(overview) = http::get::<Overview>("/overview").await {
                self.live.update(|live| live.overview = Some(overview));
            }
        });
    }

    /// To be called before jobs are asked for; see [`Live::put_read`].
    pub fn begin(self) -> Begun {
        self.live.with_untracked(Live::begin)
    }

    /// Takes a job that was asked for.
    pub fn put(self, job: Job, begun: Begun) {
        self.live.update(|live| live.put_read(job, begun));
    }

    /// Reads overview, newest jobs and workers.
    pub async fn read_all(self) -> Result<(), Trouble> {
        let overview: Overview = http::get("/overview").await?;
        self.live.update(|live| live.overview = Some(overview));
        let begun = self.begin();
        let page: JobPage = http::get(&format!("/jobs?limit={JOBS_READ}")).await?;
        let list: WorkerList = http::get("/workers").await?;
        self.live.update(|live| {
            live.put_page(page.jobs, begun);
            live.put_workers(list.workers);
        });
        Ok(())
    }
}

/// Calls `read` every [`FRESH_MS`] until the calling component is gone; not while nobody looks.
fn while_shown(read: impl AsyncFn() + 'static) {
    let gone = gone();
    spawn_local(async move {
        while !gone() {
            if !document().hidden() {
                read().await;
            }
            timer::sleep(FRESH_MS).await;
        }
    });
}
