//! What of a job the live feed does not carry, read while the job moves: its reduction, and what was done for the
//! trust in its answers.
use super::job_reduction::JobReduction;
use super::job_trust::JobTrust;
use super::jobs::of_job;
use crate::net::poll::{Loaded, polled};
use leptos::prelude::*;
use protocol::api::Job;
use protocol::ids::JobId;
use protocol::trust::Trust;

/// How often it is read while the job runs.
const EVERY_MS: i32 = 1_000;

/// Shown only for a job that reduces, or whose workers are not all trusted.
#[component]
pub fn JobMore(
    /// Which job.
    id: JobId,
) -> impl IntoView {
    let wanted = of_job(id, false, |job| {
        job.spec.reduce.is_some() || job.spec.trust != Trust::Private
    });
    move || wanted.get().then(|| view! { <Parts id/> })
}

#[component]
fn Parts(id: JobId) -> impl IntoView {
    let over = StoredValue::new(false);
    let again = move || !over.try_get_value().unwrap_or(true);
    let read = polled::<Job>(format!("/jobs/{id}"), EVERY_MS, again);
    let job = Memo::new(move |_| match read.get() {
        Loaded::Ready(job) => {
            over.set_value(job.state.is_over());
            Some(job)
        }
        _ => None,
    });
    view! {
        <JobReduction id job/>
        <JobTrust id job/>
    }
}
