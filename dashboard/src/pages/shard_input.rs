//! What the program of one shard read: its parameters and items, and how to run it again elsewhere.
use crate::model::format;
use crate::model::shard::{self, Input};
use crate::net::http::{self, Trouble};
use crate::ui::copy::CopyBox;
use crate::ui::notice::{Skeleton, TroubleNotice};
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::Shard;
use protocol::ids::JobId;

/// One click away: it is read when it is opened.
#[component]
pub fn ShardInput(
    /// Which job.
    id: JobId,
    /// Which shard.
    shard: u32,
) -> impl IntoView {
    let found = RwSignal::new(None::<Result<Shard, Trouble>>);
    let opened = move |_| {
        if found.with_untracked(Option::is_none) {
            spawn_local(async move {
                let read = http::get::<Shard>(&format!("/jobs/{id}/shards/{shard}")).await;
                found.try_set(Some(read));
            });
        }
    };
    let body = move || match found.get() {
        None => view! { <Skeleton lines=2/> }.into_any(),
        Some(Err(trouble)) => {
            view! { <TroubleNotice trouble title="The shard could not be read"/> }.into_any()
        }
        Some(Ok(found)) => view! { <Read id shard found/> }.into_any(),
    };
    view! {
        <details class="shard-input" on:toggle=opened>
            <summary>{format!("Input of shard {}", format::count(shard.into()))}</summary>
            {body}
        </details>
    }
}

#[component]
fn Read(id: JobId, shard: u32, found: Shard) -> impl IntoView {
    let input = shard::input(&found).map_or_else(
        || view! { <p class="empty">"The input is in no form that this page knows."</p> }.into_any(),
        |input| view! { <Shown input/> }.into_any(),
    );
    let command = format!("elytra task replay {id}/{shard} --local");
    view! {
        {input}
        <p class="help">"To run it again on your machine, with all it has to say:"</p>
        <CopyBox text=Signal::stored(command) label="Command that runs the shard again"/>
    }
}

#[component]
fn Shown(input: Input) -> impl IntoView {
    let rows = input.items.into_iter().map(|(item, text)| {
        view! { <tr><th scope="row">{format::count(item)}</th><td><code>{text}</code></td></tr> }
    });
    let rows = rows.collect_view();
    let more = (input.more > 0).then(|| format!("and {} more", format::count(input.more)));
    let params = (!input.params.is_empty()).then(|| code("Parameters", input.params));
    let source = input.source.map(|source| {
        view! { <details><summary>"The script as it is run"</summary>{code("The script", source)}</details> }
    });
    view! {
        {params}
        <div class="scroll" role="region" aria-label="Items of the shard" tabindex="0">
            <table class="results">
                <thead><tr><th scope="col">"Item"</th><th scope="col">"Input"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <p class="help">{more}</p>
        {source}
    }
}

fn code(label: &'static str, text: String) -> impl IntoView {
    view! { <pre role="region" tabindex="0" aria-label=label><code>{text}</code></pre> }
}
