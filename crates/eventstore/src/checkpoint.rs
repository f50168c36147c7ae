//! How far a reader of the feed has come.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::Cursor;

/// Name of the checkpoint of the relay, which hands events over to the workers.
pub const RELAY: &str = "relay";
/// Events that wait longer without one of them being published are not dispatched: no relay runs, or it cannot publish.
pub const LONGEST_RELAY_STALL: Duration = Duration::from_secs(15);

/// Why a checkpoint did not move.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Another instance has moved it in the meantime.
    #[error("checkpoint `{0}` was moved by another instance")]
    Moved(String),
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
}

/// The checkpoint of one named reader.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    pool: PgPool,
    name: String,
}

impl Checkpoints {
    /// The checkpoint of that name.
    pub fn new(pool: PgPool, name: impl Into<String>) -> Self {
        Self { pool, name: name.into() }
    }

    /// The cursor up to which the reader has come; before the first event if it never moved.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn get(&self) -> Result<Cursor, sqlx::Error> {
        let stored = sqlx::query!(
            r#"SELECT transaction_id::text AS "tx!", position FROM checkpoints WHERE name = $1"#,
            self.name
        );
        if let Some(stored) = stored.fetch_optional(&self.pool).await? {
            return Cursor::from_row(&stored.tx, stored.position);
        }
        self.insert_if_missing(&self.pool).await?;
        Ok(Cursor::default())
    }

    /// How long the reader has not moved although final events wait for it; zero if none waits.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn stalled_for(&self) -> Result<Duration, sqlx::Error> {
        let seconds = sqlx::query_scalar!(
            r#"
            SELECT extract(epoch FROM clock_timestamp() - greatest(reader.updated_at, waiting.recorded_at))::float8
                   AS "seconds!"
              FROM (SELECT coalesce(max(transaction_id::text), '0')::xid8 AS transaction_id,
                           coalesce(max(position), 0) AS position, max(updated_at) AS updated_at
                      FROM checkpoints WHERE name = $1) AS reader
             CROSS JOIN LATERAL (
                   SELECT recorded_at FROM events
                    WHERE (transaction_id, position) > (reader.transaction_id, reader.position)
                      AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
                    ORDER BY transaction_id, position LIMIT 1) AS waiting"#,
            self.name
        );
        let seconds = seconds.fetch_optional(&self.pool).await?.unwrap_or_default();
        // A clock that was set back makes it negative for a while.
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }

    /// The cursor, locked until the transaction of this connection ends.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lock(&self, transaction: &mut PgConnection) -> Result<Cursor, sqlx::Error> {
        self.insert_if_missing(&mut *transaction).await?;
        let stored = sqlx::query!(
            r#"SELECT transaction_id::text AS "tx!", position FROM checkpoints WHERE name = $1 FOR UPDATE"#,
            self.name
        );
        let stored = stored.fetch_one(transaction).await?;
        Cursor::from_row(&stored.tx, stored.position)
    }

    async fn insert_if_missing(&self, executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
        let insert = sqlx::query!("INSERT INTO checkpoints (name) VALUES ($1) ON CONFLICT DO NOTHING", self.name);
        insert.execute(executor).await.map(|_| ())
    }

    /// Moves it from one cursor to another, if it is still at the first; within the caller's transaction, if that is what
    /// `executor` is.
    ///
    /// # Errors
    /// It is elsewhere, or the database does not answer.
    pub async fn advance(
        &self,
        executor: impl PgExecutor<'_>,
        from: Cursor,
        to: Cursor,
    ) -> Result<(), CheckpointError> {
        let moved = sqlx::query!(
            "UPDATE checkpoints SET transaction_id = $4::text::xid8, position = $5, updated_at = now()
              WHERE name = $1 AND transaction_id = $2::text::xid8 AND position = $3",
            self.name,
            from.transaction_id.to_string(),
            from.position,
            to.transaction_id.to_string(),
            to.position,
        );
        let moved = moved.execute(executor).await?.rows_affected();
        if moved == 1 { Ok(()) } else { Err(CheckpointError::Moved(self.name.clone())) }
    }
}
