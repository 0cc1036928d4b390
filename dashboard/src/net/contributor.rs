//! This tab as a worker: the page's handle of `/web-worker/page.js`, one for the whole visit, so that walking
//! through the dashboard changes nothing. The module is only fetched here; nothing runs before Start.
use super::storage;
use crate::model::contribute::Status;
use crate::model::gallery::{Gallery, Tile};
use js_sys::{Function, Object, Promise, Reflect, Uint8Array};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::cell::RefCell;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    /// `boot.js` sets it: imports the tab worker's module.
    #[wasm_bindgen(js_namespace = elytra, js_name = importContributor, catch)]
    fn import_contributor() -> Result<Promise, JsValue>;

    /// What `createContributor` returns.
    #[wasm_bindgen(extends = Object)]
    #[derive(Clone)]
    type Tab;
    #[wasm_bindgen(method)]
    fn start(this: &Tab);
    #[wasm_bindgen(method)]
    fn pause(this: &Tab);
    #[wasm_bindgen(method, js_name = pause)]
    fn pause_for(this: &Tab, reason: &str);
    #[wasm_bindgen(method, js_name = resume)]
    fn resume_from(this: &Tab, reason: &str);
    #[wasm_bindgen(method)]
    fn resume(this: &Tab);
    #[wasm_bindgen(method)]
    fn finish(this: &Tab);
    #[wasm_bindgen(method)]
    fn stop(this: &Tab);
    #[wasm_bindgen(method, js_name = setSlots)]
    fn set_slots(this: &Tab, slots: u32);
    #[wasm_bindgen(method, js_name = setIntensity)]
    fn set_intensity(this: &Tab, percent: u32);
    #[wasm_bindgen(method, js_name = onStatus)]
    fn on_status(this: &Tab, callback: &Function);
    #[wasm_bindgen(method, js_name = onTile)]
    fn on_tile(this: &Tab, callback: &Function);
}

thread_local! {
    /// A page has one thread, and the handle lives as long as the page.
    static TAB: RefCell<Option<Tab>> = const { RefCell::new(None) };
}

/// This tab as a worker.
#[derive(Clone, Copy)]
pub struct Contributor {
    /// How it stands.
    pub status: RwSignal<Status>,
    /// The picture it works on.
    pub gallery: RwSignal<Gallery>,
    /// Why it cannot be used, when it cannot.
    pub problem: RwSignal<Option<String>>,
    /// Whether the module is there.
    pub ready: RwSignal<bool>,
}

/// This tab as a worker.
pub fn contributor() -> Contributor {
    expect_context()
}

impl Contributor {
    /// Makes the handle; nothing is fetched yet.
    pub fn idle() -> Contributor {
        Contributor {
            status: RwSignal::new(Status::default()),
            gallery: RwSignal::new(Gallery::default()),
            problem: RwSignal::new(None),
            ready: RwSignal::new(false),
        }
    }

    /// Fetches the tab worker's code, once, so that the click on Start waits for nothing.
    pub fn prepare(self) {
        if TAB.with_borrow(Option::is_some) {
            return;
        }
        spawn_local(async move {
            match create().await {
                Ok(tab) => self.adopt(tab),
                Err(_) => self.problem.set(Some(NOT_LOADED.into())),
            }
        });
    }

    fn adopt(self, tab: Tab) {
        if TAB.with_borrow(Option::is_some) {
            return;
        }
        let on_status = Closure::<dyn FnMut(JsValue)>::new(move |status: JsValue| {
            let json = js_sys::JSON::stringify(&status)
                .ok()
                .and_then(|json| json.as_string());
            if let Some(status) = json.and_then(|json| serde_json::from_str(&json).ok()) {
                self.status.set(status);
                self.take(None);
            }
        });
        let on_tile = Closure::<dyn FnMut(JsValue)>::new(move |tile: JsValue| self.take(read_tile(&tile)));
        tab.on_status(on_status.as_ref().unchecked_ref());
        tab.on_tile(on_tile.as_ref().unchecked_ref());
        // The callbacks live as long as the page, as the handle does.
        on_status.forget();
        on_tile.forget();
        TAB.set(Some(tab));
        self.problem.set(None);
        self.ready.set(true);
    }

    fn take(self, tile: Option<Tile>) {
        let jobs = self.status.with_untracked(|status| status.jobs.clone());
        self.gallery.update(|gallery| gallery.take(tile, &jobs));
    }

    /// Lends this tab, or goes on after a pause. Only ever called by a click.
    pub fn start(self) {
        with_tab(Tab::start);
    }
    /// Takes nothing for a while.
    pub fn pause(self) {
        with_tab(Tab::pause);
    }
    /// Goes on.
    pub fn resume(self) {
        with_tab(Tab::resume);
    }
    /// A reason to rest holds from now on, or no longer; the person's own pause is another one.
    pub fn rest(self, reason: &str, holds: bool) {
        with_tab(|tab| {
            if holds {
                tab.pause_for(reason);
            } else {
                tab.resume_from(reason);
            }
        });
    }
    /// Finishes what runs, then stops.
    pub fn finish(self) {
        with_tab(Tab::finish);
    }
    /// Stops at once.
    pub fn stop(self) {
        with_tab(Tab::stop);
    }
    /// How many things run at a time.
    pub fn set_slots(self, slots: u32) {
        with_tab(|tab| tab.set_slots(slots));
    }
    /// Which share of the time they may work.
    pub fn set_intensity(self, percent: u32) {
        with_tab(|tab| tab.set_intensity(percent));
    }
}

const NOT_LOADED: &str =
    "The part that computes could not be loaded from the coordinator. Reload the page to try again.";

fn with_tab(act: impl FnOnce(&Tab)) {
    TAB.with_borrow(|tab| tab.as_ref().map(act));
}

async fn create() -> Result<Tab, JsValue> {
    let module = JsFuture::from(import_contributor()?).await?;
    let create: Function = Reflect::get(&module, &"createContributor".into())?.dyn_into()?;
    let options = Object::new();
    if let Some(token) = storage::token() {
        Reflect::set(&options, &"token".into(), &token.into())?;
    }
    Ok(create.call1(&JsValue::NULL, &options)?.unchecked_into())
}

fn read_tile(tile: &JsValue) -> Option<Tile> {
    let field = |name: &str| Reflect::get(tile, &name.into()).ok();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "items of pictures are below 2^53"
    )]
    let item = field("item")?.as_f64()? as u64;
    let data = Uint8Array::new(&field("data")?).to_vec();
    Some(Tile {
        job: field("job")?.as_string()?,
        item,
        data,
    })
}

/// Cores of this device, as far as the browser tells.
pub fn cores() -> u32 {
    let cores = web_sys::window().map_or(2.0, |window| window.navigator().hardware_concurrency());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 1 to 64"
    )]
    let cores = cores.clamp(1.0, 64.0) as u32;
    cores
}
