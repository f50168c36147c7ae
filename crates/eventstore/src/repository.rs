//! The stored events of an aggregate, as cqrs-es loads them.
//!
//! postgres-es reads the rows; here they are upcast. Events are appended by the [`Appender`](crate::Appender) and streamed
//! by the [`Feed`](crate::Feed), because postgres-es takes 3+N round trips an append and calls every unique violation a
//! conflict, and its streams end silently when the database fails.

use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent, SerializedSnapshot};
use postgres_es::PostgresEventRepository;
use serde_json::Value;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::upcast::{self, PayloadError};

use crate::Database;

/// Reads a payload of any version in the current one, see [`ytcaption_domain::upcast`].
type Upcast = fn(name: &str, version: &str, payload: Value) -> Result<Vec<Value>, PayloadError>;

/// Loads the events of aggregates of one kind.
pub(crate) struct EventRepository {
    stored: PostgresEventRepository,
    upcast: Upcast,
}

impl EventRepository {
    /// A repository of aggregates whose events are `E`.
    pub(crate) fn new<E: EventFamily>(database: &Database) -> Self {
        Self { stored: PostgresEventRepository::new(database.pool().clone()), upcast: upcast::upcast_to_current::<E> }
    }

    fn upcast(&self, stored: Vec<SerializedEvent>) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let mut events = Vec::with_capacity(stored.len());
        for event in stored {
            events.extend(upcast_to_current(event, self.upcast)?);
        }
        Ok(events)
    }
}

impl PersistedEventRepository for EventRepository {
    async fn get_events<A: Aggregate>(&self, aggregate_id: &str) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.upcast(self.stored.get_events::<A>(aggregate_id).await?)
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.upcast(self.stored.get_last_events::<A>(aggregate_id, last_sequence).await?)
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
        .map_err(|fault| PersistenceError::DeserializationError(Box::new(fault)))?;
    let last = parts.pop();
    let mut events: Vec<_> = parts.into_iter().map(|payload| SerializedEvent { payload, ..event.clone() }).collect();
    events.extend(last.map(|payload| SerializedEvent { payload, ..event }));
    Ok(events)
}
