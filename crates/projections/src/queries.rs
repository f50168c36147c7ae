//! What clients ask of the read models.

use cqrs_es::Aggregate;
use sqlx::PgPool;
use ytcaption_domain::captions::Transcript;
use ytcaption_domain::job::{Job, JobEvent, JobStatus};
use ytcaption_domain::{AccountId, JobId};
use ytcaption_eventstore::{Database, DecodeError, read_stream_after};

use crate::generation::live_generation;
use crate::rows::job_columns;
use crate::transcript::{self, Chunks};
use crate::{JobView, Page, PageCursor, cut_page, rows};

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
#[derive(Debug, Clone)]
pub struct JobFilter {
    /// Owner of the jobs.
    pub account: AccountId,
    /// Only jobs that stand there.
    pub status: Option<JobStatus>,
}

/// A job as its latest event left it, with the text that its rows do not have yet.
#[derive(Debug, Clone)]
pub struct JobSnapshot {
    /// The job.
    pub view: JobView,
    /// Text of the chunks that were transcribed since the job's row was written.
    newest: Chunks,
}

/// Reads jobs and transcripts.
#[derive(Debug, Clone)]
pub struct JobQueries {
    pool: PgPool,
    database: Database,
}

impl JobQueries {
    /// Queries over a database.
    pub fn new(database: &Database) -> Self {
        Self { pool: database.pool().clone(), database: database.clone() }
    }

    /// One job, as its latest event left it: what the projector has not reached yet is folded on top of its row, so a
    /// client sees at once what it has just done, and never a step back.
    ///
    /// # Errors
    /// The database does not answer, or the job's first event cannot be read.
    pub async fn find(&self, id: JobId) -> Result<Option<JobView>, QueryError> {
        Ok(self.up_to_date(id).await?.0)
    }

    /// As [`Self::find`], ready for its text to be read with [`Self::transcript_of`].
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn snapshot(&self, id: JobId) -> Result<Option<JobSnapshot>, QueryError> {
        let (view, newest) = self.up_to_date(id).await?;
        Ok(view.map(|view| JobSnapshot { view, newest }))
    }

    /// A job, and the chunks that were transcribed since its row was written.
    async fn up_to_date(&self, id: JobId) -> Result<(Option<JobView>, Chunks), QueryError> {
        let mut view = rows::find_job(&self.pool, id).await?;
        let mut chunks = Chunks::new();
        let projected = view.as_ref().map_or(0, |view| view.version);
        for recorded in read_stream_after(&self.database, Job::TYPE, &id.to_string(), projected).await? {
            let events: Vec<JobEvent> = match recorded.decode() {
                Ok(events) => events,
                // The projector puts such an event aside for an operator; the job is shown as it was before.
                Err(_) if view.is_some() => break,
                Err(error) => return Err(error.into()),
            };
            if JobView::fold(&mut view, &recorded, &events).is_err() {
                break;
            }
            transcript::collect(&mut chunks, events);
        }
        Ok((view, chunks))
    }

    /// Jobs of an account, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn page(&self, filter: &JobFilter, after: Option<PageCursor>, limit: u32) -> Result<Page, QueryError> {
        let mut jobs: Vec<JobView> = sqlx::query_as(concat!(
            "SELECT ",
            job_columns!(),
            " FROM jobs WHERE generation = ",
            live_generation!(),
            "   AND account = $1 AND ($2::text IS NULL OR status = $2)
                AND ($3::timestamptz IS NULL OR (created_at, job_id) < ($3, $4))
              ORDER BY created_at DESC, job_id DESC LIMIT $5"
        ))
        .bind(&filter.account.0)
        .bind(filter.status.map(JobStatus::as_str))
        .bind(after.map(|cursor| cursor.created_at))
        .bind(after.map(|cursor| cursor.job_id.0))
        // One more than asked for tells whether there is a next page.
        .bind(i64::from(limit) + 1)
        .fetch_all(&self.pool)
        .await?;
        let next = cut_page(&mut jobs, limit, PageCursor::of);
        Ok(Page { jobs, next })
    }

    /// The transcript of a completed job; `None` for any other. As in [`Self::find`], the projector need not have
    /// reached the job.
    ///
    /// # Errors
    /// The database does not answer, or the job's events cannot be read.
    pub async fn transcript(&self, id: JobId) -> Result<Option<Transcript>, QueryError> {
        match self.snapshot(id).await? {
            Some(snapshot) => self.transcript_of(snapshot).await,
            None => Ok(None),
        }
    }

    /// The transcript of a job that was read before; `None` unless it is completed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn transcript_of(&self, snapshot: JobSnapshot) -> Result<Option<Transcript>, QueryError> {
        let JobSnapshot { view, newest } = snapshot;
        if view.status != JobStatus::Completed {
            return Ok(None);
        }
        let mut chunks = rows::find_chunks(&self.pool, view.job_id).await?;
        chunks.extend(newest);
        // Chunks are missing if a rebuild that left events parked was switched to just now: no text with holes.
        Ok(transcript::whole(view, chunks))
    }
}
