//! How read models lie in their tables.

use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, PgExecutor, Row};
use uuid::Uuid;
use ytcaption_domain::captions::Segment;
use ytcaption_domain::{AccountId, JobId};

use crate::JobView;
use crate::generation::live_generation;
use crate::transcript::Chunks;

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
            task: word(row, "task")?,
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
            warning: row.try_get("warning")?,
            error_stage: row.try_get("error_stage")?,
            error_code: row.try_get("error_code")?,
            error_message: row.try_get("error_message")?,
            retry_at: row.try_get("retry_at")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            ended_at: row.try_get("ended_at")?,
            version: row.try_get("version")?,
            delivery_version: row.try_get("delivery_version")?,
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

/// The columns of `jobs` that this program knows; a newer schema may have more. Named one by one, so that a schema that
/// lacks one is noticed, and a column added while the program runs changes no prepared statement.
macro_rules! job_columns {
    () => {
        "generation, job_id, account, status, source_kind, source_name, title, language, task, detected_language, \
         priority, model, webhook_url, webhook_status, webhook_attempts, download_attempt, download_percent, chunks, \
         chunks_done, segments, duration_ms, warning, error_stage, error_code, error_message, retry_at, created_at, \
         updated_at, ended_at, version, delivery_version"
    };
}
pub(crate) use job_columns;

/// A column that can change after the job's creation stands in the last list as well.
const SAVE_JOBS: &str = concat!(
    "INSERT INTO jobs (",
    job_columns!(),
    ") SELECT ",
    job_columns!(),
    " FROM jsonb_populate_recordset(NULL::jobs, $1)
    ON CONFLICT (generation, job_id) DO UPDATE SET
        status = excluded.status, title = excluded.title, detected_language = excluded.detected_language,
        model = excluded.model, webhook_status = excluded.webhook_status,
        webhook_attempts = excluded.webhook_attempts, download_attempt = excluded.download_attempt,
        download_percent = excluded.download_percent, chunks = excluded.chunks,
        chunks_done = excluded.chunks_done, segments = excluded.segments, duration_ms = excluded.duration_ms,
        warning = excluded.warning, error_stage = excluded.error_stage, error_code = excluded.error_code,
        error_message = excluded.error_message, retry_at = excluded.retry_at, updated_at = excluded.updated_at,
        ended_at = excluded.ended_at, version = excluded.version, delivery_version = excluded.delivery_version"
);

const SAVE_CHUNKS: &str = "
    INSERT INTO transcript_chunks (generation, job_id, chunk, language, segments)
    SELECT generation, job_id, chunk, language, segments FROM jsonb_populate_recordset(NULL::transcript_chunks, $1)
    ON CONFLICT (generation, job_id, chunk) DO NOTHING";

/// A row of `jobs`.
#[derive(Serialize)]
struct JobRow<'a> {
    generation: i32,
    #[serde(flatten)]
    view: &'a JobView,
}

/// A row of `transcript_chunks`.
#[derive(Debug, Serialize)]
pub(crate) struct ChunkRow {
    pub(crate) generation: i32,
    pub(crate) job_id: JobId,
    pub(crate) chunk: u32,
    pub(crate) language: String,
    pub(crate) segments: Vec<Segment>,
}

pub(crate) async fn save_jobs(
    executor: impl PgExecutor<'_>,
    generation: i32,
    views: impl Iterator<Item = &JobView>,
) -> Result<(), sqlx::Error> {
    let rows: Vec<JobRow<'_>> = views.map(|view| JobRow { generation, view }).collect();
    if !rows.is_empty() {
        sqlx::query(SAVE_JOBS).bind(Json(rows)).execute(executor).await?;
    }
    Ok(())
}

pub(crate) async fn save_chunks(executor: impl PgExecutor<'_>, rows: &[ChunkRow]) -> Result<(), sqlx::Error> {
    if !rows.is_empty() {
        sqlx::query(SAVE_CHUNKS).bind(Json(rows)).execute(executor).await?;
    }
    Ok(())
}

/// Jobs of one generation.
pub(crate) async fn load_jobs(
    executor: impl PgExecutor<'_>,
    generation: i32,
    ids: &[JobId],
) -> Result<Vec<JobView>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query_as(concat!("SELECT ", job_columns!(), " FROM jobs WHERE generation = $1 AND job_id = ANY($2)"))
        .bind(generation)
        .bind(ids)
        .fetch_all(executor)
        .await
}

/// A job as queries see it.
pub(crate) async fn find_job(executor: impl PgExecutor<'_>, id: JobId) -> Result<Option<JobView>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT ",
        job_columns!(),
        " FROM jobs WHERE generation = ",
        live_generation!(),
        " AND job_id = $1"
    ))
    .bind(id.0)
    .fetch_optional(executor)
    .await
}

/// The text of a job's chunks as queries see it.
pub(crate) async fn find_chunks(executor: impl PgExecutor<'_>, id: JobId) -> Result<Chunks, sqlx::Error> {
    let chunks: Vec<(i32, Json<Vec<Segment>>)> = sqlx::query_as(concat!(
        "SELECT chunk, segments FROM transcript_chunks WHERE generation = ",
        live_generation!(),
        " AND job_id = $1"
    ))
    .bind(id.0)
    .fetch_all(executor)
    .await?;
    Ok(chunks.into_iter().filter_map(|(chunk, Json(segments))| Some((u32::try_from(chunk).ok()?, segments))).collect())
}
