//! All programs, and the door for a new one: dropped, chosen, checked, and what came of it.
use super::overview::Access;
use super::program_report::ProgramReport;
use crate::model::format;
use crate::model::words::Tone;
use crate::net::http::{self, Trouble};
use crate::net::poll::Loaded;
use crate::net::upload::upload;
use crate::ui::announce::{Announcer, announcer};
use crate::ui::notice::{Notice, Skeleton, TroubleNotice};
use leptos::ev::DragEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::{Program, ProgramList};
use protocol::limits::PROGRAM_BYTES_MAX;
use web_sys::{File, HtmlInputElement};

/// The page.
#[component]
pub fn Programs() -> impl IntoView {
    let programs = RwSignal::new(Loaded::Waiting);
    read(programs);
    let list = move || match programs.get() {
        Loaded::Waiting => view! { <Skeleton lines=6/> }.into_any(),
        Loaded::Failed(trouble) => {
            view! { <TroubleNotice trouble title="The programs could not be read"/> }.into_any()
        }
        Loaded::Ready(list) => cards(list.programs).into_any(),
    };
    view! {
        <h1>"Programs"</h1>
        <Access/>
        <Upload programs/>
        <section aria-labelledby="all">
            <h2 id="all" class="unseen">"All programs"</h2>
            {list}
        </section>
    }
}

fn read(programs: RwSignal<Loaded<ProgramList>>) {
    spawn_local(async move {
        let read = http::get::<ProgramList>("/programs").await;
        programs.try_set(read.map_or_else(Loaded::Failed, Loaded::Ready));
    });
}

fn cards(mut programs: Vec<Program>) -> impl IntoView {
    // What people brought comes before what was there; the newest of it first.
    programs.reverse();
    programs.sort_by_key(|program| program.built_in);
    let cards = programs
        .into_iter()
        .map(|program| view! { <li class="panel program"><ProgramReport program level=3/></li> });
    view! { <ul class="programs">{cards.collect_view()}</ul> }
}

/// How an upload stands.
#[derive(Clone)]
enum Stand {
    Nothing,
    Busy(String, RwSignal<f64>),
    Admitted(Box<Program>),
    Refused(String, Trouble),
}

#[component]
fn Upload(programs: RwSignal<Loaded<ProgramList>>) -> impl IntoView {
    let stand = RwSignal::new(Stand::Nothing);
    let over = RwSignal::new(false);
    let announcer = announcer();
    let take = move |file: Option<File>| {
        over.set(false);
        if let Some(file) = file {
            send(file, stand, programs, announcer);
        }
    };
    let chosen = move |input: HtmlInputElement| {
        take(input.files().and_then(|files| files.get(0)));
        // The same file, mended, can be chosen again.
        input.set_value("");
    };
    let dropped = move |event: DragEvent| {
        event.prevent_default();
        let files = event.data_transfer().and_then(|data| data.files());
        take(files.and_then(|files| files.get(0)));
    };
    let dragged = move |event: DragEvent| {
        event.prevent_default();
        over.set(true);
    };
    view! {
        <section aria-labelledby="bring">
            <h2 id="bring">"Bring a program"</h2>
            <div class="drop" class:over=move || over.get() on:dragover=dragged on:dragleave=move |_| over.set(false) on:drop=dropped>
                <label for="program">"Drop a file here, or choose one"</label>
                <input id="program" type="file" accept=".wasm,.js,.mjs,.ts,.mts" aria-describedby="program-help"
                    on:change:target=move |event| chosen(event.target())/>
                <p class="help" id="program-help">
                    "A WebAssembly kernel or WASI command (.wasm), or a JavaScript or TypeScript module; up to "
                    {format::bytes(PROGRAM_BYTES_MAX as u64)} ". Or " <a href="/submit/script">"write a script here"</a> "."
                </p>
            </div>
            {move || stands(stand.get())}
        </section>
    }
}

fn stands(stand: Stand) -> AnyView {
    match stand {
        Stand::Nothing => ().into_any(),
        Stand::Busy(name, sent) => view! { <Busy name sent/> }.into_any(),
        Stand::Admitted(program) => view! {
            <Notice tone=Tone::Good title="Admitted: it runs on every worker"><ProgramReport program=*program level=3/></Notice>
        }
        .into_any(),
        Stand::Refused(name, trouble) => {
            view! { <TroubleNotice trouble title=format!("{name} was not admitted")/> }.into_any()
        }
    }
}

/// How far the upload is; once all is sent, the check takes a moment that nobody can foretell.
#[component]
fn Busy(name: String, sent: RwSignal<f64>) -> impl IntoView {
    let all_sent = Memo::new(move |_| sent.get() >= 1.0);
    let doing = move || {
        let doing = if all_sent.get() { "Checking" } else { "Uploading" };
        format!("{doing} {name}")
    };
    let bar = move || {
        if all_sent.get() {
            view! { <progress aria-label="Check"></progress> }.into_any()
        } else {
            view! { <progress aria-label="Upload" max="1" prop:value=move || sent.get()></progress> }
                .into_any()
        }
    };
    view! { <div class="busy"><p role="status">{doing}</p>{bar}</div> }
}

fn send(file: File, stand: RwSignal<Stand>, programs: RwSignal<Loaded<ProgramList>>, announcer: Announcer) {
    let name = file.name();
    let sent = RwSignal::new(0.0);
    stand.set(Stand::Busy(name.clone(), sent));
    let path = format!(
        "/programs?file={}",
        String::from(js_sys::encode_uri_component(&name))
    );
    spawn_local(async move {
        match upload::<Program>(&path, &file, move |share| _ = sent.try_set(share)).await {
            Ok(program) => {
                announcer.say(format!("{name} is admitted"));
                stand.try_set(Stand::Admitted(Box::new(program)));
                read(programs);
            }
            Err(trouble) => drop(stand.try_set(Stand::Refused(name, trouble))),
        }
    });
}
