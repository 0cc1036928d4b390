//! How far a job's reduction is.
use super::jobs::of_job;
use crate::model::format;
use crate::ui::meter::Progress;
use leptos::prelude::*;
use protocol::api::{Job, Reduction};
use protocol::ids::JobId;

/// Shown only for a job that reduces.
#[component]
pub fn JobReduction(
    /// Which job.
    id: JobId,
    /// As it was read last.
    job: Memo<Option<Job>>,
) -> impl IntoView {
    let entry = of_job(id, None, |job| {
        job.spec.reduce.as_ref().map(|reduce| reduce.entry.clone())
    });
    move || entry.get().map(|entry| view! { <Stages entry job/> })
}

#[component]
fn Stages(entry: String, job: Memo<Option<Job>>) -> impl IntoView {
    let reduction = Memo::new(move |_| job.get()?.reduction);
    let share = Memo::new(move |_| {
        let reduction = reduction.get()?;
        (reduction.items > 0).then(|| reduction.items_accepted as f64 / reduction.items as f64)
    });
    view! {
        <section aria-labelledby="reduction">
            <h2 id="reduction">"Reduction"</h2>
            <Progress share label=Signal::stored("Lists reduced in this stage".to_owned())/>
            <p>"With " <code>{entry}</code> ": " {move || said(reduction.get())}</p>
        </section>
    }
}

fn said(reduction: Option<Reduction>) -> String {
    reduction.map_or_else(
        || "it begins when the map is complete.".into(),
        |reduction| {
            format!(
                "stage {}, {} of {} reduced.",
                reduction.stage,
                format::count(reduction.items_accepted),
                format::count_of(reduction.items, "list", "lists")
            )
        },
    )
}
