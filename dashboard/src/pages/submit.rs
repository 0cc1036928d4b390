//! A new job: pick what to compute, say with which parameters and on which items, and see the command line
//! that does the same.
use super::overview::Access;
use super::submit_items::ItemsPart;
use super::submit_params::ParamsPart;
use super::submit_preview::PreviewPart;
use super::submit_reduce::ReducePart;
use crate::model::command;
use crate::model::form::{self, Typed};
use crate::model::format;
use crate::model::input::{self, Items, Source};
use crate::model::picture::Layout;
use crate::model::route::{Route, Wanted};
use crate::model::words;
use crate::net::feed::feed;
use crate::net::http::{self, Trouble};
use crate::net::poll::{Loaded, polled};
use crate::ui::copy::CopyBox;
use crate::ui::field::{Problem, label_of};
use crate::ui::nav::{Nav, nav};
use crate::ui::notice::{Skeleton, TroubleNotice};
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::{Job, Program, ProgramList};
use protocol::description::{Entry, ParamProblem};
use protocol::ids::BlobHash;
use protocol::job::{Grain, JobSpec, OnFailure, ReduceSpec};
use protocol::limits;
use protocol::trust::Trust;
use serde_json::Value;

/// The page.
#[component]
pub fn Submit(
    /// The program and entry to begin with.
    wanted: Wanted,
) -> impl IntoView {
    let programs = polled::<ProgramList>("/programs".into(), 30_000, || false);
    let body = move || match programs.get() {
        Loaded::Waiting => view! { <Skeleton lines=6/> }.into_any(),
        Loaded::Failed(trouble) => {
            view! { <TroubleNotice trouble title="The programs could not be read"/> }.into_any()
        }
        Loaded::Ready(list) => {
            let choices = choices(&list);
            let first = first_choice(&choices, &wanted);
            match first {
                Some(first) => view! { <Form choices first/> }.into_any(),
                None => view! { <p class="empty">"The coordinator knows no program."</p> }.into_any(),
            }
        }
    };
    view! {
        <h1>"Submit a job"</h1>
        <Ways/>
        <Access/>
        {body}
    }
}

/// The two ways to a job: a program that is there, or a script written here.
#[component]
pub(super) fn Ways() -> impl IntoView {
    let way = |route: Route, name: &'static str| {
        let href = route.href();
        let current = move || nav().route().is_same_page(&route).then_some("page");
        view! { <li><a class="nav" href=href aria-current=current>{name}</a></li> }
    };
    view! {
        <nav class="ways" aria-label="Ways to submit">
            <ul>{way(Route::Submit(Wanted::default()), "A program")} {way(Route::Script, "A script")}</ul>
        </nav>
    }
}

/// An entry that can be chosen, and how its program is called in a job.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    /// What a job calls the program: its name when the coordinator carries it, else its hash.
    pub(super) program: String,
    /// What people call it.
    pub(super) label: String,
    pub(super) entry: Entry,
    /// All entries of the program: any of them may reduce.
    pub(super) entries: Vec<String>,
}

fn choices(list: &ProgramList) -> Vec<Choice> {
    let of_program = |program: &protocol::api::Program| {
        let (name, label) = (called(program), people_call(program));
        let entries = program.description.entries.clone();
        let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
        entries.into_iter().map(move |entry| Choice {
            program: name.clone(),
            label: label.clone(),
            entry,
            entries: names.clone(),
        })
    };
    list.programs.iter().flat_map(of_program).collect()
}

/// What a job calls a program.
pub(super) fn called(program: &Program) -> String {
    if program.built_in {
        program.description.name.clone()
    } else {
        program.hash.to_string()
    }
}

/// What people call a program: programs of the same name are told apart by the beginning of their hash.
pub(super) fn people_call(program: &Program) -> String {
    let name = &program.description.name;
    match (program.built_in, name.is_empty()) {
        (true, _) => name.clone(),
        (false, false) => format!("{name} · {:.8}", program.hash.to_string()),
        (false, true) => format!("{:.8}", program.hash.to_string()),
    }
}

fn first_choice(choices: &[Choice], wanted: &Wanted) -> Option<usize> {
    let is = |wanted: &Option<String>, there: &str| wanted.as_ref().is_none_or(|wanted| wanted == there);
    let fits =
        |choice: &Choice| is(&wanted.program, &choice.program) && is(&wanted.entry, &choice.entry.name);
    let named = (*wanted != Wanted::default())
        .then(|| choices.iter().position(fits))
        .flatten();
    let pictured = || choices.iter().position(|choice| choice.entry.picture.is_some());
    named
        .or_else(pictured)
        .or(if choices.is_empty() { None } else { Some(0) })
}

