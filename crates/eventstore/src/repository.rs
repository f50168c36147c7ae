//! The stored events of an aggregate, as cqrs-es loads them.
//!
//! postgres-es reads the rows; here they are decrypted and upcast. Events are appended by the [`Appender`](crate::Appender) and streamed
//! by the [`Feed`](crate::Feed), because postgres-es takes 3+N round trips an append and calls every unique violation a
//! conflict, and its streams end silently when the database fails.

use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent, SerializedSnapshot};
use postgres_es::PostgresEventRepository;
use serde_json::Value;
use uuid::Uuid;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::upcast::{self, PayloadError};

use crate::Database;
use crate::encryption::{DataKey, DataKeys, EventIdentity, KeyError, decrypt_payload};
use crate::recorded::DATA_KEY;

/// Reads a payload of any version in the current one, see [`ytcaption_domain::upcast`].
type Upcast = fn(name: &str, version: &str, payload: Value) -> Result<Vec<Value>, PayloadError>;

/// Loads the events of aggregates of one kind.
pub(crate) struct EventRepository {
    stored: PostgresEventRepository,
    keys: DataKeys,
    upcast: Upcast,
}

impl EventRepository {
    /// A repository of aggregates whose events are `E`.
    pub(crate) fn new<E: EventFamily>(database: &Database) -> Self {
        Self {
            stored: PostgresEventRepository::new(database.pool().clone()),
            keys: database.data_keys().clone(),
            upcast: upcast::upcast_to_current::<E>,
        }
    }

    /// Reads the rows and, beside them, the aggregate's own data key, which is theirs unless they name another.
    async fn decrypt_stored(
        &self,
        aggregate_id: &str,
        stored: impl Future<Output = Result<Vec<SerializedEvent>, PersistenceError>>,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let own = aggregate_id.parse().ok();
        let (stored, own_key) = tokio::join!(stored, self.key(own));
        let (stored, mut key) = (stored?, own_key?);
        if let Some(named) = stored.first().and_then(named_data_key) {
            key = self.key(named.parse().ok()).await?;
        }
        let mut events = Vec::with_capacity(stored.len());
        for mut event in stored {
            decrypt(&mut event, key.clone())?;
            events.extend(upcast_to_current(event, self.upcast)?);
        }
        Ok(events)
    }

    async fn key(&self, id: Option<Uuid>) -> Result<Option<DataKey>, PersistenceError> {
        let Some(id) = id else { return Ok(None) };
        self.keys.get(id).await.map_err(|error| match error {
            KeyError::DataKey(error) => PersistenceError::DeserializationError(Box::new(error)),
            other => PersistenceError::ConnectionError(Box::new(other)),
        })
    }
}

fn named_data_key(event: &SerializedEvent) -> Option<&str> {
    event.metadata.get(DATA_KEY)?.as_str()
}

fn decrypt(event: &mut SerializedEvent, key: Option<DataKey>) -> Result<(), PersistenceError> {
    let identity = EventIdentity {
        aggregate_type: &event.aggregate_type,
        aggregate_id: &event.aggregate_id,
        sequence: event.sequence as u64,
        event_type: &event.event_type,
    };
    let decrypted = decrypt_payload(|| Ok(key), identity, &mut event.payload);
    decrypted.map(drop).map_err(|error| PersistenceError::DeserializationError(Box::new(error)))
}

impl PersistedEventRepository for EventRepository {
    async fn get_events<A: Aggregate>(&self, aggregate_id: &str) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.decrypt_stored(aggregate_id, self.stored.get_events::<A>(aggregate_id)).await
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.decrypt_stored(aggregate_id, self.stored.get_last_events::<A>(aggregate_id, last_sequence)).await
    }

    async fn get_snapshot<A: Aggregate>(
        &self,
        _aggregate_id: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Ok(None)
    }

    async fn persist<A: Aggregate>(
        &self,
        _events: &[SerializedEvent],
        _snapshot_update: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        Err(unsupported("events are appended by `Appender`"))
    }

    async fn stream_events<A: Aggregate>(&self, _aggregate_id: &str) -> Result<ReplayStream, PersistenceError> {
        Err(unsupported("the events of one aggregate are read by `read_stream`"))
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        Err(unsupported("all events are read by `Feed`"))
    }
}

/// What the trait requires and this store does in another place.
fn unsupported(instead: &'static str) -> PersistenceError {
    PersistenceError::UnknownError(instead.into())
}

/// An event in the current version. What it has become keeps its sequence, so that the last event's is still the
/// aggregate's version.
fn upcast_to_current(mut event: SerializedEvent, upcast: Upcast) -> Result<Vec<SerializedEvent>, PersistenceError> {
    let payload = event.payload.take();
    let mut parts = upcast(&event.event_type, &event.event_version, payload)
        .map_err(|error| PersistenceError::DeserializationError(Box::new(error)))?;
    let last = parts.pop();
    let mut events: Vec<_> = parts.into_iter().map(|payload| SerializedEvent { payload, ..event.clone() }).collect();
    events.extend(last.map(|payload| SerializedEvent { payload, ..event }));
    Ok(events)
}
