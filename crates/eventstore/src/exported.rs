//! One event letter for letter, as it travels between stores and as it is sealed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::types::JsonRawValue;

use crate::Cursor;
use crate::recorded::column_error;

/// One event as it travels between stores. Payload and metadata are kept letter for letter.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedEvent {
    /// Kind of the aggregate.
    pub aggregate_type: String,
    /// Identity of the aggregate.
    pub aggregate_id: String,
    /// Its sequence number within the aggregate, from 1.
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

/// An event with its cursor, after which the next page begins.
pub(crate) struct Placed {
    pub(crate) cursor: Cursor,
    pub(crate) event: ExportedEvent,
}

/// A row of the table `events`, its JSON as text.
struct Row {
    tx: String,
    position: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    recorded_at: DateTime<Utc>,
    payload: String,
    metadata: String,
}

/// Up to `limit` events after a cursor and before a horizon, in commit order.
pub(crate) async fn page(pool: &PgPool, after: Cursor, horizon: u64, limit: u32) -> Result<Vec<Placed>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT e.transaction_id::text AS "tx!", e.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type,
                  e.event_version, e.recorded_at, e.payload::text AS "payload!", e.metadata::text AS "metadata!"
             FROM events e
            WHERE (e.transaction_id, e.position) > ($1::text::xid8, $2) AND e.transaction_id < $3::text::xid8
            ORDER BY e.transaction_id, e.position LIMIT $4"#,
        after.transaction_id.to_string(),
        after.position,
        horizon.to_string(),
        i64::from(limit),
    );
    rows.fetch_all(pool).await?.into_iter().map(placed).collect()
}

fn placed(row: Row) -> Result<Placed, sqlx::Error> {
    Ok(Placed {
        cursor: Cursor::from_row(&row.tx, row.position)?,
        event: ExportedEvent {
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: u64::try_from(row.sequence).map_err(|error| column_error("sequence", error))?,
            event_type: row.event_type,
            event_version: row.event_version,
            recorded_at: row.recorded_at,
            payload: JsonRawValue::from_string(row.payload).map_err(|error| column_error("payload", error))?,
            metadata: JsonRawValue::from_string(row.metadata).map_err(|error| column_error("metadata", error))?,
        },
    })
}
