//! Publishes the event store's feed to JetStream, in order, by one leader.
//!
//! ```text
//! leader lock ─▶ look at the stream ─▶ page of the feed ─▶ publish ─▶ acks ─▶ checkpoint and publish_log ─▶ next page
//!                     │ it lost messages: publish again what unfinished work needs of them
//! ```
//!
//! The stream is a cache, so the relay may publish an event twice and never leaves one out: its checkpoint moves after
//! the acks, by compare-and-set, together with what it remembers of the stream ([`guard`]) and of the messages that
//! ask for work ([`publish_log`]). A leader that was replaced without noticing cannot move the checkpoint any more.

mod guard;
mod leader;
mod outstanding;
mod publish;
mod publish_log;
mod refill;
mod replay;
mod stall;

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use ytcaption_eventstore::{
    CheckpointError, Checkpoints, Cursor, Database, EventListener, Feed, Horizon, RecordedEvent,
};
use ytcaption_telemetry::metrics;

use crate::topology::{self, TopologyError};
pub use replay::{Selection, StreamReplay, SubjectCount};

use guard::StreamGuard;
use leader::Leader;
use publish::Publisher;
use publish_log::PublishLog;
use stall::StallWatch;

/// Name of the relay's checkpoint.
const CHECKPOINT: &str = "relay";
/// Events read and published at a time.
const PAGE: u32 = 256;
/// How often the stream and the leadership are looked at.
const CHECK: Duration = Duration::from_secs(2);
/// How often the lag is counted and the horizon looked at.
const MEASURE: Duration = Duration::from_secs(5);
/// The lag is not counted further than this.
const LAG_LIMIT: u32 = 100_000;
/// Pause after a fault, and between attempts to become the leader.
const PAUSE: Duration = Duration::from_secs(1);

/// What the relay works with.
#[derive(Clone)]
pub struct RelayDeps {
    /// The event store.
    pub database: Database,
    /// The connection to NATS, see [`crate::nats::connect`].
    pub nats: Client,
    /// Tells that something was appended.
    pub listener: Arc<EventListener>,
}

/// Why the relay stopped for a moment; it goes on by itself, except for [`RelayError::Topology`].
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
    /// JetStream did not take an event.
    #[error("JetStream did not take an event: {0}")]
    Publish(#[from] async_nats::jetstream::context::PublishError),
    /// An event cannot be written as JSON.
    #[error("an event cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JetStream gave no account of the stream.
    #[error("JetStream gave no account of the stream: {0}")]
    Stream(String),
    /// Something was published before the stream was looked at.
    #[error("the stream has to be looked at first")]
    UnknownStream,
    /// Another process leads now.
    #[error("the leadership was lost")]
    NotLeader,
}

/// Publishes events while this process is the leader, and stands by while another one is, until `shutdown`. Outages of
/// Postgres and NATS are waited out.
///
/// # Errors
/// Only [`RelayError::Topology`].
pub async fn run(deps: RelayDeps, shutdown: CancellationToken) -> Result<(), RelayError> {
    match shutdown.run_until_cancelled(lead_and_stand_by(&deps, &shutdown)).await {
        Some(outcome) => outcome,
        None => Ok(()),
    }
}

async fn lead_and_stand_by(deps: &RelayDeps, shutdown: &CancellationToken) -> Result<(), RelayError> {
    let mut standing_by = false;
    loop {
        topology::ensure(&deps.nats).await?;
        match Leader::try_elect(&deps.database).await {
            Ok(Some(mut leader)) => {
                tracing::info!("the relay leads");
                standing_by = false;
                match lead(deps, &mut leader, shutdown).await {
                    Err(error @ RelayError::Topology(_)) => return Err(error),
                    Err(error) => tracing::warn!(%error, "the relay begins anew"),
                    Ok(()) => {}
                }
                leader.resign().await;
            }
            Ok(None) if !standing_by => {
                tracing::info!("another process leads the relay; standing by");
                standing_by = true;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "waiting for Postgres"),
        }
        sleep(PAUSE).await;
    }
}

/// Publishes until something fails.
async fn lead(deps: &RelayDeps, leader: &mut Leader, shutdown: &CancellationToken) -> Result<(), RelayError> {
    let mut relay = Relay::begin(deps).await?;
    let connects = || deps.nats.statistics().connects.load(std::sync::atomic::Ordering::Relaxed);
    let mut stall = StallWatch::new(Horizon::new(deps.database.pool().clone()));
    let mut subscription = deps.listener.subscribe();
    let mut looked: Option<(Instant, u64)> = None;
    let mut measured: Option<Instant> = None;
    while !shutdown.is_cancelled() {
        let seen = connects();
        if looked.is_none_or(|(at, then)| at.elapsed() > CHECK || then != seen) {
            leader.confirm().await?;
            let more = relay.mend_stream().await?;
            looked = (!more).then(|| (Instant::now(), seen));
        }
        let published = relay.publish_page().await?;
        if measured.is_none_or(|at| at.elapsed() > MEASURE) {
            metrics::relay_lag(relay.feed.lag(relay.cursor, LAG_LIMIT).await?);
            stall.look().await?;
            measured = Some(Instant::now());
        }
        if published == 0 {
            subscription.wait().await;
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
    /// Number of the stream's first message when something was last put back.
    first_sequence: Option<u64>,
    database: Database,
    pool: PgPool,
}

impl Relay {
    /// A relay that goes on where the last one stopped.
    async fn begin(deps: &RelayDeps) -> Result<Self, RelayError> {
        let pool = deps.database.pool();
        let checkpoints = Checkpoints::new(pool.clone(), CHECKPOINT);
        Ok(Self {
            cursor: checkpoints.get().await?,
            checkpoints,
            feed: Feed::new(&deps.database),
            guard: StreamGuard::new(topology::jetstream(&deps.nats), pool.clone()),
            publish_log: PublishLog::new(pool.clone()),
            publisher: Publisher::new(topology::jetstream(&deps.nats), deps.nats.clone()),
            first_sequence: None,
            pool: pool.clone(),
            database: deps.database.clone(),
        })
    }

    /// Publishes the next page; returns how many events it had.
    async fn publish_page(&mut self) -> Result<usize, RelayError> {
        let page = self.feed.after(self.cursor, PAGE).await?;
        let read = page.len();
        let Some(last) = page.last().map(|event| event.cursor) else { return Ok(0) };
        let page: Vec<RecordedEvent> = page.into_iter().filter(can_be_carried).collect();
        let acks = self.publisher.publish(&page).await?;
        self.write_down(&page, &acks, last).await?;
        metrics::relay_published(page.len() as u64);
        Ok(read)
    }
}

/// The relay carries events without looking into them, so one of an unknown type or version goes to whoever knows it.
/// Only without an id and a route there is nothing to send it by.
fn can_be_carried(event: &RecordedEvent) -> bool {
    if let Some(corrupt) = &event.corrupt {
        tracing::error!(
            cursor = %event.cursor, event_type = event.event_type, aggregate_id = event.aggregate_id, error = %corrupt,
            "an event is not published, because its metadata are damaged: restore it from a backup"
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
