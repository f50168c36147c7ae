//! The one error that handlers return.

use axum::response::{IntoResponse, Response};
use ytcaption_blobstore::BlobError;
use ytcaption_domain::JobId;
use ytcaption_domain::job::{JobRejection, JobStatus};
use ytcaption_eventstore::{CommandError, DecodeError};
use ytcaption_projections::{AsOf, QueryError};

use super::document::Extensions;
use super::kind::ProblemKind;
use super::{Fault, Faults, JobError};
use crate::transcriptions::status_url;

/// A part of the system that requests depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dependency {
    /// The event store and the read models.
    Postgres,
    /// The blob store.
    Storage,
}

impl Dependency {
    /// Its name in answers, the same as in `/health/ready`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Storage => "storage",
        }
    }
}

/// Why a request is not answered as asked; its text becomes the `detail` of the problem.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("The body cannot be read: {0}. Mend it and send it again.")]
    MalformedBody(String),
    #[error("{}", summary(.0))]
    InvalidParameter(Vec<Fault>),
    #[error("The upload broke off before the whole file had arrived; nothing was stored. Send it again.")]
    UploadBrokenOff(String),
    #[error("The request was sent by a page of another web site, and such requests are refused.")]
    CrossSite,
    #[error("There is nothing at this address. /docs lists all that there is.")]
    NoSuchPage,
    #[error("There is no job {0}. GET /api/v1/transcriptions lists those that there are.")]
    JobNotFound(JobId),
    #[error(
        "This server sees no models on its own disk and cannot tell which the workers have; `ytcaption models list` on \
         the machine of a worker can. The operator may give this server the folder of the workers (models.directory)."
    )]
    ModelsNotSeen(String),
    #[error("This address does not know the method; the header Allow lists those that it knows.")]
    MethodNotAllowed,
    #[error("The header Accept allows none of text/plain, application/x-subrip, text/vtt and application/json.")]
    NotAcceptable,
    #[error("The job is {status}. Ask again at status_url until it is completed.")]
    JobNotCompleted { job: JobId, status: JobStatus },
    #[error("At {moment} the job was {status}, and there were no captions. Leave `at` out to get those of today.")]
    JobWasNotCompleted { job: JobId, status: JobStatus, moment: AsOf },
    #[error("The job failed: {}", .error.message)]
    JobFailed { job: JobId, error: JobError },
    #[error("The job was cancelled, so there are no captions. Submit the recording again.")]
    JobCancelled { job: JobId },
    #[error("The job is {status}, so there is nothing left to cancel.")]
    JobAlreadyEnded { job: JobId, status: JobStatus },
    #[error("The body is larger than the {limit} bytes that are taken. Send less, or have the limit raised.")]
    TooLarge { limit: u64 },
    #[error("{0} Send application/json or multipart/form-data and name it in the header Content-Type.")]
    UnsupportedMediaType(String),
    #[error(
        "This server does not answer to the name `{0}`. Ask for localhost or an IP address; if the name is this \
         server's own, its operator adds it to the setting api.allowed_hosts."
    )]
    ForeignHost(String),
    #[error("{}", summary(.0))]
    InvalidRequest(Vec<Fault>),
    #[error("This Idempotency-Key has created a job from a different request. Use a new key for a new request.")]
    IdempotencyKeyReused { job: JobId },
    #[error(
        "This address has as many streams open as one client may. Close one, come back in a few seconds, or ask \
         status_url now and then instead."
    )]
    TooManyStreamsOfClient,
    #[error("{0}")]
    UnreadableJob(String),
    #[error("The server made a mistake. Report it with the request_id.")]
    Internal(String),
    #[error("{} is not available at the moment. Repeat the request in a few seconds.", .dependency.as_str())]
    Unavailable { dependency: Dependency, cause: String },
    #[error("The job is being changed by others. Repeat the request in a second.")]
    Busy,
    #[error("The answer took longer than {0} seconds and was given up. Repeat the request in a few seconds.")]
    TimedOut(u64),
    #[error("As many streams are open as this server takes. Come back in a few seconds, or ask status_url instead.")]
    TooManyStreams,
}

fn summary(faults: &[Fault]) -> String {
    match faults {
        [one] => one.detail.clone(),
        many => format!("There are {} faults; `errors` lists them all.", many.len()),
    }
}

impl ApiError {
    /// Faults of fields in the body.
    pub(crate) fn invalid(faults: Faults) -> Self {
        Self::InvalidRequest(faults.0)
    }

    /// A single faulty field.
    pub(crate) fn invalid_field(name: &str, detail: impl Into<String>) -> Self {
        let mut faults = Faults::default();
        faults.of_field(name, detail);
        Self::invalid(faults)
    }

    /// A command's failure.
    pub(crate) fn of_command(job: JobId, error: CommandError<JobRejection>) -> Self {
        match error {
            CommandError::Rejected(JobRejection::NotFound) => Self::JobNotFound(job),
            CommandError::Rejected(JobRejection::AlreadyEnded(status)) => Self::JobAlreadyEnded { job, status },
            // The commands of clients meet no other rejection.
            CommandError::Rejected(other) => Self::Internal(other.to_string()),
            CommandError::Conflict => Self::Busy,
            CommandError::Unavailable(cause) => Self::Unavailable { dependency: Dependency::Postgres, cause },
            CommandError::Unreadable(fault) => Self::unreadable(&fault),
        }
    }

