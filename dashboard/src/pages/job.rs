//! One job: how far it is, why it does not move, what failed, what came out, and its picture.
use super::job_errors::JobErrors;
use super::job_more::JobMore;
use super::job_picture::JobPicture;
use super::job_results::JobResults;
use super::job_steer::JobSteer;
use super::jobs::{done, left, of_job, rate, title};
use crate::model::format;
use crate::model::picture::Layout;
use crate::model::segments;
use crate::model::words::{self, Tone};
use crate::net::feed::feed;
use crate::net::http::{self, Trouble};
use crate::ui::announce::announcer;
use crate::ui::badge::StateBadge;
use crate::ui::explain::Explain;
use crate::ui::meter::{Progress, SegmentBar};
use crate::ui::notice::{Notice, Skeleton, TroubleNotice};
use crate::ui::stat::Stat;
use crate::ui::time::Ago;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::{Job, Program};
use protocol::description::Entry;
use protocol::ids::JobId;
use protocol::job::JobState;

/// The page.
#[component]
pub fn JobPage(
    /// Which job.
    id: JobId,
) -> impl IntoView {
    let feed = feed();
    let (live, begun) = (feed.live, feed.begin());
    let trouble = RwSignal::new(None::<Trouble>);
    spawn_local(async move {
        match http::get::<Job>(&format!("/jobs/{id}")).await {
            Ok(job) => feed.put(job, begun),
            Err(problem) => drop(trouble.try_set(Some(problem))),
        }
    });
    let known = Memo::new(move |_| live.with(|live| live.jobs.contains_key(&id)));
    move || match (known.get(), trouble.get()) {
        (true, _) => view! { <Known id/> }.into_any(),
        (false, None) => view! { <h1>"Job"</h1><Skeleton lines=6/> }.into_any(),
        (false, Some(trouble)) => {
            let title = if trouble.is_missing() {
                "There is no such job"
            } else {
                "The job could not be read"
            };
            view! { <h1>"Job"</h1><TroubleNotice trouble title/><p><a href="/jobs">"All jobs"</a></p> }
                .into_any()
        }
    }
}

#[component]
fn Known(id: JobId) -> impl IntoView {
    let state = of_job(id, JobState::Queued, |job| job.state);
    let name = of_job(id, String::new(), title);
    let entry = entry_of(id);
    announce_changes(name, state);
    // A job that ended without an output has no picture to wait for.
    let draws = of_job(id, true, |job| {
        !job.state.is_over() || job.counts.items_accepted > 0
    });
    let layout = Memo::new(move |_| layout_of(id, entry.get().as_ref()));
    view! {
        <p class="crumbs"><a href="/jobs">"Jobs"</a></p>
        <div class="title">
            <h1>{name}</h1>
            <StateBadge state/>
            <JobSteer id state name/>
        </div>
        <Origin id/>
        <Reason id/>
        <ProgressPart id/>
        <JobMore id/>
        {move || layout.get().filter(|_| draws.get()).map(|layout| view! { <JobPicture id layout/> })}
        <Why id state/>
        <JobErrors id/>
        <JobResults id has_picture=Signal::derive(move || layout.get().is_some())/>
        <Asked id/>
    }
}

/// The description of the job's entry, read once.
fn entry_of(id: JobId) -> RwSignal<Option<Entry>> {
    let found = RwSignal::new(None);
    let job = feed().live.with_untracked(|live| {
        live.jobs
            .get(&id)
            .map(|job| (job.program, job.spec.entry.clone()))
    });
    if let Some((program, name)) = job {
        spawn_local(async move {
            if let Ok(program) = http::get::<Program>(&format!("/programs/{program}")).await {
                found.try_set(
                    program
                        .description
                        .entries
                        .into_iter()
                        .find(|entry| entry.name == name),
                );
            }
        });
    }
    found
}

fn layout_of(id: JobId, entry: Option<&Entry>) -> Option<Layout> {
    let live = feed().live;
    live.with_untracked(|live| Layout::of(entry?, &live.jobs.get(&id)?.spec.params))
}

