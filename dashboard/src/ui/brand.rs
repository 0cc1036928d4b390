//! The sign of the house: two wing-cases that open while this tab works.
use crate::model::contribute::Status;
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
        <svg
            class="wings"
            class:open=move || status.with(Status::is_on)
            viewBox="0 0 64 64"
            aria-hidden="true"
            focusable="false"
        >
            <ellipse class="core" cx="32" cy="33" rx="7" ry="20"/>
            <path class="wing left" d="M31.2 10C15 12 8 28 10 42c1 7 6 12 12 12 7 0 9.2-8 9.2-18z"/>
            <path class="wing right" d="M32.8 10c16.2 2 23.2 18 21.2 32-1 7-6 12-12 12-7 0-9.2-8-9.2-18z"/>
            <circle class="head" cx="32" cy="9" r="5"/>
        </svg>
    }
}
