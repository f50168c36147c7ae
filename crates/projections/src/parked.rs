//! Events that a projector could not apply, kept where an operator sees them.

use sqlx::PgExecutor;
use ytcaption_eventstore::RecordedEvent;

pub(crate) async fn park(
    executor: impl PgExecutor<'_>,
    projection: &'static str,
    event: &RecordedEvent,
    error: &str,
) -> Result<(), sqlx::Error> {
    tracing::error!(
        projection, cursor = %event.cursor, event_type = event.event_type, aggregate_id = event.aggregate_id, error,
        "event parked: the read model goes on without it"
    );
    ytcaption_telemetry::metrics::event_parked(projection);
    sqlx::query(
        "INSERT INTO parked_events
             (projection, transaction_id, position, aggregate_type, aggregate_id, event_type, error)
         VALUES ($1, $2::text::xid8, $3, $4, $5, $6, $7)
         ON CONFLICT (projection, transaction_id, position) DO UPDATE SET error = excluded.error",
    )
    .bind(projection)
    .bind(event.cursor.transaction_id.to_string())
    .bind(event.cursor.position)
    .bind(&event.aggregate_type)
    .bind(&event.aggregate_id)
    .bind(&event.event_type)
    .bind(error)
    .execute(executor)
    .await?;
    Ok(())
}
