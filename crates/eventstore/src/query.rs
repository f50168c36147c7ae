//! Queries of the events: events by job, actor, type, time and request, in commit order.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::stream::{self, Stream};
use uuid::Uuid;

use crate::feed::horizon;
use crate::recorded::{read_all, stored_events};
use crate::{Cursor, Database, EventListener, RecordedEvent};

/// Events read at a time when many are streamed.
const PAGE_EVENTS: u32 = 500;

/// Which events to read; the default is all of them. Every condition that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Events whose personal content this data key encrypts: those of the job of that id and of its deliveries.
    pub data_key: Option<Uuid>,
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

/// The events after a cursor and before a horizon that meet an [`EventQuery`], in `$order`. Those about a job are the ones
/// of the function `events_about`, as a condition, so that the feed need not be scanned for them.
macro_rules! matching_events {
    ($order:literal, $query:expr, $after:expr, $horizon:expr, $limit:expr) => {
        stored_events!(
            "WHERE (e.transaction_id, e.position) > ($1::text::xid8, $2)
               AND e.transaction_id < $3::text::xid8
               AND ($5::text IS NULL OR e.aggregate_type = 'job' AND e.aggregate_id = $5
                    OR e.metadata->>'data_key' = $5)
               AND ($6::text IS NULL OR e.aggregate_type = $6)
               AND ($7::text IS NULL OR e.event_type = $7)
               AND ($8::text IS NULL OR starts_with(e.metadata->>'actor', $8))
               AND ($9::timestamptz IS NULL OR e.recorded_at >= $9)
               AND ($10::timestamptz IS NULL OR e.recorded_at < $10)
               AND ($11::text IS NULL OR e.metadata->>'correlation_id' = $11) "
                + $order
                + " LIMIT $4",
            $after.transaction_id.to_string(),
            $after.position,
            $horizon.to_string(),
            i64::from($limit),
            $query.data_key.map(|id| id.to_string()),
            $query.aggregate_type.as_deref(),
            $query.event_type.as_deref(),
            $query.actor.as_deref(),
            $query.since,
            $query.until,
            $query.correlation_id.map(|id| id.to_string()),
        )
    };
}

/// Queries the events of a database.
#[derive(Debug, Clone)]
pub struct EventReader {
    database: Database,
}

impl EventReader {
    /// A reader of the events of a database.
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone() }
    }

    /// Up to `limit` events after a cursor, oldest first. Like the feed it ends before the oldest open transaction, so
    /// going on from the last event of a page misses nothing.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn page(&self, query: &EventQuery, after: Cursor, limit: u32) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        self.page_before(horizon(self.database.pool()).await?, query, after, limit).await
    }

    /// The newest `limit` events, oldest first.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn newest(&self, query: &EventQuery, limit: u32) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        let (after, horizon) = (Cursor::default(), horizon(self.database.pool()).await?);
        let newest = matching_events!("ORDER BY e.transaction_id DESC, e.position DESC", query, after, horizon, limit);
        let mut events = read_all(newest.fetch_all(self.database.pool()).await?, self.database.data_keys())?;
        events.reverse();
        Ok(events)
    }

    /// All events after a cursor that are final now, in pages.
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

    /// All events after a cursor, in pages, and then those that come, as they come; without end.
    pub fn follow(
        &self,
        query: EventQuery,
        after: Cursor,
        listener: Arc<EventListener>,
    ) -> impl Stream<Item = Result<Vec<RecordedEvent>, sqlx::Error>> + Send {
        let (reader, subscription) = (self.clone(), listener.subscribe());
        // A subscription ends with its listener.
        stream::try_unfold(
            (reader, query, after, listener, subscription),
            async |(reader, query, mut after, listener, mut subscription)| {
                loop {
                    let horizon = horizon(reader.database.pool()).await?;
                    let page = reader.page_before(horizon, &query, after, PAGE_EVENTS).await?;
                    if let Some(last) = page.last().map(|event| event.cursor) {
                        return Ok(Some((page, (reader, query, last, listener, subscription))));
                    }
                    // Nothing before the horizon matches; it need not be searched again.
                    after = after.max(Cursor { transaction_id: horizon, position: 0 });
                    subscription.wait().await;
                }
            },
        )
    }

    /// All events whose personal content a data key encrypts, oldest first, up to this moment: those of the job of that id
    /// and of its deliveries.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn with_data_key(&self, data_key: Uuid) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        let events = stored_events!(
            "WHERE (e.aggregate_type, e.aggregate_id, e.sequence) IN
                   (SELECT aggregate_type, aggregate_id, sequence FROM events_about($1))
             ORDER BY e.transaction_id, e.position",
            data_key.to_string(),
        );
        read_all(events.fetch_all(self.database.pool()).await?, self.database.data_keys())
    }

    /// The event of that id. Reads the whole table.
    ///
    /// # Errors
    /// The database does not answer, or the row cannot be read.
    pub async fn find(&self, event_id: Uuid) -> Result<Option<RecordedEvent>, sqlx::Error> {
        let event = stored_events!("WHERE e.metadata->>'event_id' = $1", event_id.to_string());
        let event = event.fetch_optional(self.database.pool()).await?;
        event.map(|event| event.into_recorded(self.database.data_keys())).transpose()
    }

    async fn page_before(
        &self,
        horizon: u64,
        query: &EventQuery,
        after: Cursor,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        let page = matching_events!("ORDER BY e.transaction_id, e.position", query, after, horizon, limit);
        read_all(page.fetch_all(self.database.pool()).await?, self.database.data_keys())
    }
}
