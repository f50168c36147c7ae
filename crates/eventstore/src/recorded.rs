//! An event as it stands in the store.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Row};
use ytcaption_domain::{EventMetadata, MetadataError};

use crate::Cursor;

/// An event with all that the store knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// Its place in the feed.
    pub cursor: Cursor,
    /// Kind of the aggregate, for example `job`.
    pub aggregate_type: String,
    /// Identity of the aggregate.
    pub aggregate_id: String,
    /// Its place in the aggregate's own life, from 1.
    pub sequence: u64,
    /// Its name.
    pub event_type: String,
    /// Version of its payload's shape.
    pub event_version: String,
    /// What happened.
    pub payload: Value,
    /// Who, when, why.
    pub metadata: EventMetadata,
    /// When it was stored, by the clock of the database.
    pub recorded_at: DateTime<Utc>,
}

/// A stored event that this program cannot read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The payload has an unknown type or shape.
    #[error(
        "event {event_type} v{event_version} at {cursor} cannot be read: {source}; \
         it may have been written by a newer version of this program"
    )]
    Payload {
        /// Its name.
        event_type: String,
        /// Its version.
        event_version: String,
        /// Its place in the feed.
        cursor: Cursor,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl RecordedEvent {
    /// The typed event.
    ///
    /// # Errors
    /// The event is of a type or shape that `E` does not know.
    pub fn decode<E: DomainEvent>(&self) -> Result<E, DecodeError> {
        E::deserialize(&self.payload).map_err(|source| DecodeError::Payload {
            event_type: self.event_type.clone(),
            event_version: self.event_version.clone(),
            cursor: self.cursor,
            source,
        })
    }
}

impl FromRow<'_, PgRow> for RecordedEvent {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(metadata): Json<HashMap<String, String>> = row.try_get("metadata")?;
        let metadata = EventMetadata::from_map(&metadata).map_err(|error: MetadataError| decode("metadata", error))?;
        let sequence: i64 = row.try_get("sequence")?;
        let tx: String = row.try_get("tx")?;
        Ok(Self {
            cursor: Cursor {
                transaction_id: tx.parse().map_err(|error| decode("tx", error))?,
                position: row.try_get("position")?,
            },
            aggregate_type: row.try_get("aggregate_type")?,
            aggregate_id: row.try_get("aggregate_id")?,
            sequence: u64::try_from(sequence).map_err(|error| decode("sequence", error))?,
            event_type: row.try_get("event_type")?,
            event_version: row.try_get("event_version")?,
            payload: row.try_get("payload")?,
            metadata,
            recorded_at: row.try_get("recorded_at")?,
        })
    }
}

fn decode(column: &str, source: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) }
}