/// Everything that is typed. One place, so that form, command line and request agree.
#[derive(Clone, Copy)]
pub struct Draft {
    choice: RwSignal<Choice>,
    pub(super) typed: RwSignal<Typed>,
    /// Parameters as JSON, where the entry describes none.
    pub(super) undescribed: RwSignal<String>,
    pub(super) items: RwSignal<Items>,
    /// The entry that reduces; empty for none.
    pub(super) reduce: RwSignal<String>,
    pub(super) fan_in: RwSignal<String>,
    name: RwSignal<String>,
    grain: RwSignal<String>,
    priority: RwSignal<String>,
    skip: RwSignal<bool>,
    trust: RwSignal<Trust>,
    /// What the coordinator found wrong with what was sent.
    refused: RwSignal<Option<Trouble>>,
    /// Whether somebody tried to submit: only then is what is missing called wrong.
    pub(super) tried: RwSignal<bool>,
}

impl Draft {
    pub(super) fn new(choice: Choice) -> Draft {
        let items = Items::suggested(&choice.entry);
        Draft {
            choice: RwSignal::new(choice),
            typed: RwSignal::default(),
            undescribed: RwSignal::default(),
            items: RwSignal::new(items),
            reduce: RwSignal::default(),
            fan_in: RwSignal::default(),
            name: RwSignal::default(),
            grain: RwSignal::default(),
            priority: RwSignal::default(),
            skip: RwSignal::new(false),
            trust: RwSignal::new(trust_min().get_untracked()),
            refused: RwSignal::new(None),
            tried: RwSignal::new(false),
        }
    }

    fn choose(self, choice: Choice) {
        self.items.set(Items::suggested(&choice.entry));
        self.typed.set(Typed::new());
        self.undescribed.set(String::new());
        self.reduce.set(String::new());
        self.refused.set(None);
        self.tried.set(false);
        self.choice.set(choice);
    }

    /// All entries of the program that was chosen.
    pub(super) fn entries(self) -> Vec<String> {
        self.choice.with(|choice| choice.entries.clone())
    }

    pub(super) fn entry(self) -> Entry {
        self.choice.with(|choice| choice.entry.clone())
    }

    /// Whether somebody tried to submit.
    pub(super) fn was_tried(self) -> bool {
        self.tried.get()
    }

    /// The layout of the picture that the job will make.
    pub(super) fn layout(self) -> Option<Layout> {
        let entry = self.entry();
        let params = self.typed.with(|typed| form::complete(&entry, typed))?;
        Layout::of(&entry, &params)
    }

    pub(super) fn param_problems(self) -> Vec<ParamProblem> {
        let entry = self.entry();
        self.typed
            .with(|typed| form::params(&entry, typed))
            .err()
            .unwrap_or_default()
    }

    /// The job, or the first thing that is wrong with it.
    pub(super) fn spec(self) -> Result<JobSpec, String> {
        let entry = self.entry();
        let params = self.params(&entry)?;
        let input = self.items.with(|items| items.spec(&entry))?;
        let mut spec = JobSpec::new(
            self.choice.with(|choice| choice.program.clone()),
            entry.name,
            input,
        );
        spec.params = params;
        spec.name = self.name.with(|name| name.trim().to_owned());
        spec.grain = self.grain.with(|text| grain(text))?;
        spec.priority = self.priority.with(|text| priority(text))?;
        spec.reduce = self.reduction()?;
        spec.trust = self.trust.get();
        spec.on_failure = if self.skip.get() {
            OnFailure::Skip
        } else {
            OnFailure::Fail
        };
        Ok(spec)
    }

    fn set_trust(self, word: &str) {
        let level = Trust::ALL.into_iter().find(|level| level.word() == word);
        self.trust.set(level.unwrap_or_default());
    }

    fn params(self, entry: &Entry) -> Result<Value, String> {
        if entry.params.is_none() {
            return self.undescribed.with(|text| form::undescribed(text));
        }
        self.typed
            .with(|typed| form::params(entry, typed))
            .map_err(|problems| problems.first().map(told).unwrap_or_default())
    }

    fn reduction(self) -> Result<Option<ReduceSpec>, String> {
        let entry = self.reduce.get();
        if entry.is_empty() {
            return Ok(None);
        }
        let fan_in = self.fan_in.with(|text| fan_in(text))?;
        Ok(Some(ReduceSpec { entry, fan_in }))
    }

