//! Whether what is shown is live.
use crate::net::feed::{Link, feed};
use leptos::prelude::*;

/// A word about the connection, beside the navigation.
#[component]
pub fn LinkMark() -> impl IntoView {
    let link = feed().link;
    view! {
        <span class=move || format!("link-mark {}", class(link.get())) title=move || explanation(link.get())>
            {move || word(link.get())}
        </span>
    }
}

fn word(link: Link) -> &'static str {
    match link {
        Link::Connecting => "Connecting",
        Link::Live => "Live",
        Link::Polling => "Refreshing",
        Link::Lost => "Reconnecting",
        Link::Denied => "No token",
    }
}

fn class(link: Link) -> &'static str {
    match link {
        Link::Live => "tone-good",
        Link::Connecting | Link::Polling => "tone-active",
        Link::Lost => "tone-warn",
        Link::Denied => "tone-plain",
    }
}

fn explanation(link: Link) -> &'static str {
    match link {
        Link::Connecting => "Looking for the coordinator",
        Link::Live => "What you see is up to date",
        Link::Polling => "The event stream is not available; this page asks again every few seconds",
        Link::Lost => "The coordinator cannot be reached; what you see may be old",
        Link::Denied => "To see jobs and workers, enter a token under Settings",
    }
}
