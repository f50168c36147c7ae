//! Notices when the stream has lost what it once acknowledged.
//!
//! | what happened | how it shows |
//! |---|---|
//! | deleted and created again | the time of its creation differs from the stored one |
//! | restored, or writes lost with the power | its last sequence is lower, or it assigns a sequence a second time |
//! | limits, a purge | its first sequence is higher |
//! | single messages deleted | it lists them |

use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::{Context, stream};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use super::RelayError;
use crate::topology;

/// What the relay knows of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamState {
    /// When it was created.
    created: DateTime<Utc>,
    /// Sequence of its last message.
    last_sequence: u64,
}

/// What the stream has lost at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing.
    Nothing,
    /// Everything: it is another stream, or the first one.
    Everything,
    /// Everything from this sequence on.
    From(u64),
}

/// The stream as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamView {
    pub(super) state: StreamState,
    /// Sequence of its first message; one more than the last if it is empty.
    pub(super) first_sequence: u64,
    /// What it has lost since the relay last stored its state.
    pub(super) loss: Loss,
    /// Messages between the first and the last that were deleted; empty if their number has not changed.
    pub(super) deleted: Vec<u64>,
}

/// Compares the stream with its stored state.
pub(super) struct StreamGuard {
    jetstream: Context,
    pool: PgPool,
    name: String,
    known: Option<StreamState>,
    deleted: u64,
}

impl StreamGuard {
    pub(super) fn new(jetstream: Context, pool: PgPool) -> Self {
        Self { jetstream, pool, name: topology::stream_config().name, known: None, deleted: 0 }
    }

    /// Compares the stream with its stored state.
    pub(super) async fn compare(&mut self) -> Result<StreamView, RelayError> {
        let stored = self.stored_state().await?;
        let info = self.info().await?;
        let now = StreamState { created: created(&info)?, last_sequence: info.state.last_sequence };
        let loss = match stored {
            Some(then) if then.created == now.created && then.last_sequence <= now.last_sequence => Loss::Nothing,
            Some(then) if then.created == now.created => Loss::From(now.last_sequence + 1),
            _ => Loss::Everything,
        };
        if stored.is_some() && loss != Loss::Nothing {
            tracing::warn!(?loss, "the stream has lost messages; those that unfinished jobs need are published again");
        }
        self.known = stored.filter(|_| loss == Loss::Nothing);
        let count = info.state.deleted_count.unwrap_or_default();
        let deleted = if count == self.deleted { Vec::new() } else { self.deleted_messages().await? };
        self.deleted = count;
        // The first sequence of a stream that never had a message is 0.
        Ok(StreamView { state: now, first_sequence: info.state.first_sequence.max(1), loss, deleted })
    }

    /// The stream after these acks, and what it has lost if one of them repeats a sequence.
    pub(super) fn after_acks(&self, acks: &[PublishAck]) -> Result<(StreamState, Loss), RelayError> {
        let known = self.known.ok_or(RelayError::UnknownStream)?;
        let new = acks.iter().filter(|ack| !ack.duplicate).map(|ack| ack.sequence);
        let Some((first, last)) = new.clone().min().zip(new.max()) else { return Ok((known, Loss::Nothing)) };
        let loss = if first <= known.last_sequence { Loss::From(first) } else { Loss::Nothing };
        Ok((StreamState { last_sequence: last, ..known }, loss))
    }

    /// Stores the state of the stream, within the transaction that depends on it.
    pub(super) async fn store(&self, connection: &mut PgConnection, stream: StreamState) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "INSERT INTO relay_stream (name, created_at, last_sequence) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET created_at = $2, last_sequence = $3",
            self.name,
            stream.created,
            i64::try_from(stream.last_sequence).unwrap_or(i64::MAX),
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The transaction that stored this state was committed.
    pub(super) fn committed(&mut self, stream: StreamState) {
        self.known = Some(stream);
    }

    async fn stored_state(&self) -> Result<Option<StreamState>, sqlx::Error> {
        let row = sqlx::query!("SELECT created_at, last_sequence FROM relay_stream WHERE name = $1", self.name)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| StreamState {
            created: row.created_at,
            last_sequence: u64::try_from(row.last_sequence).unwrap_or_default(),
        }))
    }

    async fn info(&self) -> Result<stream::Info, RelayError> {
        let stream = self.jetstream.get_stream(&self.name).await.map_err(not_described)?;
        Ok(stream.cached_info().clone())
    }

    async fn deleted_messages(&self) -> Result<Vec<u64>, RelayError> {
        let stream = self.jetstream.get_stream_no_info(&self.name).await.map_err(not_described)?;
        let info = stream.info_builder().with_deleted(true).fetch().await.map_err(not_described)?;
        Ok(info.info.state.deleted.unwrap_or_default())
    }
}

fn not_described(error: impl std::fmt::Display) -> RelayError {
    RelayError::Stream(error.to_string())
}

fn created(info: &stream::Info) -> Result<DateTime<Utc>, RelayError> {
    // Postgres stores microseconds, so the comparison is as exact.
    let micros = i64::try_from(info.created.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| RelayError::Stream("the time of its creation is out of range".to_owned()))
}
