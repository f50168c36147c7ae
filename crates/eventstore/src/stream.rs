//! The events of one aggregate.

use sqlx::{PgConnection, PgExecutor};

use crate::recorded::{StoredEvent, read_all, stored_events};
use crate::{Database, RecordedEvent};

/// All events of one aggregate, oldest first.
///
/// # Errors
/// The database does not answer, or a row cannot be read.
pub async fn read_stream(
    database: &Database,
    aggregate_type: &str,
    aggregate_id: &str,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    read_stream_after(database, aggregate_type, aggregate_id, 0).await
}

/// The events of one aggregate whose sequence is greater than `after`, oldest first.
///
/// # Errors
/// The database does not answer, or a row cannot be read.
pub async fn read_stream_after(
    database: &Database,
    aggregate_type: &str,
    aggregate_id: &str,
    after: i64,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    read_all(stored(database.pool(), aggregate_type, aggregate_id, after, None).await?, database.data_keys())
}

/// Like [`read_stream_after`], but in a transaction of the caller.
///
/// # Errors
/// The database does not answer, or a row cannot be read.
pub async fn read_stream_after_within(
    database: &Database,
    transaction: &mut PgConnection,
    aggregate_type: &str,
    aggregate_id: &str,
    after: i64,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    read_all(stored(transaction, aggregate_type, aggregate_id, after, None).await?, database.data_keys())
}

/// Like [`read_stream_after`], but at most `limit` events.
///
/// # Errors
/// The database does not answer, or a row cannot be read.
pub async fn read_stream_page(
    database: &Database,
    aggregate_type: &str,
    aggregate_id: &str,
    after: u64,
    limit: u32,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    read_all(
        stored(database.pool(), aggregate_type, aggregate_id, after, Some(i64::from(limit))).await?,
        database.data_keys(),
    )
}

async fn stored(
    executor: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    after: i64,
    limit: Option<i64>,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let stored = stored_events!(
        "WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND e.sequence > $3 ORDER BY e.sequence LIMIT $4",
        aggregate_type,
        aggregate_id,
        after,
        limit,
    );
    stored.fetch_all(executor).await
}

/// One event of an aggregate; sequences count from 1.
///
/// # Errors
/// The database does not answer, or the row cannot be read.
pub async fn read_event(
    database: &Database,
    aggregate_type: &str,
    aggregate_id: &str,
    sequence: i64,
) -> Result<Option<RecordedEvent>, sqlx::Error> {
    let stored = stored_events!(
        "WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND e.sequence = $3",
        aggregate_type,
        aggregate_id,
        sequence,
    );
    stored.fetch_optional(database.pool()).await?.map(|event| event.into_recorded(database.data_keys())).transpose()
}

/// The versions of some aggregates of one type: for each id how many events the aggregate has, 0 if none.
///
/// # Errors
/// The database does not answer.
pub async fn read_versions(
    database: &Database,
    aggregate_type: &str,
    aggregate_ids: &[String],
) -> Result<Vec<(String, u64)>, sqlx::Error> {
    let versions = sqlx::query!(
        r#"SELECT id AS "id!",
                  coalesce((SELECT max(sequence) FROM events WHERE aggregate_type = $1 AND aggregate_id = id), 0) AS "version!"
             FROM unnest($2::text[]) AS id"#,
        aggregate_type,
        aggregate_ids,
    );
    let versions = versions.fetch_all(database.pool()).await?;
    Ok(versions.into_iter().map(|row| (row.id, u64::try_from(row.version).unwrap_or_default())).collect())
}
