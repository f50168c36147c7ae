//! Publishes the event store's feed to JetStream, in order, by one leader.
//!
//! ```text
//! leader lock ─▶ check the stream ─▶ page of the feed ─▶ publish ─▶ acks ─▶ checkpoint ─▶ next page
//!                     │ it lost data: rewind the checkpoint
//! ```
//!
//! The stream is a cache, so the relay may publish an event twice and never leaves one out: its checkpoint moves after
//! the acks, by compare-and-set, together with what it remembers of the stream ([`guard`]). A leader that was
//! replaced without noticing cannot move the checkpoint any more.

mod guard;
mod leader;
mod publish;
mod rewind;

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use ytcaption_eventstore::{CheckpointError, Checkpoints, Cursor, Database, Feed, Wake};
use ytcaption_telemetry::metrics;

use crate::topology::{self, TopologyError};
use guard::StreamGuard;
use leader::Leader;
use publish::Publisher;

/// Name of the relay's checkpoint.
const CHECKPOINT: &str = "relay";
/// Events read and published at a time.
const PAGE: u32 = 256;
/// How often the stream and the leadership are looked at.
const CHECK: Duration = Duration::from_secs(2);
/// How often the lag is counted.
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
    pub wake: Arc<Wake>,
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
    /// The stream forgot messages it had acknowledged.
    #[error("the stream has lost messages")]
    LostData,
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
    let pool = deps.database.pool();
    let mut relay = Relay {
        feed: Feed::new(pool.clone()),
        checkpoints: Checkpoints::new(pool.clone(), CHECKPOINT),
        guard: StreamGuard::new(topology::jetstream(&deps.nats), pool.clone()),
        publisher: Publisher::new(topology::jetstream(&deps.nats), deps.nats.clone()),
        cursor: Cursor::default(),
    };
    relay.cursor = relay.checkpoints.get().await?;
    let connects = || deps.nats.statistics().connects.load(std::sync::atomic::Ordering::Relaxed);
    let mut checked: Option<(Instant, u64)> = None;
    let mut measured: Option<Instant> = None;
    while !shutdown.is_cancelled() {
        let seen = connects();
        if checked.is_none_or(|(at, then)| at.elapsed() > CHECK || then != seen) {
            leader.confirm().await?;
            relay.check_stream().await?;
            checked = Some((Instant::now(), seen));
        }
        let published = relay.publish_page().await?;
        if measured.is_none_or(|at| at.elapsed() > MEASURE) {
            metrics::relay_lag(relay.feed.lag(relay.cursor, LAG_LIMIT).await?);
            measured = Some(Instant::now());
        }
        if published == 0 {
            deps.wake.wait().await;
        }
    }
    Ok(())
}

struct Relay {
    feed: Feed,
    checkpoints: Checkpoints,
    guard: StreamGuard,
    publisher: Publisher,
    cursor: Cursor,
}

impl Relay {
    /// Looks whether the stream still has what it acknowledged; if not, goes back to what is needed again.
    async fn check_stream(&mut self) -> Result<(), RelayError> {
        let Some(stream) = self.guard.lost_data().await? else { return Ok(()) };
        let needed = rewind::target(self.guard.pool()).await?;
        let to = needed.map_or(self.cursor, |needed| needed.min(self.cursor));
        let mut transaction = self.guard.pool().begin().await?;
        self.checkpoints.advance(&mut *transaction, self.cursor, to).await?;
        self.guard.remember(&mut transaction, stream).await?;
        transaction.commit().await?;
        self.guard.remembered(stream);
        if to != self.cursor {
            tracing::warn!(from = %self.cursor, %to, "the stream has lost messages; publishing again from there");
            self.cursor = to;
        }
        Ok(())
    }

    /// Publishes the next page; returns how many events it had.
    async fn publish_page(&mut self) -> Result<usize, RelayError> {
        let page = self.feed.after(self.cursor, PAGE).await?;
        let Some(last) = page.last() else { return Ok(0) };
        let acks = self.publisher.publish(&page).await?;
        let stream = self.guard.after_acks(&acks)?;
        let mut transaction = self.guard.pool().begin().await?;
        self.checkpoints.advance(&mut *transaction, self.cursor, last.cursor).await?;
        self.guard.remember(&mut transaction, stream).await?;
        transaction.commit().await?;
        self.guard.remembered(stream);
        self.cursor = last.cursor;
        metrics::relay_published(page.len() as u64);
        Ok(page.len())
    }
}

#[cfg(test)]
mod tests;
