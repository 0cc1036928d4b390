//! Whom a lent tab works for: the browser's own key, how to take it along, and what was given with it.
use crate::model::contribute::Status;
use crate::model::format;
use crate::model::words::Tone;
use crate::net::contributor::contributor;
use crate::net::download;
use crate::net::poll::{Loaded, polled};
use crate::net::storage;
use crate::ui::announce::announcer;
use crate::ui::confirm::ConfirmButton;
use crate::ui::copy::CopyBox;
use crate::ui::notice::Notice;
use crate::ui::stat::Stat;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::account::AccountKey;
use protocol::credit::{Account, LeaderList};
use protocol::ids::AccountId;
use protocol::limits::DISPLAY_NAME_CHARS_MAX;
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlInputElement, SubmitEvent};

/// How often what was given is read.
const GIVEN_EVERY_MS: i32 = 5_000;
const LEADERS_EVERY_MS: i32 = 60_000;
/// Longest file that is taken for a key, in bytes.
const KEY_FILE_BYTES_MAX: f64 = 4_096.0;

/// The account of this browser, as the page knows it; the tab makes it at the first Start.
#[derive(Clone, Copy)]
pub struct Own(RwSignal<Option<AccountKey>>);

impl Own {
    /// Reads it now, and again whenever the tab begins.
    pub fn watch() -> Own {
        let own = Own(RwSignal::new(storage::account()));
        let handle = contributor();
        // The key is there before the tab works.
        let state = Memo::new(move |_| handle.status.with(|status: &Status| status.state));
        Effect::new(move |_| {
            state.get();
            own.read();
        });
        own
    }

    fn read(self) {
        let stored = storage::account();
        if self.0.with_untracked(|known| *known != stored) {
            self.0.set(stored);
        }
    }

    /// The account's name.
    fn id(self) -> Memo<Option<AccountId>> {
        Memo::new(move |_| self.0.with(|key| key.as_ref().map(AccountKey::account)))
    }
}

/// The account, its name, and its key.
#[component]
pub fn AccountPart(
    /// The account.
    own: Own,
) -> impl IntoView {
    let id = own.id();
    let known = move || id.get().is_some();
    view! {
        <section aria-labelledby="account">
            <h2 id="account">"Whose work it is"</h2>
            <p>
                {move || id.get().map_or_else(
                    || "At the first Start this browser makes a key of its own. There is no sign-up: whoever has the key is the account.".into_any(),
                    |id| view! { "This browser works for the account " <code>{id.to_string()}</code> ". Its key lies here and nowhere else: take it along to another device, or keep a copy." }.into_any(),
                )}
            </p>
            <Show when=known><NameForm/><KeyPart own/></Show>
            <BringForm own/>
        </section>
    }
}

#[component]
fn NameForm() -> impl IntoView {
    let name = RwSignal::new(storage::account_name().unwrap_or_default());
    let kept = RwSignal::new(false);
    let save = move |event: SubmitEvent| {
        event.prevent_default();
        storage::keep_account_name(name.get_untracked().trim());
        kept.set(true);
        announcer().say("The name is kept");
    };
    view! {
        <form class="own-name" on:submit=save>
            <div class="field">
                <label for="own-name">"Your name in the list below"</label>
                <input id="own-name" type="text" autocomplete="nickname" spellcheck="false" maxlength=DISPLAY_NAME_CHARS_MAX
                    placeholder="Not listed" prop:value=move || name.get() aria-describedby="own-name-help"
                    on:input:target=move |event| { name.set(event.target().value()); kept.set(false); }/>
            </div>
            <button type="submit">{move || if kept.get() { "Kept" } else { "Keep the name" }}</button>
            <p class="help" id="own-name-help">"Left empty, you are not listed. It counts from the next Start."</p>
        </form>
    }
}

#[component]
fn KeyPart(own: Own) -> impl IntoView {
    let text = Signal::derive(move || {
        own.0
            .with(|key| key.as_ref().map(AccountKey::text).unwrap_or_default())
    });
    let shown = RwSignal::new(false);
    let save = move |_| {
        let name = own
            .id()
            .get_untracked()
            .map(|id| format!("elytra-account-{id}.txt"));
        let text = format!("{}\n", text.get_untracked());
        if name.and_then(|name| download::text(&text, &name)).is_none() {
            announcer().say("This browser takes no downloads: copy the key");
        }
    };
    let forget = Callback::new(move |()| {
        storage::forget_account();
        own.read();
    });
    view! {
        <div class="buttons">
            <button type="button" on:click=save>"Save the key as a file"</button>
            <button type="button" aria-expanded=move || shown.get().to_string() on:click=move |_| shown.update(|shown| *shown = !*shown)>
                {move || if shown.get() { "Hide the key" } else { "Show the key" }}
            </button>
            <ConfirmButton label="Remove the key" question="Remove the key from this browser?"
                about="What you have given stays with the account, but without a copy of the key nobody can work for it again. The next Start makes a new account."
                on_yes=forget/>
        </div>
        <Show when=move || shown.get()>
            <p class="note whoever">"Whoever has this text is the account. Show it to nobody."</p>
            <CopyBox text label="The account's key"/>
        </Show>
    }
}

