//! When the tab rests by itself: three wishes, kept on the device.
use crate::model::rest::{Rest, clock_minutes, clock_text};
use crate::net::rest::resting;
use leptos::prelude::*;

/// The switches.
#[component]
pub fn RestPart() -> impl IntoView {
    let resting = resting();
    let rest = resting.rest;
    let switch = move |label: &'static str, field: fn(&mut Rest) -> &mut bool| {
        let on = move || rest.with(|rest| *field(&mut rest.clone()));
        view! {
            <label class="check">
                <input type="checkbox" prop:checked=on
                    on:change:target=move |event| rest.update(|rest| *field(rest) = event.target().checked())/>
                " "{label}
            </label>
        }
    };
    let tells = Memo::new(move |_| resting.on_battery.with(Option::is_some));
    let scheduled = Memo::new(move |_| rest.with(|rest| rest.schedule));
    view! {
        <section class="controls" aria-labelledby="rest">
            <h2 id="rest">"When to rest"</h2>
            <Show when=move || tells.get()>{switch("While this device runs on battery", |rest| &mut rest.battery)}</Show>
            {switch("While this tab is hidden", |rest| &mut rest.hidden)}
            {switch("Outside these hours", |rest| &mut rest.schedule)}
            <Show when=move || scheduled.get()><Hours rest/></Show>
        </section>
    }
}

#[component]
fn Hours(rest: RwSignal<Rest>) -> impl IntoView {
    let time = move |id: &'static str, label: &'static str, field: fn(&mut Rest) -> &mut u16| {
        let value = move || rest.with(|rest| clock_text(*field(&mut rest.clone())));
        let typed = move |text: String| {
            if let Some(minutes) = clock_minutes(&text) {
                rest.update(|rest| *field(rest) = minutes);
            }
        };
        view! {
            <div class="field">
                <label for=id>{label}</label>
                <input id=id type="time" prop:value=value on:change:target=move |event| typed(event.target().value())/>
            </div>
        }
    };
    view! {
        <div class="fields">
            {time("rest-from", "From", |rest| &mut rest.from)}
            {time("rest-until", "Until", |rest| &mut rest.until)}
        </div>
    }
}
