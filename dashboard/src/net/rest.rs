//! Keeps a lent tab's reasons to rest up to date for the whole visit: the device is watched, the wishes are kept.
use super::contributor::contributor;
use super::storage;
use super::timer::clock;
use crate::model::contribute::Status;
use crate::model::rest::{Rest, Seen};
use js_sys::{Date, Function, Promise, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// What the contributor wants, and how the device stands.
#[derive(Clone, Copy)]
pub struct Resting {
    /// The wishes; what is set here is kept on the device.
    pub rest: RwSignal<Rest>,
    /// Whether the device runs on battery; `None` where the browser does not tell.
    pub on_battery: RwSignal<Option<bool>>,
    hidden: RwSignal<bool>,
}

/// The visit's wishes.
pub fn resting() -> Resting {
    expect_context()
}

impl Resting {
    /// Watches for the life of the page. Needs the clock and the contributor.
    pub fn start() -> Resting {
        let resting = Resting {
            rest: RwSignal::new(storage::rest().unwrap_or_else(Rest::suggested)),
            on_battery: RwSignal::new(None),
            hidden: RwSignal::new(document().hidden()),
        };
        resting.watch_visibility();
        spawn_local(async move {
            // A browser that does not tell throws, or has no such function.
            let _ = resting.watch_battery().await;
        });
        Effect::new(move |_| storage::keep_rest(&resting.rest.get()));
        resting.steer();
        resting
    }

    /// Whenever a reason comes or goes, and at every start, the tab's worker hears of it.
    fn steer(self) {
        let (clock, handle) = (clock(), contributor());
        let reasons = Memo::new(move |_| {
            let seen = Seen {
                on_battery: self.on_battery.get(),
                hidden: self.hidden.get(),
                minute: minute_of(clock.now()),
            };
            self.rest.with(|rest| rest.reasons(seen))
        });
        let is_on = Memo::new(move |_| handle.status.with(Status::is_on));
        Effect::new(move |_| {
            if is_on.get() {
                reasons
                    .get()
                    .into_iter()
                    .for_each(|(reason, holds)| handle.rest(reason, holds));
            }
        });
    }

    fn watch_visibility(self) {
        let seen = Closure::<dyn Fn()>::new(move || self.hidden.set(document().hidden()));
        // The page's document outlives everything that could take the listener back.
        let _ =
            document().add_event_listener_with_callback("visibilitychange", seen.as_ref().unchecked_ref());
        seen.forget();
    }

    async fn watch_battery(self) -> Result<(), JsValue> {
        let navigator = JsValue::from(window().navigator());
        let get: Function = Reflect::get(&navigator, &"getBattery".into())?.dyn_into()?;
        let battery = JsFuture::from(get.call0(&navigator)?.dyn_into::<Promise>()?).await?;
        let read = move |battery: &JsValue| {
            let charging = Reflect::get(battery, &"charging".into()).ok();
            self.on_battery
                .set(charging.and_then(|c| c.as_bool()).map(|charging| !charging));
        };
        read(&battery);
        let target: web_sys::EventTarget = battery.clone().dyn_into()?;
        let changed = Closure::<dyn Fn()>::new(move || read(&battery));
        target.add_event_listener_with_callback("chargingchange", changed.as_ref().unchecked_ref())?;
        changed.forget();
        Ok(())
    }
}

/// The local time of day, in minutes.
#[expect(clippy::cast_possible_truncation, reason = "hours and minutes of a day")]
fn minute_of(now_ms: u64) -> u16 {
    let date = Date::new(&JsValue::from_f64(now_ms as f64));
    (date.get_hours() * 60 + date.get_minutes()) as u16
}
