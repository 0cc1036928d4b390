//! A job's outputs as they come: how numbers are spread, and the first of them in a table.
use super::jobs::of_job;
use crate::model::format;
use crate::model::histogram::histogram;
use crate::model::lines::Lines;
use crate::model::outputs::{ITEMS_READ_MAX, Outputs, ROWS_MAX, Row};
use crate::net::http::Trouble;
use crate::net::poll::gone;
use crate::net::stream::ByteStream;
use crate::net::timer;
use crate::ui::histogram::NumberHistogram;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::ids::JobId;
use protocol::job::JobState;

/// Outputs read in one request.
const PAGE_ITEMS: u64 = 2_000;
/// How often more are asked for while the job runs.
const EVERY_MS: i32 = 700;

/// The outputs of a job.
#[component]
pub fn Results(
    /// Which job.
    id: JobId,
    /// Whether its outputs are shown as a picture already.
    #[prop(into)]
    has_picture: Signal<bool>,
) -> impl IntoView {
    let outputs = read(id);
    let accepted = of_job(id, 0, |job| job.counts.items_accepted);
    let reduces = of_job(id, false, |job| job.spec.reduce.is_some());
    let rows = Memo::new(move |_| outputs.with(|outputs| outputs.rows.clone()));
    let over = of_job(id, false, |job| job.state.is_over());
    let empty = move || match (accepted.get(), over.get(), reduces.get()) {
        (0, true, _) => "Nothing was accepted.",
        (0, false, _) => "Nothing is accepted yet.",
        (_, false, true) => "The answer is there when everything is reduced.",
        _ => "No output in order yet.",
    };
    let spread = Memo::new(move |_| {
        outputs.with(|outputs| {
            outputs
                .are_numbers()
                .then(|| histogram(&outputs.numbers))
                .flatten()
        })
    });
    let note = move || {
        outputs.with(|outputs| {
            if outputs.items >= ITEMS_READ_MAX {
                format!(", of the first {} outputs", format::count(outputs.items))
            } else {
                String::new()
            }
        })
    };
    let all = Signal::derive(move || accepted.get());
    view! {
        <Show when=move || rows.with(Vec::is_empty)><p class="empty">{empty}</p></Show>
        {move || spread.get().map(|histogram| view! { <NumberHistogram histogram note=untrack(note)/> })}
        <Show when=move || !has_picture.get() && rows.with(|rows| !rows.is_empty())>
            <Table rows all/>
        </Show>
    }
}

/// Reads what is accepted, then what comes, until the end or until there is enough.
fn read(id: JobId) -> RwSignal<Outputs> {
    let outputs = RwSignal::new(Outputs::default());
    let state = of_job(id, JobState::Queued, |job| job.state);
    let gone = gone();
    spawn_local(async move {
        while !gone() {
            let was_over = state.try_get_untracked().is_none_or(JobState::is_over);
            let before = outputs.try_with_untracked(|outputs| outputs.items);
            let read = page(id, outputs).await;
            let Some(now) = outputs.try_get_untracked() else {
                return;
            };
            let nothing_new = before == Some(now.items);
            if now.ended || now.is_full() || (was_over && read.is_ok() && nothing_new) {
                return;
            }
            if nothing_new {
                timer::sleep(EVERY_MS).await;
            }
        }
    });
    outputs
}

/// One page, folded in as it arrives; what is more than enough is not waited for.
async fn page(id: JobId, outputs: RwSignal<Outputs>) -> Result<(), Trouble> {
    let cursor = outputs.try_with_untracked(|outputs| outputs.cursor.clone());
    let from = cursor
        .filter(|cursor| !cursor.is_empty())
        .map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
    let path = format!("/jobs/{id}/results?order=index&limit={PAGE_ITEMS}{from}");
    let mut stream = ByteStream::open(&path, &[]).await?;
    let mut lines = Lines::default();
    while let Some(bytes) = stream.next().await? {
        let found = lines
            .push(&bytes)
            .map_err(|error| Trouble::Unreadable(error.to_string()))?;
        let full = outputs.try_update(|outputs| {
            found.iter().for_each(|line| outputs.take(line));
            outputs.is_full()
        });
        if full.unwrap_or(true) {
            break;
        }
    }
    Ok(())
}

#[component]
fn Table(rows: Memo<Vec<Row>>, all: Signal<u64>) -> impl IntoView {
    let more = move || {
        let hidden = all.get().saturating_sub(ROWS_MAX as u64);
        (rows.with(Vec::len) >= ROWS_MAX && hidden > 0).then(|| {
            format!(
                "The first {ROWS_MAX} of {}.",
                format::count_of(all.get(), "output", "outputs")
            )
        })
    };
    view! {
        <div class="scroll outputs" role="region" aria-label="First results" tabindex="0">
            <table class="results">
                <caption class="unseen">"First results, by item"</caption>
                <thead><tr><th scope="col">"Item"</th><th scope="col">"Output"</th></tr></thead>
                <tbody><For each=move || rows.get() key=|row| row.items.clone() let:row>{line(row)}</For></tbody>
            </table>
        </div>
        <p class="help">{more}</p>
    }
}

fn line(row: Row) -> impl IntoView {
    view! {
        <tr>
            <th scope="row">{row.items}</th>
            <td>{row.failed.then_some("failed: ")}<code>{row.text}</code></td>
        </tr>
    }
}
