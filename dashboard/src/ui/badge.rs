//! A state as a word with a mark.
use crate::model::words::{self, Tone};
use leptos::prelude::*;
use protocol::job::JobState;

/// A word with a mark of its tone.
#[component]
pub fn Badge(
    /// How it is meant.
    #[prop(into)]
    tone: Signal<Tone>,
    /// The word.
    #[prop(into)]
    word: Signal<String>,
) -> impl IntoView {
    view! { <span class=move || format!("badge {}", tone.get().class())>{move || word.get()}</span> }
}

/// A job's state.
#[component]
pub fn StateBadge(
    /// The state.
    #[prop(into)]
    state: Signal<JobState>,
) -> impl IntoView {
    let tone = Signal::derive(move || words::state(state.get()).1);
    let word = Signal::derive(move || words::state(state.get()).0.to_owned());
    view! { <Badge tone word/> }
}
