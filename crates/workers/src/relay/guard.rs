//! Notices when the stream has lost what it once acknowledged.
//!
//! That happens when its folder is deleted or restored, and when a machine loses power with writes unflushed. It shows
//! in one of two ways: the stream was created at another time than remembered, or it counts fewer messages.

use async_nats::jetstream::Context;
use async_nats::jetstream::publish::PublishAck;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use super::RelayError;
use crate::topology;

/// The relay's memory of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamState {
    /// When it was created.
    created: DateTime<Utc>,
    /// Sequence of its last message.
    last_sequence: u64,
}

/// Compares the stream with what is remembered of it.
pub(super) struct StreamGuard {
    jetstream: Context,
    pool: PgPool,
    name: String,
    known: Option<StreamState>,
}

impl StreamGuard {
    pub(super) fn new(jetstream: Context, pool: PgPool) -> Self {
        Self { jetstream, pool, name: topology::stream_config().name, known: None }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The stream as it is now, if it is not the one that is remembered or has lost messages.
    pub(super) async fn lost_data(&mut self) -> Result<Option<StreamState>, RelayError> {
        let remembered = self.read().await?;
        let now = self.ask().await?;
        let intact = |then: StreamState| then.created == now.created && then.last_sequence <= now.last_sequence;
        self.known = remembered.filter(|then| intact(*then));
        Ok(self.known.is_none().then_some(now))
    }

    /// The stream after these acks.
    ///
    /// # Errors
    /// A message that is not a duplicate got a sequence that was given out before.
    pub(super) fn after_acks(&self, acks: &[PublishAck]) -> Result<StreamState, RelayError> {
        let known = self.known.ok_or(RelayError::LostData)?;
        let forgotten = |ack: &PublishAck| !ack.duplicate && ack.sequence <= known.last_sequence;
        if acks.iter().any(forgotten) {
            return Err(RelayError::LostData);
        }
        let highest = acks.iter().map(|ack| ack.sequence).max().unwrap_or_default();
        Ok(StreamState { last_sequence: known.last_sequence.max(highest), ..known })
    }

    /// Writes down what the stream looks like, within the transaction that moves the checkpoint.
    pub(super) async fn remember(&self, connection: &mut PgConnection, stream: StreamState) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO relay_stream (name, created_at, last_sequence) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET created_at = $2, last_sequence = $3",
        )
        .bind(&self.name)
        .bind(stream.created)
        .bind(i64::try_from(stream.last_sequence).unwrap_or(i64::MAX))
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The transaction was committed.
    pub(super) fn remembered(&mut self, stream: StreamState) {
        self.known = Some(stream);
    }

    async fn read(&self) -> Result<Option<StreamState>, sqlx::Error> {
        let row: Option<(DateTime<Utc>, i64)> =
            sqlx::query_as("SELECT created_at, last_sequence FROM relay_stream WHERE name = $1")
                .bind(&self.name)
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(created, last)| StreamState { created, last_sequence: u64::try_from(last).unwrap_or_default() }))
    }

    async fn ask(&self) -> Result<StreamState, RelayError> {
        let stream =
            self.jetstream.get_stream(&self.name).await.map_err(|error| RelayError::Stream(error.to_string()))?;
        let info = stream.cached_info();
        // Postgres keeps microseconds, so nothing finer is compared.
        let micros = i64::try_from(info.created.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
        let created = DateTime::from_timestamp_micros(micros)
            .ok_or_else(|| RelayError::Stream("it was created at an impossible time".to_owned()))?;
        Ok(StreamState { created, last_sequence: info.state.last_sequence })
    }
}
