//! Events that could not be applied, kept where an operator sees them until they can be.
//!
//! A parked event blocks the later events of its own aggregate, which are parked behind it, and nothing else: a job is
//! shown as it was before the event rather than shown wrong.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgExecutor, PgPool};
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
        let page = sqlx::query!(
            r#"SELECT p.transaction_id::text AS "tx!", projection, position, aggregate_type, aggregate_id, sequence,
                      event_type, event_version, blocked, error, parked_at, retried_at
                 FROM parked_events p
                WHERE ($1::text IS NULL OR projection = $1) AND generation = live_generation(projection)
                  AND (p.blocked, p.transaction_id, p.position, p.projection) > ($2, $3::text::xid8, $4, $5)
                ORDER BY p.blocked, p.transaction_id, p.position, p.projection LIMIT $6"#,
            projection.map(RegisteredProjection::name),
            blocked,
            cursor.transaction_id.to_string(),
            cursor.position,
            after,
            i64::from(limit),
        );
        let rows = page.fetch_all(&self.pool).await?;
        let events = rows.into_iter().map(|row| {
            let transaction_id = row.tx.parse().map_err(|error| column_error("transaction_id", error))?;
            Ok(ParkedEvent {
                projection: row.projection,
                cursor: Cursor { transaction_id, position: row.position },
                aggregate_type: row.aggregate_type,
                aggregate_id: row.aggregate_id,
                sequence: row.sequence,
                event_type: row.event_type,
                event_version: row.event_version,
                blocked: row.blocked,
                error: row.error,
                parked_at: row.parked_at,
                retried_at: row.retried_at,
            })
        });
        events.collect()
    }

    /// How many there are, of one projection or of all.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count(&self, projection: Option<&RegisteredProjection>) -> Result<u64, sqlx::Error> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM parked_events
                WHERE ($1::text IS NULL OR projection = $1) AND generation = live_generation(projection)"#,
            projection.map(RegisteredProjection::name),
        );
        let count = count.fetch_one(&self.pool).await?;
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
        // The first of each aggregate. Jobs come before deliveries: a delivery cannot be applied before its job.
        let heads = sqlx::query!(
            r#"SELECT aggregate_type, aggregate_id, first AS "first!"
                 FROM (SELECT aggregate_type, aggregate_id, min(sequence) AS first FROM parked_events
                        WHERE projection = $1 AND generation = live_generation($1)
                        GROUP BY 1, 2 ORDER BY min(coalesce(retried_at, parked_at)) LIMIT $2) heads
                ORDER BY aggregate_type DESC"#,
            name,
            i64::from(aggregates),
        );
        let heads = heads.fetch_all(&self.pool).await?;
        let mut applied = 0;
        for head in heads {
            let mut transaction = begin(&self.pool).await?;
            // Only the process that holds this row writes live rows.
            let reached = checkpoint.lock(&mut transaction).await?;
            let generation = generation::live(&mut *transaction, name).await?;
            let mut events = read_stream_after_within(
                &self.database,
                &mut transaction,
                &head.aggregate_type,
                &head.aggregate_id,
                head.first - 1,
            )
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
        let park = sqlx::query!(
            "INSERT INTO parked_events (projection, generation, aggregate_type, aggregate_id, sequence, transaction_id,
                                        position, event_type, event_version, blocked, error)
             VALUES ($1, $2, $3, $4, $5, $6::text::xid8, $7, $8, $9, $10, $11)
             ON CONFLICT (projection, generation, aggregate_type, aggregate_id, sequence)
             DO UPDATE SET blocked = excluded.blocked, error = excluded.error, retried_at = now()",
            projection,
            generation,
            event.aggregate_type,
            event.aggregate_id,
            as_bigint(event.sequence),
            event.cursor.transaction_id.to_string(),
            event.cursor.position,
            event.event_type,
            event.event_version,
            error.is_blocked(),
            error.to_string(),
        );
        park.execute(&mut *connection).await?;
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
    let types: Vec<&str> = applied.iter().map(|event| event.aggregate_type.as_str()).collect();
    let ids: Vec<&str> = applied.iter().map(|event| event.aggregate_id.as_str()).collect();
    let sequences: Vec<i64> = applied.iter().map(|event| as_bigint(event.sequence)).collect();
    let forget = sqlx::query!(
        "DELETE FROM parked_events p USING UNNEST($3::text[], $4::text[], $5::bigint[]) AS e(type, id, sequence)
          WHERE p.projection = $1 AND p.generation = $2 AND p.aggregate_type = e.type AND p.aggregate_id = e.id
            AND p.sequence = e.sequence",
        projection,
        generation,
        types as Vec<&str>,
        ids as Vec<&str>,
        &sequences,
    );
    Ok(forget.execute(executor).await?.rows_affected())
}

/// How many events are parked in a generation.
pub(crate) async fn count_parked(
    executor: impl PgExecutor<'_>,
    projection: &str,
    generation: i32,
) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM parked_events WHERE projection = $1 AND generation = $2"#,
        projection,
        generation,
    );
    let count = count.fetch_one(executor).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// How many events are parked in a generation that are not parked in another.
pub(crate) async fn count_parked_only_in(
    executor: impl PgExecutor<'_>,
    projection: &str,
    generation: i32,
    other: i32,
) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM parked_events p WHERE projection = $1 AND generation = $2 AND NOT EXISTS
               (SELECT 1 FROM parked_events o WHERE o.projection = $1 AND o.generation = $3
                   AND (o.aggregate_type, o.aggregate_id, o.sequence) = (p.aggregate_type, p.aggregate_id, p.sequence))"#,
        projection,
        generation,
        other,
    );
    let count = count.fetch_one(executor).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

fn as_text<S: serde::Serializer>(cursor: &Cursor, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cursor)
}

fn column_error(column: &str, source: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) }
}
