//! The whole store as lines of JSON, in commit order, and nothing left out but what belongs to the cluster alone:
//! transaction ids and positions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::types::JsonRawValue;
use sqlx::{FromRow, PgPool, Row};

use crate::Cursor;
use crate::query::horizon;

/// Events read at a time.
const PAGE_EVENTS: i64 = 500;

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

/// Reads the store from its beginning to where it was final when the export began.
#[derive(Debug)]
pub struct Exporter {
    pool: PgPool,
    horizon: u64,
    after: Cursor,
    total: u64,
}

impl Exporter {
    /// Begins an export. Events whose transaction has not ended, or that come later, are not part of it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn begin(pool: PgPool) -> Result<Self, sqlx::Error> {
        let horizon = horizon(&pool).await?;
        let total: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE transaction_id < $1::text::xid8")
            .bind(horizon.to_string())
            .fetch_one(&pool)
            .await?;
        Ok(Self { pool, horizon, after: Cursor::default(), total: u64::try_from(total).unwrap_or_default() })
    }

    /// How many events the export has.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The next events in commit order; none at the end.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn next_page(&mut self) -> Result<Vec<ExportedEvent>, sqlx::Error> {
        let rows: Vec<Placed> = sqlx::query_as(READ)
            .bind(self.after.transaction_id.to_string())
            .bind(self.after.position)
            .bind(self.horizon.to_string())
            .bind(PAGE_EVENTS)
            .fetch_all(&self.pool)
            .await?;
        if let Some(last) = rows.last() {
            self.after = last.cursor;
        }
        Ok(rows.into_iter().map(|row| row.event).collect())
    }
}

/// An event with its place, from which the next page begins.
struct Placed {
    cursor: Cursor,
    event: ExportedEvent,
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
