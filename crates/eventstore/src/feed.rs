//! All events in commit order, without gaps.
//!
//! Positions are given out before transactions commit, so a reader that only requests greater positions misses
//! whatever commits late. This feed orders by (transaction, position) and stops at the oldest open transaction:
//! everything before that horizon is final.

use std::fmt;
use std::str::FromStr;

use sqlx::PgPool;

use crate::recorded::{column_error, read_all, stored_events};
use crate::{Database, RecordedEvent};

/// A position in the feed; `Cursor::default()` is before the first event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// Postgres transaction id (`xid8`) of the append.
    pub transaction_id: u64,
    /// Insertion order within and across transactions.
    pub position: i64,
}

impl Cursor {
    /// The cursor in the columns `transaction_id::text` and `position`.
    pub(crate) fn from_row(transaction_id: &str, position: i64) -> Result<Self, sqlx::Error> {
        let transaction_id = transaction_id.parse().map_err(|error| column_error("transaction_id", error))?;
        Ok(Self { transaction_id, position })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.transaction_id, self.position)
    }
}

/// A text that is not a cursor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a valid cursor; expected <transaction>-<position>")]
pub struct CursorParseError(String);

impl FromStr for Cursor {
    type Err = CursorParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('-')
            .and_then(|(tx, position)| {
                Some(Self { transaction_id: tx.parse().ok()?, position: position.parse().ok()? })
            })
            .ok_or_else(|| CursorParseError(text.to_owned()))
    }
}

/// Reads all events in commit order.
#[derive(Debug, Clone)]
pub struct Feed {
    database: Database,
}

impl Feed {
    /// A feed over the events of a database.
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone() }
    }

    /// Up to `limit` events after a cursor, oldest first; none if everything final has been read.
    ///
    /// # Errors
    /// The database does not answer, or a row cannot be read.
    pub async fn after(&self, cursor: Cursor, limit: u32) -> Result<Vec<RecordedEvent>, sqlx::Error> {
        let page = stored_events!(
            "WHERE (e.transaction_id, e.position) > ($1::text::xid8, $2)
               AND e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
             ORDER BY e.transaction_id, e.position LIMIT $3",
            cursor.transaction_id.to_string(),
            cursor.position,
            i64::from(limit),
        );
        read_all(page.fetch_all(self.database.pool()).await?, self.database.data_keys())
    }

    /// How many events there are after a cursor, counted up to `limit`; those that readers do not see yet count too.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lag(&self, cursor: Cursor, limit: u32) -> Result<u64, sqlx::Error> {
        lag(self.database.pool(), cursor, limit).await
    }
}

pub(crate) async fn lag(pool: &PgPool, cursor: Cursor, limit: u32) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (
               SELECT 1 AS event FROM events WHERE (transaction_id, position) > ($1::text::xid8, $2) LIMIT $3) AS behind"#,
        cursor.transaction_id.to_string(),
        cursor.position,
        i64::from(limit),
    );
    Ok(u64::try_from(count.fetch_one(pool).await?).unwrap_or_default())
}

/// The oldest transaction that is still open: everything before it is final.
pub(crate) async fn horizon(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let horizon = sqlx::query_scalar!(r#"SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS "horizon!""#);
    horizon.fetch_one(pool).await?.parse().map_err(|error| column_error("horizon", error))
}
