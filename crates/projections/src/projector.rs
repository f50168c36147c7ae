//! Keeps the read models up to date with the feed.
//!
//! A page of events and the checkpoint behind it are written in one transaction, the checkpoint first and by
//! compare-and-set: of several instances one wins each page, and an event is applied exactly once. The generation is
//! looked up after that, so a page that waited for a rebuild to switch goes to the new one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use ytcaption_eventstore::{CheckpointError, Checkpoints, Cursor, Database, EventListener, Feed, RecordedEvent, begin};

use crate::apply::apply;
use crate::generation::{self, JOBS};
use crate::parked::{ParkedEvents, Parking};

/// Events applied in one transaction.
pub(crate) const PAGE_EVENTS: u32 = 500;
/// Pause after a failure of the database.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often the lag is counted while there is much to catch up with.
const MEASURE: Duration = Duration::from_secs(5);
/// Lag is counted up to this many events; beyond it the exact number says nothing more.
const LAG_COUNTED_EVENTS: u32 = 100_000;
/// How often parked events are tried again: another version of the program may run by now.
const RETRY_PARKED: Duration = Duration::from_mins(1);
/// Most aggregates whose parked events are tried again at a time.
const RETRY_AGGREGATES: u32 = 100;

/// Why a page of events was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
    /// The checkpoint could not be moved.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Projects the feed onto the `jobs` and `transcript_chunks` tables.
#[derive(Debug, Clone)]
pub struct Projector {
    pool: PgPool,
    feed: Feed,
    checkpoint: Checkpoints,
    parked: ParkedEvents,
    page_events: u32,
}

impl Projector {
    /// A projector over a database.
    pub fn new(database: &Database) -> Self {
        let pool = database.pool().clone();
        Self {
            feed: Feed::new(database),
            checkpoint: Checkpoints::new(pool.clone(), JOBS),
            parked: ParkedEvents::new(database),
            page_events: PAGE_EVENTS,
            pool,
        }
    }

    #[cfg(test)]
    pub(crate) fn in_pages_of(self, page_events: u32) -> Self {
        Self { page_events, ..self }
    }

    /// Follows the feed until it is dropped; rides out failures of the database.
    pub async fn run(&self, listener: Arc<EventListener>) {
        let mut subscription = listener.subscribe();
        let mut retried: Option<Instant> = None;
        loop {
            let due = retried.is_none_or(|at| at.elapsed() > RETRY_PARKED);
            let outcome = if due { self.retry_parked().await } else { Ok(()) };
            if due && outcome.is_ok() {
                retried = Some(Instant::now());
            }
            match outcome.and(self.catch_up().await) {
                Ok(_) => subscription.wait().await,
                // Another instance applied the page: read on from where it left off.
                Err(ProjectionError::Checkpoint(CheckpointError::Moved(_))) => {}
                Err(error) => {
                    tracing::warn!(%error, "the read models wait for the database");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    async fn retry_parked(&self) -> Result<(), ProjectionError> {
        let retried = self.parked.retry(RETRY_AGGREGATES).await?;
        if retried.applied > 0 {
            tracing::info!(applied = retried.applied, still_parked = retried.parked, "parked events applied");
        }
        ytcaption_telemetry::metrics::parked_events(JOBS, retried.parked);
        Ok(())
    }

    /// Applies everything the feed holds now; returns how many events that were.
    ///
    /// # Errors
    /// The database does not answer, or another instance moved the checkpoint.
    pub async fn catch_up(&self) -> Result<usize, ProjectionError> {
        let mut applied = 0;
        let mut measured: Option<Instant> = None;
        loop {
            let from = self.checkpoint.get().await?;
            let page = self.feed.after(from, self.page_events).await?;
            if measured.is_none_or(|at| at.elapsed() > MEASURE) {
                self.report_lag(page.last().map_or(from, |event| event.cursor)).await?;
                measured = Some(Instant::now());
            }
            let Some(last) = page.last() else { return Ok(applied) };
            self.apply_page(from, last.cursor, &page).await?;
            applied += page.len();
        }
    }

    async fn report_lag(&self, at: Cursor) -> Result<(), ProjectionError> {
        let lag = self.feed.lag(at, LAG_COUNTED_EVENTS).await?;
        ytcaption_telemetry::metrics::projection_lag(JOBS, lag);
        Ok(())
    }

    async fn apply_page(&self, from: Cursor, to: Cursor, page: &[RecordedEvent]) -> Result<(), ProjectionError> {
        let mut transaction = begin(&self.pool).await?;
        self.checkpoint.advance(&mut *transaction, from, to).await?;
        let generation = generation::live(&mut *transaction).await?;
        let applied = apply(&mut transaction, generation, page).await?;
        transaction.commit().await?;
        applied.parked.iter().for_each(Parking::report);
        if !applied.parked.is_empty() {
            ytcaption_telemetry::metrics::parked_events(JOBS, self.parked.count().await?);
        }
        Ok(())
    }
}
