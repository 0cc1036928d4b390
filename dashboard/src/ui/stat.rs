//! One number with its name.
use leptos::prelude::*;

/// A term and its number, inside a `dl`.
#[component]
pub fn Stat(
    /// What it is.
    label: &'static str,
    /// The number.
    #[prop(into)]
    value: Signal<String>,
    /// A second, smaller line.
    #[prop(into, optional)]
    note: Signal<String>,
) -> impl IntoView {
    let has_note = move || note.with(|note| !note.is_empty());
    view! {
        <div class="stat">
            <dt>{label}</dt>
            <dd>
                <span class="number">{move || value.get()}</span>
                <Show when=has_note><span class="note">{move || note.get()}</span></Show>
            </dd>
        </div>
    }
}
