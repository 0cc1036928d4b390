//! Lend this tab: one click to begin, one to stop, and in between what runs, for whom, and why not.
use super::contribute_account::{AccountPart, Credited, Leaders, Own};
use super::contribute_rest::RestPart;
use super::jobs::title;
use crate::model::contribute::{State, Status};
use crate::model::format;
use crate::model::gallery::Gallery;
use crate::model::picture::Layout;
use crate::model::words::Tone;
use crate::net::contributor::{Contributor as Handle, contributor, cores};
use crate::net::feed::feed;
use crate::net::storage;
use crate::net::timer::clock;
use crate::ui::announce::announcer;
use crate::ui::brand::Wings;
use crate::ui::canvas::paint;
use crate::ui::notice::Notice;
use crate::ui::stat::Stat;
use leptos::html::Canvas;
use leptos::prelude::*;

/// The page.
#[component]
pub fn Contribute() -> impl IntoView {
    let handle = contributor();
    handle.prepare();
    announce_changes(handle);
    let own = Own::watch();
    view! {
        <h1>"Contribute"</h1>
        <TokenNeeded/>
        {move || handle.problem.get().map(|problem| view! {
            <Notice tone=Tone::Bad title="This tab cannot be lent"><p>{problem}</p></Notice>
        })}
        <div class="lend">
            <Stage/>
            <div class="side">
                <Controls/>
                <RestPart/>
            </div>
        </div>
        <Now/>
        <Given own/>
        <AccountPart own/>
        <Leaders/>
        <Promise/>
    }
}

fn status<T: PartialEq + Send + Sync + 'static>(
    read: impl Fn(&Status) -> T + Send + Sync + 'static,
) -> Memo<T> {
    let status = contributor().status;
    Memo::new(move |_| status.with(&read))
}

fn announce_changes(handle: Handle) {
    let announcer = announcer();
    let headline = status(Status::headline);
    Effect::new(move |before: Option<&'static str>| {
        let now = headline.get();
        if before.is_some_and(|before| before != now) {
            announcer.say(format!(
                "{now}. {}",
                handle.status.with_untracked(Status::explanation)
            ));
        }
        now
    });
}

#[component]
fn TokenNeeded() -> impl IntoView {
    let live = feed().live;
    let required = move || live.with(|live| live.overview.as_ref().is_some_and(|o| o.worker_token_required));
    view! {
        <Show when=move || required() && storage::token().is_none()>
            <Notice tone=Tone::Warn title="The operator asks contributors for a token">
                <p><a href="/settings">"Enter the token"</a> " that you were given, then come back."</p>
            </Notice>
        </Show>
    }
}

/// The large sign with the state in words, and the one button that matters now.
#[component]
fn Stage() -> impl IntoView {
    let handle = contributor();
    let headline = status(Status::headline);
    let explanation = status(Status::explanation);
    let state = status(|status| status.state);
    let is_working = move || matches!(state.get(), State::Working | State::Finishing);
    view! {
        <section class="stage" class:working=is_working aria-labelledby="stands">
            <Wings/>
            <div>
                <h2 id="stands">{headline}</h2>
                <p class="explanation">{explanation}</p>
                <Buttons handle state/>
            </div>
        </section>
    }
}

#[component]
fn Buttons(handle: Handle, state: Memo<State>) -> impl IntoView {
    let stopped = move || state.get() == State::Stopped;
    let paused = move || state.get() == State::Paused;
    // A pause of another reason ends by itself, or with its switch.
    let by_person = status(|status| !matches!(status.reason.as_str(), "battery" | "hidden" | "schedule"));
    let runs = move || matches!(state.get(), State::Connecting | State::Working | State::Idle);
    let stay = move |act: fn(Handle)| move |_| act(handle);
    view! {
        <div class="buttons">
            <Show when=stopped>
                <button type="button" class="primary big" disabled=move || !handle.ready.get() on:click=stay(Handle::start)>"Start"</button>
            </Show>
            <Show when=move || paused() && by_person.get()>
                <button type="button" class="primary big" on:click=stay(Handle::resume)>"Resume"</button>
            </Show>
            <Show when=runs>
                <button type="button" class="big" on:click=stay(Handle::pause)>"Pause"</button>
            </Show>
            <Show when=move || runs() || paused()>
                <button type="button" on:click=stay(Handle::finish)>"Finish"</button>
            </Show>
            <Show when=move || !stopped()>
                <button type="button" on:click=stay(Handle::stop)>"Stop"</button>
            </Show>
        </div>
    }
}

#[component]
fn Controls() -> impl IntoView {
    let handle = contributor();
    let cores = cores();
    let slots = status(|status| status.slots.max(1));
    let intensity = status(|status| status.intensity_percent.clamp(1, 100));
    let most = move || cores.max(slots.get()).to_string();
    view! {
        <section class="controls" aria-labelledby="controls">
            <h2 id="controls">"How much"</h2>
            <div class="field">
                <label for="cores">"Cores " <output for="cores">{move || format!("{} of {cores}", slots.get())}</output></label>
                <input id="cores" type="range" min="1" max=most step="1" prop:value=move || slots.get().to_string()
                    disabled=move || !handle.ready.get() aria-describedby="cores-help"
                    on:input:target=move |event| drop(event.target().value().parse().map(|slots| handle.set_slots(slots)))/>
                <p class="help" id="cores-help">"How many things this tab works on at a time."</p>
            </div>
            <div class="field">
                <label for="intensity">"Intensity " <output for="intensity">{move || format!("{} %", intensity.get())}</output></label>
                <input id="intensity" type="range" min="10" max="100" step="10" prop:value=move || intensity.get().to_string()
                    disabled=move || !handle.ready.get() aria-describedby="intensity-help"
                    on:input:target=move |event| drop(event.target().value().parse().map(|percent| handle.set_intensity(percent)))/>
                <p class="help" id="intensity-help">"Share of the time the cores may work. Less keeps the device cool and quiet."</p>
            </div>
        </section>
    }
}

