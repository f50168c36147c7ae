//! What clients ask of the read models.

use std::collections::BTreeMap;

use cqrs_es::Aggregate;
use sqlx::PgPool;
use ytcaption_domain::captions::{Segment, Transcript};
use ytcaption_domain::job::{Job, JobEvent, JobStatus};
use ytcaption_domain::{AccountId, JobId};
use ytcaption_eventstore::{Database, DecodeError, read_stream};

use crate::{JobView, Page, PageCursor, rows};

/// Language of a recording whose language nobody determined.
const UNDETERMINED: &str = "und";

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
    /// The job has events that this program cannot read.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
}

/// Which jobs to list.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Owner of the jobs.
    pub account: AccountId,
    /// Only jobs that stand there.
    pub status: Option<JobStatus>,
}

/// Reads jobs and transcripts.
#[derive(Debug, Clone)]
pub struct JobQueries {
    pool: PgPool,
}

impl JobQueries {
    /// Queries over a database.
    pub fn new(database: &Database) -> Self {
        Self { pool: database.pool().clone() }
    }

    /// One job. A job that the projector has not reached yet is folded from its events, so a client sees at once
    /// what it has just created.
    ///
    /// # Errors
    /// The database does not answer, or the job's events cannot be read.
    pub async fn find(&self, id: JobId) -> Result<Option<JobView>, QueryError> {
        if let Some(view) = rows::load_job(&self.pool, id).await? {
            return Ok(Some(view));
        }
        Ok(self.fold(id).await?.0)
    }

    /// A job and its segments, straight from its events.
    async fn fold(&self, id: JobId) -> Result<(Option<JobView>, Vec<Segment>), QueryError> {
        let (mut view, mut chunks) = (None, BTreeMap::new());
        for recorded in read_stream(&self.pool, Job::TYPE, &id.to_string()).await? {
            let event: JobEvent = recorded.decode()?;
            view = JobView::fold(view, &recorded, &event);
            if let JobEvent::ChunkTranscribed { chunk, segments, .. } = event {
                chunks.insert(chunk, segments);
            }
        }
        Ok((view, chunks.into_values().flatten().collect()))
    }

    /// Jobs of an account, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn page(&self, filter: &JobFilter, after: Option<PageCursor>, limit: u32) -> Result<Page, QueryError> {
        let mut jobs: Vec<JobView> = sqlx::query_as(
            "SELECT * FROM jobs
              WHERE account = $1 AND ($2::text IS NULL OR status = $2)
                AND ($3::timestamptz IS NULL OR (created_at, job_id) < ($3, $4))
              ORDER BY created_at DESC, job_id DESC LIMIT $5",
        )
        .bind(&filter.account.0)
        .bind(filter.status.map(JobStatus::as_str))
        .bind(after.map(|cursor| cursor.created_at))
        .bind(after.map(|cursor| cursor.job_id.0))
        // One more than asked for tells whether there is a next page.
        .bind(i64::from(limit) + 1)
        .fetch_all(&self.pool)
        .await?;
        let limit = limit as usize;
        let next = if jobs.len() > limit {
            jobs.truncate(limit);
            jobs.last().map(PageCursor::of)
        } else {
            None
        };
        Ok(Page { jobs, next })
    }

    /// The transcript of a completed job; `None` for any other. As in [`Self::find`], the projector need not have
    /// reached the job.
    ///
    /// # Errors
    /// The database does not answer, or the job's events cannot be read.
    pub async fn transcript(&self, id: JobId) -> Result<Option<Transcript>, QueryError> {
        let (view, folded) = match rows::load_job(&self.pool, id).await? {
            Some(view) => (Some(view), None),
            None => self.fold(id).await.map(|(view, segments)| (view, Some(segments)))?,
        };
        let Some(view) = view.filter(|view| view.status == JobStatus::Completed) else { return Ok(None) };
        let segments = match folded {
            Some(segments) => segments,
            None => rows::load_segments(&self.pool, id).await?,
        };
        Ok(Some(Transcript {
            language: view.detected_language.unwrap_or_else(|| UNDETERMINED.to_owned()),
            duration_ms: view.duration_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
            segments,
        }))
    }

    /// How many jobs stand where, for those states that any job stands in.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count_by_status(&self) -> Result<Vec<(JobStatus, u64)>, QueryError> {
        let counts: Vec<(String, i64)> =
            sqlx::query_as("SELECT status, count(*) FROM jobs GROUP BY status").fetch_all(&self.pool).await?;
        Ok(counts
            .into_iter()
            .filter_map(|(status, count)| Some((status.parse().ok()?, u64::try_from(count).ok()?)))
            .collect())
    }
}
