//! Keeps a read model up to date with the feed.
//!
//! A page of events and the checkpoint behind it are written in one transaction, the checkpoint first and by
//! compare-and-set: of several instances one wins each page, and an event is applied exactly once. The generation is
//! looked up after that, so a page that waited for a rebuild to switch goes to the new one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use sqlx::PgPool;
use ytcaption_eventstore::{CheckpointError, Checkpoints, Cursor, Database, EventListener, Feed, RecordedEvent, begin};
use ytcaption_telemetry::metrics;

use crate::apply::apply;
use crate::parked::ParkedEvents;
use crate::{PROJECTIONS, RegisteredProjection, generation};

/// Events applied in one transaction.
pub(crate) const PAGE_EVENTS: u32 = 500;
/// Delay after a failure of the database.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How often the lag is counted while there is much to catch up with.
const LAG_INTERVAL: Duration = Duration::from_secs(5);
/// Lag is counted up to this many events; beyond it the exact number says nothing more.
const LAG_COUNTED_EVENTS: u32 = 100_000;
/// How often parked events are tried again: another version of the program may run by now.
const RETRY_PARKED_INTERVAL: Duration = Duration::from_mins(1);
/// Most aggregates whose parked events are tried again at a time.
const RETRY_AGGREGATES: u32 = 100;

/// Why a page of events was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
    /// The checkpoint could not be moved.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Follows the feed with every projection until it is dropped. It may be dropped at any time: each page is one
/// transaction.
pub async fn project_all(database: &Database, listener: Arc<EventListener>) {
    let projectors = PROJECTIONS.map(|projection| Projector::new(database, projection));
    join_all(projectors.iter().map(|projector| projector.run(Arc::clone(&listener)))).await;
}

/// Applies the feed to one projection.
#[derive(Debug, Clone)]
pub struct Projector {
    projection: RegisteredProjection,
    pool: PgPool,
    feed: Feed,
    checkpoint: Checkpoints,
    parked: ParkedEvents,
    page_events: u32,
}

impl Projector {
    /// A projector of this projection over a database.
    pub fn new(database: &Database, projection: RegisteredProjection) -> Self {
        let pool = database.pool().clone();
        Self {
            projection,
            feed: Feed::new(database),
            checkpoint: Checkpoints::new(pool.clone(), projection.name()),
            parked: ParkedEvents::new(database),
            page_events: PAGE_EVENTS,
            pool,
        }
    }

    #[cfg(test)]
    pub(crate) fn in_pages_of(self, page_events: u32) -> Self {
        Self { page_events, ..self }
    }

    /// Follows the feed until it is dropped; after a failure of the database it tries again.
    pub async fn run(&self, listener: Arc<EventListener>) {
        let mut subscription = listener.subscribe();
        let mut retried: Option<Instant> = None;
        loop {
            let due = retried.is_none_or(|at| at.elapsed() > RETRY_PARKED_INTERVAL);
            let outcome = if due { self.retry_parked().await } else { Ok(()) };
            if due && outcome.is_ok() {
                retried = Some(Instant::now());
            }
            match outcome.and(self.catch_up().await) {
                Ok(_) => subscription.wait().await,
                // Another instance applied the page: read on from where it left off.
                Err(ProjectorError::Checkpoint(CheckpointError::Moved(_))) => {}
                Err(error) => {
                    tracing::warn!(projection = self.projection.name(), %error, "the projector waits for the database");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    async fn retry_parked(&self) -> Result<(), ProjectorError> {
        let projection = self.projection.name();
        let retried = self.parked.retry(&self.projection, RETRY_AGGREGATES).await?;
        if retried.applied > 0 {
            tracing::info!(
                projection,
                applied = retried.applied,
                still_parked = retried.parked,
                "parked events applied"
            );
        }
        metrics::parked_events(projection, retried.parked);
        Ok(())
    }

    /// Applies everything the feed holds now; returns how many events that were.
    ///
    /// # Errors
    /// The database does not answer, or another instance moved the checkpoint.
    pub async fn catch_up(&self) -> Result<usize, ProjectorError> {
        let mut applied = 0;
        let mut measured: Option<Instant> = None;
        loop {
            let from = self.checkpoint.get().await?;
            let page = self.feed.after(from, self.page_events).await?;
            if measured.is_none_or(|at| at.elapsed() > LAG_INTERVAL) {
                self.report_lag(page.last().map_or(from, |event| event.cursor)).await?;
                measured = Some(Instant::now());
            }
            let Some(last) = page.last() else { return Ok(applied) };
            self.apply_page(from, last.cursor, &page).await?;
            applied += page.len();
        }
    }

    async fn report_lag(&self, at: Cursor) -> Result<(), ProjectorError> {
        let lag = self.feed.lag(at, LAG_COUNTED_EVENTS).await?;
        metrics::projection_lag(self.projection.name(), lag);
        Ok(())
    }

    async fn apply_page(&self, from: Cursor, to: Cursor, page: &[RecordedEvent]) -> Result<(), ProjectorError> {
        let projection = self.projection.name();
        let mut transaction = begin(&self.pool).await?;
        self.checkpoint.advance(&mut *transaction, from, to).await?;
        let generation = generation::live(&mut *transaction, projection).await?;
        let applied = apply(&self.projection, &mut transaction, generation, page).await?;
        transaction.commit().await?;
        applied.parked.iter().for_each(|parking| parking.report(projection));
        if !applied.parked.is_empty() {
            metrics::parked_events(projection, self.parked.count(Some(&self.projection)).await?);
        }
        Ok(())
    }
}
