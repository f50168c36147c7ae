//! Compares a live read model with one that was just built from the events, row by row, at the same event.

use serde::Serialize;
use serde_json::Value;
use sqlx::{PgPool, Postgres, Transaction};
use ytcaption_eventstore::{Cursor, begin, begin_with};

use crate::projection::Table;
use crate::{Rebuild, RebuildError, RegisteredProjection, difference};

/// Differing rows fetched at a time.
const PAGE_ROWS: u32 = 500;

/// One place at which the live read model is not what the events say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Which row of it.
    pub key: String,
    /// Which member of it, with the path below it where that is a document; empty where one of the rows is missing.
    pub column: String,
    /// Its value in the live read model; null if there is none.
    pub live: Value,
    /// The value that follows from the events; null if there is none.
    pub rebuilt: Value,
}

/// Two read models of the same moment, side by side.
#[derive(Debug)]
pub struct Comparison {
    /// Sees both as they were at that moment, and blocks no writer.
    snapshot: Transaction<'static, Postgres>,
    /// Tables whose differences are still to be fetched, each with the name of its cursor; the next one last.
    remaining: Vec<(&'static str, String)>,
    /// The last event that both have seen.
    pub at: Cursor,
    /// Rows of the live read model.
    pub rows: u64,
}

impl Rebuild {
    /// Compares what was built with the live read model, at the event that the latter has reached by now.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn compare(&mut self) -> Result<Comparison, RebuildError> {
        while self.advance_to_live().await? {}
        // No projector writes the live one while it is reached and a snapshot of both is opened.
        let mut holder = begin(&self.pool).await?;
        let at = self.checkpoint.lock(&mut holder).await?;
        while self.advance_to(Some(at)).await? {}
        let generations = [self.live, self.generation];
        let comparison = Comparison::open(&self.pool, &self.projection, generations, at).await?;
        holder.rollback().await?;
        Ok(comparison)
    }
}

impl Comparison {
    async fn open(
        pool: &PgPool,
        projection: &RegisteredProjection,
        generations: [i32; 2],
        at: Cursor,
    ) -> Result<Self, sqlx::Error> {
        let mut snapshot = begin_with(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let (mut rows, mut remaining) = (0, vec![]);
        for Table { name, key, row, is_shared } in projection.tables() {
            let of_projection = if is_shared { format!(" AND projection = '{projection}'") } else { String::new() };
            let [live, rebuilt] = generations.map(|generation| {
                format!(
                    "SELECT {key} AS key, {row} AS row FROM {name} t WHERE generation = {generation}{of_projection}"
                )
            });
            let count: i64 =
                sqlx::query_scalar(&format!("SELECT count(*) FROM ({live}) l")).fetch_one(&mut *snapshot).await?;
            rows += u64::try_from(count).unwrap_or_default();
            let cursor = format!("differing_{name}");
            let differing = format!(
                "DECLARE {cursor} CURSOR FOR
                 SELECT coalesce(l.key, r.key) AS key, l.row AS live, r.row AS rebuilt
                   FROM ({live}) l FULL JOIN ({rebuilt}) r ON l.key = r.key
                  WHERE l.row IS DISTINCT FROM r.row ORDER BY 1"
            );
            sqlx::query(&differing).execute(&mut *snapshot).await?;
            remaining.push((name, cursor));
        }
        remaining.reverse();
        Ok(Self { snapshot, remaining, at, rows })
    }

    /// The next differences, table by table and row by row; `None` after the last.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Difference>>, RebuildError> {
        while let Some((table, cursor)) = self.remaining.last() {
            let fetch = format!("FETCH {PAGE_ROWS} FROM {cursor}");
            let rows: Vec<(String, Option<Value>, Option<Value>)> =
                sqlx::query_as(&fetch).fetch_all(&mut *self.snapshot).await?;
            if rows.is_empty() {
                self.remaining.pop();
                continue;
            }
            let differences = rows.into_iter().flat_map(|(key, live, rebuilt)| differences(table, &key, live, rebuilt));
            return Ok(Some(differences.collect()));
        }
        Ok(None)
    }
}

/// How the two rows of a key differ.
fn differences(table: &'static str, key: &str, live: Option<Value>, rebuilt: Option<Value>) -> Vec<Difference> {
    let at = |column: String, live, rebuilt| Difference { table, key: key.to_owned(), column, live, rebuilt };
    match (live, rebuilt) {
        (Some(live), Some(rebuilt)) => difference(&live, &rebuilt)
            .into_iter()
            .map(|change| at(change.path.trim_start_matches('/').to_owned(), change.before, change.after))
            .collect(),
        (live, rebuilt) => vec![at(String::new(), live.unwrap_or_default(), rebuilt.unwrap_or_default())],
    }
}
