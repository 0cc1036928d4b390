//! A script that is written, run and mended in one place: editor, functions, items, a button.
use super::overview::Access;
use super::script_run::Run;
use super::submit::{Choice, Draft, Ways};
use super::submit_items::ItemsPart;
use super::submit_params::UndescribedParams;
use crate::model::blame::{Place, place};
use crate::model::script::{self, EXAMPLES, Example, FILE};
use crate::net::feed::feed;
use crate::net::http::{self, Trouble};
use crate::net::upload::upload;
use crate::ui::editor::Editor;
use crate::ui::field::Problem;
use crate::ui::notice::TroubleNotice;
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::{Job, Program};
use protocol::description::Entry;
use protocol::ids::JobId;
use protocol::job::JobSpec;
use wasm_bindgen::JsValue;
use web_sys::Blob;

/// What is written. It lasts as long as the visit, so that a look at another page loses nothing; nothing of it is
/// left on the device.
#[derive(Clone, Copy)]
pub struct Script {
    text: RwSignal<String>,
    /// The function that was chosen; empty for the first.
    function: RwSignal<String>,
    /// Parameters, items, and the function that reduces.
    draft: Draft,
    sending: RwSignal<bool>,
    refused: RwSignal<Option<Trouble>>,
    job: RwSignal<Option<JobId>>,
    /// The place that the last run found wrong.
    wrong: RwSignal<Option<Place>>,
}

/// The visit's script.
fn script() -> Script {
    expect_context()
}

impl Script {
    /// The first example.
    pub fn begun() -> Script {
        let choice = Choice {
            program: String::new(),
            label: String::new(),
            entry: Entry::default(),
            entries: Vec::new(),
        };
        let script = Script {
            text: RwSignal::default(),
            function: RwSignal::default(),
            draft: Draft::new(choice),
            sending: RwSignal::new(false),
            refused: RwSignal::new(None),
            job: RwSignal::new(None),
            wrong: RwSignal::new(None),
        };
        script.take(EXAMPLES[0]);
        script
    }

    fn take(self, example: Example) {
        self.text.set(example.text.into());
        self.function.set(String::new());
        self.draft.reduce.set(example.reduce.into());
        self.draft.items.set(example.items());
        self.refused.set(None);
        self.wrong.set(None);
    }

    fn names(self) -> Vec<String> {
        self.text.with(|text| script::exports(text))
    }

    /// The function that reduces, if the script has it.
    fn reducer(self) -> String {
        let names = self.names();
        let chosen = self.draft.reduce.get();
        names.into_iter().find(|name| *name == chosen).unwrap_or_default()
    }

    fn mapped(self) -> Option<String> {
        let reduce = self.reducer();
        self.function
            .with(|chosen| script::mapped(&self.names(), chosen, &reduce))
    }

    /// The job, all but its program; or what is missing.
    fn spec(self) -> Result<JobSpec, String> {
        let entry = self
            .mapped()
            .ok_or("The script exports no function: write `export function name(item) { … }`.")?;
        let mut spec = self.draft.spec()?;
        spec.name.clone_from(&entry);
        spec.entry = entry;
        // The same script on the same item fails in the same way: a second attempt would only take time.
        spec.attempts_max = 1;
        // The function may have been renamed since it was chosen.
        spec.reduce = spec.reduce.filter(|_| !self.reducer().is_empty());
        Ok(spec)
    }

    fn run(self) {
        self.draft.tried.set(true);
        if self.sending.get_untracked() {
            return;
        }
        let Ok(spec) = untrack(|| self.spec()) else { return };
        self.sending.set(true);
        self.refused.set(None);
        self.wrong.set(None);
        let (feed, text) = (feed(), self.text.get_untracked());
        let begun = feed.begin();
        spawn_local(async move {
            match send(&text, spec).await {
                Ok(job) => {
                    let id = job.id;
                    feed.put(job, begun);
                    self.job.set(Some(id));
                }
                Err(trouble) => {
                    self.job.set(None);
                    self.wrong.set(refused_at(&trouble));
                    self.refused.set(Some(trouble));
                }
            }
            self.sending.set(false);
        });
    }
}

