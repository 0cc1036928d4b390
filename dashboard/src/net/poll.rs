//! Something that is read when a page opens, and again and again while it may change.
use super::http::{self, Trouble};
use super::timer;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is known of something that must be read first.
#[derive(Clone, Debug, PartialEq)]
pub enum Loaded<T> {
    /// Not read yet.
    Waiting,
    /// Read.
    Ready(T),
    /// It could not be read.
    Failed(Trouble),
}

/// Turns true when the component that called is gone.
pub fn gone() -> impl Fn() -> bool + Clone {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    on_cleanup(move || set.store(true, Ordering::Relaxed));
    move || flag.load(Ordering::Relaxed)
}

/// Reads JSON from `path`, then every `every_ms` while `again` says so, until the component is gone. A failed
/// repetition keeps what was read before.
pub fn polled<T>(path: String, every_ms: i32, again: impl Fn() -> bool + 'static) -> ReadSignal<Loaded<T>>
where
    T: DeserializeOwned + Send + Sync + Clone + 'static,
{
    let (value, set_value) = signal(Loaded::Waiting);
    let gone = gone();
    spawn_local(async move {
        loop {
            let read = http::get(&path).await;
            if gone() {
                return;
            }
            set_value.update(|value| match (read, &value) {
                (Ok(read), _) => *value = Loaded::Ready(read),
                (Err(_), Loaded::Ready(_)) => {}
                (Err(trouble), _) => *value = Loaded::Failed(trouble),
            });
            timer::sleep(every_ms).await;
            while !gone() && !again() {
                timer::sleep(every_ms).await;
            }
            if gone() {
                return;
            }
        }
    });
    value
}