    fn file_name(self) -> Option<String> {
        self.items.with(|items| {
            items
                .file
                .as_ref()
                .filter(|_| items.source == Source::File)
                .map(|(name, _)| name.clone())
        })
    }
}

fn told(problem: &ParamProblem) -> String {
    format!("{} {}.", label_of(&problem.field), problem.problem)
}

fn grain(text: &str) -> Result<Grain, String> {
    match text.trim() {
        "" => Ok(Grain::Auto),
        digits => match digits.parse() {
            Ok(items) if (1..=limits::GRAIN_MAX).contains(&items) => Ok(Grain::Items(items)),
            _ => Err(format!(
                "Grain must be empty or a whole number from 1 to {}.",
                format::count(limits::GRAIN_MAX.into())
            )),
        },
    }
}

fn fan_in(text: &str) -> Result<u32, String> {
    let (min, max) = (limits::FAN_IN_MIN, limits::FAN_IN_MAX);
    match text.trim() {
        "" => Ok(limits::FAN_IN_DEFAULT),
        digits => digits
            .parse()
            .ok()
            .filter(|n| (min..=max).contains(n))
            .ok_or_else(|| format!("Outputs at a time must be a whole number from {min} to {max}.")),
    }
}

fn priority(text: &str) -> Result<i8, String> {
    match text.trim() {
        "" => Ok(0),
        digits => digits
            .parse()
            .ok()
            .filter(|p| (-100..=100).contains(p))
            .ok_or("Priority must be a whole number from -100 to 100.".into()),
    }
}

#[component]
fn Form(choices: Vec<Choice>, first: usize) -> impl IntoView {
    let draft = Draft::new(choices[first].clone());
    let (nav, sending) = (nav(), RwSignal::new(false));
    // Every visit of the page has its own; the same job sent twice from here is the same job.
    let visit = StoredValue::new(js_sys::Math::random().to_string());
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        draft.tried.set(true);
        if let Ok(spec) = untrack(|| draft.spec()) {
            send(draft, spec, &visit.get_value(), sending, nav);
        }
    };
    let problem = Signal::derive(move || draft.spec().err());
    let command = Signal::derive(move || {
        draft.spec().map_or_else(
            |problem| format!("# {problem}"),
            |spec| command::line(&spec, draft.file_name().as_deref()),
        )
    });
    view! {
        <form class="submit" on:submit=on_submit novalidate>
            <EntryPart draft choices first/>
            <ParamsPart draft/>
            <PreviewPart draft/>
            <ItemsPart draft/>
            <ReducePart draft/>
            <MorePart draft/>
            <section aria-labelledby="same">
                <h2 id="same">"The same on the command line"</h2>
                <CopyBox text=command label="Command line that submits the same job"/>
            </section>
            {move || draft.refused.get().map(|trouble| view! { <TroubleNotice trouble title="The job was not taken"/> })}
            <Problem id="form-problem".to_owned() problem=Signal::derive(move || problem.get().filter(|_| draft.tried.get()))/>
            <div class="buttons">
                <button type="submit" class="primary big" disabled=move || sending.get() aria-describedby="form-problem">
                    {move || if sending.get() { "Submitting" } else { "Submit" }}
                </button>
            </div>
        </form>
    }
}

fn send(draft: Draft, spec: JobSpec, visit: &str, sending: RwSignal<bool>, nav: Nav) {
    let feed = feed();
    let begun = feed.begin();
    let json = serde_json::to_string(&spec).unwrap_or_default();
    let key = BlobHash::of(format!("{visit}{json}").as_bytes()).to_string();
    sending.set(true);
    spawn_local(async move {
        let answer = http::post::<Job>("/jobs", Some(&spec), Some(&key)).await;
        sending.try_set(false);
        match answer {
            Ok(job) => {
                let id = job.id;
                feed.put(job, begun);
                nav.go(Route::Job(id));
            }
            Err(trouble) => drop(draft.refused.try_set(Some(trouble))),
        }
    });
}

