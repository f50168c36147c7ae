//! Rows of the event store as another program, or another version of this one, would write them.

use serde_json::Value;
use sqlx::PgPool;

/// A row of `events`, without the columns that the database fills.
#[derive(Debug, Clone)]
pub struct RawEvent<'a> {
    /// Kind of the aggregate, for example `job`.
    pub aggregate_type: &'a str,
    /// Identity of the aggregate.
    pub aggregate_id: String,
    /// Number among the events of the aggregate, from 1.
    pub sequence: i64,
    /// Name of the event.
    pub event_type: &'a str,
    /// Version of the payload's shape.
    pub event_version: &'a str,
    /// What happened.
    pub payload: Value,
    /// Who, when and why.
    pub metadata: Value,
}

impl RawEvent<'_> {
    /// Inserts the row, past the command bus.
    ///
    /// # Panics
    /// The database refuses it.
    pub async fn insert(&self, pool: &PgPool) {
        sqlx::query(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(self.aggregate_type)
        .bind(&self.aggregate_id)
        .bind(self.sequence)
        .bind(self.event_type)
        .bind(self.event_version)
        .bind(&self.payload)
        .bind(&self.metadata)
        .execute(pool)
        .await
        .expect("the row has the shape of any other");
    }
}

/// How many aggregates have events.
///
/// # Panics
/// The database does not answer.
pub async fn aggregate_count(pool: &PgPool) -> i64 {
    let count = "SELECT count(DISTINCT (aggregate_type, aggregate_id)) FROM events";
    sqlx::query_scalar(count).fetch_one(pool).await.expect("the database answers")
}
