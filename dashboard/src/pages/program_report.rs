//! What is known of one program: its form, its entries with a way to run them, and what admission found.
use super::submit::called;
use crate::model::format;
use crate::model::route::{Route, Wanted};
use crate::model::words::{self, Tone};
use crate::ui::badge::Badge;
use leptos::prelude::*;
use protocol::api::Program;
use protocol::description::{Entry, ModuleReport};

/// A program as a card.
#[component]
pub fn ProgramReport(
    /// The program.
    program: Program,
    /// Level of its heading: 2 in a list, 3 below a heading of its own.
    #[prop(default = 2)]
    level: u8,
) -> impl IntoView {
    let description = program.description.clone();
    let name = if description.name.is_empty() {
        format!("{:.12}", program.hash.to_string())
    } else {
        description.name.clone()
    };
    let heading = if level == 2 {
        view! { <h2>{name}</h2> }.into_any()
    } else {
        view! { <h3>{name}</h3> }.into_any()
    };
    let (kind, about) = words::program_kind(description.kind);
    let entries = description.entries.iter().map(|entry| runnable(&program, entry));
    view! {
        <div class="title">
            {heading}
            <Badge tone=Signal::stored(Tone::Active) word=Signal::stored(kind.to_owned())/>
            {program.built_in.then(|| view! { <Badge tone=Signal::stored(Tone::Plain) word=Signal::stored("Built in".to_owned())/> })}
        </div>
        <p class="note">{about} {version(&description.version)}</p>
        <ul class="entries" aria-label="Entries">{entries.collect_view()}</ul>
        {facts(&program)}
        {description.module.map(notes)}
        <p class="note hash"><code>{program.hash.to_string()}</code></p>
    }
}

fn version(version: &str) -> Option<String> {
    (!version.is_empty()).then(|| format!(" Version {version}."))
}

fn runnable(program: &Program, entry: &Entry) -> impl IntoView + use<> {
    let wanted = Wanted {
        program: Some(called(program)),
        entry: Some(entry.name.clone()),
    };
    let label = format!("Run it: {}", entry.name);
    let about = if entry.about.is_empty() {
        entry.title.clone()
    } else {
        entry.about.clone()
    };
    view! {
        <li>
            <code>{entry.name.clone()}</code>
            <span class="note">{about}</span>
            <a href=Route::Submit(wanted).href() aria-label=label>"Run it"</a>
        </li>
    }
}

fn facts(program: &Program) -> impl IntoView + use<> {
    let fact = |label: &'static str, value: String| {
        view! { <div><dt>{label}</dt><dd>{value}</dd></div> }
    };
    let memory = program.description.module.as_ref().map(|module| {
        let least = format::bytes(module.memory_bytes_min);
        let most = format::bytes(module.memory_bytes_max);
        let text = if least == most {
            least
        } else {
            format!("{least} to {most}")
        };
        fact("Memory", text)
    });
    let features = program
        .description
        .module
        .as_ref()
        .filter(|module| !module.features.is_empty())
        .map(|module| fact("Features", module.features.join(", ")));
    view! {
        <dl class="facts">
            {fact("Size", format::bytes(program.length))}
            {memory}
            {features}
        </dl>
    }
}

fn notes(module: ModuleReport) -> impl IntoView {
    let notes = module.notes.into_iter().map(|note| view! { <li>{note}"."</li> });
    let notes = notes.collect_view();
    (!notes.is_empty()).then(|| {
        view! {
            <details>
                <summary>"What admission did to it"</summary>
                <ul class="notes">{notes}</ul>
            </details>
        }
    })
}
