//! Light or dark: as the device says, until somebody chooses.
use crate::net::storage;
use leptos::prelude::*;

const NEXT: [(&str, &str, &str); 3] = [
    ("auto", "light", "Auto"),
    ("light", "dark", "Light"),
    ("dark", "auto", "Dark"),
];

/// The chosen appearance, shared by the button and the settings.
#[derive(Clone, Copy)]
pub struct Theme(RwSignal<String>);

impl Theme {
    /// What was chosen before.
    pub fn kept() -> Theme {
        Theme(RwSignal::new(storage::theme()))
    }
    /// What is chosen: `auto`, `light` or `dark`.
    pub fn get(self) -> String {
        self.0.get()
    }
    /// Chooses.
    pub fn set(self, theme: &str) {
        storage::set_theme(theme);
        self.0.set(theme.into());
    }
}

/// Goes round: auto, light, dark.
#[component]
pub fn ThemeButton() -> impl IntoView {
    let theme: Theme = expect_context();
    let now = move || {
        NEXT.iter()
            .find(|(name, ..)| *name == theme.get())
            .unwrap_or(&NEXT[0])
    };
    view! {
        <button class="quiet" type="button" aria-label=move || format!("Appearance: {}", now().2)
            on:click=move |_| theme.set(now().1)>
            <span class="half-moon" aria-hidden="true"></span>
            <span class="word" aria-hidden="true">{move || now().2}</span>
        </button>
    }
}
