//! Use case: accept media for captioning.

use chrono::{DateTime, Utc};
use ytcaption_domain::JobId;
use ytcaption_domain::job::{JobCommand, JobOptions, JobRejection, JobStatus, MediaSource};
use ytcaption_eventstore::CommandError;

use crate::permissions::{Permission, PermissionDenied};
use crate::{Commands, IdempotencyKey, Principal, StoreError, StoredUpload, SubmitTranscription, idempotency};

/// A job that was accepted or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobAccepted {
    /// The job.
    pub job: JobId,
    /// Its status after the command.
    pub status: JobStatus,
    /// When the job was created.
    pub created_at: DateTime<Utc>,
}

/// Why no job is created.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The caller may not submit jobs.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// There must be a URL or an upload, and not both.
    #[error("give the URL of the media or upload it as a file, one of both")]
    NotOneSource,
    /// A different submission has used the idempotency key.
    #[error("the idempotency key has created job {job} from a different request; use a new key for a new request")]
    KeyReused {
        /// The job that was created under the key.
        job: JobId,
    },
    /// A job with this id exists; a new id did not suffice.
    #[error("other commands keep changing the job")]
    Busy,
    /// The job rejects the command; no reason for it is known.
    #[error("the job rejects the command: {0}")]
    Rejected(JobRejection),
    /// The store gave no answer. If an upload belongs to the submission, it is kept: the job may exist all the same.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Commands {
    /// Creates a job. With an idempotency key, a repeated submission returns the job that the first one has created.
    ///
    /// Must be polled to its end: dropped before, it may leave a job without its upload.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub async fn submit(
        &self,
        principal: &Principal,
        request: SubmitTranscription,
        upload: Option<StoredUpload>,
        key: Option<&IdempotencyKey>,
    ) -> Result<JobAccepted, SubmitError> {
        principal.require(Permission::SubmitJob)?;
        let source = match (&upload, request.url) {
            (Some(upload), None) => upload.source.clone(),
            (None, Some(url)) => MediaSource::Url { url },
            (Some(_), Some(_)) | (None, None) => return Err(SubmitError::NotOneSource),
        };
        let command = JobCommand::Create {
            account: principal.account.clone(),
            source,
            options: JobOptions::Transcription(request.transcription),
            priority: request.priority,
            webhook_url: request.webhook_url,
            retry_of: None,
        };
        self.create(principal, command, upload, key).await
    }

    /// Gives the command that creates a job; the id follows from the idempotency key if there is one.
    pub(crate) async fn create(
        &self,
        principal: &Principal,
        command: JobCommand,
        upload: Option<StoredUpload>,
        key: Option<&IdempotencyKey>,
    ) -> Result<JobAccepted, SubmitError> {
        let job = key.map_or_else(|| JobId(self.ids.new_id()), |key| key.job_id(&principal.account));
        tracing::Span::current().record("job_id", tracing::field::display(job));
        let context = principal.context(self.ids.new_id());
        let outcome = self.jobs.create(job.0, command.clone(), &context).await;
        // The upload of a job that was not created is deleted as it is dropped. When the store did not answer, the job
        // may exist all the same: it is looked for once the store answers.
        match (upload, &outcome) {
            (Some(upload), Ok(_)) => upload.keep(),
            (Some(upload), Err(CommandError::Unavailable(_))) => upload.delete_unless_used(&self.queries.database, job),
            _ => {}
        }
        match outcome {
            Ok(executed) => {
                let status = executed.aggregate.status.unwrap_or(JobStatus::Pending);
                tracing::info!("job accepted");
                Ok(JobAccepted { job, status, created_at: executed.decided_at })
            }
            Err(CommandError::Conflict) if key.is_some() => {
                idempotency::earlier_job(&self.queries, principal, job, &command).await
            }
            Err(CommandError::Conflict) => Err(SubmitError::Busy),
            Err(CommandError::Rejected(rejection)) => Err(SubmitError::Rejected(rejection)),
            Err(CommandError::Unavailable(cause)) => Err(StoreError::Unavailable(cause).into()),
            Err(CommandError::Unstorable(cause)) => Err(StoreError::Unstorable(cause).into()),
            Err(CommandError::Unreadable(cause)) => Err(StoreError::Unreadable(cause).into()),
        }
    }
}