    fn unreadable(fault: &str) -> Self {
        Self::UnreadableJob(format!("The job cannot be read here: {fault}. Other jobs are not affected."))
    }

    pub(super) const fn kind(&self) -> ProblemKind {
        match self {
            Self::MalformedBody(_) => ProblemKind::MalformedBody,
            Self::InvalidParameter(_) => ProblemKind::InvalidParameter,
            Self::UploadBrokenOff(_) => ProblemKind::UploadBrokenOff,
            Self::CrossSite => ProblemKind::CrossSite,
            Self::NoSuchPage => ProblemKind::NoSuchPage,
            Self::JobNotFound(_) => ProblemKind::JobNotFound,
            Self::ModelsNotSeen(_) => ProblemKind::ModelsNotSeen,
            Self::MethodNotAllowed => ProblemKind::MethodNotAllowed,
            Self::NotAcceptable => ProblemKind::NotAcceptable,
            Self::JobNotCompleted { .. } | Self::JobWasNotCompleted { .. } => ProblemKind::JobNotCompleted,
            Self::JobFailed { .. } => ProblemKind::JobFailed,
            Self::JobCancelled { .. } => ProblemKind::JobCancelled,
            Self::JobAlreadyEnded { .. } => ProblemKind::JobAlreadyEnded,
            Self::TooLarge { .. } => ProblemKind::TooLarge,
            Self::UnsupportedMediaType(_) => ProblemKind::UnsupportedMediaType,
            Self::ForeignHost(_) => ProblemKind::ForeignHost,
            Self::InvalidRequest(_) => ProblemKind::InvalidRequest,
            Self::IdempotencyKeyReused { .. } => ProblemKind::IdempotencyKeyReused,
            Self::TooManyStreamsOfClient => ProblemKind::TooManyStreamsOfClient,
            Self::UnreadableJob(_) => ProblemKind::UnreadableJob,
            Self::Internal(_) => ProblemKind::Internal,
            Self::Unavailable { .. } => ProblemKind::Unavailable,
            Self::Busy => ProblemKind::Busy,
            Self::TimedOut(_) => ProblemKind::TimedOut,
            Self::TooManyStreams => ProblemKind::TooManyStreams,
        }
    }

    /// The members that only some problems have.
    pub(super) fn extensions(&self) -> Extensions {
        let none = Extensions::default();
        let about = |job: &JobId| Extensions { status_url: Some(status_url(*job)), ..Extensions::default() };
        match self {
            Self::InvalidParameter(errors) | Self::InvalidRequest(errors) => {
                Extensions { errors: errors.clone(), ..none }
            }
            Self::JobNotCompleted { job, status }
            | Self::JobWasNotCompleted { job, status, .. }
            | Self::JobAlreadyEnded { job, status } => Extensions { job_status: Some((*status).into()), ..about(job) },
            Self::JobFailed { job, error } => {
                Extensions { job_status: Some(JobStatus::Failed.into()), job_error: Some(error.clone()), ..about(job) }
            }
            Self::JobCancelled { job } => Extensions { job_status: Some(JobStatus::Cancelled.into()), ..about(job) },
            Self::IdempotencyKeyReused { job } => about(job),
            Self::TooLarge { limit } => Extensions { limit_bytes: Some(*limit), ..none },
            Self::Unavailable { dependency, .. } => Extensions { dependency: Some(dependency.as_str()), ..none },
            _ => none,
        }
    }

    /// What went wrong inside, for the log and not for the client.
    pub(super) fn cause(&self) -> Option<&str> {
        match self {
            Self::Internal(cause)
            | Self::Unavailable { cause, .. }
            | Self::UploadBrokenOff(cause)
            | Self::ModelsNotSeen(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Unavailable(cause) => cause.into(),
            QueryError::Unreadable(cause) => cause.into(),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable { dependency: Dependency::Postgres, cause: error.to_string() }
    }
}

impl From<DecodeError> for ApiError {
    fn from(error: DecodeError) -> Self {
        Self::unreadable(&error.to_string())
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::TooLarge { limit } => Self::TooLarge { limit },
            BlobError::Source(cause) => Self::UploadBrokenOff(cause.to_string()),
            BlobError::Unreachable { .. } | BlobError::Io(_) => {
                Self::Unavailable { dependency: Dependency::Storage, cause: error.to_string() }
            }
            // Keys are made here and fingerprints by the store.
            BlobError::NotFound { .. } | BlobError::InvalidKey { .. } | BlobError::Corrupt { .. } => {
                Self::Internal(error.to_string())
            }
        }
    }
}

impl IntoResponse for ApiError {
    /// Only the status and the error itself: [`super::render`] writes the document, as it knows the request.
    fn into_response(self) -> Response {
        let mut response = self.kind().entry().status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
