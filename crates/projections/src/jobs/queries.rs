//! The queries of clients on jobs and transcripts: each within one account.

use cqrs_es::Aggregate;
use sqlx::PgPool;
use ytcaption_domain::captions::Transcript;
use ytcaption_domain::job::{Job, JobEvent, JobStatus};
use ytcaption_domain::{AccountId, JobId};
use ytcaption_eventstore::{Database, DecodeError, read_stream_after};

use super::transcript::{self, Chunks};
use super::{JobPage, JobView, PageCursor, rows};
use crate::cut_page;
use crate::streams::as_bigint;

/// Why a query has no result.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
    /// The job has events that this program cannot read.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
}

/// Which jobs of an account to list; the default is all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct JobFilter {
    /// Only jobs of this status.
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
    database: Database,
    pool: PgPool,
}

impl JobQueries {
    /// Queries over a database.
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), pool: database.pool().clone() }
    }

    /// One job of an account, as its latest event left it; `None` if the account has no such job. What the projector has
    /// not reached yet is folded on top of its row, so a client sees at once what it has just done, and never a step
    /// back. Its text is read with [`Self::transcript`].
    ///
    /// # Errors
    /// The database does not answer, or the job's first event cannot be read.
    pub async fn find(&self, account: &AccountId, id: JobId) -> Result<Option<JobSnapshot>, QueryError> {
        let mut view = rows::find_job(&self.pool, id).await?;
        if view.as_ref().is_some_and(|view| view.account != *account) {
            return Ok(None);
        }
        let mut newest = Chunks::new();
        let projected = view.as_ref().map_or(0, |view| as_bigint(view.version));
        for recorded in read_stream_after(&self.database, Job::TYPE, &id.to_string(), projected).await? {
            let events: Vec<JobEvent> = match recorded.decode() {
                Ok(events) => events,
                // The projector parks such an event for an operator; the job is shown as it was before.
                Err(_) if view.is_some() => break,
                Err(error) => return Err(error.into()),
            };
            if JobView::apply(&mut view, &recorded, &events).is_err() {
                break;
            }
            newest.extend(transcript::chunks(&events));
        }
        Ok(view.filter(|view| view.account == *account).map(|view| JobSnapshot { view, newest }))
    }

    /// Jobs of an account, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn page(
        &self,
        account: &AccountId,
        filter: JobFilter,
        after: Option<PageCursor>,
        limit: u32,
    ) -> Result<JobPage, QueryError> {
        // One more than requested shows whether there is a next page.
        let mut jobs = rows::list_jobs(&self.pool, account, filter.status, after, i64::from(limit) + 1).await?;
        let next = cut_page(&mut jobs, limit, PageCursor::after);
        Ok(JobPage { jobs, next })
    }

    /// The transcript of a job that was found; `None` unless it is completed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn transcript(&self, snapshot: JobSnapshot) -> Result<Option<Transcript>, QueryError> {
        let JobSnapshot { view, newest } = snapshot;
        if view.status != JobStatus::Completed {
            return Ok(None);
        }
        let mut chunks = rows::find_chunks(&self.pool, view.job_id).await?;
        chunks.extend(newest);
        // Chunks are missing if a rebuild that left events parked was switched to just now: no text with holes.
        Ok(transcript::assemble(view, chunks))
    }

    /// Makes sure that queries can be answered: the database is there, and its schema.
    ///
    /// # Errors
    /// They cannot.
    pub async fn check(&self) -> Result<(), QueryError> {
        Ok(rows::check(&self.pool).await?)
    }
}
