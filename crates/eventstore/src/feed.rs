//! All events in commit order, without gaps.
//!
//! Positions are given out before transactions commit, so a reader that only asks for greater positions misses
//! whatever commits late. This feed orders by (transaction, position) and stops at the oldest open transaction:
//! everything before that horizon is final.

use std::fmt;
use std::str::FromStr;

use sqlx::{PgExecutor, PgPool};

use crate::RecordedEvent;

/// A place in the feed; `Cursor::default()` lies before the first event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// Postgres transaction id (`xid8`) of the append.
    pub transaction_id: u64,
    /// Insertion order within and across transactions.
    pub position: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.transaction_id, self.position)
    }
}

/// A text that is no cursor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no place in the feed; expected <transaction>-<position>")]
pub struct CursorParseError(String);

impl FromStr for Cursor {
    type Err = CursorParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('-')
            .and_then(|(tx, position)| {
                Some(Self { transaction_id: tx.parse().ok()?, position: position.parse().ok()? })
            })
            .ok_or_else(|| CursorParseError(text.to_owned()))
    }
}

/// The columns of an event as [`RecordedEvent`] reads them. `tx` must not be named `transaction_id`: ORDER BY would
/// then sort it as text.
macro_rules! event_columns {
    () => {
        "e.transaction_id::text AS tx, e.position, e.aggregate_type, e.aggregate_id, e.sequence, \
         e.event_type, e.event_version, e.payload, e.metadata, e.recorded_at"
    };
}
pub(crate) use event_columns;

const READ_AFTER: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events e
      WHERE (e.transaction_id, e.position) > ($1::text::xid8, $2)
        AND e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
      ORDER BY e.transaction_id, e.position
      LIMIT $3"
);

const READ_STREAM: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events e WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND e.sequence > $3 ORDER BY e.sequence LIMIT $4"
);

const READ_EVENT: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events e WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND e.sequence = $3"
);

/// Reads all events in commit order.
#[derive(Debug, Clone)]
pub struct Feed {
    pool: PgPool,
}

impl Feed {
    /// A feed over the events of a database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Up to `limit` events after a place, oldest first; none if everything final has been read.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn after(&self, cursor: Cursor, limit: u32) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        sqlx::query_as(READ_AFTER)
            .bind(cursor.transaction_id.to_string())
            .bind(cursor.position)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
    }

    /// How many events there are after a place, counted up to `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lag(&self, cursor: Cursor, limit: u32) -> Result<u64, sqlx::Error> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT 1 FROM events
              WHERE (transaction_id, position) > ($1::text::xid8, $2) LIMIT $3) AS behind",
        )
        .bind(cursor.transaction_id.to_string())
        .bind(cursor.position)
        .bind(i64::from(limit))
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

/// All events of one aggregate, oldest first.
///
/// # Errors
/// The database does not answer, or a row cannot be read.
pub async fn read_stream(
    executor: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    read_stream_after(executor, aggregate_type, aggregate_id, 0).await
}

/// The events of one aggregate whose sequence is greater than `after`, oldest first.
///
/// # Errors
/// The database does not answer, or a row cannot be read.
pub async fn read_stream_after(
    executor: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    after: i64,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    read_stream_up_to(executor, aggregate_type, aggregate_id, after, None).await
}

/// Like [`read_stream_after`], but at most `limit` events.
///
/// # Errors
/// The database does not answer, or a row cannot be read.
pub async fn read_stream_page(
    executor: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    after: u64,
    limit: u32,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    read_stream_up_to(executor, aggregate_type, aggregate_id, after, Some(i64::from(limit))).await
}

async fn read_stream_up_to(
    executor: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    after: i64,
    limit: Option<i64>,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    sqlx::query_as(READ_STREAM)
        .bind(aggregate_type)
        .bind(aggregate_id)
        .bind(after)
        .bind(limit)
        .fetch_all(executor)
        .await
}

/// One event of an aggregate, by its place in the aggregate's own life, from 1.
///
/// # Errors
/// The database does not answer, or the row cannot be read.
pub async fn read_event(
    executor: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    sequence: i64,
) -> Result<Option<RecordedEvent>, sqlx::Error> {
    sqlx::query_as(READ_EVENT).bind(aggregate_type).bind(aggregate_id).bind(sequence).fetch_optional(executor).await
}

/// The versions of some aggregates of one kind: for each id how many events the aggregate has, 0 if none.
///
/// # Errors
/// The database does not answer.
pub async fn read_versions(
    executor: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_ids: &[String],
) -> Result<Vec<(String, u64)>, sqlx::Error> {
    let versions: Vec<(String, i64)> = sqlx::query_as(
        "SELECT id, coalesce((SELECT max(sequence) FROM events WHERE aggregate_type = $1 AND aggregate_id = id), 0)
           FROM unnest($2::text[]) AS id",
    )
    .bind(aggregate_type)
    .bind(aggregate_ids)
    .fetch_all(executor)
    .await?;
    Ok(versions.into_iter().map(|(id, version)| (id, u64::try_from(version).unwrap_or_default())).collect())
}
