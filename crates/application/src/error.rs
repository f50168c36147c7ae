//! Errors that several use cases share.

use ytcaption_domain::JobId;
use ytcaption_eventstore::DecodeError;
use ytcaption_projections::QueryError;

use crate::permissions::PermissionDenied;

/// Why the store gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer. A command may or may not have been carried out.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// The database refuses what the command leads to because of what is in it; the same command fails again.
    #[error("the database cannot store it: {0}")]
    Unstorable(String),
    /// The job has an event that this program cannot read; the text names it.
    #[error("{0}")]
    Unreadable(String),
}

impl StoreError {
    /// The database has answered a read with `error`, or not at all.
    pub(crate) fn unavailable(error: impl std::error::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<QueryError> for StoreError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Unavailable(cause) => Self::Unavailable(cause.to_string()),
            QueryError::Unreadable(cause) => cause.into(),
        }
    }
}

impl From<DecodeError> for StoreError {
    fn from(error: DecodeError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Why one job cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The caller may not read jobs.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// The account has no such job.
    #[error("there is no job {0}")]
    NotFound(JobId),
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why what concerns all accounts cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The caller may not read what concerns all accounts.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// The store gave no answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}
