//! What was done so that strangers' answers can be trusted.
use super::jobs::of_job;
use crate::model::format;
use crate::model::words;
use crate::ui::stat::Stat;
use leptos::prelude::*;
use protocol::api::Job;
use protocol::ids::JobId;
use protocol::trust::{Trust, TrustReport};

/// Shown only where not everybody is trusted.
#[component]
pub fn JobTrust(
    /// Which job.
    id: JobId,
    /// As it was read last.
    job: Memo<Option<Job>>,
) -> impl IntoView {
    let level = of_job(id, Trust::Private, |job| job.spec.trust);
    move || (level.get() != Trust::Private).then(|| view! { <Report level=level.get() job/> })
}

#[component]
fn Report(level: Trust, job: Memo<Option<Job>>) -> impl IntoView {
    let known = Memo::new(move |_| {
        let job = job.get()?;
        job.trust.map(|report| (report, job.counts.accepted))
    });
    let text = move |read: fn(&TrustReport, u64) -> String| {
        Memo::new(move |_| {
            known
                .get()
                .map_or_else(|| "–".into(), |(report, accepted)| read(&report, accepted))
        })
    };
    view! {
        <section aria-labelledby="trust">
            <h2 id="trust">"Trust"</h2>
            <p>{format!("{}.", words::trust(level))}</p>
            <dl class="stats">
                <Stat label="Executions" value=text(|report, _| format::count(report.executions)) note=text(per_shard)/>
                <Stat label="Checked again" value=text(|report, _| format::count(report.spot_checks))/>
                <Stat label="Conflicts" value=text(|report, _| format::count(report.conflicts))/>
                <Stat label="Caught" value=text(|report, _| format::count_of(report.workers_withdrawn.into(), "worker", "workers"))
                    note=text(|report, _| format!("{} thrown away", format::count_of(report.shards_withdrawn, "shard", "shards")))/>
            </dl>
        </section>
    }
}

fn per_shard(report: &TrustReport, accepted: u64) -> String {
    if accepted == 0 {
        return String::new();
    }
    format!(
        "{:.2} a shard accepted",
        report.executions as f64 / accepted as f64
    )
}
