//! How far the seals are behind the events.

use std::time::Duration;

use sqlx::PgPool;

use super::store;
use crate::feed::lag;

/// Events are counted up to here: more would say nothing else and take longer.
const MOST_COUNTED: u32 = 100_000;

/// What no seal covers yet.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SealLag {
    /// How many events, counted up to 100,000.
    pub events: u64,
    /// How long the oldest of them has been in the store.
    pub waiting: Duration,
}

impl SealLag {
    /// The lag at this moment.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn look(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let sealed = store::newest_seal(pool).await?.map(|(_, cursor)| cursor).unwrap_or_default();
        // Events that readers do not see yet count too.
        let waiting = sqlx::query_scalar!(
            r#"SELECT greatest(0, extract(epoch FROM clock_timestamp() - recorded_at))::float8 AS "seconds!" FROM events
                WHERE (transaction_id, position) > ($1::text::xid8, $2) ORDER BY transaction_id, position LIMIT 1"#,
            sealed.transaction_id.to_string(),
            sealed.position,
        );
        let waiting = waiting.fetch_optional(pool).await?;
        let Some(seconds) = waiting else { return Ok(Self::default()) };
        let events = lag(pool, sealed, MOST_COUNTED).await?;
        Ok(Self { events, waiting: Duration::from_secs_f64(seconds) })
    }
}
