//! How far back to go when the stream has lost messages: everything that unfinished work still needs.

use sqlx::PgPool;
use uuid::Uuid;
use ytcaption_domain::delivery::delivery_id;
use ytcaption_eventstore::Cursor;

/// The first event of the oldest job that has not ended.
const OLDEST_OPEN_JOB: &str = "
    SELECT e.transaction_id::text, e.position FROM events e
     WHERE e.aggregate_type = 'job' AND e.sequence = 1
       AND NOT EXISTS (SELECT 1 FROM events t
                        WHERE t.aggregate_type = 'job' AND t.aggregate_id = e.aggregate_id
                          AND t.event_type IN ('TranscriptionCompleted', 'TranscriptionFailed', 'JobCancelled'))
     ORDER BY e.transaction_id, e.position LIMIT 1";

/// Events that end a job with a webhook, oldest first.
const ENDS_WITH_WEBHOOK: &str = "
    SELECT e.transaction_id::text AS tx, e.position, e.metadata->>'event_id' AS event_id FROM events e
      JOIN events c ON c.aggregate_type = 'job' AND c.aggregate_id = e.aggregate_id AND c.sequence = 1
     WHERE e.aggregate_type = 'job'
       AND e.event_type IN ('TranscriptionCompleted', 'TranscriptionFailed', 'JobCancelled')
       AND c.payload->>'webhook_url' IS NOT NULL
     ORDER BY e.transaction_id, e.position";

/// Which of these deliveries have ended.
const ENDED_DELIVERIES: &str = "
    SELECT aggregate_id FROM events
     WHERE aggregate_type = 'delivery' AND aggregate_id = ANY($1)
       AND event_type IN ('WebhookDelivered', 'WebhookAbandoned')";

/// The place before the oldest event that is needed again; none if nothing is.
pub(super) async fn target(pool: &PgPool) -> Result<Option<Cursor>, sqlx::Error> {
    let job: Option<(String, i64)> = sqlx::query_as(OLDEST_OPEN_JOB).fetch_optional(pool).await?;
    let oldest = [job.map(before).transpose()?, oldest_open_delivery(pool).await?];
    Ok(oldest.into_iter().flatten().min())
}

async fn oldest_open_delivery(pool: &PgPool) -> Result<Option<Cursor>, sqlx::Error> {
    let ends: Vec<(String, i64, String)> = sqlx::query_as(ENDS_WITH_WEBHOOK).fetch_all(pool).await?;
    let delivery = |event_id: &str| delivery_id(event_id.parse().unwrap_or(Uuid::nil())).to_string();
    let ids: Vec<String> = ends.iter().map(|(_, _, event_id)| delivery(event_id)).collect();
    let ended: Vec<String> = sqlx::query_scalar(ENDED_DELIVERIES).bind(&ids).fetch_all(pool).await?;
    let ended: std::collections::HashSet<String> = ended.into_iter().collect();
    let open = ends.into_iter().zip(ids).find(|(_, id)| !ended.contains(id));
    open.map(|((tx, position, _), _)| before((tx, position))).transpose()
}

fn before((tx, position): (String, i64)) -> Result<Cursor, sqlx::Error> {
    let transaction_id =
        tx.parse().map_err(|error| sqlx::Error::ColumnDecode { index: "tx".to_owned(), source: Box::new(error) })?;
    Ok(Cursor { transaction_id, position: position - 1 })
}
