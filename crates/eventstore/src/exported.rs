//! One event letter for letter, as it travels between stores and as it is sealed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::types::JsonRawValue;
use sqlx::{FromRow, PgPool, Row};

use crate::Cursor;

const READ: &str = "
    SELECT e.transaction_id::text AS tx, e.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type,
           e.event_version, e.recorded_at, e.payload::text AS payload, e.metadata::text AS metadata
      FROM events e
     WHERE (e.transaction_id, e.position) > ($1::text::xid8, $2) AND e.transaction_id < $3::text::xid8
     ORDER BY e.transaction_id, e.position LIMIT $4";

/// One event as it travels between stores. Payload and metadata are kept letter for letter.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedEvent {
    /// Kind of the aggregate.
    pub aggregate_type: String,
    /// Identity of the aggregate.
    pub aggregate_id: String,
    /// Its place in the aggregate's own life, from 1.
    pub sequence: u64,
    /// Its name.
    pub event_type: String,
    /// Version of its payload's shape.
    pub event_version: String,
    /// When it was stored first.
    pub recorded_at: DateTime<Utc>,
    /// What happened.
    pub payload: Box<JsonRawValue>,
    /// Who, when, why: a flat object of strings.
    pub metadata: Box<JsonRawValue>,
}

impl ExportedEvent {
    /// The event as one line, without the line's end.
    ///
    /// # Errors
    /// None that Postgres' own JSON could cause.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// An event with its place, from which the next page begins.
pub(crate) struct Placed {
    pub(crate) cursor: Cursor,
    pub(crate) event: ExportedEvent,
}

/// Up to `limit` events after a place and before a horizon, in commit order.
pub(crate) async fn page(pool: &PgPool, after: Cursor, horizon: u64, limit: u32) -> Result<Vec<Placed>, sqlx::Error> {
    sqlx::query_as(READ)
        .bind(after.transaction_id.to_string())
        .bind(after.position)
        .bind(horizon.to_string())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await
}

impl FromRow<'_, PgRow> for Placed {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let sequence: i64 = row.try_get("sequence")?;
        let tx: String = row.try_get("tx")?;
        Ok(Self {
            cursor: Cursor {
                transaction_id: tx.parse().map_err(|error| decode("tx", error))?,
                position: row.try_get("position")?,
            },
            event: ExportedEvent {
                aggregate_type: row.try_get("aggregate_type")?,
                aggregate_id: row.try_get("aggregate_id")?,
                sequence: u64::try_from(sequence).map_err(|error| decode("sequence", error))?,
                event_type: row.try_get("event_type")?,
                event_version: row.try_get("event_version")?,
                recorded_at: row.try_get("recorded_at")?,
                payload: json(row, "payload")?,
                metadata: json(row, "metadata")?,
            },
        })
    }
}

fn json(row: &PgRow, column: &str) -> Result<Box<JsonRawValue>, sqlx::Error> {
    JsonRawValue::from_string(row.try_get(column)?).map_err(|error| decode(column, error))
}

fn decode(column: &str, source: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) }
}
