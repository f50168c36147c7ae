//! Keeps the read models up to date with the feed.
//!
//! A page of events and the checkpoint behind it are written in one transaction, the checkpoint first and by
//! compare-and-set: of several instances one wins each page, and an event is applied exactly once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cqrs_es::Aggregate;
use sqlx::PgPool;
use ytcaption_domain::JobId;
use ytcaption_domain::delivery::{Delivery, DeliveryEvent};
use ytcaption_domain::job::{Job, JobEvent};
use ytcaption_eventstore::{CheckpointError, Checkpoints, Cursor, Database, DecodeError, Feed, RecordedEvent, Wake};

use crate::{JobView, parked, rows};

/// Name of the projection; also of its checkpoint.
const PROJECTION: &str = "jobs";
/// Events applied in one transaction.
const PAGE_EVENTS: u32 = 500;
/// Pause after a failure of the database.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often the lag is counted while there is much to catch up with.
const MEASURE: Duration = Duration::from_secs(5);
/// Lag is counted up to this many events; beyond it the exact number says nothing more.
const LAG_COUNTED_EVENTS: u32 = 100_000;

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
}

impl Projector {
    /// A projector over a database.
    pub fn new(database: &Database) -> Self {
        let pool = database.pool().clone();
        Self { feed: Feed::new(pool.clone()), checkpoint: Checkpoints::new(pool.clone(), PROJECTION), pool }
    }

    /// Follows the feed until it is dropped; rides out failures of the database.
    pub async fn run(&self, wake: Arc<Wake>) {
        loop {
            match self.catch_up().await {
                Ok(_) => wake.wait().await,
                // Another instance applied the page: read on from where it left off.
                Err(ProjectionError::Checkpoint(CheckpointError::Moved(_))) => {}
                Err(error) => {
                    tracing::warn!(%error, "the read models wait for the database");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
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
            let page = self.feed.after(from, PAGE_EVENTS).await?;
            if measured.is_none_or(|at| at.elapsed() > MEASURE) {
                self.report_lag(page.last().map_or(from, |event| event.cursor)).await?;
                measured = Some(Instant::now());
            }
            if page.is_empty() {
                return Ok(applied);
            }
            self.apply_page(from, &page).await?;
            applied += page.len();
        }
    }

    async fn report_lag(&self, at: Cursor) -> Result<(), ProjectionError> {
        let lag = self.feed.lag(at, LAG_COUNTED_EVENTS).await?;
        ytcaption_telemetry::metrics::projection_lag(PROJECTION, lag);
        Ok(())
    }

    async fn apply_page(&self, from: Cursor, page: &[RecordedEvent]) -> Result<(), ProjectionError> {
        let Some(last) = page.last() else { return Ok(()) };
        let mut transaction = self.pool.begin().await?;
        self.checkpoint.advance(&mut *transaction, from, last.cursor).await?;
        let mut views: HashMap<JobId, Option<JobView>> = HashMap::new();
        for recorded in page {
            if let Err(error) = apply(&mut transaction, &mut views, recorded).await? {
                parked::park(&mut *transaction, PROJECTION, recorded, &error.to_string()).await?;
            }
        }
        for view in views.values().flatten() {
            rows::save_job(&mut *transaction, view).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Applies one event to the views of the page; the inner error is the event's fault, the outer the database's.
async fn apply(
    transaction: &mut sqlx::PgTransaction<'_>,
    views: &mut HashMap<JobId, Option<JobView>>,
    recorded: &RecordedEvent,
) -> Result<Result<(), DecodeError>, sqlx::Error> {
    match recorded.aggregate_type.as_str() {
        Job::TYPE => {
            let (event, job_id) = match (recorded.decode::<JobEvent>(), recorded.aggregate_id.parse()) {
                (Ok(event), Ok(job_id)) => (event, job_id),
                (Err(error), _) => return Ok(Err(error)),
                // Job ids are UUIDs by construction; a foreign row in the table is not ours to show.
                (_, Err(_)) => return Ok(Ok(())),
            };
            let view = view_of(transaction, views, job_id).await?;
            *view = JobView::fold(view.take(), recorded, &event);
            if let JobEvent::ChunkTranscribed { chunk, language, segments, .. } = &event {
                rows::save_chunk(&mut **transaction, job_id, *chunk, language, segments).await?;
            }
        }
        Delivery::TYPE => {
            let event = match recorded.decode::<DeliveryEvent>() {
                Ok(event) => event,
                Err(error) => return Ok(Err(error)),
            };
            if let Some(view) = view_of(transaction, views, event.job_id()).await? {
                view.apply_delivery(&event);
            }
        }
        // Other aggregates have projections of their own.
        _ => {}
    }
    Ok(Ok(()))
}

async fn view_of<'v>(
    transaction: &mut sqlx::PgTransaction<'_>,
    views: &'v mut HashMap<JobId, Option<JobView>>,
    job_id: JobId,
) -> Result<&'v mut Option<JobView>, sqlx::Error> {
    use std::collections::hash_map::Entry;
    match views.entry(job_id) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(unknown) => {
            let view = rows::load_job(&mut **transaction, job_id).await?;
            Ok(unknown.insert(view))
        }
    }
}
