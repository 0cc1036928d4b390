//! Walking between pages without loading them: links are ordinary links, one listener takes the clicks that
//! lead to a page of ours, and the address bar stays true.
use crate::model::route::Route;
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlAnchorElement, HtmlElement, MouseEvent, window};

/// Which page is shown.
#[derive(Clone, Copy)]
pub struct Nav {
    route: RwSignal<Route>,
}

/// The page's navigation.
pub fn nav() -> Nav {
    expect_context()
}

impl Nav {
    /// Starts it for the life of the page.
    pub fn start() -> Nav {
        let nav = Nav {
            route: RwSignal::new(in_address_bar()),
        };
        let _ = window_event_listener(ev::popstate, move |_| nav.show(in_address_bar()));
        let _ = window_event_listener(ev::click, move |event| nav.clicked(&event));
        Effect::new(move |_| document().set_title(&nav.route.with(Route::title)));
        nav
    }

    /// Which page is shown.
    pub fn route(self) -> Route {
        self.route.get()
    }

    /// Goes to a page, with a new entry in the history.
    pub fn go(self, route: Route) {
        push(&route.href());
        self.show(route);
    }

    fn show(self, route: Route) {
        let another_page = self
            .route
            .with_untracked(|before| before.title() != route.title());
        self.route.set(route);
        if another_page {
            move_focus();
        }
    }

    fn clicked(self, event: &MouseEvent) {
        let modified = event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key();
        if event.default_prevented() || event.button() != 0 || modified {
            return;
        }
        if let Some(route) = anchor(event).and_then(|anchor| page_of(&anchor)) {
            event.prevent_default();
            self.go(route);
        }
    }
}

/// Keyboard and screen reader begin at the new page, not where the link was.
fn move_focus() {
    if let Some(main) = document()
        .get_element_by_id("main")
        .and_then(|main| main.dyn_into::<HtmlElement>().ok())
    {
        let _ = main.focus();
    }
    if let Some(window) = window() {
        window.scroll_to_with_x_and_y(0.0, 0.0);
    }
}

fn in_address_bar() -> Route {
    let Some(location) = window().map(|window| window.location()) else {
        return Route::Missing;
    };
    Route::parse(
        &location.pathname().unwrap_or_default(),
        &location.search().unwrap_or_default(),
    )
}

fn push(href: &str) {
    if let Some(history) = window().and_then(|window| window.history().ok()) {
        let _ = history.push_state_with_url(&JsValue::NULL, "", Some(href));
    }
}

fn anchor(event: &MouseEvent) -> Option<HtmlAnchorElement> {
    let target: Element = event.target()?.dyn_into().ok()?;
    target.closest("a[href]").ok()??.dyn_into().ok()
}

/// The page that a link leads to: same origin, this tab, no download, no place within this page.
fn page_of(anchor: &HtmlAnchorElement) -> Option<Route> {
    let here = window()?.location().origin().ok()?;
    let plain = anchor.target().is_empty() && !anchor.has_attribute("download") && anchor.hash().is_empty();
    let route =
        (plain && anchor.origin() == here).then(|| Route::parse(&anchor.pathname(), &anchor.search()))?;
    (route != Route::Missing).then_some(route)
}
