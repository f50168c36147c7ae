//! Use case: do a job that failed or was cancelled once more.

use cqrs_es::Aggregate;
use ytcaption_blobstore::{BlobError, BlobKey};
use ytcaption_domain::JobId;
use ytcaption_domain::job::{Job, JobCommand, JobEvent, JobStatus, MediaSource};
use ytcaption_eventstore::read_event;

use crate::permissions::{Permission, PermissionDenied};
use crate::{Commands, GetError, IdempotencyKey, JobAccepted, Principal, StoreError, SubmitError};

/// Why a job is not done once more.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The caller may not submit jobs.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// The account has no such job.
    #[error("there is no job {0}")]
    NotFound(JobId),
    /// Only a job that failed or was cancelled is done once more.
    #[error("the job is {status}")]
    NotRetryable {
        /// The job.
        job: JobId,
        /// Its status.
        status: JobStatus,
    },
    /// What the job was made of is erased, or its upload is no longer in the blob store.
    #[error("the media that job {0} was made of is gone")]
    MediaGone(JobId),
    /// The blob store does not answer.
    #[error("the blob store does not answer: {0}")]
    StorageUnavailable(String),
    /// No new job is created.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl Commands {
    /// Creates a job with the source, options, priority and webhook of a job that failed or was cancelled. The first
    /// job stays as it is; the new one names it in `retry_of`. With an idempotency key, a repeated request returns the
    /// job that the first request has created; without one, each request creates a job.
    ///
    /// # Errors
    /// See [`RetryError`].
    pub async fn retry(
        &self,
        principal: &Principal,
        job: JobId,
        key: Option<&IdempotencyKey>,
    ) -> Result<JobAccepted, RetryError> {
        principal.require(Permission::SubmitJob)?;
        let view = self.queries.find(principal, job).await?;
        if !matches!(view.status, JobStatus::Failed | JobStatus::Cancelled) {
            return Err(RetryError::NotRetryable { job, status: view.status });
        }
        let first = read_event(&self.queries.database, Job::TYPE, &job.to_string(), 1).await;
        let first = first.map_err(StoreError::unavailable)?.ok_or(RetryError::NotFound(job))?;
        if first.erased {
            return Err(RetryError::MediaGone(job));
        }
        let events: Vec<JobEvent> = first.decode().map_err(StoreError::from)?;
        let command = events.into_iter().find_map(|event| once_more(event, job)).ok_or(RetryError::NotFound(job))?;
        self.require_upload(job, &command).await?;
        Ok(self.create(principal, command, None, key).await?)
    }

    /// A job without its upload would only fail once more.
    async fn require_upload(&self, job: JobId, command: &JobCommand) -> Result<(), RetryError> {
        let JobCommand::Create { source: MediaSource::Upload { key, .. }, .. } = command else { return Ok(()) };
        let key = BlobKey::new(key.clone()).map_err(|_| RetryError::MediaGone(job))?;
        match self.blobs.info(&key).await {
            Ok(_) => Ok(()),
            Err(BlobError::NotFound { .. }) => Err(RetryError::MediaGone(job)),
            Err(error) => Err(RetryError::StorageUnavailable(error.to_string())),
        }
    }
}

/// The command that creates the same job again.
fn once_more(event: JobEvent, job: JobId) -> Option<JobCommand> {
    let JobEvent::JobCreated { account, source, options, priority, webhook_url, retry_of: _ } = event else {
        return None;
    };
    Some(JobCommand::Create { account, source, options, priority, webhook_url, retry_of: Some(job) })
}

impl From<GetError> for RetryError {
    fn from(error: GetError) -> Self {
        match error {
            GetError::Denied(denied) => Self::Denied(denied),
            GetError::NotFound(job) => Self::NotFound(job),
            GetError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for RetryError {
    fn from(error: StoreError) -> Self {
        Self::Submit(SubmitError::Store(error))
    }
}
