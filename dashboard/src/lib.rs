//! The dashboard: contribute, watch and submit, in a browser.
//!
//! | folder | holds |
//! |---|---|
//! | [`model`] | what is shown, worked out without a browser: pure, tested natively |
//! | [`net`] | requests, streams, timers, storage, this tab as a worker |
//! | [`ui`] | a small set of components on semantic HTML |
//! | [`pages`] | one file a page |
//!
//! State flows one way: the coordinator's events are folded into [`model::live::Live`], pages read from it.
#![forbid(unsafe_code)]

mod app;
pub mod model;
pub mod net;
pub mod pages;
pub mod ui;

use wasm_bindgen::prelude::wasm_bindgen;

/// Runs when the module is loaded: takes the token out of the address, then shows the page.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
    net::storage::take_token_from_address();
    app::mount();
}