/// What runs now and for whom.
#[component]
fn Now() -> impl IntoView {
    let jobs = status(|status| status.jobs.clone());
    let busy = status(|status| (status.busy_slots() as u64, u64::from(status.slots)));
    let rows = move || {
        let row = |job: crate::model::contribute::JobStatus| {
            let name = known_title(&job.id).unwrap_or_else(|| job.title().to_owned());
            view! {
                <li>
                    <a href=format!("/jobs/{}", job.id)>{name}</a>
                    <span class="note">{format!("{}, for {}", job.entry, job.owner)}</span>
                </li>
            }
        };
        jobs.get().into_iter().map(row).collect_view()
    };
    let is_on = status(Status::is_on);
    view! {
        <Show when=move || is_on.get()>
            <section aria-labelledby="now">
                <h2 id="now">"What runs now"</h2>
                <p>{move || { let (busy, slots) = busy.get(); format!("{busy} of {} busy", format::count_of(slots, "core", "cores")) }}</p>
                <Show when=move || jobs.with(Vec::is_empty)><p class="empty">"No job at the moment."</p></Show>
                <ul class="running">{rows}</ul>
            </section>
        </Show>
        <LivePicture/>
    }
}

fn known_title(id: &str) -> Option<String> {
    let id = id.parse().ok()?;
    feed().live.with_untracked(|live| live.jobs.get(&id).map(title))
}

/// The picture that this tab's tiles belong to. It stays when its job is over, until another one begins.
#[component]
fn LivePicture() -> impl IntoView {
    let gallery = contributor().gallery;
    let shown = Memo::new(move |_| gallery.with(Gallery::shown));
    move || shown.get().map(|(job, layout)| view! { <Tiles job layout/> })
}

#[component]
fn Tiles(job: String, layout: Layout) -> impl IntoView {
    let gallery = contributor().gallery;
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move |before: Option<bool>| {
        gallery.track();
        let is_there = canvas.get().is_some();
        if is_there {
            let is_new = before != Some(true);
            let fresh = gallery
                .try_update_untracked(|gallery| gallery.fresh(is_new))
                .unwrap_or_default();
            for patch in &fresh {
                paint(canvas, patch);
            }
        }
        is_there
    });
    let (width, height) = layout.canvas();
    let tiles = Memo::new(move |_| gallery.with(Gallery::tiles));
    let label = move || {
        format!(
            "The picture that this tab works on, {} of it painted here",
            format::count_of(tiles.get(), "tile", "tiles")
        )
    };
    view! {
        <section aria-labelledby="tiles">
            <h2 id="tiles">"What your tab draws"</h2>
            <figure class="picture">
                <canvas node_ref=canvas width=width height=height role="img" aria-label=label></canvas>
                <figcaption>
                    {move || format!("{} computed by this tab · ", format::count_of(tiles.get(), "tile", "tiles"))}
                    <a href=format!("/jobs/{job}")>"the whole picture"</a>
                </figcaption>
            </figure>
        </section>
    }
}

/// What this tab has given since Start, and what its account has in all.
#[component]
fn Given(own: Own) -> impl IntoView {
    let text = |read: fn(&Status) -> String| status(read);
    let clock = clock();
    let handle = contributor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time since 1970"
    )]
    let since = Signal::derive(move || {
        match handle
            .status
            .with(|status| (status.is_on(), status.started_ms as u64))
        {
            (true, started) if started > 0 => format::duration(clock.now().saturating_sub(started)),
            _ => "–".into(),
        }
    });
    view! {
        <section aria-labelledby="given">
            <h2 id="given">"What you have given"</h2>
            <dl class="stats">
                <Stat label="Shards" value=text(|s| format::count(s.shards_done)) note=text(failures)/>
                <Stat label="Items" value=text(|s| format::count(s.items_done))/>
                <Stat label="Rate" value=text(|s| format::rate(s.items_per_second))/>
                <Stat label="Time" value=since/>
            </dl>
            <Credited own/>
        </section>
    }
}

fn failures(status: &Status) -> String {
    if status.shards_failed == 0 {
        String::new()
    } else {
        format!("{} failed", format::count(status.shards_failed))
    }
}

#[component]
fn Promise() -> impl IntoView {
    view! {
        <section class="promise" aria-labelledby="promise">
            <h2 id="promise">"What you agree to"</h2>
            <ul>
                <li>"Nothing runs before you press Start, and Stop means stopped."</li>
                <li>"Programs run in a closed sandbox: no files, no network, no view of your pages."</li>
                <li>"Work uses power. Choose fewer cores, a lower intensity, or when to rest."</li>
                <li>"Closing the tab is fine at any time: others take over what was not finished."</li>
            </ul>
        </section>
    }
}