fn announce_changes(name: Memo<String>, state: Memo<JobState>) {
    let announcer = announcer();
    Effect::new(move |before: Option<JobState>| {
        let now = state.get();
        if before.is_some_and(|before| before != now) {
            announcer.say(format!("{}: {}", name.get_untracked(), words::state(now).0));
        }
        now
    });
}

#[component]
fn Origin(id: JobId) -> impl IntoView {
    let entry = of_job(id, String::new(), |job| {
        // A hash is told apart by its beginning; the whole of it is in what was asked for.
        format!("{} of {:.12}", job.spec.entry, job.spec.program)
    });
    let owner = of_job(id, String::new(), |job| job.owner.clone());
    let submitted = of_job(id, 0, |job| job.submitted_ms);
    view! {
        <p class="note">
            {entry} " · for " {owner} " · submitted " <Ago ms=submitted/> " · " <code>{id.to_string()}</code>
        </p>
    }
}

/// Why it failed or was cancelled.
#[component]
pub(super) fn Reason(
    /// Which job.
    id: JobId,
) -> impl IntoView {
    let reason = of_job(id, None, |job| {
        job.reason.clone().map(|reason| (job.state, reason))
    });
    move || {
        reason.get().map(|(state, reason)| {
            let (word, tone) = words::state(state);
            let tone = if tone == Tone::Bad { Tone::Bad } else { Tone::Warn };
            view! { <Notice tone title=word><p>{reason}</p></Notice> }
        })
    }
}

#[component]
fn ProgressPart(id: JobId) -> impl IntoView {
    let share = of_job(id, None, |job| segments::progress(&job.counts));
    let parts = of_job(id, Vec::new(), |job| segments::segments(&job.counts));
    let text = |read: fn(&Job) -> String| of_job(id, String::new(), read);
    view! {
        <section aria-labelledby="progress">
            <h2 id="progress">"Progress"</h2>
            <Progress share label=Signal::stored("Items accepted".to_owned())/>
            <dl class="stats">
                <Stat label="Done" value=text(share_text) note=text(done)/>
                <Stat label="Rate" value=text(rate)/>
                <Stat label="Left" value=text(left)/>
                <Stat label="Took" value=text(took) note=text(|job| format!("{} of computing", format::duration(job.busy_ms)))/>
                <Stat label="Attempts" value=text(|job| format::count(job.counts.attempts)) note=text(attempts_per_shard)/>
            </dl>
            <h3>"Shards by state"</h3>
            <SegmentBar segments=parts/>
        </section>
    }
}

fn share_text(job: &Job) -> String {
    format::percent(job.counts.items_accepted, job.counts.items)
}

fn took(job: &Job) -> String {
    let end = job.ended_ms.unwrap_or_else(crate::net::timer::now_ms);
    job.started_ms
        .map_or_else(|| "–".into(), |start| format::duration(end.saturating_sub(start)))
}

fn attempts_per_shard(job: &Job) -> String {
    if job.counts.accepted == 0 {
        return String::new();
    }
    format!(
        "{:.2} a shard accepted",
        job.counts.attempts as f64 / job.counts.accepted as f64
    )
}

#[component]
fn Why(id: JobId, state: Memo<JobState>) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <Show when=move || !state.get().is_over()>
            <details class="panel" on:toggle=move |_| open.update(|open| *open = !*open)>
                <summary>"Why is it not moving (faster)?"</summary>
                <Show when=move || open.get()><Explain path=format!("/jobs/{id}/explain")/></Show>
            </details>
        </Show>
    }
}

#[component]
fn Asked(id: JobId) -> impl IntoView {
    let json = of_job(id, String::new(), |job| {
        serde_json::to_string_pretty(&job.spec).unwrap_or_default()
    });
    view! {
        <details class="panel">
            <summary>"What was asked for"</summary>
            <pre role="region" tabindex="0" aria-label="The job as it was submitted"><code>{json}</code></pre>
        </details>
    }
}