#[component]
fn EntryPart(draft: Draft, choices: Vec<Choice>, first: usize) -> impl IntoView {
    let options = choices.iter().enumerate().map(|(at, choice)| {
        let entry = &choice.entry;
        let title = if entry.title.is_empty() {
            entry.name.clone()
        } else {
            format!("{} ({})", entry.title, entry.name)
        };
        let option = view! { <option value=at.to_string() selected=at == first>{title}</option> };
        (choice.label.clone(), option)
    });
    let options = grouped(options).into_iter();
    let options = options.map(|(label, options)| view! { <optgroup label=label>{options}</optgroup> });
    let options = options.collect_view();
    let choose = move |text: String| {
        let choice = text.parse::<usize>().ok().and_then(|at| choices.get(at).cloned());
        if let Some(choice) = choice {
            draft.choose(choice);
        }
    };
    view! {
        <section aria-labelledby="what">
            <h2 id="what">"What"</h2>
            <div class="field">
                <label for="entry">"Compute"</label>
                <select id="entry" aria-describedby="entry-help" on:change:target=move |event| choose(event.target().value())>{options}</select>
                <p class="help" id="entry-help">{move || draft.entry().about}</p>
            </div>
            <div class="field">
                <label for="name">"Name (optional)"</label>
                <input id="name" type="text" autocomplete="off" maxlength=limits::NAME_CHARS_MAX.to_string()
                    prop:value=move || draft.name.get() on:input:target=move |event| draft.name.set(event.target().value())/>
            </div>
        </section>
    }
}

/// Neighbours with the same label together.
fn grouped<T>(pairs: impl Iterator<Item = (String, T)>) -> Vec<(String, Vec<T>)> {
    let mut groups: Vec<(String, Vec<T>)> = Vec::new();
    for (label, one) in pairs {
        match groups.last_mut() {
            Some((last, group)) if *last == label => group.push(one),
            _ => groups.push((label, vec![one])),
        }
    }
    groups
}

/// The least level of trust that the server takes.
fn trust_min() -> Memo<Trust> {
    let live = feed().live;
    Memo::new(move |_| live.with(|live| live.overview.as_ref().map(|o| o.trust_min).unwrap_or_default()))
}

#[component]
fn MorePart(draft: Draft) -> impl IntoView {
    let counted = Signal::derive(move || {
        let entry = draft.entry();
        let input = draft.items.with(|items| items.spec(&entry)).ok();
        input
            .as_ref()
            .and_then(input::counted)
            .map(|items| format::count_of(items, "item", "items"))
    });
    let least = trust_min();
    // The least level is known when the overview was read, which may be after the form.
    Effect::new(move |_| {
        let least = least.get();
        if draft.trust.get_untracked() < least {
            draft.trust.set(least);
        }
    });
    let levels = move || {
        let offered = Trust::ALL.into_iter().filter(move |level| *level >= least.get());
        let option = |level: Trust| {
            let selected = move || draft.trust.get() == level;
            view! { <option value=level.word() selected=selected>{words::trust(level)}</option> }
        };
        offered.map(option).collect_view()
    };
    let price = move || words::trust(draft.trust.get());
    let raised =
        move || (least.get() > Trust::Private).then(|| format!(" Here the least level is {}.", least.get()));
    view! {
        <details class="panel">
            <summary>"More: trust, grain, priority, failures" <span class="note">{price}</span></summary>
            <div class="field">
                <label for="trust">"Trust"</label>
                <select id="trust" aria-describedby="trust-help" on:change:target=move |event| draft.set_trust(&event.target().value())>{levels}</select>
                <p class="help" id="trust-help">"How far the answers of workers that are not the operator's own are trusted. What must be checked costs executions and time."{raised}</p>
            </div>
            <div class="fields">
                <div class="field">
                    <label for="grain">"Grain"</label>
                    <input id="grain" type="text" inputmode="numeric" autocomplete="off" placeholder="auto" aria-describedby="grain-help"
                        prop:value=move || draft.grain.get() on:input:target=move |event| draft.grain.set(event.target().value())/>
                    <p class="help" id="grain-help">"Items a shard. Left empty, it is measured: about a quarter of a second of work. "
                        {move || counted.get().map(|items| format!("The job has {items}."))}</p>
                </div>
                <div class="field">
                    <label for="priority">"Priority"</label>
                    <input id="priority" type="text" autocomplete="off" placeholder="0" aria-describedby="priority-help"
                        prop:value=move || draft.priority.get() on:input:target=move |event| draft.priority.set(event.target().value())/>
                    <p class="help" id="priority-help">"From -100 to 100. Jobs with a higher priority go first."</p>
                </div>
            </div>
            <label class="check">
                <input type="checkbox" prop:checked=move || draft.skip.get() on:change:target=move |event| draft.skip.set(event.target().checked())/>
                " Skip shards that fail for good, instead of failing the job"
            </label>
        </details>
    }
}
