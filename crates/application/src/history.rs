//! Use cases: what happened to a job, and the job as it was.

use ytcaption_domain::JobId;
use ytcaption_eventstore::RecordedEvent;
use ytcaption_projections::{self as projections, AsOf, Change, JobAt, JobHistory, Timeline, difference};

use crate::permissions::{Permission, PermissionDenied};
use crate::{GetError, Principal, Queries, StoreError};

/// What changed in a job between two moments.
#[derive(Debug, Clone, PartialEq)]
pub struct JobDifference {
    /// Version of the job at the first moment.
    pub from_version: u64,
    /// Version of the job at the second moment.
    pub to_version: u64,
    /// The facts that differ.
    pub changes: Vec<Change>,
}

/// Why a job cannot be shown as it was.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The caller may not read jobs.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// The account has no such job.
    #[error("there is no job {0} in this store")]
    NotFound(JobId),
    /// The job has no such version, or did not exist at that time.
    #[error("{0}")]
    NoSuchVersion(String),
    /// The events of the job do not follow from each other.
    #[error("{0}")]
    Inconsistent(String),
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Queries {
    /// Every event of a job and of the deliveries to its webhook, oldest first.
    ///
    /// # Errors
    /// See [`GetError`].
    pub async fn events(&self, principal: &Principal, job: JobId) -> Result<Vec<RecordedEvent>, GetError> {
        principal.require(Permission::ReadJobs)?;
        Ok(self.history(principal, job).await?.events().to_vec())
    }

    /// What happened to a job, as a timeline: who gave which command, what waited, failed and was retried.
    ///
    /// # Errors
    /// See [`GetError`].
    pub async fn explain(&self, principal: &Principal, job: JobId) -> Result<Timeline, GetError> {
        principal.require(Permission::ReadJobs)?;
        Ok(self.history(principal, job).await?.timeline())
    }

    /// A job as it was at a moment, or as it is if there is none.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn at(&self, principal: &Principal, job: JobId, at: Option<AsOf>) -> Result<JobAt, HistoryError> {
        principal.require(Permission::ReadJobs)?;
        let history = self.history(principal, job).await?;
        // The newest record is the present: the clock of the database may be ahead of this one.
        let newest = || history.events().iter().map(|event| event.recorded_at).max().map(AsOf::Time);
        let moment = at.or_else(newest).ok_or(HistoryError::NotFound(job))?;
        Ok(history.at(moment)?)
    }

    /// What changed in a job from one moment to another.
    ///
    /// # Errors
    /// See [`HistoryError`].
    pub async fn difference(
        &self,
        principal: &Principal,
        job: JobId,
        from: AsOf,
        to: AsOf,
    ) -> Result<JobDifference, HistoryError> {
        principal.require(Permission::ReadJobs)?;
        let history = self.history(principal, job).await?;
        let (from, to) = (history.at(from)?, history.at(to)?);
        let changes = difference(&from.facts(), &to.facts());
        Ok(JobDifference { from_version: from.version, to_version: to.version, changes })
    }

    /// The history of a job of the account.
    pub(crate) async fn history(&self, principal: &Principal, job: JobId) -> Result<JobHistory, GetError> {
        tracing::Span::current().record("job_id", tracing::field::display(job));
        JobHistory::load(&self.events, &principal.account, job).await.map_err(|error| match error {
            projections::HistoryError::NotFound(job) => GetError::NotFound(job),
            other => StoreError::unavailable(other).into(),
        })
    }
}

impl From<GetError> for HistoryError {
    fn from(error: GetError) -> Self {
        match error {
            GetError::Denied(denied) => Self::Denied(denied),
            GetError::NotFound(job) => Self::NotFound(job),
            GetError::Store(error) => Self::Store(error),
        }
    }
}

impl From<projections::HistoryError> for HistoryError {
    fn from(error: projections::HistoryError) -> Self {
        use projections::HistoryError as Source;
        match error {
            Source::NotFound(job) => Self::NotFound(job),
            Source::UnknownVersion { .. } | Source::BeforeCreation { .. } => Self::NoSuchVersion(error.to_string()),
            Source::Inconsistent(_) => Self::Inconsistent(error.to_string()),
            Source::Unreadable(error) => Self::Store(error.into()),
            Source::Unavailable(error) => Self::Store(StoreError::unavailable(error)),
        }
    }
}
