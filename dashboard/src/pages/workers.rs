//! All workers: what they lend, how fast they are, how far one can rely on them, and why one does nothing.
use super::overview::Access;
use crate::model::format;
use crate::model::words::{self, Tone};
use crate::net::feed::feed;
use crate::ui::badge::Badge;
use crate::ui::explain::Explain;
use crate::ui::notice::Waiting;
use crate::ui::time::Ago;
use leptos::prelude::*;
use protocol::api::{Speed, Worker};
use protocol::ids::WorkerId;

/// The page.
#[component]
pub fn Workers() -> impl IntoView {
    feed().keep_workers_fresh();
    let live = feed().live;
    let workers = Memo::new(move |_| live.with(crate::model::live::Live::workers_in_order));
    let read = Memo::new(move |_| live.with(|live| live.workers_read));
    let summary = Memo::new(move |_| live.with(|live| summary(live.workers.values())));
    view! {
        <h1>"Workers"</h1>
        <Access/>
        <Show when=move || read.get() fallback=|| view! { <Waiting lines=5/> }>
            <p>{summary}</p>
            <Show when=move || workers.with(|workers| !workers.is_empty()) fallback=|| view! { <NoWorkers/> }>
                <ul class="workers">
                    <For each=move || workers.get() key=|id| *id let:id><WorkerCard id/></For>
                </ul>
            </Show>
        </Show>
    }
}

fn summary<'a>(workers: impl Iterator<Item = &'a Worker>) -> String {
    let connected: Vec<&Worker> = workers.filter(|worker| worker.connected).collect();
    let slots = connected.iter().map(|worker| u64::from(worker.slots)).sum();
    let workers = format::count_of(connected.len() as u64, "worker", "workers");
    format!(
        "{workers} connected, {} lent.",
        format::count_of(slots, "slot", "slots")
    )
}

#[component]
fn NoWorkers() -> impl IntoView {
    view! {
        <p class="empty">"Nobody is here yet. " <a href="/contribute">"Lend this tab"</a> ", or start "
            <code>"elytra worker"</code> " on any machine."</p>
    }
}

fn of_worker<T>(id: WorkerId, absent: T, read: impl Fn(&Worker) -> T + Send + Sync + 'static) -> Memo<T>
where
    T: Send + Sync + PartialEq + Clone + 'static,
{
    let live = feed().live;
    Memo::new(move |_| live.with(|live| live.workers.get(&id).map_or_else(|| absent.clone(), &read)))
}

#[component]
fn WorkerCard(id: WorkerId) -> impl IntoView {
    let text = |read: fn(&Worker) -> String| of_worker(id, String::new(), read);
    let standing = of_worker(id, ("Gone".to_owned(), Tone::Plain), standing);
    let seen = of_worker(id, 0, |worker| worker.seen_ms);
    view! {
        <li class="panel worker">
            <div class="title">
                <h2>{text(name)}</h2>
                <Badge tone=Signal::derive(move || standing.get().1) word=Signal::derive(move || standing.get().0)/>
            </div>
            <p class="note">{text(origin)} " · seen " <Ago ms=seen/></p>
            <dl class="facts">
                <Fact label="Slots" value=text(|w| format::count(w.slots.into()))/>
                <Fact label="Holds" value=text(|w| format!("{} of {}", format::count(w.leased.into()), format::count_of(w.window.into(), "shard", "shards")))/>
                <Fact label="Accepted" value=text(|w| format::count(w.accepted))/>
                <Fact label="Failed" value=text(|w| format::count(w.failed))/>
                <Fact label="Lost" value=text(|w| format::count(w.lost))/>
            </dl>
            <Reliability id/>
            <Speeds id/>
            <Why id/>
        </li>
    }
}

#[component]
fn Fact(label: &'static str, #[prop(into)] value: Signal<String>) -> impl IntoView {
    view! { <div><dt>{label}</dt><dd>{move || value.get()}</dd></div> }
}

fn name(worker: &Worker) -> String {
    if worker.name.is_empty() {
        format!("{} {}", words::kind(worker.kind), worker.id)
    } else {
        worker.name.clone()
    }
}

fn origin(worker: &Worker) -> String {
    let trusted = if worker.trusted { " · trusted" } else { "" };
    format!("{} · {}{trusted}", words::kind(worker.kind), worker.agent)
}

fn standing(worker: &Worker) -> (String, Tone) {
    match (worker.connected, worker.pause) {
        (false, _) => ("Gone".into(), Tone::Plain),
        (true, Some(reason)) => (format!("Paused: {}", words::pause(reason)), Tone::Warn),
        (true, None) if worker.leased > 0 => ("Working".into(), Tone::Active),
        (true, None) => ("Idle".into(), Tone::Plain),
    }
}

#[component]
fn Reliability(id: WorkerId) -> impl IntoView {
    let share = of_worker(id, 1.0, |worker| worker.reliability);
    let percent = move || format!("{:.0} %", share.get() * 100.0);
    view! {
        <p class="meter">
            <span>"Reliability"</span>
            <meter min="0" max="1" low="0.5" high="0.9" optimum="1" value=move || format!("{:.3}", share.get())
                aria-label="Accepted out of what was handed out"></meter>
            <span class="number">{percent}</span>
        </p>
    }
}

#[component]
fn Speeds(id: WorkerId) -> impl IntoView {
    let speeds = of_worker(id, Vec::new(), |worker| worker.speeds.clone());
    let rows = move || speeds.get().into_iter().map(speed).collect_view();
    view! {
        <Show when=move || speeds.with(|speeds| !speeds.is_empty())>
            <table class="speeds">
                <caption>"Measured speed of a slot; 1 × is the median"</caption>
                <thead><tr><th scope="col">"Entry"</th><th scope="col">"Items/s"</th><th scope="col">"Score"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </Show>
    }
}

fn speed(speed: Speed) -> impl IntoView {
    let score = format!("{:.2} ×", speed.score);
    view! { <tr><th scope="row">{speed.entry}</th><td>{format::compact(speed.items_per_second)}</td><td>{score}</td></tr> }
}

#[component]
fn Why(id: WorkerId) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <details on:toggle=move |_| open.update(|open| *open = !*open)>
            <summary>"Why does it do what it does?"</summary>
            <Show when=move || open.get()><Explain path=format!("/workers/{id}/explain")/></Show>
        </details>
    }
}
