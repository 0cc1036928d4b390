//! What becomes of a new job's outputs together: each is a result, or an entry of the program reduces them to one.
use super::submit::Draft;
use leptos::prelude::*;
use protocol::limits::{FAN_IN_DEFAULT, FAN_IN_MAX, FAN_IN_MIN};

/// The choice of the entry that reduces, and how many outputs it gets at a time.
#[component]
pub fn ReducePart(
    /// The job that is being written.
    draft: Draft,
) -> impl IntoView {
    let options = move || {
        let option = |name: String| {
            let (value, chosen) = (name.clone(), name.clone());
            view! { <option value=value selected=move || draft.reduce.get() == chosen>{name}</option> }
        };
        draft.entries().into_iter().map(option).collect_view()
    };
    let reduces = Memo::new(move |_| !draft.reduce.with(String::is_empty));
    view! {
        <section aria-labelledby="reduction">
            <h2 id="reduction">"Reduction"</h2>
            <div class="fields">
                <div class="field">
                    <label for="reduce">"Reduce outputs with (optional)"</label>
                    <select id="reduce" aria-describedby="reduce-help" on:change:target=move |event| draft.reduce.set(event.target().value())>
                        <option value="" selected=move || !reduces.get()>"None: every output is a result"</option>
                        {options}
                    </select>
                    <p class="help" id="reduce-help">"It returns one output for several, on the workers, until one is left: a kernel's entry gets a list of them, a script's function two."</p>
                </div>
                <Show when=move || reduces.get()><FanIn draft/></Show>
            </div>
        </section>
    }
}

#[component]
fn FanIn(draft: Draft) -> impl IntoView {
    let help = format!(
        "Outputs that it gets at a time: {FAN_IN_MIN} to {FAN_IN_MAX}. The shape is fixed, so answers repeat to the bit."
    );
    view! {
        <div class="field">
            <label for="fan-in">"Outputs at a time"</label>
            <input id="fan-in" type="text" inputmode="numeric" autocomplete="off" placeholder=FAN_IN_DEFAULT.to_string()
                aria-describedby="fan-in-help" prop:value=move || draft.fan_in.get()
                on:input:target=move |event| draft.fan_in.set(event.target().value())/>
            <p class="help" id="fan-in-help">{help}</p>
        </div>
    }
}
