//! The page for addresses that lead nowhere.
use leptos::prelude::*;

/// Says so, and leads home.
#[component]
pub fn Missing() -> impl IntoView {
    view! {
        <h1>"No such page"</h1>
        <p>"This address leads nowhere. " <a href="/">"Go to the overview"</a></p>
    }
}
