//! The items of a new job: a range, a list, or a file.
use super::submit::Draft;
use crate::model::format;
use crate::model::input::Source;
use crate::net::http::Trouble;
use crate::net::upload::upload;
use crate::ui::field::Problem;
use crate::ui::notice::TroubleNotice;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::Blob;
use protocol::limits::BLOB_BYTES_MAX;
use web_sys::HtmlInputElement;

/// The choice of a source, and the inputs of the chosen one.
#[component]
pub fn ItemsPart(
    /// The job that is being written.
    draft: Draft,
) -> impl IntoView {
    let source = Memo::new(move |_| draft.items.with(|items| items.source));
    let about = move || draft.entry().item.map(|item| item.about).unwrap_or_default();
    let problem = Signal::derive(move || {
        let entry = draft.entry();
        draft
            .items
            .with(|items| items.spec(&entry))
            .err()
            .filter(|_| draft.was_tried())
    });
    let choice = move |(value, name): (Source, &'static str)| {
        view! {
            <label class="check">
                <input type="radio" name="source" prop:checked=move || source.get() == value
                    on:change=move |_| draft.items.update(|items| items.source = value)/>
                " "{name}
            </label>
        }
    };
    let inputs = move || match source.get() {
        Source::Range => view! { <RangeInputs draft/> }.into_any(),
        Source::List => view! { <ListInput draft/> }.into_any(),
        Source::File => view! { <FileInput draft/> }.into_any(),
    };
    view! {
        <section aria-labelledby="items">
            <h2 id="items">"Items"</h2>
            <fieldset>
                <legend>{move || match about() { about if about.is_empty() => "One item is one input".to_owned(), about => format!("One item is: {about}") }}</legend>
                {Source::ALL.map(choice).collect_view()}
            </fieldset>
            {inputs}
            <Problem id="items-problem".to_owned() problem/>
        </section>
    }
}

#[component]
fn RangeInputs(draft: Draft) -> impl IntoView {
    let number = move |id: &'static str,
                       label: &'static str,
                       placeholder: &'static str,
                       field: fn(&mut crate::model::input::Items) -> &mut String| {
        let value = move || draft.items.with(|items| field(&mut items.clone()).clone());
        view! {
            <div class="field">
                <label for=id>{label}</label>
                <input id=id type="text" autocomplete="off" placeholder=placeholder prop:value=value aria-describedby="items-problem"
                    on:input:target=move |event| draft.items.update(|items| *field(items) = event.target().value())/>
            </div>
        }
    };
    let tiles = move || {
        draft.layout().map(|layout| {
            format!(
                "The picture has {}.",
                format::count_of(layout.tiles(), "tile", "tiles")
            )
        })
    };
    view! {
        <div class="fields">
            {number("range-start", "Start", "0", |items| &mut items.start)}
            {number("range-end", "End (not reached)", "", |items| &mut items.end)}
            {number("range-step", "Step", "1", |items| &mut items.step)}
        </div>
        <p class="help">{tiles}</p>
    }
}

#[component]
fn ListInput(draft: Draft) -> impl IntoView {
    view! {
        <div class="field">
            <label for="list">"One item a line"</label>
            <textarea id="list" rows="6" spellcheck="false" aria-describedby="items-problem"
                prop:value=move || draft.items.with(|items| items.list.clone())
                on:input:target=move |event| draft.items.update(|items| items.list = event.target().value())></textarea>
        </div>
    }
}

/// Uploads the file as soon as it is chosen; the job then names it by its hash.
#[component]
fn FileInput(draft: Draft) -> impl IntoView {
    let (waiting, trouble) = (RwSignal::new(None::<String>), RwSignal::new(None::<Trouble>));
    let sent = RwSignal::new(None::<f64>);
    let busy = Memo::new(move |_| sent.with(Option::is_some));
    let chosen = move |input: HtmlInputElement| {
        let Some(file) = input.files().and_then(|files| files.get(0)) else {
            return;
        };
        if file.size() > BLOB_BYTES_MAX as f64 {
            let problem = format!(
                "The file is longer than {}: split it.",
                format::bytes(BLOB_BYTES_MAX)
            );
            return waiting.set(Some(problem));
        }
        let name = file.name();
        waiting.set(Some(format!("Uploading {name}")));
        trouble.set(None);
        sent.set(Some(0.0));
        spawn_local(async move {
            match upload::<Blob>("/blobs", &file, move |share| _ = sent.try_set(Some(share))).await {
                Ok(blob) => drop(draft.items.try_update(|items| items.file = Some((name, blob)))),
                Err(problem) => drop(trouble.try_set(Some(problem))),
            }
            waiting.try_set(None);
            sent.try_set(None);
        });
    };
    let uploaded = move || {
        let file = draft.items.with(|items| items.file.clone());
        file.map(|(name, blob)| format!("{name} is uploaded, {}.", format::bytes(blob.length)))
    };
    view! {
        <div class="field">
            <label for="file">"A text file with one item a line"</label>
            <input id="file" type="file" aria-describedby="file-state items-problem" on:change:target=move |event| chosen(event.target())/>
            <Show when=move || busy.get()>
                <progress aria-label="Upload" max="1" prop:value=move || sent.get().unwrap_or(1.0)></progress>
            </Show>
            <p class="help" id="file-state" aria-live="polite">{move || waiting.get().or_else(uploaded)}</p>
        </div>
        {move || trouble.get().map(|trouble| view! { <TroubleNotice trouble title="The file was not taken"/> })}
    }
}
