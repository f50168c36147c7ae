//! Events that could not be applied, kept where an operator sees them until they can be.
//!
//! A parked event blocks the later events of its own aggregate, which are parked behind it, and nothing else: a job is
//! shown as it was before the event rather than shown wrong.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool, Row};
use utoipa::ToSchema;
use ytcaption_eventstore::{Checkpoints, Cursor, Database, RecordedEvent, begin, read_stream_after_within};

use crate::apply::apply;
use crate::streams::as_bigint;
use crate::{ParkedCursor, ProjectionError, ProjectorError, RegisteredProjection, generation};

/// An event that could not be applied.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ParkedEvent {
    /// Name of the projection that could not apply it.
    #[schema(example = "jobs")]
    pub projection: String,
    /// Its cursor in the feed.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String, example = "742-1205")]
    pub cursor: Cursor,
    /// Type of its aggregate: `job` or `delivery`.
    #[schema(example = "job")]
    pub aggregate_type: String,
    /// Id of its aggregate.
    pub aggregate_id: String,
    /// Its number among the events of its aggregate, from 1.
    #[schema(example = 2)]
    pub sequence: i64,
    /// Its name.
    #[schema(example = "DownloadStarted")]
    pub event_type: String,
    /// Version of its shape.
    #[schema(example = "9")]
    pub event_version: String,
    /// The event itself is sound: an earlier one of the same aggregate blocks it.
    pub blocked: bool,
    /// Why it could not be applied, and what to do.
    #[schema(
        example = "this program knows this event up to version 2; a newer version of the program probably wrote it"
    )]
    pub error: String,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
    /// When it was last tried again.
    pub retried_at: Option<DateTime<Utc>>,
}

/// What a retry has achieved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// Events that were parked and are applied now.
    pub applied: u64,
    /// Events that are still parked.
    pub parked: u64,
}

/// The parked events of the live read models, of all accounts: for operators.
#[derive(Debug, Clone)]
pub struct ParkedEvents {
    database: Database,
    pool: PgPool,
}

const LIST: &str = "
    SELECT p.transaction_id::text AS tx, projection, position, aggregate_type, aggregate_id, sequence, event_type,
           event_version, blocked, error, parked_at, retried_at
      FROM parked_events p
     WHERE ($1::text IS NULL OR projection = $1) AND generation = live_generation(projection)
       AND (p.blocked, p.transaction_id, p.position, p.projection) > ($2, $3::text::xid8, $4, $5)
     ORDER BY p.blocked, p.transaction_id, p.position, p.projection LIMIT $6";

const COUNT: &str = "
    SELECT count(*) FROM parked_events
     WHERE ($1::text IS NULL OR projection = $1) AND generation = live_generation(projection)";

/// The first parked event of each aggregate, those first that were not tried for the longest time. Jobs come before
/// deliveries: a delivery cannot be applied before the job that it is about.
const HEADS: &str = "
    SELECT aggregate_type, aggregate_id, first
      FROM (SELECT aggregate_type, aggregate_id, min(sequence) AS first FROM parked_events
             WHERE projection = $1 AND generation = live_generation($1)
             GROUP BY 1, 2 ORDER BY min(coalesce(retried_at, parked_at)) LIMIT $2) heads
     ORDER BY aggregate_type DESC";

const PARK: &str = "
    INSERT INTO parked_events (projection, generation, aggregate_type, aggregate_id, sequence, transaction_id,
                               position, event_type, event_version, blocked, error)
    VALUES ($1, $2, $3, $4, $5, $6::text::xid8, $7, $8, $9, $10, $11)
    ON CONFLICT (projection, generation, aggregate_type, aggregate_id, sequence)
    DO UPDATE SET blocked = excluded.blocked, error = excluded.error, retried_at = now()";

const FORGET: &str = "
    DELETE FROM parked_events p USING UNNEST($3::text[], $4::text[], $5::bigint[]) AS e(type, id, sequence)
     WHERE p.projection = $1 AND p.generation = $2 AND p.aggregate_type = e.type AND p.aggregate_id = e.id
       AND p.sequence = e.sequence";

const COUNT_ONLY_IN: &str = "
    SELECT count(*) FROM parked_events p WHERE projection = $1 AND generation = $2 AND NOT EXISTS
        (SELECT 1 FROM parked_events o WHERE o.projection = $1 AND o.generation = $3
            AND (o.aggregate_type, o.aggregate_id, o.sequence) = (p.aggregate_type, p.aggregate_id, p.sequence))";

