//! Text that is meant to be taken elsewhere.
use crate::ui::announce::announcer;
use js_sys::{Function, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

/// A command line with a button that copies it.
#[component]
pub fn CopyBox(
    /// The text.
    #[prop(into)]
    text: Signal<String>,
    /// What it is.
    label: &'static str,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |_| {
        copied.set(to_clipboard(&text.get_untracked()));
        announcer().say(if copied.get_untracked() {
            "Copied"
        } else {
            "Copying is not allowed here: select the text"
        });
    };
    // A text that changed was not copied yet.
    Effect::new(move |_| {
        text.track();
        copied.set(false);
    });
    view! {
        <div class="copy-box">
            <pre role="region" tabindex="0" aria-label=label><code>{move || text.get()}</code></pre>
            <button type="button" class="quiet" on:click=copy>
                {move || if copied.get() { "Copied" } else { "Copy" }}
            </button>
        </div>
    }
}

/// Asks the browser; insecure pages have no clipboard.
fn to_clipboard(text: &str) -> bool {
    let write = || -> Option<JsValue> {
        let navigator = web_sys::window()?.navigator();
        let clipboard = Reflect::get(&navigator, &"clipboard".into()).ok()?;
        let write: Function = Reflect::get(&clipboard, &"writeText".into())
            .ok()?
            .dyn_into()
            .ok()?;
        write.call1(&clipboard, &JsValue::from_str(text)).ok()
    };
    write().is_some()
}
