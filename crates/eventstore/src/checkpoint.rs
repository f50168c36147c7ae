//! How far a reader of the feed has come.

use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::Cursor;

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

    /// Where the reader stands; before the first event if it never moved.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn get(&self) -> Result<Cursor, sqlx::Error> {
        let stored: Option<(String, i64)> =
            sqlx::query_as("SELECT transaction_id::text, position FROM checkpoints WHERE name = $1")
                .bind(&self.name)
                .fetch_optional(&self.pool)
                .await?;
        if let Some(stored) = stored {
            return cursor(stored);
        }
        sqlx::query("INSERT INTO checkpoints (name) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(&self.name)
            .execute(&self.pool)
            .await?;
        Ok(Cursor::default())
    }

    /// Where the reader stands, held there until the transaction of this connection ends.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lock(&self, transaction: &mut PgConnection) -> Result<Cursor, sqlx::Error> {
        sqlx::query("INSERT INTO checkpoints (name) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(&self.name)
            .execute(&mut *transaction)
            .await?;
        let stored: (String, i64) =
            sqlx::query_as("SELECT transaction_id::text, position FROM checkpoints WHERE name = $1 FOR UPDATE")
                .bind(&self.name)
                .fetch_one(transaction)
                .await?;
        cursor(stored)
    }

    /// Moves it from one place to another, if it still stands at the first; within the caller's transaction, if that
    /// is what `executor` is.
    ///
    /// # Errors
    /// It stands elsewhere, or the database does not answer.
    pub async fn advance(
        &self,
        executor: impl PgExecutor<'_>,
        from: Cursor,
        to: Cursor,
    ) -> Result<(), CheckpointError> {
        let moved = sqlx::query(
            "UPDATE checkpoints SET transaction_id = $4::text::xid8, position = $5, updated_at = now()
              WHERE name = $1 AND transaction_id = $2::text::xid8 AND position = $3",
        )
        .bind(&self.name)
        .bind(from.transaction_id.to_string())
        .bind(from.position)
        .bind(to.transaction_id.to_string())
        .bind(to.position)
        .execute(executor)
        .await?
        .rows_affected();
        if moved == 1 { Ok(()) } else { Err(CheckpointError::Moved(self.name.clone())) }
    }
}

fn cursor((transaction_id, position): (String, i64)) -> Result<Cursor, sqlx::Error> {
    let transaction_id = transaction_id
        .parse()
        .map_err(|error| sqlx::Error::ColumnDecode { index: "transaction_id".to_owned(), source: Box::new(error) })?;
    Ok(Cursor { transaction_id, position })
}
