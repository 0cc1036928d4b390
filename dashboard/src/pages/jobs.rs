//! All jobs, or those in one state.
use super::overview::Access;
use crate::model::format;
use crate::model::live::Live;
use crate::model::route::{Route, STATES};
use crate::model::segments;
use crate::model::words;
use crate::net::feed::feed;
use crate::net::http::{self, Trouble};
use crate::ui::badge::StateBadge;
use crate::ui::meter::Progress;
use crate::ui::nav::nav;
use crate::ui::notice::{TroubleNotice, Waiting};
use crate::ui::time::Ago;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::{Job, JobPage};
use protocol::ids::JobId;
use protocol::job::JobState;

/// Jobs read at a time.
const PAGE: u32 = 50;

/// The page.
#[component]
pub fn Jobs(
    /// Only jobs in this state; all when absent.
    state: Option<JobState>,
) -> impl IntoView {
    let live = feed().live;
    let older = Older::new(state);
    older.read();
    let jobs = Signal::derive(move || live.with(|live| live.jobs_in(state)));
    let read = move || live.with(|live| live.jobs_read) || older.was_read.get();
    view! {
        <h1>"Jobs"</h1>
        <Access/>
        <StateFilter state/>
        {move || older.trouble.get().filter(|trouble| !trouble.wants_token()).map(|trouble| view! { <TroubleNotice trouble title="The jobs could not be read"/> })}
        <Show when=read fallback=|| view! { <Waiting lines=5/> }>
            <JobsTable jobs/>
        </Show>
        <Show when=move || older.next.with(Option::is_some)>
            <p><button type="button" on:click=move |_| older.read()>"Show older jobs"</button></p>
        </Show>
    }
}

/// The pages of the list that were read besides what the feed brings.
#[derive(Clone, Copy)]
struct Older {
    state: Option<JobState>,
    next: RwSignal<Option<String>>,
    trouble: RwSignal<Option<Trouble>>,
    was_read: RwSignal<bool>,
}

impl Older {
    fn new(state: Option<JobState>) -> Older {
        let (next, trouble, was_read) = (RwSignal::new(None), RwSignal::new(None), RwSignal::new(false));
        Older {
            state,
            next,
            trouble,
            was_read,
        }
    }

    fn read(self) {
        let feed = feed();
        let state = self
            .state
            .map(|state| format!("&state={state}"))
            .unwrap_or_default();
        let cursor = self
            .next
            .get_untracked()
            .map(|cursor| format!("&cursor={cursor}"))
            .unwrap_or_default();
        let begun = feed.begin();
        spawn_local(async move {
            match http::get::<JobPage>(&format!("/jobs?limit={PAGE}{state}{cursor}")).await {
                Ok(page) => {
                    page.jobs.into_iter().for_each(|job| feed.put(job, begun));
                    self.next.try_set(page.next);
                    self.trouble.try_set(None);
                }
                Err(trouble) => drop(self.trouble.try_set(Some(trouble))),
            }
            self.was_read.try_set(true);
        });
    }
}

#[component]
fn StateFilter(state: Option<JobState>) -> impl IntoView {
    let options = STATES.map(|other| {
        view! { <option value=other.word() selected=state == Some(other)>{words::state(other).0}</option> }
    });
    let choose = move |word: String| nav().go(Route::Jobs(crate::model::route::state_named(&word)));
    view! {
        <div class="filter">
            <label for="state">"State"</label>
            <select id="state" on:change:target=move |event| choose(event.target().value())>
                <option value="" selected=state.is_none()>"All"</option>
                {options.collect_view()}
            </select>
        </div>
    }
}

/// A table of jobs; each row follows its job.
#[component]
pub fn JobsTable(
    /// Which, in order.
    #[prop(into)]
    jobs: Signal<Vec<JobId>>,
) -> impl IntoView {
    let none = move || jobs.with(Vec::is_empty);
    view! {
        <Show when=move || !none() fallback=|| view! { <NoJobs/> }>
            <div class="scroll" role="region" aria-label="Jobs" tabindex="0">
                <table class="jobs">
                    <caption class="unseen">"Jobs, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Job"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Progress"</th>
                            <th scope="col" class="wide">"Rate"</th>
                            <th scope="col" class="wide">"Left"</th>
                            <th scope="col" class="wide">"Submitted"</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || jobs.get() key=|id| *id let:id><JobRow id/></For>
                    </tbody>
                </table>
            </div>
        </Show>
    }
}

#[component]
fn NoJobs() -> impl IntoView {
    view! { <p class="empty">"No job here. " <a href="/submit">"Submit one"</a></p> }
}

/// What is read of a job, as long as it is known.
pub fn of_job<T: Send + Sync + PartialEq + Clone + 'static>(
    id: JobId,
    absent: T,
    read: impl Fn(&Job) -> T + Send + Sync + 'static,
) -> Memo<T> {
    let live = feed().live;
    Memo::new(move |_| live.with(|live: &Live| live.jobs.get(&id).map_or_else(|| absent.clone(), &read)))
}

/// What people call a job.
pub fn title(job: &Job) -> String {
    if job.spec.name.is_empty() {
        job.spec.entry.clone()
    } else {
        job.spec.name.clone()
    }
}

#[component]
fn JobRow(id: JobId) -> impl IntoView {
    let text = |read: fn(&Job) -> String| of_job(id, String::new(), read);
    let (title, owner) = (
        text(title),
        text(|job| format!("{} · {}", job.spec.entry, job.owner)),
    );
    let state = of_job(id, JobState::Queued, |job| job.state);
    let share = of_job(id, None, |job| segments::progress(&job.counts));
    let done = text(done);
    let label = Signal::derive(move || format!("Progress of {}", title.get()));
    let (rate, left) = (text(rate), text(left));
    let submitted = of_job(id, 0, |job| job.submitted_ms);
    view! {
        <tr>
            <th scope="row"><a href=Route::Job(id).href()>{title}</a><span class="note">{owner}</span></th>
            <td><StateBadge state/></td>
            <td><Progress share label/><span class="note">{done}</span></td>
            <td class="wide number">{rate}</td>
            <td class="wide number">{left}</td>
            <td class="wide"><Ago ms=submitted/></td>
        </tr>
    }
}

/// `1,024 of 4,096 items (25 %)`.
pub fn done(job: &Job) -> String {
    let counts = &job.counts;
    let accepted = format::count(counts.items_accepted);
    if counts.items_open {
        return format!(
            "{accepted} of {} items, more may come",
            format::count(counts.items)
        );
    }
    let share = format::percent(counts.items_accepted, counts.items);
    format!(
        "{accepted} of {} ({share})",
        format::count_of(counts.items, "item", "items")
    )
}

/// Items a second, while it runs.
pub fn rate(job: &Job) -> String {
    if job.state == JobState::Running {
        format::rate(job.items_per_second)
    } else {
        "–".into()
    }
}

/// The predicted time to the end, while it runs.
pub fn left(job: &Job) -> String {
    match job.remaining_ms {
        Some(ms) if job.state == JobState::Running => format!("about {}", format::duration(ms)),
        _ => "–".into(),
    }
}
