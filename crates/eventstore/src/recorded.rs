//! An event as the store holds it.

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::Value;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::upcast::{self, PayloadError};
use ytcaption_domain::{EventMetadata, MetadataError};

use crate::Cursor;
use crate::encryption::{DataKeys, DecryptError, EventIdentity, decrypt_payload};

/// The metadata that names the data key.
pub(crate) const DATA_KEY: &str = "data_key";

/// An event with all that the store knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// Its cursor in the feed.
    pub cursor: Cursor,
    /// Kind of the aggregate, for example `job`.
    pub aggregate_type: String,
    /// Identity of the aggregate.
    pub aggregate_id: String,
    /// Its sequence number within the aggregate, from 1.
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
    /// Whether personal content of it was erased; the payload then holds placeholders.
    pub erased: bool,
    /// Set if it cannot be read; the metadata then hold what can be read of them, and the payload is as it is stored.
    pub corrupt: Option<Corruption>,
}

/// Why a stored event cannot be read, whatever its type.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Corruption {
    /// Its metadata cannot be read.
    #[error("{error}")]
    Metadata {
        /// The metadata as they are stored.
        stored: Value,
        /// What is wrong with them.
        error: MetadataError,
    },
    /// Its personal content cannot be decrypted.
    #[error(transparent)]
    Content(#[from] DecryptError),
}

/// A stored event that this program cannot read.
#[derive(Debug, thiserror::Error)]
#[error("{event} cannot be read: {source}")]
pub struct DecodeError {
    /// Which one.
    pub event: Box<EventRef>,
    /// What is wrong with it, and what to do.
    pub source: UnreadableEvent,
}

/// What is wrong with an event that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEvent {
    /// Its type, version, shape or metadata.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// Its personal content.
    #[error(transparent)]
    Content(#[from] DecryptError),
}

impl UnreadableEvent {
    /// Whether a newer version of this program can be expected to read the event.
    pub const fn is_newer(&self) -> bool {
        matches!(self, Self::Payload(error) if error.is_newer())
    }
}

/// Names one event of the store; displayed in error messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRef {
    /// Kind of the aggregate.
    pub aggregate_type: String,
    /// Identity of the aggregate.
    pub aggregate_id: String,
    /// Its sequence number within the aggregate, from 1.
    pub sequence: u64,
    /// Its name.
    pub event_type: String,
    /// Its version.
    pub event_version: String,
    /// Its cursor in the feed.
    pub cursor: Cursor,
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aggregate_type, aggregate_id, sequence, event_type, event_version, cursor } = self;
        write!(
            f,
            "event {sequence} of {aggregate_type} {aggregate_id}, {event_type} version {event_version} at {cursor},"
        )
    }
}

impl RecordedEvent {
    /// The typed events that it decodes to, in order: one if it was written in its current version, else one or more. They
    /// share its sequence: a reader applies all of them or none.
    ///
    /// # Errors
    /// It is of a type, version or shape that this program cannot read.
    pub fn decode<E: EventFamily>(&self) -> Result<Vec<E>, DecodeError> {
        let decoded = match &self.corrupt {
            Some(Corruption::Metadata { error, .. }) => Err(PayloadError::Metadata(error.clone()).into()),
            Some(Corruption::Content(error)) => Err(error.clone().into()),
            None => upcast::decode(&self.event_type, &self.event_version, &self.payload).map_err(Into::into),
        };
        decoded.map_err(|source| DecodeError { event: Box::new(self.event_ref()), source })
    }

    /// Which event it is.
    pub fn event_ref(&self) -> EventRef {
        EventRef {
            aggregate_type: self.aggregate_type.clone(),
            aggregate_id: self.aggregate_id.clone(),
            sequence: self.sequence,
            event_type: self.event_type.clone(),
            event_version: self.event_version.clone(),
            cursor: self.cursor,
        }
    }
}

/// A row of the table `events` with the wrapped data key of its personal content.
pub(crate) struct StoredEvent {
    pub(crate) tx: String,
    pub(crate) position: i64,
    pub(crate) aggregate_type: String,
    pub(crate) aggregate_id: String,
    pub(crate) sequence: i64,
    pub(crate) event_type: String,
    pub(crate) event_version: String,
    pub(crate) payload: Value,
    pub(crate) metadata: Value,
    pub(crate) recorded_at: DateTime<Utc>,
    /// The wrapped data key; none if it was destroyed.
    pub(crate) data_key: Option<Vec<u8>>,
}

/// `stored_events!("WHERE …", arguments)`: a checked query of [`StoredEvent`]s; `e` is the table `events`. The column `tx`
/// must not be named `transaction_id`: an unqualified ORDER BY would sort it as text.
macro_rules! stored_events {
    ($first:literal $(+ $more:literal)* $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            crate::recorded::StoredEvent,
            r#"SELECT e.transaction_id::text AS "tx!", e.position, e.aggregate_type, e.aggregate_id, e.sequence,
                      e.event_type, e.event_version, e.payload, e.metadata, e.recorded_at, k.wrapped AS "data_key?"
                 FROM events e LEFT JOIN data_keys k ON k.id = coalesce(e.metadata->>'data_key', e.aggregate_id) "# + $first $(+ $more)*,
            $($argument),*
        )
    };
}
pub(crate) use stored_events;

impl StoredEvent {
    /// The event, its personal content decrypted. One corrupt event must not hide the others of its page, so it is not an
    /// error.
    pub(crate) fn into_recorded(mut self, keys: &DataKeys) -> Result<RecordedEvent, sqlx::Error> {
        let sequence = u64::try_from(self.sequence).map_err(|error| column_error("sequence", error))?;
        let (erased, undecrypted) = match self.decrypt(sequence, keys) {
            Ok(erased) => (erased, None),
            Err(error) => (false, Some(error)),
        };
        let (metadata, corrupt) = parse_metadata(self.metadata, self.recorded_at);
        Ok(RecordedEvent {
            cursor: Cursor::from_row(&self.tx, self.position)?,
            aggregate_type: self.aggregate_type,
            aggregate_id: self.aggregate_id,
            sequence,
            event_type: self.event_type,
            event_version: self.event_version,
            payload: self.payload,
            metadata,
            recorded_at: self.recorded_at,
            erased,
            corrupt: corrupt.or(undecrypted.map(Corruption::Content)),
        })
    }

    fn decrypt(&mut self, sequence: u64, keys: &DataKeys) -> Result<bool, DecryptError> {
        let event = EventIdentity {
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence,
            event_type: &self.event_type,
        };
        let id = self.metadata.get(DATA_KEY).and_then(Value::as_str).unwrap_or(&self.aggregate_id);
        let key = || self.data_key.as_deref().map(|wrapped| keys.unwrap(id, wrapped)).transpose();
        decrypt_payload(key, event, &mut self.payload)
    }
}

/// The events of a page.
pub(crate) fn read_all(stored: Vec<StoredEvent>, keys: &DataKeys) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    stored.into_iter().map(|event| event.into_recorded(keys)).collect()
}

fn parse_metadata(stored: Value, recorded_at: DateTime<Utc>) -> (EventMetadata, Option<Corruption>) {
    let map = HashMap::<String, String>::deserialize(&stored).map_err(|_| MetadataError { key: "metadata" });
    match map.and_then(|map| EventMetadata::from_map(&map)) {
        Ok(metadata) => (metadata, None),
        Err(error) => {
            (EventMetadata::from_json_lossy(&stored, recorded_at), Some(Corruption::Metadata { stored, error }))
        }
    }
}

/// A value of a row that is not what its column holds.
pub(crate) fn column_error(column: &str, source: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) }
}
