//! An event as it stands in the store.

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::upcast::{self, PayloadError};
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
    /// What is wrong with its metadata, if they cannot be read; [`Self::metadata`] then has what could be saved of them.
    pub damage: Option<Damage>,
}

/// Metadata that cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Damage {
    /// The metadata as they are stored.
    pub stored: Value,
    /// What is wrong with them.
    pub error: MetadataError,
}

/// A stored event that this program cannot read.
#[derive(Debug, thiserror::Error)]
#[error("{event} cannot be read: {source}")]
pub struct DecodeError {
    /// Which one.
    pub event: Box<EventName>,
    /// What is wrong with it, and what to do.
    pub source: PayloadError,
}

/// Says which event is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventName {
    /// Kind of the aggregate.
    pub aggregate_type: String,
    /// Identity of the aggregate.
    pub aggregate_id: String,
    /// Its place in the aggregate's life.
    pub sequence: u64,
    /// Its name.
    pub event_type: String,
    /// Its version.
    pub event_version: String,
    /// Its place in the feed.
    pub cursor: Cursor,
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aggregate_type, aggregate_id, sequence, event_type, event_version, cursor } = self;
        write!(
            f,
            "event {sequence} of {aggregate_type} {aggregate_id}, {event_type} version {event_version} at {cursor},"
        )
    }
}

impl RecordedEvent {
    /// The typed events that it stands for, in order; at least one, and one only if it was written in its version of
    /// today. They share its sequence: whoever applies it applies them all.
    ///
    /// # Errors
    /// It is of a type, version or shape that this program cannot read.
    pub fn decode<E: EventFamily>(&self) -> Result<Vec<E>, DecodeError> {
        let read = match &self.damage {
            Some(damage) => Err(PayloadError::Metadata(damage.error.clone())),
            None => upcast::decode(&self.event_type, &self.event_version, &self.payload),
        };
        read.map_err(|source| DecodeError { event: Box::new(self.name()), source })
    }

    /// Which event it is, in words.
    pub fn name(&self) -> EventName {
        EventName {
            aggregate_type: self.aggregate_type.clone(),
            aggregate_id: self.aggregate_id.clone(),
            sequence: self.sequence,
            event_type: self.event_type.clone(),
            event_version: self.event_version.clone(),
            cursor: self.cursor,
        }
    }
}

impl FromRow<'_, PgRow> for RecordedEvent {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let recorded_at = row.try_get("recorded_at")?;
        let (metadata, damage) = metadata(row.try_get("metadata")?, recorded_at);
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
            recorded_at,
            damage,
        })
    }
}

/// Reads what is stored. One damaged event must not hide the others on its page, so damage is no error here.
fn metadata(stored: Value, recorded_at: DateTime<Utc>) -> (EventMetadata, Option<Damage>) {
    let map = HashMap::<String, String>::deserialize(&stored).map_err(|_| MetadataError { key: "metadata" });
    match map.and_then(|map| EventMetadata::from_map(&map)) {
        Ok(metadata) => (metadata, None),
        Err(error) => (EventMetadata::from_json_lossy(&stored, recorded_at), Some(Damage { stored, error })),
    }
}

fn decode(column: &str, source: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) }
}
