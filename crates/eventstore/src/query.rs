//! Questions about what has happened: events by job, actor, type, time and request, in commit order.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::stream::{self, Stream};
use sqlx::PgPool;
use uuid::Uuid;
use ytcaption_domain::JobId;

use crate::feed::event_columns;
use crate::{Cursor, RecordedEvent, Wake};

/// Events read at a time when many are streamed.
const PAGE_EVENTS: u32 = 500;

/// Which events to read; the default is all of them. Every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Events of this job and of the deliveries that tell of it.
    pub job: Option<JobId>,
    /// Events of aggregates of this kind: `job` or `delivery`.
    pub aggregate_type: Option<String>,
    /// Events of this name.
    pub event_type: Option<String>,
    /// Events of actors whose name begins so: `client:`, `worker:download@`, or a whole name.
    pub actor: Option<String>,
    /// Events recorded at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Events recorded before this time.
    pub until: Option<DateTime<Utc>>,
    /// Events that followed from one request.
    pub correlation_id: Option<Uuid>,
}

/// The conditions of an [`EventQuery`], bound by [`bind`] from `$4` on.
macro_rules! conditions {
    () => {
        "($4::text IS NULL OR (e.aggregate_type = 'job' AND e.aggregate_id = $4)
                           OR (e.aggregate_type = 'delivery' AND e.payload->>'job_id' = $4))
         AND ($5::text IS NULL OR e.aggregate_type = $5)
         AND ($6::text IS NULL OR e.event_type = $6)
         AND ($7::text IS NULL OR starts_with(e.metadata->>'actor', $7))
         AND ($8::timestamptz IS NULL OR e.recorded_at >= $8)
         AND ($9::timestamptz IS NULL OR e.recorded_at < $9)
         AND ($10::text IS NULL OR e.metadata->>'correlation_id' = $10)"
    };
}

/// `$1` and `$2`: the place to read on from; `$3`: how many; `$11`: the horizon.
const AFTER: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events e WHERE (e.transaction_id, e.position) > ($1::text::xid8, $2)
         AND e.transaction_id < $11::text::xid8 AND ",
    conditions!(),
    " ORDER BY e.transaction_id, e.position LIMIT $3"
);

/// The newest first. `$1` and `$2` are bound and mean the beginning.
const NEWEST: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events e WHERE (e.transaction_id, e.position) > ($1::text::xid8, $2)
         AND e.transaction_id < $11::text::xid8 AND ",
    conditions!(),
    " ORDER BY e.transaction_id DESC, e.position DESC LIMIT $3"
);

const OF_JOB: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events e
      WHERE (e.aggregate_type = 'job' AND e.aggregate_id = $1)
         OR (e.aggregate_type = 'delivery' AND e.payload->>'job_id' = $1)
      ORDER BY e.transaction_id, e.position"
);

const BY_ID: &str = concat!("SELECT ", event_columns!(), " FROM events e WHERE e.metadata->>'event_id' = $1");

/// Answers questions about what has happened.
#[derive(Debug, Clone)]
pub struct EventReader {
    pool: PgPool,
}

impl EventReader {
    /// A reader of the events of a database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Up to `limit` events after a place, oldest first. Like the feed it ends before the oldest open transaction, so
    /// going on from the last event of a page misses nothing.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn page(&self, query: &EventQuery, after: Cursor, limit: u32) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        let horizon = self.horizon().await?;
        self.read(AFTER, query, after, limit, horizon).await
    }

    /// The newest `limit` events, oldest first.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn newest(&self, query: &EventQuery, limit: u32) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        let horizon = self.horizon().await?;
        let mut events = self.read(NEWEST, query, Cursor::default(), limit, horizon).await?;
        events.reverse();
        Ok(events)
    }

    /// All events after a place that are final now, in pages.
    pub fn pages(
        &self,
        query: EventQuery,
        after: Cursor,
    ) -> impl Stream<Item = Result<Vec<RecordedEvent>, sqlx::Error>> + Send {
        let reader = self.clone();
        stream::try_unfold((reader, query, after), async |(reader, query, after)| {
            let page = reader.page(&query, after, PAGE_EVENTS).await?;
            Ok(page.last().map(|event| event.cursor).map(|last| (page, (reader, query, last))))
        })
    }

    /// All events after a place, in pages, and then those that come, as they come; without end.
    pub fn follow(
        &self,
        query: EventQuery,
        after: Cursor,
        wake: Arc<Wake>,
    ) -> impl Stream<Item = Result<Vec<RecordedEvent>, sqlx::Error>> + Send {
        let (reader, alarm) = (self.clone(), wake.alarm());
        // The alarm rings only while `wake` lives.
        stream::try_unfold((reader, query, after, wake, alarm), async |(reader, query, mut after, wake, mut alarm)| {
            loop {
                let horizon = reader.horizon().await?;
                let page = reader.read(AFTER, &query, after, PAGE_EVENTS, horizon).await?;
                if let Some(last) = page.last().map(|event| event.cursor) {
                    return Ok(Some((page, (reader, query, last, wake, alarm))));
                }
                // Nothing before the horizon was asked for; it need not be looked through again.
                after = after.max(Cursor { transaction_id: horizon, position: 0 });
                alarm.wait().await;
            }
        })
    }

    /// All events of a job and of the deliveries that tell of it, oldest first, up to this moment.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn of_job(&self, job: JobId) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        sqlx::query_as(OF_JOB).bind(job.to_string()).fetch_all(&self.pool).await
    }

    /// The event of that id. Looks through the whole store.
    ///
    /// # Errors
    /// The database does not answer, or the row cannot be read.
    pub async fn find(&self, event_id: Uuid) -> Result<Option<RecordedEvent>, sqlx::Error> {
        sqlx::query_as(BY_ID).bind(event_id.to_string()).fetch_optional(&self.pool).await
    }

    /// The oldest transaction that is still open: everything before it is final.
    async fn horizon(&self) -> Result<u64, sqlx::Error> {
        horizon(&self.pool).await
    }

    async fn read(
        &self,
        sql: &'static str,
        query: &EventQuery,
        after: Cursor,
        limit: u32,
        horizon: u64,
    ) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        sqlx::query_as(sql)
            .bind(after.transaction_id.to_string())
            .bind(after.position)
            .bind(i64::from(limit))
            .bind(query.job.map(|job| job.to_string()))
            .bind(&query.aggregate_type)
            .bind(&query.event_type)
            .bind(&query.actor)
            .bind(query.since)
            .bind(query.until)
            .bind(query.correlation_id.map(|id| id.to_string()))
            .bind(horizon.to_string())
            .fetch_all(&self.pool)
            .await
    }
}

pub(crate) async fn horizon(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let horizon: String =
        sqlx::query_scalar("SELECT pg_snapshot_xmin(pg_current_snapshot())::text").fetch_one(pool).await?;
    horizon
        .parse()
        .map_err(|error| sqlx::Error::ColumnDecode { index: "pg_snapshot_xmin".to_owned(), source: Box::new(error) })
}
