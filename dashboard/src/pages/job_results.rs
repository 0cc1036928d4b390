//! The results of a job: the first of them to look at, and all of them as a file.
use super::jobs::of_job;
use super::results::Results;
use crate::model::format;
use crate::net::download;
use crate::net::http::{self, Trouble};
use crate::ui::copy::CopyBox;
use crate::ui::notice::TroubleNotice;
use js_sys::Array;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::ResultLine;
use protocol::ids::JobId;
use protocol::limits::RESULTS_PAGE_MAX;
use wasm_bindgen::JsValue;

/// The preview and the download.
#[component]
pub fn JobResults(
    /// Which job.
    id: JobId,
    /// Whether its outputs are shown as a picture already.
    has_picture: Signal<bool>,
) -> impl IntoView {
    let accepted = of_job(id, 0, |job| job.counts.items_accepted);
    let command = format!("elytra results {id} > {id}.ndjson");
    view! {
        <section aria-labelledby="results">
            <h2 id="results">"Results"</h2>
            <Results id has_picture/>
            <Show when=move || { accepted.get() > 0 }>
                <Download id/>
            </Show>
            <p class="help">"The same on the command line:"</p>
            <CopyBox text=Signal::stored(command) label="Command that writes the results to a file"/>
        </section>
    }
}

/// The request carries the token, which a plain link cannot; the pages are put together by the browser.
#[component]
fn Download(id: JobId) -> impl IntoView {
    let read = RwSignal::new(None::<usize>);
    let trouble = RwSignal::new(None::<Trouble>);
    let start = move |_| {
        read.set(Some(0));
        trouble.set(None);
        spawn_local(async move {
            let done = fetch_all(id, read).await;
            trouble.try_set(done.err());
            read.try_set(None);
        });
    };
    let word = move || match read.get() {
        None => "Download what is accepted (NDJSON)".to_owned(),
        Some(bytes) => format!("Reading, {} so far", format::bytes(bytes as u64)),
    };
    view! {
        <p><button type="button" disabled=move || read.get().is_some() on:click=start>{word}</button></p>
        {move || trouble.get().map(|trouble| view! { <TroubleNotice trouble title="The results could not be read"/> })}
    }
}

async fn fetch_all(id: JobId, read: RwSignal<Option<usize>>) -> Result<(), Trouble> {
    let parts = Array::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/jobs/{id}/results?order=index&limit={RESULTS_PAGE_MAX}{cursor}");
        let page = http::text(&path).await?;
        read.try_update(|read| *read = Some(read.unwrap_or(0) + page.len()));
        let (body, last) = split_cursor(&page);
        parts.push(&JsValue::from_str(body));
        match last {
            // A page without results is the end of what is accepted so far.
            Some((next, false)) if !body.is_empty() => cursor = format!("&cursor={next}"),
            _ => {
                return download::parts(&parts, &format!("{id}.ndjson"))
                    .ok_or(Trouble::Unreadable("no download here".into()));
            }
        }
    }
}

/// The lines of a page without its last one, which says where to go on and whether this was the end.
fn split_cursor(page: &str) -> (&str, Option<(String, bool)>) {
    let trimmed = page.trim_end();
    let begin = trimmed.rfind('\n').map_or(0, |at| at + 1);
    match serde_json::from_str(&trimmed[begin..]) {
        Ok(ResultLine::Cursor { cursor, end, .. }) => (&page[..begin], Some((cursor, end))),
        _ => (page, None),
    }
}
