//! The token that this page shows to the coordinator, and the appearance.
use crate::model::words::Tone;
use crate::net::http::Trouble;
use crate::net::poll::{Loaded, polled};
use crate::net::storage::{self, Keep};
use crate::ui::notice::{Notice, Skeleton, TroubleNotice};
use crate::ui::theme::Theme;
use leptos::prelude::*;
use protocol::api::{Scope, WhoAmI};
use web_sys::SubmitEvent;

/// The page.
#[component]
pub fn Settings() -> impl IntoView {
    view! {
        <h1>"Settings"</h1>
        <section aria-labelledby="access">
            <h2 id="access">"Access"</h2>
            <Who/>
            <TokenForm/>
        </section>
        <section aria-labelledby="appearance">
            <h2 id="appearance">"Appearance"</h2>
            <Appearance/>
        </section>
    }
}

/// Whom the coordinator takes this page for.
#[component]
fn Who() -> impl IntoView {
    let who = polled::<WhoAmI>("/whoami".into(), 60_000, || false);
    move || match who.get() {
        Loaded::Waiting => view! { <Skeleton lines=1/> }.into_any(),
        Loaded::Ready(who) => {
            view! { <p>"You are " <strong>{who.name}</strong> ". " {may(&who.scopes)}</p> }.into_any()
        }
        Loaded::Failed(trouble) => failed(trouble),
    }
}

fn failed(trouble: Trouble) -> AnyView {
    if !trouble.wants_token() {
        return view! { <TroubleNotice trouble title="The coordinator could not be asked"/> }.into_any();
    }
    let (title, help) = if storage::token().is_some() {
        (
            "The token is not accepted",
            "It may have been revoked or have ended. Ask the operator for a new one.",
        )
    } else {
        (
            "You have no token",
            "What needs one is refused until you enter it here.",
        )
    };
    view! { <Notice tone=Tone::Warn title><p>{help}</p></Notice> }.into_any()
}

fn may(scopes: &[Scope]) -> String {
    let words = Scope::ALL
        .iter()
        .filter(|(scope, _)| scopes.contains(scope))
        .map(|(_, word)| *word);
    let words: Vec<&str> = words.collect();
    if words.is_empty() {
        "You may do nothing without a token.".into()
    } else {
        format!("You may: {}.", words.join(", "))
    }
}

#[component]
fn TokenForm() -> impl IntoView {
    let text = RwSignal::new(String::new());
    let remember = RwSignal::new(false);
    let save = move |event: SubmitEvent| {
        event.prevent_default();
        let keep = if remember.get_untracked() {
            Keep::Device
        } else {
            Keep::Tab
        };
        if storage::keep_token(text.get_untracked().trim(), keep) {
            reload();
        }
    };
    let forget = move |_| {
        storage::forget_token();
        reload();
    };
    view! {
        <form on:submit=save>
            <div class="field">
                <label for="token">"Token"</label>
                <input id="token" type="password" autocomplete="off" spellcheck="false" required prop:value=move || text.get()
                    aria-describedby="token-help" on:input:target=move |event| text.set(event.target().value())/>
                <p class="help" id="token-help">
                    "Made by " <code>"elytra token create"</code> ". It is sent to this coordinator only. Saving loads the page anew and stops a tab that is lent."
                </p>
            </div>
            <label class="check">
                <input type="checkbox" prop:checked=move || remember.get() on:change:target=move |event| remember.set(event.target().checked())/>
                " Keep it on this device until I forget it"
            </label>
            <div class="buttons">
                <button type="submit" class="primary">"Save"</button>
                <Show when=|| storage::token().is_some()>
                    <button type="button" on:click=forget>"Forget the token"</button>
                </Show>
            </div>
        </form>
    }
}

fn reload() {
    if let Some(window) = web_sys::window() {
        let _ = window.location().reload();
    }
}

#[component]
fn Appearance() -> impl IntoView {
    let theme = expect_context::<Theme>();
    let choice = move |(value, name): (&'static str, &'static str)| {
        view! {
            <label class="check">
                <input type="radio" name="theme" value=value prop:checked=move || theme.get() == value on:change=move |_| theme.set(value)/>
                " "{name}
            </label>
        }
    };
    let choices = [
        ("auto", "As the device says"),
        ("light", "Light"),
        ("dark", "Dark"),
    ]
    .map(choice);
    view! { <fieldset><legend>"Colours"</legend>{choices.collect_view()}</fieldset> }
}
