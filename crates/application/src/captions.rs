//! Use case: the captions of a completed job, in a format.

use serde::Serialize;
use utoipa::ToSchema;
use ytcaption_domain::JobId;
use ytcaption_domain::captions::{CueStyle, Format, HighlightError, Transcript};
use ytcaption_domain::job::JobStatus;
use ytcaption_projections::{AsOf, JobSnapshot, JobView};

use crate::permissions::{Permission, PermissionDenied};
use crate::{GetError, HistoryError, Principal, Queries, StoreError};

/// A job that was completed at the requested moment, found for its captions.
#[derive(Debug)]
pub struct CompletedJob {
    /// The job. Its version changes whenever its captions may have.
    pub view: JobView,
    text: Text,
}

/// Where the text of a completed job is.
#[derive(Debug)]
enum Text {
    /// In the read model and in the events that it has not applied yet.
    Stored(Box<JobSnapshot>),
    /// Folded from the events up to a moment.
    Past(Option<Transcript>),
}

/// Why the latest attempt at a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobFailure {
    /// Name of the step that failed: `download` or `transcribe`.
    #[schema(example = "download")]
    pub step: String,
    /// Stable identifier for programs.
    #[schema(example = "no_audio_track")]
    pub code: String,
    /// What happened and what to do next.
    #[schema(example = "The video has no audio track, so there is nothing to transcribe.")]
    pub message: String,
}

/// Why there are no captions.
#[derive(Debug, thiserror::Error)]
pub enum CaptionsError {
    /// The caller may not read jobs.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// The account has no such job.
    #[error("there is no job {0}")]
    NotFound(JobId),
    /// The job has no such version, or did not exist at that time.
    #[error("{0}")]
    NoSuchVersion(String),
    /// The job has not ended, or had not ended at the requested moment.
    #[error("the job is {status}")]
    NotCompleted {
        /// The job.
        job: JobId,
        /// Its status, at that moment if there is one.
        status: JobStatus,
        /// The requested moment; absent if that is now.
        at: Option<AsOf>,
    },
    /// The job failed.
    #[error("the job failed: {}", .failure.message)]
    Failed {
        /// The job.
        job: JobId,
        /// Why.
        failure: JobFailure,
    },
    /// The job was cancelled.
    #[error("the job was cancelled")]
    Cancelled(JobId),
    /// The format or the transcript has no times of words.
    #[error(transparent)]
    Highlight(#[from] HighlightError),
    /// The read model has lost text of the job since the job was found: a rebuild has replaced it. A repeated request
    /// may succeed.
    #[error("the text of the job is not there at the moment")]
    TextMissing,
    /// The events of the job do not follow from each other.
    #[error("{0}")]
    Inconsistent(String),
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Queries {
    /// Finds a job that is completed, or was at the moment `at`, without reading its text yet.
    ///
    /// # Errors
    /// See [`CaptionsError`].
    pub async fn completed(
        &self,
        principal: &Principal,
        job: JobId,
        at: Option<AsOf>,
    ) -> Result<CompletedJob, CaptionsError> {
        principal.require(Permission::ReadJobs)?;
        let completed = match at {
            None => {
                let snapshot = self.snapshot(principal, job).await?;
                CompletedJob { view: snapshot.view.clone(), text: Text::Stored(Box::new(snapshot)) }
            }
            Some(moment) => {
                let history = self.history(principal, job).await?;
                let view = history.at(moment).map_err(HistoryError::from)?.view;
                let text = Text::Past(history.transcript_at(moment).map_err(HistoryError::from)?);
                CompletedJob { view, text }
            }
        };
        require_completed(&completed.view, at)?;
        Ok(completed)
    }

    /// The captions of a completed job as a file of the given format; `style` shapes the cues of SRT, VTT, ASS and LRC.
    ///
    /// # Errors
    /// See [`CaptionsError`].
    pub async fn captions(&self, job: CompletedJob, format: Format, style: &CueStyle) -> Result<String, CaptionsError> {
        let transcript = match job.text {
            Text::Stored(snapshot) => self.jobs.transcript(*snapshot).await.map_err(StoreError::from)?,
            Text::Past(transcript) => transcript,
        };
        let transcript = transcript.ok_or(CaptionsError::TextMissing)?;
        Ok(format.write(&transcript, style)?)
    }
}

fn require_completed(view: &JobView, at: Option<AsOf>) -> Result<(), CaptionsError> {
    let job = view.job_id;
    match view.status {
        JobStatus::Completed => Ok(()),
        JobStatus::Cancelled => Err(CaptionsError::Cancelled(job)),
        JobStatus::Failed => Err(match JobFailure::from_view(view) {
            Some(failure) => CaptionsError::Failed { job, failure },
            None => CaptionsError::Inconsistent(format!("job {job} failed without a reason")),
        }),
        status @ (JobStatus::Pending | JobStatus::Downloading | JobStatus::Transcribing) => {
            Err(CaptionsError::NotCompleted { job, status, at })
        }
    }
}

impl JobFailure {
    /// The failure that a job shows, if it shows one.
    pub fn from_view(view: &JobView) -> Option<Self> {
        Some(Self {
            step: view.error_step.clone()?,
            code: view.error_code.clone()?,
            message: view.error_message.clone()?,
        })
    }
}

impl From<GetError> for CaptionsError {
    fn from(error: GetError) -> Self {
        HistoryError::from(error).into()
    }
}

impl From<HistoryError> for CaptionsError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Denied(denied) => Self::Denied(denied),
            HistoryError::NotFound(job) => Self::NotFound(job),
            HistoryError::NoSuchVersion(detail) => Self::NoSuchVersion(detail),
            HistoryError::Inconsistent(detail) => Self::Inconsistent(detail),
            HistoryError::Store(error) => Self::Store(error),
        }
    }
}
