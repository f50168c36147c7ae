//! Hears that something was published, so that new work begins at once and not at the next tick.
//!
//! A core NATS subscription sees a message when the server does, which is before the stream has stored it: the bell
//! therefore rings a few times.

use std::time::Duration;

use async_nats::{Client, Subscriber};
use futures::StreamExt as _;
use futures::stream::{self, SelectAll};
use tokio::time::{Instant, sleep_until};

/// When the stream is asked after something was heard.
const RINGS: [Duration; 3] = [Duration::from_millis(8), Duration::from_millis(40), Duration::from_millis(160)];
/// The stream is asked at least so often: for messages that come again, and in case the bell was not heard.
const TICK: Duration = Duration::from_secs(1);

/// Says when it is time to look.
pub(super) struct StreamListener {
    heard: SelectAll<Subscriber>,
    /// When something was heard, and how many rings have followed.
    ringing: Option<(Instant, usize)>,
    next_tick: Instant,
}

impl StreamListener {
    /// Listens to these subjects.
    pub(super) async fn listen(client: &Client, subjects: &[String]) -> Self {
        let mut heard = Vec::new();
        for subject in subjects {
            match client.subscribe(subject.clone()).await {
                Ok(subscriber) => heard.push(subscriber),
                Err(error) => tracing::warn!(%error, subject, "no doorbell; looking for new work once a second"),
            }
        }
        Self { heard: stream::select_all(heard), ringing: None, next_tick: Instant::now() }
    }

    /// Returns when it is time to look.
    pub(super) async fn rings(&mut self) {
        loop {
            let ring = self.ringing.and_then(|(since, rung)| Some(since + *RINGS.get(rung)?));
            let due = ring.map_or(self.next_tick, |ring| ring.min(self.next_tick));
            tokio::select! {
                biased;
                () = sleep_until(due) => {
                    if let Some((_, rung)) = self.ringing.as_mut().filter(|_| ring == Some(due)) {
                        *rung += 1;
                    }
                    self.next_tick = Instant::now() + TICK;
                    return;
                }
                Some(_) = self.heard.next() => self.ringing = Some((Instant::now(), 0)),
            }
        }
    }
}
