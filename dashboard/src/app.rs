//! The frame round every page: header, navigation, footer, and what lives as long as the visit.
use crate::model::route::Route;
use crate::net::contributor::Contributor;
use crate::net::feed::{Feed, feed};
use crate::net::rest::Resting;
use crate::net::timer::Clock;
use crate::pages;
use crate::pages::script::Script;
use crate::ui::announce::{Announcer, AnnouncerRegion};
use crate::ui::brand::Brand;
use crate::ui::link_mark::LinkMark;
use crate::ui::nav::{Nav, nav};
use crate::ui::theme::{Theme, ThemeButton};
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// Puts the dashboard in the place of the loading text of `index.html`.
pub(crate) fn mount() {
    let document = leptos::tachys::dom::document();
    let Some(place) = document.get_element_by_id("app") else {
        return;
    };
    place.set_inner_html("");
    mount_to(place.unchecked_into(), App).forget();
}

#[component]
fn App() -> impl IntoView {
    provide_context(Clock::start());
    provide_context(Announcer::silent());
    provide_context(Theme::kept());
    provide_context(Nav::start());
    provide_context(Contributor::idle());
    provide_context(Resting::start());
    provide_context(Feed::start());
    provide_context(Script::begun());
    view! {
        <a class="skip" href="#main">"Skip to content"</a>
        <Header/>
        <main id="main" tabindex="-1">{move || page(nav().route())}</main>
        <Footer/>
        <AnnouncerRegion/>
    }
}

fn page(route: Route) -> AnyView {
    match route {
        Route::Overview => pages::overview::Overview().into_any(),
        Route::Contribute => pages::contribute::Contribute().into_any(),
        Route::Jobs(state) => view! { <pages::jobs::Jobs state/> }.into_any(),
        Route::Job(id) => view! { <pages::job::JobPage id/> }.into_any(),
        Route::Workers => pages::workers::Workers().into_any(),
        Route::Programs => pages::programs::Programs().into_any(),
        Route::Submit(wanted) => view! { <pages::submit::Submit wanted/> }.into_any(),
        Route::Script => pages::script::ScriptPage().into_any(),
        Route::Settings => pages::settings::Settings().into_any(),
        Route::Missing => pages::missing::Missing().into_any(),
    }
}

#[component]
fn Header() -> impl IntoView {
    let entries = Route::main().map(|(route, name)| view! { <NavEntry route name/> });
    view! {
        <header class="top">
            <Brand/>
            <nav aria-label="Main"><ul>{entries.collect_view()}</ul></nav>
            <div class="tools">
                <LinkMark/>
                <ThemeButton/>
                <NavEntryLink route=Route::Settings name="Settings"/>
            </div>
        </header>
    }
}

#[component]
fn NavEntry(route: Route, name: &'static str) -> impl IntoView {
    view! { <li><NavEntryLink route name/></li> }
}

#[component]
fn NavEntryLink(route: Route, name: &'static str) -> impl IntoView {
    let href = route.href();
    let current = move || nav().route().is_within(&route).then_some("page");
    view! { <a class="nav" href=href aria-current=current>{name}</a> }
}

#[component]
fn Footer() -> impl IntoView {
    let live = feed().live;
    let version = move || live.with(|live| live.overview.as_ref().map(|overview| overview.version.clone()));
    let durability =
        move || live.with(|live| live.overview.as_ref().map(|overview| overview.durability.clone()));
    view! {
        <footer class="bottom">
            <p>{move || version().map(|version| format!("Elytra {version}"))}</p>
            <p>{durability}</p>
            <p><a href="/api/v1/openapi.json">"API"</a></p>
        </footer>
    }
}
