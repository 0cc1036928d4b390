//! How everything stands: throughput, workers, queue, errors, and what is wrong now.
use super::jobs::JobsTable;
use crate::model::chart::items_per_second_now;
use crate::model::format;
use crate::model::words::Tone;
use crate::net::feed::{Link, feed};
use crate::ui::chart::ThroughputChart;
use crate::ui::notice::{Notice, Waiting};
use crate::ui::stat::Stat;
use leptos::prelude::*;
use protocol::api::Overview as Standing;
use protocol::ids::JobId;

/// Jobs shown here; the rest is one click away.
const JOBS_SHOWN: usize = 5;

/// The page.
#[component]
pub fn Overview() -> impl IntoView {
    feed().keep_overview_fresh();
    let live = feed().live;
    let known = Memo::new(move |_| live.with(|live| live.overview.is_some()));
    let latest = Signal::derive(move || latest_jobs(live));
    view! {
        <h1>"Overview"</h1>
        <Access/>
        <StoreProblem/>
        <Show when=move || known.get() fallback=|| view! { <Waiting lines=6/> }>
            <Nobody/>
            <Numbers/>
            <section aria-labelledby="throughput">
                <h2 id="throughput">"Throughput"</h2>
                <ThroughputChart samples=Signal::derive(move || standing(|o| o.throughput.clone()))/>
            </section>
            <section aria-labelledby="latest">
                <h2 id="latest">"Latest jobs"</h2>
                <JobsTable jobs=latest/>
                <p><a href="/jobs">"All jobs"</a></p>
            </section>
        </Show>
    }
}

fn standing<T: Default>(read: impl Fn(&Standing) -> T) -> T {
    feed()
        .live
        .with(|live| live.overview.as_ref().map(&read).unwrap_or_default())
}

fn latest_jobs(live: RwSignal<crate::model::live::Live>) -> Vec<JobId> {
    live.with(|live| live.jobs_in(None).into_iter().take(JOBS_SHOWN).collect())
}

/// Says when this page may not read, on every page that reads.
#[component]
pub fn Access() -> impl IntoView {
    let link = feed().link;
    view! {
        <Show when=move || link.get() == Link::Denied>
            <Notice tone=Tone::Bad title="This page may not read from the coordinator">
                <p>"Open the link that the coordinator printed at its start, or " <a href="/settings">"enter a token"</a>
                    " with the read scope (made by " <code>"elytra token create"</code> ")."</p>
            </Notice>
        </Show>
    }
}

#[component]
fn StoreProblem() -> impl IntoView {
    let problem = Memo::new(move |_| standing(|o| o.store_problem.clone()));
    move || {
        problem.get().map(|problem| {
            view! {
                <Notice tone=Tone::Bad title="Nothing can be stored at the moment">
                    <p>{problem}</p>
                    <p>"Work that is done waits until it can be stored; nothing is lost meanwhile."</p>
                </Notice>
            }
        })
    }
}

#[component]
fn Nobody() -> impl IntoView {
    let waits = Memo::new(move |_| standing(|o| o.workers == 0 && o.jobs_open > 0));
    view! {
        <Show when=move || waits.get()>
            <Notice tone=Tone::Warn title="Jobs wait, and nobody works">
                <p><a href="/contribute">"Lend this tab"</a> ", or start " <code>"elytra worker"</code> " on any machine."</p>
            </Notice>
        </Show>
    }
}

#[component]
fn Numbers() -> impl IntoView {
    let text = |read: fn(&Standing) -> String| Signal::derive(move || standing(read));
    view! {
        <dl class="stats">
            <Stat label="Now" value=text(|o| format::rate(items_per_second_now(&o.throughput))) note=Signal::stored("last 10 s".to_owned())/>
            <Stat label="Workers" value=text(|o| format::count(o.workers.into()))
                note=text(|o| format::count_of(o.slots.into(), "slot", "slots"))/>
            <Stat label="Open jobs" value=text(|o| format::count(o.jobs_open.into()))/>
            <Stat label="Queue" value=text(|o| format::count(o.pending))
                note=text(|o| format!("{} with workers", format::count(o.leased)))/>
            <Stat label="Accepted" value=text(|o| format::count(o.accepted))
                note=Signal::stored("shards since start".to_owned())/>
            <Stat label="Failed" value=text(|o| format::count(o.failed)) note=text(failure_share)/>
        </dl>
    }
}

fn failure_share(overview: &Standing) -> String {
    format!(
        "{} of attempts",
        format::percent(overview.failed, overview.failed + overview.accepted)
    )
}
