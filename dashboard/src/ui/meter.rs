//! How far something is.
use crate::model::format;
use crate::model::segments::Segment;
use leptos::prelude::*;

/// A bar from 0 to 1; without a share it only says that something moves.
#[component]
pub fn Progress(
    /// The share that is done.
    #[prop(into)]
    share: Signal<Option<f64>>,
    /// What it measures.
    #[prop(into)]
    label: Signal<String>,
) -> impl IntoView {
    let value = move || share.get().map(|share| format!("{share:.4}"));
    view! { <progress max="1" value=value aria-label=move || label.get()></progress> }
}

/// Shards by state: one bar, and the same in words and numbers.
#[component]
pub fn SegmentBar(
    /// The parts.
    #[prop(into)]
    segments: Signal<Vec<Segment>>,
) -> impl IntoView {
    let parts = move || {
        let part = |s: Segment| view! { <span class=format!("part {}", s.word) style:flex-grow=format!("{:.5}", s.share)></span> };
        segments.get().into_iter().map(part).collect_view()
    };
    let key = move || {
        segments
            .get()
            .into_iter()
            .map(|segment| view! { <SegmentKey segment/> })
            .collect_view()
    };
    view! {
        <div class="segments" aria-hidden="true">{parts}</div>
        <dl class="segment-key">{key}</dl>
    }
}

#[component]
fn SegmentKey(segment: Segment) -> impl IntoView {
    let about = if segment.estimated { "about " } else { "" };
    let word = if segment.word == "uncut" {
        "not cut yet"
    } else {
        segment.word
    };
    view! {
        <div>
            <dt><span class=format!("dot {}", segment.word) aria-hidden="true"></span>{word}</dt>
            <dd>{about}{format::count(segment.shards)}</dd>
        </div>
    }
}
