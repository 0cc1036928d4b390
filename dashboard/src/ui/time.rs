//! A moment: how long ago, and exactly when one points at it.
use crate::model::format;
use crate::net::timer::clock;
use leptos::prelude::*;

/// `12 s ago`, and the exact time behind it.
#[component]
pub fn Ago(
    /// The moment, in milliseconds since 1970.
    #[prop(into)]
    ms: Signal<u64>,
) -> impl IntoView {
    let clock = clock();
    let exact = move || format::iso(ms.get());
    view! { <time datetime=exact title=exact>{move || format::ago(clock.now(), ms.get())}</time> }
}
