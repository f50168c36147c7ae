//! The store as cqrs-es knows it: postgres-es loads aggregates, our writer appends.
//!
//! What is replaced, and why: postgres-es takes 3+N round trips an append and calls every unique violation a
//! conflict; its streams end silently when the database fails; upcasters of cqrs-es can neither fail nor turn one event
//! into several.

use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent, SerializedSnapshot};
use postgres_es::PostgresEventRepository;
use serde_json::Value;
use sqlx::PgPool;
use ytcaption_domain::event::EventFamily;
use ytcaption_domain::upcast::{PayloadError, upcast_to_current};

use crate::feed::{Cursor, Feed};
use crate::{Appender, RecordedEvent, Stamp};

/// Events read at a time when everything is streamed.
const STREAM_PAGE: u32 = 500;
/// Metadata key under which each event gets its own id.
const EVENT_ID: &str = "event_id";

/// Reads a payload of any version in today's, see [`ytcaption_domain::upcast`].
type Upcast = fn(name: &str, version: &str, payload: Value) -> Result<Vec<Value>, PayloadError>;

/// Loads the events of aggregates of one kind and appends new ones.
pub struct EventRepository {
    stored: PostgresEventRepository,
    appender: Appender,
    feed: Feed,
    stamp: Stamp,
    upcast: Upcast,
}

impl EventRepository {
    /// A repository of aggregates whose events are `E`.
    pub fn new<E: EventFamily>(pool: PgPool, appender: Appender, stamp: Stamp) -> Self {
        let stored = PostgresEventRepository::new(pool.clone());
        Self { stored, appender, feed: Feed::new(pool), stamp, upcast: upcast_to_current::<E> }
    }

    fn upcast(&self, stored: Vec<SerializedEvent>) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let mut events = Vec::with_capacity(stored.len());
        for event in stored {
            events.extend(today(event, self.upcast)?);
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
        events: &[SerializedEvent],
        snapshot_update: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        if snapshot_update.is_some() {
            return Err(PersistenceError::UnknownError("this store keeps no snapshots".into()));
        }
        let mut events = events.to_vec();
        for event in &mut events {
            event.metadata[EVENT_ID] = Value::String((self.stamp.new_id)().to_string());
        }
        self.appender.append(events).await
    }

    async fn stream_events<A: Aggregate>(&self, aggregate_id: &str) -> Result<ReplayStream, PersistenceError> {
        let events = self.get_events::<A>(aggregate_id).await?;
        let (mut sink, stream) = ReplayStream::new(events.len().max(1));
        for event in events {
            sink.push(Ok(event)).await?;
        }
        Ok(stream)
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        let (mut sink, stream) = ReplayStream::new(STREAM_PAGE as usize);
        let (feed, upcast) = (self.feed.clone(), self.upcast);
        tokio::spawn(async move {
            let mut cursor = Cursor::default();
            loop {
                let page = match feed.after(cursor, STREAM_PAGE).await {
                    Ok(page) => page,
                    Err(error) => {
                        // The reader sees the failure instead of an early end; if it is gone, nobody needs it.
                        let _ = sink.push(Err(PersistenceError::ConnectionError(Box::new(error)))).await;
                        return;
                    }
                };
                let Some(last) = page.last() else { return };
                cursor = last.cursor;
                for event in page.into_iter().filter(|e| e.aggregate_type == A::TYPE) {
                    let parts = match today(serialized(event), upcast) {
                        Ok(parts) => parts.into_iter().map(Ok).collect(),
                        Err(error) => vec![Err(error)],
                    };
                    for part in parts {
                        if sink.push(part).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Ok(stream)
    }
}

/// An event as it is written today. What it has become keeps its sequence, so that the last event's is still the
/// aggregate's version.
fn today(mut event: SerializedEvent, upcast: Upcast) -> Result<Vec<SerializedEvent>, PersistenceError> {
    let payload = event.payload.take();
    let mut parts = upcast(&event.event_type, &event.event_version, payload)
        .map_err(|fault| PersistenceError::DeserializationError(Box::new(fault)))?;
    let last = parts.pop();
    let mut events: Vec<_> = parts.into_iter().map(|payload| SerializedEvent { payload, ..event.clone() }).collect();
    events.extend(last.map(|payload| SerializedEvent { payload, ..event }));
    Ok(events)
}

fn serialized(event: RecordedEvent) -> SerializedEvent {
    SerializedEvent {
        aggregate_id: event.aggregate_id,
        sequence: usize::try_from(event.sequence).unwrap_or(usize::MAX),
        aggregate_type: event.aggregate_type,
        event_type: event.event_type,
        event_version: event.event_version,
        payload: event.payload,
        metadata: serde_json::json!(event.metadata.to_map()),
    }
}
