//! Time in a page: now, waiting, and a clock that ticks once a second for everything that shows an age.
use js_sys::Promise;
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen_futures::JsFuture;

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and far below 2^53"
    )]
    let now = js_sys::Date::now() as u64;
    now
}

/// Waits. A hidden tab may wait longer.
pub async fn sleep(ms: i32) {
    let promise = Promise::new(&mut |resolve, _| {
        if let Some(window) = web_sys::window() {
            let _ = window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms);
        }
    });
    let _ = JsFuture::from(promise).await;
}

/// The page's clock, in milliseconds since 1970, moving once a second.
#[derive(Clone, Copy)]
pub struct Clock(ReadSignal<u64>);

impl Clock {
    /// Starts it for the life of the page.
    pub fn start() -> Clock {
        let (now, set_now) = signal(now_ms());
        set_interval(move || set_now.set(now_ms()), Duration::from_secs(1));
        Clock(now)
    }

    /// Now, to the second; whoever reads it is run again every second.
    pub fn now(self) -> u64 {
        self.0.get()
    }
}

/// The page's clock.
pub fn clock() -> Clock {
    expect_context()
}
