//! Notices when the stream has lost what it once acknowledged.
//!
//! | what happened | how it shows |
//! |---|---|
//! | deleted and created again | it was created at another time than remembered |
//! | restored, or writes lost with the power | it counts fewer messages, or gives out a number a second time |
//! | limits, a purge | its first message has moved |
//! | single messages deleted | it says which |

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
    /// Number of its last message.
    last_sequence: u64,
}

/// What the stream has lost at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing.
    Nothing,
    /// Everything: it is another stream, or the first that is seen.
    Everything,
    /// Everything from this number on.
    From(u64),
}

/// The stream as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) state: StreamState,
    /// Number of its first message; one more than the last if it is empty.
    pub(super) first_sequence: u64,
    /// What it has lost since the relay last wrote down what it knows.
    pub(super) loss: Loss,
    /// Messages between the first and the last that were deleted, if there are others than at the last look.
    pub(super) deleted: Vec<u64>,
}

/// Compares the stream with what is remembered of it.
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

    /// Looks at the stream.
    pub(super) async fn look(&mut self) -> Result<Seen, RelayError> {
        let remembered = self.read().await?;
        let info = self.ask().await?;
        let now = StreamState { created: created(&info)?, last_sequence: info.state.last_sequence };
        let loss = match remembered {
            Some(then) if then.created == now.created && then.last_sequence <= now.last_sequence => Loss::Nothing,
            Some(then) if then.created == now.created => Loss::From(now.last_sequence + 1),
            _ => Loss::Everything,
        };
        if remembered.is_some() && loss != Loss::Nothing {
            tracing::warn!(?loss, "the stream is not what it was; what unfinished jobs need of it is put back");
        }
        self.known = remembered.filter(|_| loss == Loss::Nothing);
        let count = info.state.deleted_count.unwrap_or_default();
        let deleted = if count == self.deleted { Vec::new() } else { self.ask_for_deleted().await? };
        self.deleted = count;
        // A stream that never had a message counts from 0.
        Ok(Seen { state: now, first_sequence: info.state.first_sequence.max(1), loss, deleted })
    }

    /// The stream after these acks, and what it has lost if one of them repeats a number.
    pub(super) fn after_acks(&self, acks: &[PublishAck]) -> Result<(StreamState, Loss), RelayError> {
        let known = self.known.ok_or(RelayError::UnknownStream)?;
        let new = acks.iter().filter(|ack| !ack.duplicate).map(|ack| ack.sequence);
        let Some((first, last)) = new.clone().min().zip(new.max()) else { return Ok((known, Loss::Nothing)) };
        let loss = if first <= known.last_sequence { Loss::From(first) } else { Loss::Nothing };
        Ok((StreamState { last_sequence: last, ..known }, loss))
    }

    /// Writes down what the stream looks like, within the transaction that depends on it.
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

    async fn ask(&self) -> Result<stream::Info, RelayError> {
        let stream = self.jetstream.get_stream(&self.name).await.map_err(no_account)?;
        Ok(stream.cached_info().clone())
    }

    async fn ask_for_deleted(&self) -> Result<Vec<u64>, RelayError> {
        let stream = self.jetstream.get_stream_no_info(&self.name).await.map_err(no_account)?;
        let info = stream.info_builder().with_deleted(true).fetch().await.map_err(no_account)?;
        Ok(info.info.state.deleted.unwrap_or_default())
    }
}

fn no_account(error: impl std::fmt::Display) -> RelayError {
    RelayError::Stream(error.to_string())
}

fn created(info: &stream::Info) -> Result<DateTime<Utc>, RelayError> {
    // Postgres keeps microseconds, so nothing finer is compared.
    let micros = i64::try_from(info.created.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| RelayError::Stream("it was created at an impossible time".to_owned()))
}
