//! The first results of a job, and all of them as a file.
use super::jobs::of_job;
use crate::model::format;
use crate::net::http::{self, Trouble};
use crate::net::poll::gone;
use crate::net::timer;
use crate::ui::copy::CopyBox;
use crate::ui::notice::TroubleNotice;
use js_sys::Array;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::ResultLine;
use protocol::ids::JobId;
use protocol::job::JobState;
use protocol::limits::RESULTS_PAGE_MAX;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, HtmlAnchorElement, Url};

/// Items shown.
const SHOWN: usize = 12;
/// Characters shown of an output.
const OUTPUT_CHARS_MAX: usize = 160;
/// How often they are read until there are enough.
const EVERY_MS: i32 = 3_000;

/// The preview and the download.
#[component]
pub fn JobResults(
    /// Which job.
    id: JobId,
    /// Its state.
    state: Memo<JobState>,
    /// Whether its outputs are shown as a picture already.
    has_picture: Signal<bool>,
) -> impl IntoView {
    let rows = preview(id, state);
    let accepted = of_job(id, 0, |job| job.counts.items_accepted);
    let table =
        move || (!has_picture.get() && rows.with(|rows| !rows.is_empty())).then(|| view! { <Preview rows/> });
    let command = format!("elytra results {id} > {id}.ndjson");
    view! {
        <section aria-labelledby="results">
            <h2 id="results">"Results"</h2>
            <Show when=move || accepted.get() == 0><p class="empty">"Nothing is accepted yet."</p></Show>
            {table}
            <Show when=move || { accepted.get() > 0 }>
                <Download id/>
            </Show>
            <p class="help">"The same on the command line:"</p>
            <CopyBox text=Signal::stored(command) label="Command that writes the results to a file"/>
        </section>
    }
}

/// One row of the preview: item, output, and whether it failed.
type Row = (String, String, bool);

fn preview(id: JobId, state: Memo<JobState>) -> ReadSignal<Vec<Row>> {
    let (rows, set_rows) = signal(Vec::new());
    let gone = gone();
    spawn_local(async move {
        while !gone() {
            let over = state.try_get_untracked().is_none_or(JobState::is_over);
            if let Ok(text) = http::text(&format!("/jobs/{id}/results?order=index&limit={SHOWN}")).await {
                let found: Vec<Row> = text.lines().filter_map(row).take(SHOWN).collect();
                let enough = found.len() >= SHOWN;
                set_rows.try_set(found);
                if enough || over {
                    return;
                }
            }
            timer::sleep(EVERY_MS).await;
        }
    });
    rows
}

fn row(line: &str) -> Option<Row> {
    match serde_json::from_str(line).ok()? {
        ResultLine::Item { item, output, bytes } => {
            let output = output.map(|output| shortened(&output.to_string()));
            let bytes = bytes.map(|bytes| format!("{} of bytes", format::bytes(bytes.len() as u64 / 4 * 3)));
            Some((format::count(item), output.or(bytes).unwrap_or_default(), false))
        }
        ResultLine::Failed {
            first_item,
            end_item,
            detail,
            ..
        } => {
            let items = format!(
                "{} to {}",
                format::count(first_item),
                format::count(end_item.saturating_sub(1))
            );
            Some((items, shortened(&detail), true))
        }
        ResultLine::Cursor { .. } => None,
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= OUTPUT_CHARS_MAX {
        return text.into();
    }
    text.chars().take(OUTPUT_CHARS_MAX).chain(['…']).collect()
}

#[component]
fn Preview(rows: ReadSignal<Vec<Row>>) -> impl IntoView {
    let rows = move || {
        let row = |(item, output, failed): Row| {
            view! {
                <tr>
                    <th scope="row">{item}</th>
                    <td>{failed.then_some("failed: ")}<code>{output}</code></td>
                </tr>
            }
        };
        rows.get().into_iter().map(row).collect_view()
    };
    view! {
        <div class="scroll" role="region" aria-label="First results" tabindex="0">
            <table class="results">
                <caption class="unseen">"First results, by item"</caption>
                <thead><tr><th scope="col">"Item"</th><th scope="col">"Output"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
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
            let done = download(id, read).await;
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

async fn download(id: JobId, read: RwSignal<Option<usize>>) -> Result<(), Trouble> {
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
                return save(&parts, &format!("{id}.ndjson"))
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

fn save(parts: &Array, name: &str) -> Option<()> {
    let blob = Blob::new_with_str_sequence(parts).ok()?;
    let url = Url::create_object_url_with_blob(&blob).ok()?;
    let link: HtmlAnchorElement = document().create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(&url);
    link.set_download(name);
    link.click();
    Url::revoke_object_url(&url).ok()
}
