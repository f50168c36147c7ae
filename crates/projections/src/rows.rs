//! How read models lie in their tables.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, PgExecutor, Row};
use ytcaption_domain::captions::Segment;
use ytcaption_domain::{AccountId, JobId};

use crate::JobView;

impl FromRow<'_, PgRow> for JobView {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            job_id: JobId(row.try_get("job_id")?),
            account: AccountId(row.try_get("account")?),
            status: word(row, "status")?,
            source_kind: row.try_get("source_kind")?,
            source_name: row.try_get("source_name")?,
            title: row.try_get("title")?,
            language: row.try_get("language")?,
            detected_language: row.try_get("detected_language")?,
            priority: word(row, "priority")?,
            model: row.try_get("model")?,
            webhook_url: row.try_get("webhook_url")?,
            webhook_status: row.try_get("webhook_status")?,
            webhook_attempts: row.try_get("webhook_attempts")?,
            download_attempt: row.try_get("download_attempt")?,
            download_percent: row.try_get("download_percent")?,
            chunks: row.try_get("chunks")?,
            chunks_done: row.try_get("chunks_done")?,
            segments: row.try_get("segments")?,
            duration_ms: row.try_get("duration_ms")?,
            error_stage: row.try_get("error_stage")?,
            error_code: row.try_get("error_code")?,
            error_message: row.try_get("error_message")?,
            retry_at: row.try_get("retry_at")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            ended_at: row.try_get("ended_at")?,
            version: row.try_get("version")?,
        })
    }
}

/// A column that holds one of a type's words.
fn word<T>(row: &PgRow, column: &str) -> Result<T, sqlx::Error>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.try_get::<String, _>(column)?
        .parse()
        .map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) })
}

/// Columns of `jobs`, in the order in which [`save_job`] binds them.
const SAVE_JOB: &str = "
    INSERT INTO jobs (job_id, account, status, source_kind, source_name, title, language, detected_language,
        priority, model, webhook_url, webhook_status, webhook_attempts, download_attempt, download_percent,
        chunks, chunks_done, segments, duration_ms, error_stage, error_code, error_message, retry_at,
        created_at, updated_at, ended_at, version)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
        $23, $24, $25, $26, $27)
    ON CONFLICT (job_id) DO UPDATE SET
        status = excluded.status, title = excluded.title, detected_language = excluded.detected_language,
        model = excluded.model, webhook_status = excluded.webhook_status,
        webhook_attempts = excluded.webhook_attempts, download_attempt = excluded.download_attempt,
        download_percent = excluded.download_percent, chunks = excluded.chunks,
        chunks_done = excluded.chunks_done, segments = excluded.segments, duration_ms = excluded.duration_ms,
        error_stage = excluded.error_stage, error_code = excluded.error_code,
        error_message = excluded.error_message, retry_at = excluded.retry_at, updated_at = excluded.updated_at,
        ended_at = excluded.ended_at, version = excluded.version";

pub(crate) async fn save_job(executor: impl PgExecutor<'_>, view: &JobView) -> Result<(), sqlx::Error> {
    sqlx::query(SAVE_JOB)
        .bind(view.job_id.0)
        .bind(&view.account.0)
        .bind(view.status.as_str())
        .bind(&view.source_kind)
        .bind(&view.source_name)
        .bind(&view.title)
        .bind(&view.language)
        .bind(&view.detected_language)
        .bind(view.priority.as_str())
        .bind(&view.model)
        .bind(&view.webhook_url)
        .bind(&view.webhook_status)
        .bind(view.webhook_attempts)
        .bind(view.download_attempt)
        .bind(view.download_percent)
        .bind(view.chunks)
        .bind(view.chunks_done)
        .bind(view.segments)
        .bind(view.duration_ms)
        .bind(&view.error_stage)
        .bind(&view.error_code)
        .bind(&view.error_message)
        .bind(view.retry_at)
        .bind(view.created_at)
        .bind(view.updated_at)
        .bind(view.ended_at)
        .bind(view.version)
        .execute(executor)
        .await?;
    Ok(())
}

pub(crate) async fn load_job(executor: impl PgExecutor<'_>, id: JobId) -> Result<Option<JobView>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM jobs WHERE job_id = $1").bind(id.0).fetch_optional(executor).await
}

pub(crate) async fn save_chunk(
    executor: impl PgExecutor<'_>,
    id: JobId,
    chunk: u32,
    language: &str,
    segments: &[Segment],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO transcript_chunks (job_id, chunk, language, segments) VALUES ($1, $2, $3, $4)
         ON CONFLICT (job_id, chunk) DO NOTHING",
    )
    .bind(id.0)
    .bind(i32::try_from(chunk).unwrap_or(i32::MAX))
    .bind(language)
    .bind(Json(segments))
    .execute(executor)
    .await?;
    Ok(())
}

pub(crate) async fn load_chunks(
    executor: impl PgExecutor<'_>,
    id: JobId,
) -> Result<BTreeMap<u32, Vec<Segment>>, sqlx::Error> {
    let chunks: Vec<(i32, Json<Vec<Segment>>)> =
        sqlx::query_as("SELECT chunk, segments FROM transcript_chunks WHERE job_id = $1")
            .bind(id.0)
            .fetch_all(executor)
            .await?;
    Ok(chunks.into_iter().filter_map(|(chunk, Json(segments))| Some((u32::try_from(chunk).ok()?, segments))).collect())
}
