//! Compares the live read model with one that was just built from the events, row by row, at the same event.

use serde::Serialize;
use serde_json::Value;
use sqlx::{PgPool, Postgres, Transaction};
use ytcaption_eventstore::{Cursor, begin, begin_with};

use crate::generation::JOBS;
use crate::{Rebuild, RebuildError, difference};

/// Differing rows fetched at a time.
const PAGE_ROWS: u32 = 500;

/// A table that is compared: its name, what names a row of it, and columns that may differ.
const COMPARED: [(&str, &str, &str); 3] = [
    ("jobs", "job_id::text", "'{generation}'"),
    ("transcript_chunks", "job_id::text || '/' || chunk", "'{generation}'"),
    // When and with which words something was parked depends on when it was tried, and by which version.
    (
        "parked_events",
        "aggregate_type || '/' || aggregate_id || '/' || sequence",
        "'{generation,error,parked_at,retried_at}'",
    ),
];

/// One place at which the live read model is not what the events say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Which row of it.
    pub key: String,
    /// Which column, with the place in it where it is a document; empty where one of the rows is missing.
    pub column: String,
    /// What stands in the live read model; null if nothing does.
    pub live: Value,
    /// What follows from the events; null if nothing does.
    pub rebuilt: Value,
}

/// Two read models of the same moment, side by side.
#[derive(Debug)]
pub struct Comparison {
    /// Sees both as they were at that moment, and holds nobody up.
    snapshot: Transaction<'static, Postgres>,
    left: Vec<usize>,
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
        // The live one stands still for as long as it takes to reach it and to open a snapshot of both.
        let mut gate = begin(&self.pool).await?;
        let at = self.checkpoint.lock(&mut gate).await?;
        while self.advance_to(Some(at)).await? {}
        let generations = [self.live, self.generation];
        let comparison = Comparison::open(&self.pool, generations, at).await?;
        gate.rollback().await?;
        Ok(comparison)
    }
}

impl Comparison {
    async fn open(pool: &PgPool, generations: [i32; 2], at: Cursor) -> Result<Self, sqlx::Error> {
        let mut snapshot = begin_with(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let mut rows = 0;
        for (number, (table, key, may_differ)) in COMPARED.into_iter().enumerate() {
            let of = |generation: i32| {
                let mine = if table == "parked_events" { format!(" AND projection = '{JOBS}'") } else { String::new() };
                format!(
                    "SELECT {key} AS key, to_jsonb(t) - {may_differ}::text[] AS row FROM {table} t
                      WHERE generation = {generation}{mine}"
                )
            };
            let [live, rebuilt] = generations.map(of);
            let count: i64 =
                sqlx::query_scalar(&format!("SELECT count(*) FROM ({live}) l")).fetch_one(&mut *snapshot).await?;
            rows += u64::try_from(count).unwrap_or_default();
            let differing = format!(
                "DECLARE differing_{number} CURSOR FOR
                 SELECT coalesce(l.key, r.key) AS key, l.row AS live, r.row AS rebuilt
                   FROM ({live}) l FULL JOIN ({rebuilt}) r ON l.key = r.key
                  WHERE l.row IS DISTINCT FROM r.row ORDER BY 1"
            );
            sqlx::query(&differing).execute(&mut *snapshot).await?;
        }
        Ok(Self { snapshot, left: (0..COMPARED.len()).rev().collect(), at, rows })
    }

    /// The next differences, table by table and row by row; `None` after the last.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Difference>>, RebuildError> {
        while let Some(number) = self.left.last().copied() {
            let fetch = format!("FETCH {PAGE_ROWS} FROM differing_{number}");
            let rows: Vec<(String, Option<Value>, Option<Value>)> =
                sqlx::query_as(&fetch).fetch_all(&mut *self.snapshot).await?;
            if rows.is_empty() {
                self.left.pop();
                continue;
            }
            let (table, ..) = COMPARED[number];
            let page = rows.into_iter().flat_map(|(key, live, rebuilt)| of_row(table, &key, live, rebuilt)).collect();
            return Ok(Some(page));
        }
        Ok(None)
    }
}

fn of_row(table: &'static str, key: &str, live: Option<Value>, rebuilt: Option<Value>) -> Vec<Difference> {
    let at = |column: String, live, rebuilt| Difference { table, key: key.to_owned(), column, live, rebuilt };
    match (live, rebuilt) {
        (Some(live), Some(rebuilt)) => difference(&live, &rebuilt)
            .into_iter()
            .map(|change| at(change.path.trim_start_matches('/').to_owned(), change.before, change.after))
            .collect(),
        (live, rebuilt) => vec![at(String::new(), live.unwrap_or_default(), rebuilt.unwrap_or_default())],
    }
}
