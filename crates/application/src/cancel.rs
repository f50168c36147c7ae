//! Use case: stop a job.

use ytcaption_domain::JobId;
use ytcaption_domain::job::{JobCommand, JobRejection, JobStatus};
use ytcaption_eventstore::CommandError;

use crate::permissions::{Permission, PermissionDenied};
use crate::request::checked_text;
use crate::{Commands, FieldError, GetError, JobAccepted, Principal, StoreError};

/// Longest reason, in characters.
const MAX_REASON_CHARS: usize = 500;

/// Why a job is not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// The caller may not cancel jobs.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// The reason is too long or has control characters.
    #[error(transparent)]
    InvalidReason(FieldError),
    /// The account has no such job.
    #[error("there is no job {0}")]
    NotFound(JobId),
    /// There is nothing left to cancel.
    #[error("the job is {status}")]
    AlreadyEnded {
        /// The job.
        job: JobId,
        /// `completed` or `failed`.
        status: JobStatus,
    },
    /// The job rejects the command for another reason; none is known.
    #[error("the job rejects the command: {0}")]
    Rejected(JobRejection),
    /// Other commands kept changing the job; the same request may succeed in a second.
    #[error("other commands keep changing the job")]
    Busy,
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Commands {
    /// Stops a job; `reason`, at most 500 characters, is recorded in the client's own words. Cancelling a cancelled job
    /// is a no-op.
    ///
    /// # Errors
    /// See [`CancelError`].
    pub async fn cancel(
        &self,
        principal: &Principal,
        job: JobId,
        reason: Option<&str>,
    ) -> Result<JobAccepted, CancelError> {
        principal.require(Permission::CancelJob)?;
        let reason = reason
            .map(|reason| checked_text("reason", reason, MAX_REASON_CHARS))
            .transpose()
            .map_err(|detail| CancelError::InvalidReason(FieldError { field: "reason", detail }))?;
        let view = self.queries.find(principal, job).await?;
        let context = principal.context(self.ids.new_id());
        let executed =
            self.jobs.execute(job.0, JobCommand::Cancel { reason }, &context).await.map_err(|error| match error {
                CommandError::Rejected(JobRejection::AlreadyEnded(status)) => CancelError::AlreadyEnded { job, status },
                CommandError::Rejected(JobRejection::NotFound) => CancelError::NotFound(job),
                CommandError::Rejected(other) => CancelError::Rejected(other),
                CommandError::Conflict => CancelError::Busy,
                CommandError::Unavailable(cause) => StoreError::Unavailable(cause).into(),
                CommandError::Unstorable(cause) => StoreError::Unstorable(cause).into(),
                CommandError::Unreadable(cause) => StoreError::Unreadable(cause).into(),
            })?;
        let status = executed.aggregate.status.unwrap_or(view.status);
        Ok(JobAccepted { job, status, created_at: view.created_at })
    }
}

impl From<GetError> for CancelError {
    fn from(error: GetError) -> Self {
        match error {
            GetError::Denied(denied) => Self::Denied(denied),
            GetError::NotFound(job) => Self::NotFound(job),
            GetError::Store(error) => Self::Store(error),
        }
    }
}
