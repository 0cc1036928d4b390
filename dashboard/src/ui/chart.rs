//! The throughput as a drawing, with the same in a sentence and in a table.
use crate::model::chart::{self, HEIGHT, Row, WIDTH};
use crate::model::format;
use leptos::prelude::*;
use protocol::api::Sample;

/// Items a second over the last five minutes.
#[component]
pub fn ThroughputChart(
    /// One sample a second, oldest first.
    #[prop(into)]
    samples: Signal<Vec<Sample>>,
) -> impl IntoView {
    let drawn = Memo::new(move |_| samples.with(|samples| chart::chart(samples)));
    let lines = move || drawn.get().rules.into_iter().map(|(y, _)| rule(y)).collect_view();
    let failures = move || drawn.get().failures.into_iter().map(failure).collect_view();
    let rates = move || {
        drawn
            .get()
            .rules
            .into_iter()
            .map(|(y, text)| label("top", y / HEIGHT, text))
            .collect_view()
    };
    let times = move || {
        drawn
            .get()
            .marks
            .into_iter()
            .map(|(x, text)| label("left", x / WIDTH, text))
            .collect_view()
    };
    view! {
        <figure class="chart">
            <figcaption>{move || drawn.get().summary}</figcaption>
            <div class="plot">
                <div class="rates" aria-hidden="true">{rates}</div>
                // Stretched to its place: labels are text beside it, so that they keep their size.
                <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" role="img"
                    aria-label="Items a second over the last five minutes">
                    {lines}
                    <path class="area" d=move || drawn.get().area/>
                    <path class="line" d=move || drawn.get().line/>
                    {failures}
                </svg>
                <div class="times" aria-hidden="true">{times}</div>
            </div>
            <details>
                <summary>"The same as a table"</summary>
                <ThroughputTable samples/>
            </details>
        </figure>
    }
}

fn rule(y: f64) -> impl IntoView {
    let y = format!("{y:.1}");
    view! { <line class="rule" x1="0" x2=WIDTH.to_string() y1=y.clone() y2=y/> }
}

/// A second in which attempts failed: a short stroke that stands on the axis.
fn failure(x: f64) -> impl IntoView {
    let x = format!("{x:.1}");
    view! { <line class="failure" x1=x.clone() x2=x y1=HEIGHT.to_string() y2=(HEIGHT * 0.88).to_string()/> }
}

fn label(side: &'static str, share: f64, text: String) -> impl IntoView {
    view! { <span style=format!("{side}: {:.2}%", share * 100.0)>{text}</span> }
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
