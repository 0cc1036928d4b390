//! The parameters of a new job: a field for each that is described, or all of them as JSON.
use super::submit::Draft;
use crate::model::form;
use crate::ui::field::{ParamField, Problem};
use leptos::prelude::*;
use protocol::description::{Field, ParamProblem};

/// The inputs of the chosen entry's parameters.
#[component]
pub fn ParamsPart(
    /// The job that is being written.
    draft: Draft,
) -> impl IntoView {
    let problems = Memo::new(move |_| draft.param_problems());
    let fields = Memo::new(move |_| draft.entry().params);
    let inputs = move || match fields.get() {
        None => view! { <UndescribedParams draft/> }.into_any(),
        Some(fields) if fields.is_empty() => view! { <p class="empty">"There are none."</p> }.into_any(),
        Some(fields) => fields
            .into_iter()
            .map(|field| one_param(draft, field, problems))
            .collect_view()
            .into_any(),
    };
    view! {
        <section aria-labelledby="params">
            <h2 id="params">"Parameters"</h2>
            <div class="fields">{inputs}</div>
        </section>
    }
}

fn one_param(draft: Draft, field: Field, problems: Memo<Vec<ParamProblem>>) -> impl IntoView {
    let (of_typed, of_problem, to_typed) = (field.name.clone(), field.name.clone(), field.name.clone());
    let typed = Signal::derive(move || {
        draft
            .typed
            .with(|typed| typed.get(&of_typed).cloned().unwrap_or_default())
    });
    let problem = Signal::derive(move || {
        // Something missing is only a problem once somebody tried without it.
        let shown = draft.tried.get() || !typed.with(String::is_empty);
        shown
            .then(|| problems.with(|problems| form::problem_of(problems, &of_problem).map(String::from)))
            .flatten()
    });
    let on_typed = Callback::new(move |text: String| {
        draft
            .typed
            .update(|typed| drop(typed.insert(to_typed.clone(), text)));
        if let Some(layout) = untrack(|| draft.layout()) {
            // All tiles of the picture, however it was resized.
            draft
                .items
                .update(|items| (items.start, items.end) = ("0".into(), layout.tiles().to_string()));
        }
    });
    view! { <ParamField field typed on_typed problem/> }
}

/// For programs that do not say what they take, such as scripts.
#[component]
pub fn UndescribedParams(
    /// The job that is being written.
    draft: Draft,
) -> impl IntoView {
    let problem = Signal::derive(move || draft.undescribed.with(|text| form::undescribed(text)).err());
    let invalid = move || problem.get().is_some().then_some("true");
    view! {
        <div class="field">
            <label for="undescribed">"As JSON (optional)"</label>
            <textarea id="undescribed" rows="3" spellcheck="false" placeholder="{\"depth\": 3}" aria-invalid=invalid
                aria-describedby="undescribed-help undescribed-problem" prop:value=move || draft.undescribed.get()
                on:input:target=move |event| draft.undescribed.set(event.target().value())></textarea>
            <p class="help" id="undescribed-help">"What every call gets beside its item; a script's function gets it as its second argument."</p>
            <Problem id="undescribed-problem".to_owned() problem/>
        </div>
    }
}
