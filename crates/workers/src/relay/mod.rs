//! Publishes the event store's feed to JetStream, in order, by one leader.
//!
//! ```text
//! leader lock ─▶ compare the stream ─▶ page of the feed ─▶ publish ─▶ acks ─▶ checkpoint, publish log ─▶ next page
//!                     │ it has lost messages: publish again those that pending work needs
//! ```
//!
//! The stream is a cache, so the relay may publish an event twice and never leaves one out: its checkpoint moves after
//! the acks, by compare-and-set, together with the state of the stream ([`guard`]) and with the messages of the events
//! that trigger work ([`publish_log`]). The leadership is a lease ([`leader`]): a leader that hangs is replaced, and a
//! replaced one cannot move the checkpoint. How far the relay is behind is measured beside it, from the store ([`lag`]), so
//! that the measurement goes on when publishing does not.

mod guard;
mod lag;
mod leader;
mod publish;
mod publish_log;
mod refill;
mod replay;
mod stall;

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use ytcaption_domain::step::Step;
use ytcaption_eventstore::{
    CheckpointError, Checkpoints, Cursor, Database, EventListener, Feed, RELAY_CHECKPOINT, RecordedEvent,
};
use ytcaption_telemetry::metrics;

use crate::topology::{self, TopologyError};
pub use replay::{Selection, StreamReplay, SubjectCount};

use guard::StreamGuard;
use leader::Leader;
use publish::Publisher;
use publish_log::PublishLog;

/// Events read and published at a time.
const PAGE: u32 = 256;
/// How often the stream and the leadership are checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// Delay after an error, and between attempts to become the leader.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What the relay works with.
#[derive(Clone)]
pub struct RelayDeps {
    /// The event store.
    pub database: Database,
    /// The connection to NATS, see [`crate::nats::connect`].
    pub nats: Client,
    /// Wakes the relay after an append.
    pub listener: Arc<EventListener>,
    /// The steps whose consumers exist and whose lost messages are published again; [`ytcaption_domain::step::STEPS`].
    pub steps: &'static [Step],
}

/// Why the relay stopped for a moment; it continues by itself, except after [`RelayError::Topology`].
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// NATS answers and cannot be used.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// Postgres does not answer.
    #[error("the database does not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// The checkpoint did not move.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// JetStream did not accept an event.
    #[error("JetStream did not accept an event: {0}")]
    Publish(#[from] async_nats::jetstream::context::PublishError),
    /// An event cannot be written as JSON.
    #[error("an event cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JetStream did not describe the stream.
    #[error("JetStream did not describe the stream: {0}")]
    Stream(String),
    /// Events were published before the stream was compared.
    #[error("the stream has to be compared before events are published")]
    UnknownStream,
    /// Another process leads now.
    #[error("the leadership was lost")]
    NotLeader,
}

/// Publishes events while this process is the leader, and waits while another one is, until `shutdown`. It survives outages
/// of Postgres and NATS.
///
/// # Errors
/// Only [`RelayError::Topology`].
pub async fn run(deps: RelayDeps, shutdown: CancellationToken) -> Result<(), RelayError> {
    tokio::select! {
        outcome = lead_or_wait(&deps, &shutdown) => outcome,
        () = lag::measure(&deps.database) => Ok(()),
        () = shutdown.cancelled() => Ok(()),
    }
}

async fn lead_or_wait(deps: &RelayDeps, shutdown: &CancellationToken) -> Result<(), RelayError> {
    let mut is_waiting = false;
    loop {
        topology::ensure(&deps.nats, deps.steps).await?;
        match Leader::try_elect(&deps.database).await {
            Ok(Some(mut leader)) => {
                tracing::info!("the relay leads");
                is_waiting = false;
                match lead(deps, &mut leader, shutdown).await {
                    Err(error @ RelayError::Topology(_)) => return Err(error),
                    Err(error) => tracing::warn!(%error, "the relay starts again"),
                    Ok(()) => {}
                }
                leader.resign().await;
            }
            Ok(None) if !is_waiting => {
                tracing::info!("another process leads the relay; waiting");
                is_waiting = true;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "waiting for Postgres"),
        }
        sleep(RETRY_DELAY).await;
    }
}

/// Publishes until something fails.
async fn lead(deps: &RelayDeps, leader: &mut Leader, shutdown: &CancellationToken) -> Result<(), RelayError> {
    let mut relay = Relay::begin(deps).await?;
    let connects = || deps.nats.statistics().connects.load(std::sync::atomic::Ordering::Relaxed);
    let mut subscription = deps.listener.subscribe();
    let mut checked: Option<(Instant, u64)> = None;
    while !shutdown.is_cancelled() {
        let connection = connects();
        if checked.is_none_or(|(at, then)| at.elapsed() > CHECK_INTERVAL || then != connection) {
            leader.confirm().await?;
            let more = relay.refill_stream().await?;
            checked = (!more).then(|| (Instant::now(), connection));
        }
        let page = relay.next_page().await?;
        leader.require().await?;
        if page.is_empty() {
            subscription.wait().await;
        } else {
            relay.publish(page).await?;
        }
    }
    Ok(())
}

struct Relay {
    feed: Feed,
    checkpoints: Checkpoints,
    guard: StreamGuard,
    publish_log: PublishLog,
    publisher: Publisher,
    cursor: Cursor,
    /// Sequence of the stream's first message when events were last published again.
    first_sequence: Option<u64>,
    database: Database,
}

impl Relay {
    /// A relay that continues where the last one stopped.
    async fn begin(deps: &RelayDeps) -> Result<Self, RelayError> {
        let pool = deps.database.pool();
        let checkpoints = Checkpoints::new(pool.clone(), RELAY_CHECKPOINT);
        Ok(Self {
            cursor: checkpoints.get().await?,
            checkpoints,
            feed: Feed::new(&deps.database),
            guard: StreamGuard::new(topology::jetstream(&deps.nats), pool.clone()),
            publish_log: PublishLog::new(deps.database.clone(), deps.steps),
            publisher: Publisher::new(topology::jetstream(&deps.nats), deps.nats.clone()),
            first_sequence: None,
            database: deps.database.clone(),
        })
    }

    /// The next events to publish.
    async fn next_page(&self) -> Result<Vec<RecordedEvent>, RelayError> {
        Ok(self.feed.after(self.cursor, PAGE).await?)
    }

    /// Publishes a page and moves the checkpoint behind it.
    async fn publish(&mut self, page: Vec<RecordedEvent>) -> Result<(), RelayError> {
        let Some(last) = page.last().map(|event| event.cursor) else { return Ok(()) };
        let page: Vec<RecordedEvent> = page.into_iter().filter(is_publishable).collect();
        let acks = self.publisher.publish(&page).await?;
        self.record_published(&page, &acks, last).await?;
        metrics::relay_published(page.len() as u64);
        Ok(())
    }
}

/// The relay does not interpret events, so one of an unknown type or version reaches the readers that know it. Only an event
/// without an id and a route cannot be published.
fn is_publishable(event: &RecordedEvent) -> bool {
    if let Some(corrupt) = &event.corrupt {
        tracing::error!(
            cursor = %event.cursor, event_type = event.event_type, aggregate_id = event.aggregate_id, error = %corrupt,
            "an event is not published, because it is corrupt: restore it from a backup"
        );
    }
    event.corrupt.is_none()
}

#[cfg(test)]
mod loss_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod version_tests;
