//! Events for whoever watches: numbered, kept for a while, and resumable by number.
use futures_util::Stream;
use protocol::api::Event;
use protocol::limits::EVENTS_KEPT_MAX;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Publishes and replays events. Cheap to clone.
#[derive(Clone)]
pub struct EventFeed {
    kept: Arc<Mutex<Kept>>,
    newest: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<(u64, Arc<Event>)>,
    last: u64,
}

impl EventFeed {
    pub(crate) fn new() -> Self {
        Self {
            kept: Arc::default(),
            newest: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Publishes an event to everybody who watches now or resumes soon.
    pub(crate) fn publish(&self, event: Event) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        let id = kept.last;
        kept.events.push_back((id, Arc::new(event)));
        if kept.events.len() > EVENTS_KEPT_MAX {
            kept.events.pop_front();
        }
        drop(kept);
        self.newest.send_replace(id);
    }

    /// Whether anybody watches: what nobody sees need not be made.
    pub(crate) fn is_watched(&self) -> bool {
        self.newest.receiver_count() > 0
    }

    /// Events behind number `after` (those to come, when it is `None`), each with its number. Begins
    /// with [`Event::Missed`] when some of them are no longer kept.
    pub fn subscribe(&self, after: Option<u64>) -> impl Stream<Item = (u64, Arc<Event>)> + Send + use<> {
        let feed = self.clone();
        let newest = self.newest.subscribe();
        let after = after.unwrap_or_else(|| *newest.borrow());
        futures_util::stream::unfold((feed, newest, after), |(feed, mut newest, after)| async move {
            loop {
                if let Some((id, event)) = feed.next(after) {
                    return Some(((id, event), (feed, newest, id)));
                }
                newest.changed().await.ok()?;
            }
        })
    }

    fn next(&self, after: u64) -> Option<(u64, Arc<Event>)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let first = kept.events.front()?.0;
        if after > kept.last || after + 1 < first {
            return Some((kept.last.min(first.saturating_sub(1)), Arc::new(Event::Missed)));
        }
        let at = usize::try_from(after + 1 - first).ok()?;
        kept.events.get(at).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;

    fn event(n: u32) -> Event {
        Event::OverviewSample {
            sample: Default::default(),
            workers: n,
            slots: 0,
            pending: 0,
            leased: 0,
        }
    }

    #[tokio::test]
    async fn a_reader_resumes_where_it_was() {
        let feed = EventFeed::new();
        (0..3).for_each(|n| feed.publish(event(n)));
        let rest: Vec<_> = feed.subscribe(Some(1)).take(2).collect().await;
        assert_eq!(rest.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 3]);
    }

    #[tokio::test]
    async fn a_reader_that_was_away_too_long_is_told() {
        let feed = EventFeed::new();
        (0..=u32::try_from(EVENTS_KEPT_MAX).unwrap() + 5).for_each(|n| feed.publish(event(n)));
        let mut events = Box::pin(feed.subscribe(Some(1)));
        assert_eq!(*events.next().await.unwrap().1, Event::Missed);
        assert!(matches!(
            *events.next().await.unwrap().1,
            Event::OverviewSample { .. }
        ));
        let mut from_another_life = Box::pin(feed.subscribe(Some(u64::MAX - 1)));
        assert_eq!(*from_another_life.next().await.unwrap().1, Event::Missed);
    }
}
