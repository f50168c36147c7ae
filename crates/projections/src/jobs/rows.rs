//! Every statement on the tables `jobs` and `transcript_chunks`.
//!
//! A row of `jobs` is a [`JobView`] as a JSON document in the column `view`; what queries filter or sort by has a column of
//! its own beside it. So a new fact about a job needs no new column.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgExecutor;
use sqlx::types::Json;
use uuid::Uuid;
use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::JobStatus;
use ytcaption_domain::{AccountId, JobId};

use super::{Chunks, JobView, PageCursor};
use crate::streams::as_bigint;

/// Writes these jobs, over those that are there.
pub(super) async fn save_jobs(
    executor: impl PgExecutor<'_>,
    generation: i32,
    views: impl ExactSizeIterator<Item = &JobView>,
) -> Result<(), sqlx::Error> {
    if views.len() == 0 {
        return Ok(());
    }
    let (mut ids, mut accounts, mut statuses): (Vec<Uuid>, Vec<&str>, Vec<&str>) = (vec![], vec![], vec![]);
    let (mut created, mut versions, mut documents): (Vec<DateTime<Utc>>, Vec<i64>, Vec<Value>) =
        (vec![], vec![], vec![]);
    for view in views {
        ids.push(view.job_id.0);
        accounts.push(view.account.0.as_str());
        statuses.push(view.status.as_str());
        created.push(view.created_at);
        versions.push(as_bigint(view.version));
        documents.push(json!(view));
    }
    let save = sqlx::query!(
        "INSERT INTO jobs (generation, job_id, account, status, created_at, version, view)
         SELECT $1::integer, * FROM UNNEST($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::jsonb[])
         ON CONFLICT (generation, job_id) DO UPDATE SET
             status = excluded.status, version = excluded.version, view = excluded.view",
        generation,
        &ids,
        accounts as Vec<&str>,
        statuses as Vec<&str>,
        &created,
        &versions,
        &documents,
    );
    save.execute(executor).await.map(|_| ())
}

/// Writes the text of these chunks; a chunk that is there keeps its text.
pub(super) async fn save_chunks(
    executor: impl PgExecutor<'_>,
    generation: i32,
    chunks: &BTreeMap<JobId, Chunks>,
) -> Result<(), sqlx::Error> {
    let (mut ids, mut indices, mut segments): (Vec<Uuid>, Vec<i32>, Vec<Value>) = (vec![], vec![], vec![]);
    for (id, chunks) in chunks {
        for (index, text) in chunks {
            ids.push(id.0);
            indices.push(i32::try_from(*index).unwrap_or(i32::MAX));
            segments.push(json!(text));
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let save = sqlx::query!(
        "INSERT INTO transcript_chunks (generation, job_id, chunk, segments)
         SELECT $1::integer, * FROM UNNEST($2::uuid[], $3::integer[], $4::jsonb[])
         ON CONFLICT (generation, job_id, chunk) DO NOTHING",
        generation,
        &ids,
        &indices,
        &segments,
    );
    save.execute(executor).await.map(|_| ())
}

/// Jobs of one generation.
pub(crate) async fn load_jobs(
    executor: impl PgExecutor<'_>,
    generation: i32,
    ids: &[JobId],
) -> Result<Vec<JobView>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let views = sqlx::query_scalar!(
        r#"SELECT view AS "view: Json<JobView>" FROM jobs WHERE generation = $1 AND job_id = ANY($2)"#,
        generation,
        &ids,
    );
    Ok(views.fetch_all(executor).await?.into_iter().map(|Json(view)| view).collect())
}

/// A job of any account; the caller compares the account.
pub(super) async fn find_job(executor: impl PgExecutor<'_>, id: JobId) -> Result<Option<JobView>, sqlx::Error> {
    let view = sqlx::query_scalar!(
        r#"SELECT view AS "view: Json<JobView>" FROM jobs WHERE generation = live_generation('jobs') AND job_id = $1"#,
        id.0,
    );
    Ok(view.fetch_optional(executor).await?.map(|Json(view)| view))
}

/// At most `limit` jobs of an account after a cursor, newest first.
pub(super) async fn list_jobs(
    executor: impl PgExecutor<'_>,
    account: &AccountId,
    status: Option<JobStatus>,
    after: Option<PageCursor>,
    limit: i64,
) -> Result<Vec<JobView>, sqlx::Error> {
    let views = sqlx::query_scalar!(
        r#"SELECT view AS "view: Json<JobView>" FROM jobs
            WHERE generation = live_generation('jobs') AND account = $1 AND ($2::text IS NULL OR status = $2)
              AND ($3::timestamptz IS NULL OR (created_at, job_id) < ($3, $4))
            ORDER BY created_at DESC, job_id DESC LIMIT $5"#,
        account.0,
        status.map(JobStatus::as_str),
        after.map(|cursor| cursor.created_at),
        after.map(|cursor| cursor.job_id.0),
        limit,
    );
    Ok(views.fetch_all(executor).await?.into_iter().map(|Json(view)| view).collect())
}

/// The text of the chunks of a job of any account; the caller compares the account.
pub(crate) async fn find_chunks(executor: impl PgExecutor<'_>, id: JobId) -> Result<Chunks, sqlx::Error> {
    let chunks = sqlx::query!(
        r#"SELECT chunk, segments AS "segments: Json<Vec<Segment>>" FROM transcript_chunks
            WHERE generation = live_generation('jobs') AND job_id = $1"#,
        id.0,
    );
    let chunks = chunks.fetch_all(executor).await?;
    Ok(chunks.into_iter().filter_map(|row| Some((u32::try_from(row.chunk).ok()?, row.segments.0))).collect())
}

/// Reads from the table, so that a database whose schema is not there yet is an error.
pub(super) async fn check(executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    let any = sqlx::query_scalar!("SELECT job_id FROM jobs WHERE generation = live_generation('jobs') LIMIT 1");
    any.fetch_optional(executor).await.map(|_| ())
}
