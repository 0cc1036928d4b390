//! Numbers as a drawing of bars, with the same in a sentence and in a table.
use crate::model::format;
use crate::model::histogram::{Bin, Histogram};
use leptos::prelude::*;

/// Drawing size; it is stretched to its place.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 160.0;
/// Room between bars.
const GAP: f64 = 2.0;
/// A bar that stands for something is at least this high.
const BAR_MIN: f64 = 2.0;

/// How numbers are spread.
#[component]
pub fn NumberHistogram(
    /// The bins.
    histogram: Histogram,
    /// What stands behind the sentence, such as how many outputs there are in all.
    #[prop(into)]
    note: String,
) -> impl IntoView {
    let most = histogram.most();
    let bars = bars(&histogram.bins, most);
    let rows = histogram.bins.into_iter().map(row).collect_view();
    let (least, greatest) = histogram.ends;
    let summary = histogram.summary;
    view! {
        <figure class="chart histogram">
            <figcaption>{summary.clone()}{note}</figcaption>
            <div class="plot">
                <div class="rates" aria-hidden="true"><span style="top: 0%">{format::count(most)}</span></div>
                <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" role="img"
                    aria-labelledby="histogram-title histogram-about">
                    <title id="histogram-title">"How the outputs are spread"</title>
                    <desc id="histogram-about">{summary}</desc>
                    {bars}
                </svg>
                <div class="ends" aria-hidden="true"><span>{least}</span><span>{greatest}</span></div>
            </div>
            <details>
                <summary>"The same as a table"</summary>
                <table>
                    <caption class="unseen">"Outputs by size"</caption>
                    <thead><tr><th scope="col">"Output"</th><th scope="col">"How many"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </details>
        </figure>
    }
}

fn bars(bins: &[Bin], most: u64) -> impl IntoView + use<> {
    let width = WIDTH / bins.len() as f64;
    let bar = |(at, bin): (usize, &Bin)| {
        let share = bin.count as f64 / most as f64;
        let height = if bin.count == 0 {
            0.0
        } else {
            (share * HEIGHT).max(BAR_MIN)
        };
        let text = |number: f64| format!("{number:.2}");
        view! {
            <rect class="bar" x=text(at as f64 * width + GAP / 2.0) y=text(HEIGHT - height)
                width=text(width - GAP) height=text(height)/>
        }
    };
    bins.iter().enumerate().map(bar).collect_view()
}

fn row(bin: Bin) -> impl IntoView {
    view! { <tr><th scope="row">{bin.label}</th><td>{format::count(bin.count)}</td></tr> }
}
