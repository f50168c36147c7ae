//! Events that could not be applied, kept where an operator sees them until they can.
//!
//! A parked event holds up the later events of its own aggregate, which are parked behind it, and nothing else: a job is
//! shown as it was before the event rather than told wrong.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool, Row};
use utoipa::ToSchema;
use ytcaption_eventstore::{Checkpoints, Cursor, Database, RecordedEvent, begin, read_stream_after_within};

use crate::apply::apply;
use crate::generation::{self, JOBS, live_generation};
use crate::{Misfit, ParkedCursor, ProjectionError};

/// An event that could not be applied.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ParkedEvent {
    /// The projection that could not apply it.
    #[schema(example = "jobs")]
    pub projection: String,
    /// Its place in the feed.
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String, example = "742-1205")]
    pub cursor: Cursor,
    /// Kind of its aggregate: `job` or `delivery`.
    #[schema(example = "job")]
    pub aggregate_type: String,
    /// Identity of its aggregate.
    pub aggregate_id: String,
    /// Its place in the aggregate's life, from 1.
    #[schema(example = 2)]
    pub sequence: i64,
    /// Its name.
    #[schema(example = "DownloadStarted")]
    pub event_type: String,
    /// Version of its shape.
    #[schema(example = "9")]
    pub event_version: String,
    /// Nothing is wrong with the event itself: it waits behind an earlier one.
    pub waits: bool,
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

/// The parked events of the live read model.
#[derive(Debug, Clone)]
pub struct ParkedEvents {
    database: Database,
    pool: PgPool,
    checkpoint: Checkpoints,
}

macro_rules! of_live {
    () => {
        concat!("projection = 'jobs' AND generation = ", live_generation!())
    };
}

const LIST: &str = concat!(
    "SELECT p.transaction_id::text AS tx, projection, position, aggregate_type, aggregate_id, sequence, event_type,
            event_version, waits, error, parked_at, retried_at
       FROM parked_events p WHERE ",
    of_live!(),
    " AND (p.waits, p.transaction_id, p.position) > ($1, $2::text::xid8, $3)
       ORDER BY p.waits, p.transaction_id, p.position LIMIT $4"
);

const COUNT: &str = concat!("SELECT count(*) FROM parked_events WHERE ", of_live!());

/// Jobs come before deliveries: a delivery cannot be applied before the job that it tells of.
const HEADS: &str = concat!(
    "SELECT aggregate_type, aggregate_id, first
       FROM (SELECT aggregate_type, aggregate_id, min(sequence) AS first FROM parked_events WHERE ",
    of_live!(),
    "         GROUP BY 1, 2 ORDER BY min(coalesce(retried_at, parked_at)) LIMIT $1) heads
      ORDER BY aggregate_type DESC"
);

const PARK: &str = "
    INSERT INTO parked_events (projection, generation, aggregate_type, aggregate_id, sequence, transaction_id,
                               position, event_type, event_version, waits, error)
    VALUES ($1, $2, $3, $4, $5, $6::text::xid8, $7, $8, $9, $10, $11)
    ON CONFLICT (projection, generation, aggregate_type, aggregate_id, sequence)
    DO UPDATE SET waits = excluded.waits, error = excluded.error, retried_at = now()";

const FORGET: &str = "
    DELETE FROM parked_events p USING UNNEST($3::text[], $4::text[], $5::bigint[]) AS e(type, id, sequence)
     WHERE p.projection = $1 AND p.generation = $2 AND p.aggregate_type = e.type AND p.aggregate_id = e.id
       AND p.sequence = e.sequence";

impl ParkedEvents {
    /// Those of a database.
    pub fn new(database: &Database) -> Self {
        let pool = database.pool().clone();
        Self { database: database.clone(), checkpoint: Checkpoints::new(pool.clone(), JOBS), pool }
    }

    /// Up to `limit` of them: those that are to blame first, then those that wait; each in the order of the feed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list(&self, limit: u32) -> Result<Vec<ParkedEvent>, sqlx::Error> {
        self.after(ParkedCursor::default(), limit).await
    }

    /// The same, beginning after a place.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn after(&self, cursor: ParkedCursor, limit: u32) -> Result<Vec<ParkedEvent>, sqlx::Error> {
        let ParkedCursor { waits, place } = cursor;
        sqlx::query_as(LIST)
            .bind(waits)
            .bind(place.transaction_id.to_string())
            .bind(place.position)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
    }

    /// How many there are.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count(&self) -> Result<u64, sqlx::Error> {
        let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&self.pool).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Tries parked events again, each aggregate's in their order and in one transaction; of at most so many
    /// aggregates, those first that were not tried for the longest time.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn retry(&self, aggregates: u32) -> Result<Retried, ProjectionError> {
        let heads: Vec<(String, String, i64)> =
            sqlx::query_as(HEADS).bind(i64::from(aggregates)).fetch_all(&self.pool).await?;
        let mut applied = 0;
        for (aggregate_type, aggregate_id, first) in heads {
            let mut transaction = begin(&self.pool).await?;
            // Whoever holds this row is the only one who writes live rows.
            let reached = self.checkpoint.lock(&mut transaction).await?;
            let generation = generation::live(&mut *transaction).await?;
            let mut events =
                read_stream_after_within(&self.database, &mut transaction, &aggregate_type, &aggregate_id, first - 1)
                    .await?;
            // The projector brings the others.
            events.retain(|event| event.cursor <= reached);
            applied += apply(&mut transaction, generation, &events).await?.freed;
            transaction.commit().await?;
        }
        Ok(Retried { applied, parked: self.count().await? })
    }
}

