//! Wakes the loop when an event is published, so that new work starts at once and not at the next tick.
//!
//! A core NATS subscription receives a message when the server does, which is before the stream has stored it: the loop is
//! therefore woken several times.

use std::time::Duration;

use async_nats::{Client, Subscriber};
use futures::StreamExt as _;
use futures::stream::{self, SelectAll};
use tokio::time::{Instant, sleep_until};

/// When the loop is woken after an event was published.
const WAKE_UPS: [Duration; 3] = [Duration::from_millis(8), Duration::from_millis(40), Duration::from_millis(160)];
/// The loop is woken at least once in this time: for redeliveries, and in case a notification was lost.
const TICK: Duration = Duration::from_secs(1);

/// Says when to fetch.
pub(super) struct StreamListener {
    published: SelectAll<Subscriber>,
    /// When an event was last published, and how many wake-ups have followed.
    waking: Option<(Instant, usize)>,
    next_tick: Instant,
}

impl StreamListener {
    /// Listens to these subjects. Where the server refuses a subscription, the ticks remain.
    pub(super) async fn start(client: &Client, subjects: &[String]) -> Self {
        let mut published = Vec::new();
        for subject in subjects {
            match client.subscribe(subject.clone()).await {
                Ok(subscriber) => published.push(subscriber),
                Err(error) => tracing::warn!(%error, subject, "cannot subscribe; looking for new work once a second"),
            }
        }
        Self { published: stream::select_all(published), waking: None, next_tick: Instant::now() }
    }

    /// Returns when it is time to fetch.
    pub(super) async fn wait(&mut self) {
        loop {
            let wake_up = self.waking.and_then(|(since, count)| Some(since + *WAKE_UPS.get(count)?));
            let due = wake_up.map_or(self.next_tick, |wake_up| wake_up.min(self.next_tick));
            tokio::select! {
                biased;
                () = sleep_until(due) => {
                    if let Some((_, count)) = self.waking.as_mut().filter(|_| wake_up == Some(due)) {
                        *count += 1;
                    }
                    self.next_tick = Instant::now() + TICK;
                    return;
                }
                Some(_) = self.published.next() => self.waking = Some((Instant::now(), 0)),
            }
        }
    }
}
