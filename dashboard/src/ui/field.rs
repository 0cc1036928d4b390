//! One field of a form that was made of a description: label, help, problem, and the right kind of input.
use crate::model::form;
use leptos::prelude::*;
use protocol::description::{Field, FieldKind};

/// A parameter's input. What is typed goes to `typed`; nothing typed means the default.
#[component]
pub fn ParamField(
    /// What it holds.
    field: Field,
    /// What was typed.
    #[prop(into)]
    typed: Signal<String>,
    /// Called when something was typed.
    on_typed: Callback<String>,
    /// What is wrong with it.
    #[prop(into)]
    problem: Signal<Option<String>>,
) -> impl IntoView {
    let id = format!("param-{}", field.name);
    let (help, wrong) = (format!("{id}-help"), format!("{id}-problem"));
    let described = {
        let (help, wrong) = (help.clone(), wrong.clone());
        move || {
            if problem.get().is_some() {
                format!("{help} {wrong}")
            } else {
                help.clone()
            }
        }
    };
    let label = label_of(&field.name);
    let about = help_text(&field);
    view! {
        <div class="field">
            <label for=id.clone()>{label}{field.required.then_some(" (required)")}</label>
            <Input field id described=Signal::derive(described) typed on_typed problem/>
            <p class="help" id=help>{about}</p>
            <Problem id=wrong problem/>
        </div>
    }
}

/// What is wrong with a field, beside it.
#[component]
pub fn Problem(
    /// Its id, for `aria-describedby`.
    id: String,
    /// What is wrong.
    #[prop(into)]
    problem: Signal<Option<String>>,
) -> impl IntoView {
    view! { <p class="problem" id=id aria-live="polite">{move || problem.get()}</p> }
}

fn help_text(field: &Field) -> String {
    let about = field.about.trim_end_matches('.');
    let wanted = match field.kind {
        FieldKind::Choice | FieldKind::Boolean | FieldKind::Text => String::new(),
        _ => wanted(field),
    };
    let default = field
        .default
        .as_ref()
        .map(form::shown)
        .filter(|default| default.len() <= 40);
    let default = default.map(|default| format!("default {default}"));
    let facts = [Some(wanted).filter(|wanted| !wanted.is_empty()), default]
        .into_iter()
        .flatten();
    let facts = capitalised(&facts.collect::<Vec<_>>().join(", "));
    let sentences = [about, facts.as_str()]
        .into_iter()
        .filter(|part| !part.is_empty());
    sentences
        .map(|part| format!("{part}."))
        .collect::<Vec<_>>()
        .join(" ")
}

/// What fits, as the description says it, but with very small and large bounds in scientific notation.
fn wanted(field: &Field) -> String {
    let mut text = field.wanted();
    for bound in [field.min, field.max].into_iter().flatten() {
        let plain = bound.to_string();
        if plain.len() > 9 {
            text = text.replace(&plain, &format!("{bound:e}"));
        }
    }
    text
}

/// A parameter's name for people: `center_x` is `Center x`.
pub fn label_of(name: &str) -> String {
    capitalised(&name.replace('_', " "))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[component]
fn Input(
    field: Field,
    id: String,
    described: Signal<String>,
    typed: Signal<String>,
    on_typed: Callback<String>,
    problem: Signal<Option<String>>,
) -> impl IntoView {
    let invalid = move || problem.get().is_some().then_some("true");
    let placeholder = field.default.as_ref().map(form::shown).unwrap_or_default();
    match field.kind {
        FieldKind::Boolean | FieldKind::Choice => {
            let words = if field.kind == FieldKind::Boolean { vec!["true".into(), "false".into()] } else { field.choices.clone() };
            let fallback = if placeholder.is_empty() { "Choose…".to_owned() } else { format!("{placeholder} (default)") };
            let options = words.into_iter().map(|word| option(word, typed)).collect_view();
            view! {
                <select id=id aria-describedby=move || described.get() aria-invalid=invalid
                    on:change:target=move |event| on_typed.run(event.target().value())>
                    <option value="" selected=move || typed.get().is_empty()>{fallback}</option>
                    {options}
                </select>
            }
            .into_any()
        }
        FieldKind::Text | FieldKind::Json if placeholder.len() > 24 || placeholder.contains('\n') || field.required => view! {
            <textarea id=id rows="4" spellcheck="false" placeholder=placeholder prop:value=move || typed.get()
                aria-describedby=move || described.get() aria-invalid=invalid
                on:input:target=move |event| on_typed.run(event.target().value())></textarea>
        }
        .into_any(),
        kind => view! {
            <input id=id type="text" inputmode=input_mode(kind) autocomplete="off" spellcheck="false"
                placeholder=placeholder prop:value=move || typed.get()
                aria-describedby=move || described.get() aria-invalid=invalid
                on:input:target=move |event| on_typed.run(event.target().value())/>
        }
        .into_any(),
    }
}

fn option(word: String, typed: Signal<String>) -> impl IntoView {
    let value = word.clone();
    let chosen = word.clone();
    view! { <option value=value selected=move || typed.get() == chosen>{word}</option> }
}

/// The keyboard of a telephone: numbers may be negative or in scientific notation, so not `decimal`.
fn input_mode(kind: FieldKind) -> &'static str {
    if kind == FieldKind::Integer {
        "numeric"
    } else {
        "text"
    }
}