impl ParkedEvents {
    /// Those of a database.
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), pool: database.pool().clone() }
    }

    /// At most `limit` of them after a cursor, of one projection or of all: those with an error of their own first, then
    /// those that are blocked; each in the order of the feed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn page(
        &self,
        projection: Option<&RegisteredProjection>,
        after: ParkedCursor,
        limit: u32,
    ) -> Result<Vec<ParkedEvent>, sqlx::Error> {
        let ParkedCursor { blocked, cursor, projection: after } = after;
        sqlx::query_as(LIST)
            .bind(projection.map(RegisteredProjection::name))
            .bind(blocked)
            .bind(cursor.transaction_id.to_string())
            .bind(cursor.position)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
    }

    /// How many there are, of one projection or of all.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count(&self, projection: Option<&RegisteredProjection>) -> Result<u64, sqlx::Error> {
        let name = projection.map(RegisteredProjection::name);
        let count: i64 = sqlx::query_scalar(COUNT).bind(name).fetch_one(&self.pool).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Tries the parked events of a projection again, those of each aggregate in their order and in one transaction; of
    /// at most `aggregates` aggregates, those first that were not tried for the longest time.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn retry(&self, projection: &RegisteredProjection, aggregates: u32) -> Result<Retried, ProjectorError> {
        let name = projection.name();
        let checkpoint = Checkpoints::new(self.pool.clone(), name);
        let heads: Vec<(String, String, i64)> =
            sqlx::query_as(HEADS).bind(name).bind(i64::from(aggregates)).fetch_all(&self.pool).await?;
        let mut applied = 0;
        for (aggregate_type, aggregate_id, first) in heads {
            let mut transaction = begin(&self.pool).await?;
            // Whoever holds this row is the only one who writes live rows.
            let reached = checkpoint.lock(&mut transaction).await?;
            let generation = generation::live(&mut *transaction, name).await?;
            let mut events =
                read_stream_after_within(&self.database, &mut transaction, &aggregate_type, &aggregate_id, first - 1)
                    .await?;
            // The projector brings the others.
            events.retain(|event| event.cursor <= reached);
            applied += apply(projection, &mut transaction, generation, &events).await?.freed;
            transaction.commit().await?;
        }
        Ok(Retried { applied, parked: self.count(Some(projection)).await? })
    }
}

/// An event that could not be applied just now.
#[derive(Debug)]
pub(crate) struct Parking {
    event: RecordedEvent,
    error: ProjectionError,
}

impl Parking {
    pub(crate) fn new(event: &RecordedEvent, error: ProjectionError) -> Self {
        Self { event: event.clone(), error }
    }

    /// Reports it to the operator. Called once the transaction is committed.
    pub(crate) fn report(&self, projection: &'static str) {
        let Self { event, error } = self;
        tracing::error!(
            projection, cursor = %event.cursor, event_type = event.event_type, aggregate_id = event.aggregate_id,
            sequence = event.sequence, %error,
            "event parked; `ytcaption replay parked` lists what is parked and says what to do"
        );
        ytcaption_telemetry::metrics::event_parked(projection);
    }
}

/// Parks events. One that is parked already keeps the time at which that happened.
pub(crate) async fn park(
    connection: &mut PgConnection,
    projection: &str,
    generation: i32,
    parkings: &[Parking],
) -> Result<(), sqlx::Error> {
    for Parking { event, error } in parkings {
        sqlx::query(PARK)
            .bind(projection)
            .bind(generation)
            .bind(&event.aggregate_type)
            .bind(&event.aggregate_id)
            .bind(as_bigint(event.sequence))
            .bind(event.cursor.transaction_id.to_string())
            .bind(event.cursor.position)
            .bind(&event.event_type)
            .bind(&event.event_version)
            .bind(error.is_blocked())
            .bind(error.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Takes events that are applied now off the list; returns how many were on it.
pub(crate) async fn forget(
    executor: impl PgExecutor<'_>,
    projection: &str,
    generation: i32,
    applied: &[&RecordedEvent],
) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query(FORGET)
        .bind(projection)
        .bind(generation)
        .bind(applied.iter().map(|event| event.aggregate_type.as_str()).collect::<Vec<_>>())
        .bind(applied.iter().map(|event| event.aggregate_id.as_str()).collect::<Vec<_>>())
        .bind(applied.iter().map(|event| as_bigint(event.sequence)).collect::<Vec<_>>())
        .execute(executor)
        .await?;
    Ok(forgotten.rows_affected())
}

/// How many events are parked in a generation.
pub(crate) async fn count_parked(
    executor: impl PgExecutor<'_>,
    projection: &str,
    generation: i32,
) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM parked_events WHERE projection = $1 AND generation = $2")
        .bind(projection)
        .bind(generation)
        .fetch_one(executor)
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// How many events are parked in a generation that are not parked in another.
pub(crate) async fn count_parked_only_in(
    executor: impl PgExecutor<'_>,
    projection: &str,
    generation: i32,
    other: i32,
) -> Result<u64, sqlx::Error> {
    let count: i64 =
        sqlx::query_scalar(COUNT_ONLY_IN).bind(projection).bind(generation).bind(other).fetch_one(executor).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

impl FromRow<'_, PgRow> for ParkedEvent {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let tx: String = row.try_get("tx")?;
        let tx =
            tx.parse().map_err(|error| sqlx::Error::ColumnDecode { index: "tx".into(), source: Box::new(error) })?;
        Ok(Self {
            projection: row.try_get("projection")?,
            cursor: Cursor { transaction_id: tx, position: row.try_get("position")? },
            aggregate_type: row.try_get("aggregate_type")?,
            aggregate_id: row.try_get("aggregate_id")?,
            sequence: row.try_get("sequence")?,
            event_type: row.try_get("event_type")?,
            event_version: row.try_get("event_version")?,
            blocked: row.try_get("blocked")?,
            error: row.try_get("error")?,
            parked_at: row.try_get("parked_at")?,
            retried_at: row.try_get("retried_at")?,
        })
    }
}

fn as_text<S: serde::Serializer>(cursor: &Cursor, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cursor)
}
