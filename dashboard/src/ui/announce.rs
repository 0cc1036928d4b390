//! Spoken news, for those who do not see the page change: polite, and at most one every five seconds.
use crate::net::timer::{clock, now_ms};
use leptos::prelude::*;

/// Least distance of two announcements.
const GAP_MS: u64 = 5_000;

/// Collects news; only the newest waits.
#[derive(Clone, Copy)]
pub struct Announcer {
    waiting: RwSignal<Option<String>>,
    shown: RwSignal<String>,
    shown_ms: StoredValue<u64>,
}

/// The page's announcer.
pub fn announcer() -> Announcer {
    expect_context()
}

impl Announcer {
    /// An announcer with nothing to say.
    pub fn silent() -> Announcer {
        Announcer {
            waiting: RwSignal::new(None),
            shown: RwSignal::new(String::new()),
            shown_ms: StoredValue::new(0),
        }
    }

    /// Says something soon, in place of what waits.
    pub fn say(self, text: impl Into<String>) {
        self.waiting.set(Some(text.into()));
        self.flush();
    }

    fn flush(self) {
        let now = now_ms();
        if now.saturating_sub(self.shown_ms.get_value()) < GAP_MS {
            return;
        }
        if let Some(text) = self.waiting.try_update(Option::take).flatten() {
            self.shown.set(text);
            self.shown_ms.set_value(now);
        }
    }
}

/// Where announcements are spoken from; it is not seen.
#[component]
pub fn AnnouncerRegion() -> impl IntoView {
    let announcer = announcer();
    let clock = clock();
    Effect::new(move |_| {
        clock.now();
        if announcer.waiting.with_untracked(Option::is_some) {
            announcer.flush();
        }
    });
    view! { <div class="unseen" role="status" aria-live="polite">{move || announcer.shown.get()}</div> }
}
