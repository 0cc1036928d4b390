//! A question before something that cannot be undone.
use leptos::html::Dialog;
use leptos::prelude::*;
use web_sys::HtmlDialogElement;

/// A button that asks first. The browser's own dialog keeps the focus and closes with Escape.
#[component]
pub fn ConfirmButton(
    /// The button's word.
    label: &'static str,
    /// The question.
    #[prop(into)]
    question: Signal<String>,
    /// What follows from yes.
    about: &'static str,
    /// The word for no.
    #[prop(default = "Back")]
    no: &'static str,
    /// Called on yes.
    on_yes: Callback<()>,
) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let open = move |_| with_dialog(dialog, |dialog| drop(dialog.show_modal()));
    let close = move |_| with_dialog(dialog, HtmlDialogElement::close);
    let yes = move |_| {
        with_dialog(dialog, HtmlDialogElement::close);
        on_yes.run(());
    };
    view! {
        <button type="button" class="danger" on:click=open>{label}</button>
        <dialog node_ref=dialog aria-label=label>
            <h2>{move || question.get()}</h2>
            <p>{about}</p>
            <div class="buttons">
                <button type="button" on:click=close>{no}</button>
                <button type="button" class="danger solid" on:click=yes>{label}</button>
            </div>
        </dialog>
    }
}

fn with_dialog(dialog: NodeRef<Dialog>, act: impl FnOnce(&HtmlDialogElement)) {
    if let Some(dialog) = dialog.get_untracked() {
        act(&dialog);
    }
}
