//! A job's failed attempts by cause and place, each with the input of a shard that failed one click away.
use super::jobs::of_job;
use super::shard_input::ShardInput;
use crate::model::blame::{Blame, Place, blames};
use crate::model::format;
use crate::model::words;
use crate::net::http;
use crate::net::poll::{Loaded, gone};
use crate::net::timer;
use crate::ui::notice::TroubleNotice;
use crate::ui::time::Ago;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::ErrorGroups;
use protocol::ids::JobId;
use protocol::job::JobState;

/// How often they are read while the job runs.
const EVERY_MS: i32 = 4_000;
/// How soon it is seen that the job is over: the last failure may have ended it.
const LOOK_MS: i32 = 250;

/// Shown only when something failed.
#[component]
pub fn JobErrors(
    /// Which job.
    id: JobId,
    /// Called to show a place of the source, where the source can be shown.
    #[prop(optional)]
    on_place: Option<Callback<Place>>,
) -> impl IntoView {
    let groups = read(id);
    move || match groups.get() {
        Loaded::Waiting => ().into_any(),
        Loaded::Failed(trouble) => {
            view! { <TroubleNotice trouble title="The errors could not be read"/> }.into_any()
        }
        Loaded::Ready(found) if found.groups.is_empty() => ().into_any(),
        Loaded::Ready(found) => {
            let blames = blames(found.groups).into_iter();
            let blames = blames
                .map(|blame| view! { <Blamed id blame on_place/> })
                .collect_view();
            view! {
                <section aria-labelledby="errors">
                    <h2 id="errors">"Failed attempts by cause"</h2>
                    <ul class="errors">{blames}</ul>
                </section>
            }
            .into_any()
        }
    }
}

/// Reads the errors until the job is over, and once more then. What did not change is not shown anew, so that an
/// opened input stays open.
fn read(id: JobId) -> Memo<Loaded<ErrorGroups>> {
    let groups = RwSignal::new(Loaded::Waiting);
    let state = of_job(id, JobState::Queued, |job| job.state);
    let is_over = move || state.try_get_untracked().is_none_or(JobState::is_over);
    let gone = gone();
    spawn_local(async move {
        while !gone() {
            let was_over = is_over();
            match http::get::<ErrorGroups>(&format!("/jobs/{id}/errors")).await {
                Ok(found) => drop(groups.try_set(Loaded::Ready(found))),
                Err(trouble) => drop(groups.try_update(|groups| {
                    if !matches!(groups, Loaded::Ready(_)) {
                        *groups = Loaded::Failed(trouble);
                    }
                })),
            }
            if was_over {
                return;
            }
            for _ in 0..EVERY_MS / LOOK_MS {
                timer::sleep(LOOK_MS).await;
                if gone() || is_over() {
                    break;
                }
            }
        }
    });
    Memo::new(move |_| groups.get())
}

#[component]
fn Blamed(id: JobId, blame: Blame, on_place: Option<Callback<Place>>) -> impl IntoView {
    let (word, remedy) = words::cause(blame.cause);
    let times = format::count_of(blame.count, "attempt", "attempts");
    let label = format!("What the sandbox said: {word}");
    let jump = on_place.zip(blame.place).map(|(show, place)| {
        let word = format!("Go to line {}", place.line);
        view! { <p><button type="button" on:click=move |_| show.run(place.clone())>{word}</button></p> }
    });
    let inputs = blame
        .shards
        .into_iter()
        .map(|shard| view! { <ShardInput id shard/> });
    let inputs = inputs.collect_view();
    view! {
        <li class="panel">
            <p><strong>{word}</strong> " · " {times} " · last " <Ago ms=Signal::stored(blame.last_ms)/></p>
            <p class="note">{remedy}</p>
            <pre role="region" tabindex="0" aria-label=label><code>{blame.detail}</code></pre>
            {jump}
            {inputs}
        </li>
    }
}
