//! A text area for source: line numbers, indentation by Tab, a key to run. It is an ordinary text area, so that
//! screen readers, undo and spell checkers of the browser know what it is.
use crate::model::blame::Place;
use crate::model::script::{self, INDENT};
use leptos::ev::KeyboardEvent;
use leptos::html::Textarea;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlDocument, HtmlTextAreaElement};

/// Lines that are shown at least.
const ROWS_MIN: usize = 12;

/// An editor of one file.
#[component]
pub fn Editor(
    /// Its text.
    text: RwSignal<String>,
    /// The place to show as wrong.
    #[prop(into)]
    wrong: Signal<Option<Place>>,
    /// Set to a place to put the caret there.
    go: RwSignal<Option<Place>>,
    /// Called on Ctrl+Enter or Cmd+Enter.
    on_run: Callback<()>,
) -> impl IntoView {
    let area = NodeRef::<Textarea>::new();
    // After Escape, Tab leaves the editor, as it does everywhere else.
    let leaves = RwSignal::new(false);
    let lines = Memo::new(move |_| text.with(|text| text.split('\n').count()));
    Effect::new(move |_| {
        let (Some(area), Some(place)) = (area.get(), go.get()) else {
            return;
        };
        show(&area, &place);
        go.set(None);
    });
    view! {
        <div class="editor">
            <div class="gutter" aria-hidden="true">
                {move || (1..=lines.get().max(ROWS_MIN)).map(|line| number(line, wrong)).collect_view()}
            </div>
            <textarea node_ref=area id="source" spellcheck="false" autocomplete="off" autocapitalize="off" wrap="off"
                aria-describedby="source-help" rows=move || lines.get().max(ROWS_MIN).to_string()
                prop:value=move || text.get()
                on:input:target=move |event| text.set(event.target().value())
                on:focus=move |_| leaves.set(false)
                on:keydown=move |event| pressed(&event, leaves, on_run)></textarea>
        </div>
        <p class="help" id="source-help">
            <kbd>"Tab"</kbd>" indents; "<kbd>"Esc"</kbd>" then "<kbd>"Tab"</kbd>" leaves the editor. "
            <kbd>"Ctrl"</kbd>" or "<kbd>"Cmd"</kbd>" with "<kbd>"Enter"</kbd>" runs."
        </p>
    }
}

fn number(line: usize, wrong: Signal<Option<Place>>) -> impl IntoView {
    let is_wrong =
        move || wrong.with(|place| place.as_ref().is_some_and(|place| place.line as usize == line));
    view! { <span class:wrong=is_wrong>{line}</span> }
}

fn pressed(event: &KeyboardEvent, leaves: RwSignal<bool>, on_run: Callback<()>) {
    let command = event.ctrl_key() || event.meta_key();
    let Some(area) = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlTextAreaElement>().ok())
    else {
        return;
    };
    match event.key().as_str() {
        "Enter" if command => {
            event.prevent_default();
            on_run.run(());
        }
        "Enter" if !event.shift_key() && !event.is_composing() => {
            let caret = area.selection_start().ok().flatten().unwrap_or_default();
            let indent = script::indentation(&area.value(), caret);
            if !indent.is_empty() && write(&format!("\n{indent}")) {
                event.prevent_default();
            }
        }
        "Escape" => leaves.set(true),
        "Tab" if !event.shift_key() && !leaves.get_untracked() => {
            if write(INDENT) {
                event.prevent_default();
            }
        }
        "Tab" | "Shift" | "Control" | "Alt" | "Meta" => {}
        _ => leaves.set(false),
    }
}

/// Writes at the caret as if it were typed, so that undo takes it back; whether the browser did.
fn write(text: &str) -> bool {
    let page = document().dyn_into::<HtmlDocument>().ok();
    page.is_some_and(|page| {
        page.exec_command_with_show_ui_and_value("insertText", false, text)
            .unwrap_or(false)
    })
}

fn show(area: &HtmlTextAreaElement, place: &Place) {
    let at = script::offset(&area.value(), place.line, place.column);
    let _ = area.focus();
    let _ = area.set_selection_range(at, at);
}
