//! A job's failed attempts, grouped by cause.
use super::jobs::of_job;
use crate::model::format;
use crate::model::words;
use crate::net::poll::{Loaded, polled};
use crate::ui::notice::TroubleNotice;
use crate::ui::time::Ago;
use leptos::prelude::*;
use protocol::api::{ErrorGroup, ErrorGroups};
use protocol::ids::JobId;
use protocol::job::JobState;

/// How often they are read while the job runs.
const EVERY_MS: i32 = 4_000;

/// Shown only when something failed.
#[component]
pub fn JobErrors(
    /// Which job.
    id: JobId,
) -> impl IntoView {
    let state = of_job(id, JobState::Queued, |job| job.state);
    // Once more after the end: the last failure may have ended the job.
    let read_after_end = StoredValue::new(0u8);
    let again = move || {
        let over = state.try_get_untracked().is_none_or(JobState::is_over);
        read_after_end.try_update_value(|times| *times = if over { times.saturating_add(1) } else { 0 });
        read_after_end.try_get_value().is_none_or(|times| times <= 1)
    };
    let groups = polled::<ErrorGroups>(format!("/jobs/{id}/errors"), EVERY_MS, again);
    move || match groups.get() {
        Loaded::Waiting => ().into_any(),
        Loaded::Failed(trouble) => {
            view! { <TroubleNotice trouble title="The errors could not be read"/> }.into_any()
        }
        Loaded::Ready(found) if found.groups.is_empty() => ().into_any(),
        Loaded::Ready(found) => {
            let groups = found.groups.into_iter().map(group).collect_view();
            view! {
                <section aria-labelledby="errors">
                    <h2 id="errors">"Failed attempts by cause"</h2>
                    <ul class="errors">{groups}</ul>
                </section>
            }
            .into_any()
        }
    }
}

fn group(group: ErrorGroup) -> impl IntoView {
    let (word, remedy) = words::cause(group.cause);
    let times = format::count_of(group.count, "attempt", "attempts");
    let label = format!("What the sandbox said: {word}");
    view! {
        <li class="panel">
            <p><strong>{word}</strong> " · " {times} " · such as shard " {format::count(group.shard.into())}
                " · last " <Ago ms=Signal::stored(group.last_ms)/></p>
            <p class="note">{remedy}</p>
            <pre role="region" tabindex="0" aria-label=label><code>{group.detail}</code></pre>
        </li>
    }
}
