//! The last run of a script, below it: how far it is, what came out, and which line failed.
use super::job::Reason;
use super::job_errors::JobErrors;
use super::jobs::{done, of_job};
use super::results::Results;
use crate::model::blame::Place;
use crate::model::segments;
use crate::model::words;
use crate::ui::announce::announcer;
use crate::ui::badge::StateBadge;
use crate::ui::meter::Progress;
use leptos::prelude::*;
use protocol::ids::JobId;
use protocol::job::JobState;

/// A run.
#[component]
pub fn Run(
    /// Its job.
    id: JobId,
    /// Called to show a place of the script.
    on_place: Callback<Place>,
) -> impl IntoView {
    let state = of_job(id, JobState::Queued, |job| job.state);
    let share = of_job(id, None, |job| segments::progress(&job.counts));
    let so_far = of_job(id, String::new(), done);
    let announcer = announcer();
    Effect::new(move |before: Option<JobState>| {
        let now = state.get();
        if before.is_some_and(|before| before != now) && now.is_over() {
            announcer.say(format!("Script: {}", words::state(now).0));
        }
        now
    });
    view! {
        <section class="run" aria-labelledby="run">
            <div class="title">
                <h2 id="run">"Answers"</h2>
                <StateBadge state/>
                <p class="note">{so_far}" · "<a href=format!("/jobs/{id}")>"Open the job"</a></p>
            </div>
            <Progress share label=Signal::stored("Items accepted".to_owned())/>
            <Reason id/>
            <JobErrors id on_place/>
            <Results id has_picture=false/>
        </section>
    }
}