async fn send(text: &str, mut spec: JobSpec) -> Result<Job, Trouble> {
    let parts = js_sys::Array::of1(&JsValue::from_str(text));
    let source = Blob::new_with_str_sequence(&parts).map_err(http::unreadable)?;
    let program: Program = upload(&format!("/programs?file={FILE}"), &source, |_| ()).await?;
    spec.program = program.hash.to_string();
    http::post("/jobs", Some(&spec), None).await
}

fn refused_at(trouble: &Trouble) -> Option<Place> {
    match trouble {
        Trouble::Refused(problem) => place(&problem.detail),
        _ => None,
    }
}

/// The page.
#[component]
pub fn ScriptPage() -> impl IntoView {
    let script = script();
    let go = RwSignal::new(None::<Place>);
    let on_run = Callback::new(move |()| script.run());
    let on_place = Callback::new(move |place: Place| {
        script.wrong.set(Some(place.clone()));
        go.set(Some(place));
    });
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        script.run();
    };
    let draft = script.draft;
    let problem = Signal::derive(move || script.spec().err().filter(|_| draft.tried.get()));
    view! {
        <h1>"Run a script"</h1>
        <Ways/>
        <Access/>
        <form class="submit script" on:submit=on_submit novalidate>
            <section aria-labelledby="write">
                <div class="title"><h2 id="write"><label for="source">"Script"</label></h2><Examples script/></div>
                <Editor text=script.text wrong=script.wrong go on_run/>
            </section>
            <Functions script/>
            <section aria-labelledby="params">
                <h2 id="params">"Parameters"</h2>
                <UndescribedParams draft/>
            </section>
            <ItemsPart draft/>
            {move || script.refused.get().map(|trouble| view! { <Refused trouble on_place/> })}
            <Problem id="form-problem".to_owned() problem/>
            <div class="buttons">
                <button type="submit" class="primary big" disabled=move || script.sending.get() aria-describedby="form-problem">
                    {move || if script.sending.get() { "Sending" } else { "Run" }}
                </button>
            </div>
        </form>
        {move || script.job.get().map(|id| view! { <Run id on_place/> })}
    }
}

#[component]
fn Refused(trouble: Trouble, on_place: Callback<Place>) -> impl IntoView {
    let jump = refused_at(&trouble).map(|place| {
        let word = format!("Go to line {}", place.line);
        view! { <p><button type="button" on:click=move |_| on_place.run(place.clone())>{word}</button></p> }
    });
    view! { <TroubleNotice trouble title="The script was not taken"/>{jump} }
}

#[component]
fn Examples(script: Script) -> impl IntoView {
    let example = move |example: Example| {
        view! { <li><button type="button" class="quiet" on:click=move |_| script.take(example)>{example.name}</button></li> }
    };
    view! { <ul class="places" aria-label="Examples to begin with">{EXAMPLES.map(example).collect_view()}</ul> }
}

#[component]
fn Functions(script: Script) -> impl IntoView {
    let names = Memo::new(move |_| script.names());
    let options = move |chosen: Option<String>| {
        let option = |name: String| {
            let selected = Some(&name) == chosen.as_ref();
            view! { <option value=name.clone() selected=selected>{name.clone()}</option> }
        };
        names.get().into_iter().map(option).collect_view()
    };
    view! {
        <section aria-labelledby="functions">
            <h2 id="functions">"Functions"</h2>
            <div class="fields">
                <div class="field">
                    <label for="function">"Called for every item"</label>
                    <select id="function" on:change:target=move |event| script.function.set(event.target().value())>
                        {move || options(script.mapped())}
                    </select>
                </div>
                <div class="field">
                    <label for="reduce">"Reduces two answers to one (optional)"</label>
                    <select id="reduce" on:change:target=move |event| script.draft.reduce.set(event.target().value())>
                        <option value="" selected=move || script.reducer().is_empty()>"None: every answer is a result"</option>
                        {move || options(Some(script.reducer()))}
                    </select>
                </div>
            </div>
        </section>
    }
}
