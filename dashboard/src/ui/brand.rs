//! The sign of the house: two wing-cases that open while this tab works.
use crate::net::contributor::contributor;
use leptos::prelude::*;

/// The name, with the sign, leading home.
#[component]
pub fn Brand() -> impl IntoView {
    view! {
        <a class="brand" href="/" aria-label="Elytra, overview">
            <Wings/>
            <span aria-hidden="true">"Elytra"</span>
        </a>
    }
}

/// Two wing-cases; open while this tab is lent.
#[component]
pub fn Wings() -> impl IntoView {
    let status = contributor().status;
    view! {
        <svg class="wings" class:open=move || status.with(|status| status.is_on()) viewBox="0 0 48 48" aria-hidden="true" focusable="false">
            <ellipse class="core" cx="24" cy="27" rx="6" ry="15"/>
            <path class="wing left" d="M24 12C14 12 8 20 8 29c0 7 5 13 15 13 .6 0 1-.4 1-1z"/>
            <path class="wing right" d="M24 12c10 0 16 8 16 17 0 7-5 13-15 13-.6 0-1-.4-1-1z"/>
            <path class="head" d="M17 12a7 6 0 0 1 14 0z"/>
        </svg>
    }
}
