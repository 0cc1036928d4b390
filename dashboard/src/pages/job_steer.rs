//! Pause, resume, cancel and retry of a job.
use super::jobs::of_job;
use crate::net::feed::feed;
use crate::net::http::{self, Trouble};
use crate::ui::announce::announcer;
use crate::ui::confirm::ConfirmButton;
use crate::ui::notice::TroubleNotice;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::Job;
use protocol::ids::JobId;
use protocol::job::JobState;

/// The buttons that make sense in the job's state.
#[component]
pub fn JobSteer(
    /// Which job.
    id: JobId,
    /// Its state.
    state: Memo<JobState>,
    /// What people call it.
    name: Memo<String>,
) -> impl IntoView {
    let trouble = RwSignal::new(None::<Trouble>);
    let waiting = RwSignal::new(false);
    let order = Callback::new(move |verb: &'static str| steer(id, verb, waiting, trouble));
    let failed = of_job(id, 0, |job| job.counts.failed + job.counts.skipped);
    let can_pause = move || matches!(state.get(), JobState::Queued | JobState::Running);
    let can_cancel = move || {
        matches!(
            state.get(),
            JobState::Queued | JobState::Running | JobState::Paused
        )
    };
    let can_retry = move || state.get().is_over() && failed.get() > 0;
    let question = Signal::derive(move || format!("Cancel {}?", name.get()));
    let button = move |verb: &'static str, label: &'static str| {
        view! { <button type="button" disabled=move || waiting.get() on:click=move |_| order.run(verb)>{label}</button> }
    };
    view! {
        <div class="buttons">
            <Show when=can_pause>{button("pause", "Pause")}</Show>
            <Show when=move || state.get() == JobState::Paused>{button("resume", "Resume")}</Show>
            <Show when=can_retry>{button("retry", "Retry failed")}</Show>
            <Show when=can_cancel>
                <ConfirmButton label="Cancel job" no="Keep it" question on_yes=Callback::new(move |()| order.run("cancel"))
                    about="What runs is stopped. What is accepted stays, the rest is not computed. This cannot be undone."/>
            </Show>
        </div>
        {move || trouble.get().map(|trouble| view! { <TroubleNotice trouble title="That did not work"/> })}
    }
}

fn steer(id: JobId, verb: &'static str, waiting: RwSignal<bool>, trouble: RwSignal<Option<Trouble>>) {
    let (feed, announcer) = (feed(), announcer());
    let begun = feed.begin();
    waiting.set(true);
    spawn_local(async move {
        match http::post::<Job>(&format!("/jobs/{id}/{verb}"), None::<&()>, None).await {
            Ok(job) => {
                announcer.say(format!("The job is {}", job.state));
                feed.put(job, begun);
                trouble.try_set(None);
            }
            Err(problem) => drop(trouble.try_set(Some(problem))),
        }
        waiting.try_set(false);
    });
}
