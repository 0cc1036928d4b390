//! The throughput as a drawing, with the same in a sentence and in a table.
use crate::model::chart::{self, HEIGHT, Row, WIDTH};
use crate::model::format;
use leptos::prelude::*;
use protocol::api::Sample;

/// Room for labels at the left and below, in user units.
const MARGIN: f64 = 44.0;

/// Items a second over the last five minutes.
#[component]
pub fn ThroughputChart(
    /// One sample a second, oldest first.
    #[prop(into)]
    samples: Signal<Vec<Sample>>,
) -> impl IntoView {
    let drawn = Memo::new(move |_| samples.with(|samples| chart::chart(samples)));
    let view_box = format!("{} -12 {} {}", -MARGIN, WIDTH + MARGIN + 12.0, HEIGHT + 36.0);
    let rules = move || {
        drawn
            .get()
            .rules
            .into_iter()
            .map(|(y, label)| rule(y, label))
            .collect_view()
    };
    let marks = move || {
        drawn
            .get()
            .marks
            .into_iter()
            .map(|(x, label)| mark(x, label))
            .collect_view()
    };
    let failures = move || drawn.get().failures.into_iter().map(failure).collect_view();
    view! {
        <figure class="chart">
            <figcaption>{move || drawn.get().summary}</figcaption>
            <svg viewBox=view_box role="img" aria-label="Items a second over the last five minutes">
                {rules}
                {marks}
                <path class="area" d=move || drawn.get().area/>
                <path class="line" d=move || drawn.get().line/>
                {failures}
            </svg>
            <details>
                <summary>"The same as a table"</summary>
                <ThroughputTable samples/>
            </details>
        </figure>
    }
}

fn rule(y: f64, label: String) -> impl IntoView {
    let y = format!("{y:.1}");
    view! {
        <line class="rule" x1="0" x2=WIDTH.to_string() y1=y.clone() y2=y.clone()/>
        <text x="-8" y=y dy="0.32em" text-anchor="end">{label}</text>
    }
}

fn mark(x: f64, label: String) -> impl IntoView {
    let anchor = if x >= WIDTH {
        "end"
    } else if x <= 0.0 {
        "start"
    } else {
        "middle"
    };
    view! { <text x=format!("{x:.1}") y=format!("{:.1}", HEIGHT + 18.0) text-anchor=anchor>{label}</text> }
}

fn failure(x: f64) -> impl IntoView {
    view! { <circle class="failure" cx=format!("{x:.1}") cy=HEIGHT.to_string() r="3"/> }
}

#[component]
fn ThroughputTable(samples: Signal<Vec<Sample>>) -> impl IntoView {
    let rows = move || {
        samples
            .with(|samples| chart::rows(samples))
            .into_iter()
            .map(row)
            .collect_view()
    };
    view! {
        <table>
            <caption class="unseen">"Throughput in steps of half a minute, newest first"</caption>
            <thead>
                <tr><th scope="col">"When"</th><th scope="col">"Items/s"</th><th scope="col">"Shards/s"</th><th scope="col">"Failed"</th></tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}

fn row(row: Row) -> impl IntoView {
    let when = if row.ago_s == 0 {
        "last 30 s".to_owned()
    } else {
        format!("{} ago", format::duration(row.ago_s * 1000))
    };
    view! {
        <tr>
            <th scope="row">{when}</th>
            <td>{format::compact(row.items_per_second)}</td>
            <td>{format::compact(row.shards_per_second)}</td>
            <td>{format::count(row.failed)}</td>
        </tr>
    }
}