#[component]
fn BringForm(own: Own) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let take = move |text: String| match text.parse::<AccountKey>() {
        Ok(key) if storage::keep_account(&key) => {
            typed.set(String::new());
            problem.set(None);
            own.read();
            announcer().say("The key is here; it counts from the next Start");
        }
        Ok(_) => problem.set(Some(
            "This browser keeps nothing for this page: allow it to.".into(),
        )),
        Err(error) => problem.set(Some(capital(&error.to_string()))),
    };
    let bring = move |event: SubmitEvent| {
        event.prevent_default();
        take(typed.get_untracked());
    };
    let chosen = move |input: HtmlInputElement| {
        let Some(file) = input.files().and_then(|files| files.get(0)) else {
            return;
        };
        input.set_value("");
        if file.size() > KEY_FILE_BYTES_MAX {
            return problem.set(Some("This file is too long for a key.".into()));
        }
        spawn_local(async move {
            let text = JsFuture::from(file.text())
                .await
                .ok()
                .and_then(|text| text.as_string());
            take(text.unwrap_or_default());
        });
    };
    let invalid = move || problem.with(Option::is_some).then_some("true");
    view! {
        <details class="panel bring">
            <summary>"Bring a key from elsewhere"</summary>
            <form on:submit=bring>
                <div class="field">
                    <label for="key">"Key"</label>
                    <input id="key" type="password" autocomplete="off" spellcheck="false" required placeholder="elyk_…"
                        prop:value=move || typed.get() aria-describedby="key-help key-problem" aria-invalid=invalid
                        on:input:target=move |event| typed.set(event.target().value())/>
                    <p class="help" id="key-help">"It takes the place of the key that is here. A tab that is lent goes on as it began until it is started again."</p>
                    <p class="problem" id="key-problem" aria-live="polite">{move || problem.get()}</p>
                </div>
                <div class="field">
                    <label for="key-file">"Or its file"</label>
                    <input id="key-file" type="file" accept=".txt,text/plain" on:change:target=move |event| chosen(event.target())/>
                </div>
                <button type="submit">"Use this key"</button>
            </form>
        </details>
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Numbers of the account, beside those of this visit.
#[component]
pub fn Credited(
    /// The account.
    own: Own,
) -> impl IntoView {
    let id = own.id();
    move || id.get().map(|id| view! { <CreditedOf id/> })
}

#[component]
fn CreditedOf(id: AccountId) -> impl IntoView {
    let account = polled::<Account>(format!("/accounts/{id}"), GIVEN_EVERY_MS, || !document().hidden());
    let read = move |read: fn(&Account) -> String| {
        Memo::new(move |_| match account.get() {
            Loaded::Ready(account) => read(&account),
            _ => "–".into(),
        })
    };
    let caught = move || matches!(account.get(), Loaded::Ready(Account { caught: true, .. }));
    view! {
        <dl class="stats">
            <Stat label="Credited" value=read(|a| format::count_of(a.credited.shards, "shard", "shards"))
                note=read(|a| format::count_of(a.credited.items, "item", "items"))/>
            <Stat label="Being checked" value=read(|a| format::count_of(a.checking_shards, "shard", "shards"))/>
            <Stat label="Receipts" value=read(|a| format::count(a.credited.bookings))/>
        </dl>
        <p class="note">"What you compute for a job whose workers are strangers is checked by sample, and then credited to your account for good. Jobs of a private pool are not checked, and give no credit."</p>
        <Show when=caught>
            <Notice tone=Tone::Warn title="This account gets no more work that is checked">
                <p>"One of its answers was wrong, as a worker of the operator found. That is a lie or a faulty machine; ask the operator if you think otherwise."</p>
            </Notice>
        </Show>
    }
}

/// Contributors who chose a name.
#[component]
pub fn Leaders() -> impl IntoView {
    let list = polled::<LeaderList>("/leaders".into(), LEADERS_EVERY_MS, || !document().hidden());
    let leaders = Memo::new(move |_| match list.get() {
        Loaded::Ready(list) => list.leaders,
        _ => Vec::new(),
    });
    let rows = move || {
        let row = |(place, leader): (usize, protocol::credit::Leader)| {
            view! {
                <tr>
                    <td>{place + 1}</td>
                    <th scope="row">{leader.name}</th>
                    <td>{format::count(leader.credited.shards)}</td>
                    <td class="wide">{format::count(leader.credited.items)}</td>
                </tr>
            }
        };
        leaders.get().into_iter().enumerate().map(row).collect_view()
    };
    view! {
        <Show when=move || !leaders.with(Vec::is_empty)>
            <section aria-labelledby="leaders">
                <h2 id="leaders">"Who gave most"</h2>
                <table class="leaders">
                    <thead><tr><th scope="col">"Place"</th><th scope="col">"Name"</th><th scope="col">"Shards"</th><th scope="col" class="wide">"Items"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
                <p class="note">"Only those who chose a name. Verified work alone counts; nobody vouches for the names."</p>
            </section>
        </Show>
    }
}
