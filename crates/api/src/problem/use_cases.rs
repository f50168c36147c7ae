//! How the errors of use cases are answered.

use ytcaption_application::permissions::PermissionDenied;
use ytcaption_application::{
    AuditError, CancelError, CaptionsError, GetError, HistoryError, InvalidIdempotencyKey, ListError, ProgressError,
    RetryError, StoreError, SubmitError, UploadError, UsageError,
};

use super::ApiError;

/// Name of the parameter for a version or time in the past.
const AT: &str = "at";
/// Name of the form's part that holds the media.
const FILE: &str = "file";
/// Names of dependencies, the same as in `/health/ready`.
const POSTGRES: &str = "postgres";
const STORAGE: &str = "storage";

impl From<PermissionDenied> for ApiError {
    fn from(error: PermissionDenied) -> Self {
        Self::PermissionDenied { reason: error.to_string() }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::Unavailable { dependency: POSTGRES, reason },
            StoreError::Unstorable(reason) => Self::Internal { reason },
            StoreError::Unreadable(reason) => Self::UnreadableJob { reason },
        }
    }
}

impl From<GetError> for ApiError {
    fn from(error: GetError) -> Self {
        match error {
            GetError::Denied(denied) => denied.into(),
            GetError::NotFound(job) => Self::JobNotFound { job },
            GetError::Store(error) => error.into(),
        }
    }
}

impl From<ListError> for ApiError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Denied(denied) => denied.into(),
            ListError::Store(error) => error.into(),
        }
    }
}

impl From<UsageError> for ApiError {
    fn from(error: UsageError) -> Self {
        match error {
            UsageError::Denied(denied) => denied.into(),
            UsageError::InvalidPeriod => Self::invalid_parameter("to", error.to_string()),
            UsageError::Store(error) => error.into(),
        }
    }
}

impl From<AuditError> for ApiError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Denied(denied) => denied.into(),
            AuditError::Store(error) => error.into(),
        }
    }
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Denied(denied) => denied.into(),
            HistoryError::NotFound(job) => Self::JobNotFound { job },
            HistoryError::NoSuchVersion(detail) => Self::invalid_parameter(AT, detail),
            HistoryError::Inconsistent(reason) => Self::Internal { reason },
            HistoryError::Store(error) => error.into(),
        }
    }
}

impl From<CaptionsError> for ApiError {
    fn from(error: CaptionsError) -> Self {
        match error {
            CaptionsError::Denied(denied) => denied.into(),
            CaptionsError::NotFound(job) => Self::JobNotFound { job },
            CaptionsError::NoSuchVersion(detail) => Self::invalid_parameter(AT, detail),
            CaptionsError::NotCompleted { job, status, at } => Self::JobNotCompleted { job, status, at },
            CaptionsError::Failed { job, failure } => Self::JobFailed { job, failure },
            CaptionsError::Cancelled(job) => Self::JobCancelled { job },
            CaptionsError::Highlight(error) => Self::invalid_parameter("highlight_words", error.to_string()),
            CaptionsError::TextMissing => Self::Busy,
            CaptionsError::Inconsistent(reason) => Self::Internal { reason },
            CaptionsError::Store(error) => error.into(),
        }
    }
}

impl From<CancelError> for ApiError {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Denied(denied) => denied.into(),
            CancelError::InvalidReason(error) => Self::InvalidRequest { errors: vec![error.into()] },
            CancelError::NotFound(job) => Self::JobNotFound { job },
            CancelError::AlreadyEnded { job, status } => Self::JobAlreadyEnded { job, status },
            CancelError::Rejected(rejection) => Self::Internal { reason: rejection.to_string() },
            CancelError::Busy => Self::Busy,
            CancelError::Store(error) => error.into(),
        }
    }
}

impl From<RetryError> for ApiError {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Denied(denied) => denied.into(),
            RetryError::NotFound(job) => Self::JobNotFound { job },
            RetryError::NotRetryable { job, status } => Self::JobNotRetryable { job, status },
            RetryError::MediaGone(job) => Self::MediaGone { job },
            RetryError::StorageUnavailable(reason) => Self::Unavailable { dependency: STORAGE, reason },
            RetryError::Submit(error) => error.into(),
        }
    }
}

impl From<InvalidIdempotencyKey> for ApiError {
    fn from(error: InvalidIdempotencyKey) -> Self {
        Self::invalid_parameter("Idempotency-Key", error.to_string())
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Denied(denied) => denied.into(),
            UploadError::Empty => Self::invalid_field(FILE, "The file is empty; send the media itself"),
            UploadError::TooLarge { limit } => Self::TooLarge { limit },
            UploadError::BrokenOff(cause) => Self::UploadBrokenOff { reason: cause.to_string() },
            UploadError::Unavailable(reason) => Self::Unavailable { dependency: STORAGE, reason },
            UploadError::Refused(reason) => Self::Internal { reason },
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Denied(denied) => denied.into(),
            SubmitError::NotOneSource => Self::invalid_field("url", "Give the URL of the media or a file, one of both"),
            SubmitError::KeyReused { job } => Self::IdempotencyKeyReused { job },
            SubmitError::Busy => Self::Busy,
            SubmitError::Rejected(rejection) => Self::Internal { reason: rejection.to_string() },
            SubmitError::Store(error) => error.into(),
        }
    }
}

impl From<ProgressError> for ApiError {
    fn from(error: ProgressError) -> Self {
        match error {
            ProgressError::Denied(denied) => denied.into(),
            ProgressError::NotFound(job) => Self::JobNotFound { job },
            ProgressError::NoSuchPosition(_) => Self::invalid_parameter("Last-Event-ID", error.to_string()),
            ProgressError::Store(error) => error.into(),
        }
    }
}