/// An event that could not be applied just now.
#[derive(Debug)]
pub(crate) struct Parking {
    event: RecordedEvent,
    misfit: Misfit,
}

impl Parking {
    pub(crate) fn new(event: &RecordedEvent, misfit: Misfit) -> Self {
        Self { event: event.clone(), misfit }
    }

    /// Tells the operator. Called once it is certain.
    pub(crate) fn report(&self) {
        let Self { event, misfit } = self;
        tracing::error!(
            projection = JOBS, cursor = %event.cursor, event_type = event.event_type, aggregate_id = event.aggregate_id,
            sequence = event.sequence, error = %misfit,
            "event parked; `ytcaption replay parked` lists what is parked and says what to do"
        );
        ytcaption_telemetry::metrics::event_parked(JOBS);
    }
}

/// Parks events. One that is parked already keeps the time at which that happened.
pub(crate) async fn park(
    connection: &mut PgConnection,
    generation: i32,
    parkings: &[Parking],
) -> Result<(), sqlx::Error> {
    for Parking { event, misfit } in parkings {
        sqlx::query(PARK)
            .bind(JOBS)
            .bind(generation)
            .bind(&event.aggregate_type)
            .bind(&event.aggregate_id)
            .bind(i64::try_from(event.sequence).unwrap_or(i64::MAX))
            .bind(event.cursor.transaction_id.to_string())
            .bind(event.cursor.position)
            .bind(&event.event_type)
            .bind(&event.event_version)
            .bind(misfit.only_waits())
            .bind(misfit.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Takes events that are applied now off the list.
pub(crate) async fn forget<'e>(
    executor: impl PgExecutor<'_>,
    generation: i32,
    applied: impl Iterator<Item = &'e RecordedEvent> + Clone,
) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query(FORGET)
        .bind(JOBS)
        .bind(generation)
        .bind(applied.clone().map(|event| event.aggregate_type.as_str()).collect::<Vec<_>>())
        .bind(applied.clone().map(|event| event.aggregate_id.as_str()).collect::<Vec<_>>())
        .bind(applied.map(|event| i64::try_from(event.sequence).unwrap_or(i64::MAX)).collect::<Vec<_>>())
        .execute(executor)
        .await?;
    Ok(forgotten.rows_affected())
}

/// How many events are parked in a generation that are not parked in another.
pub(crate) async fn parked_only_in(
    executor: impl PgExecutor<'_>,
    generation: i32,
    other: i32,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM parked_events p WHERE projection = $1 AND generation = $2 AND NOT EXISTS
             (SELECT 1 FROM parked_events o WHERE o.projection = $1 AND o.generation = $3
                 AND (o.aggregate_type, o.aggregate_id, o.sequence) = (p.aggregate_type, p.aggregate_id, p.sequence))",
    )
    .bind(JOBS)
    .bind(generation)
    .bind(other)
    .fetch_one(executor)
    .await
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
            waits: row.try_get("waits")?,
            error: row.try_get("error")?,
            parked_at: row.try_get("parked_at")?,
            retried_at: row.try_get("retried_at")?,
        })
    }
}

fn as_text<S: serde::Serializer>(cursor: &Cursor, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cursor)
}
