//! Why an event cannot be applied to a read model.

use ytcaption_domain::JobId;
use ytcaption_eventstore::DecodeError;

/// Why an event cannot be applied to a read model. Its message is shown to the operator, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// This program cannot read it.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
    /// It belongs to an aggregate of a type that this program does not know.
    #[error(
        "this program does not know aggregates of type `{0}`; a newer version of the program probably wrote it: use that \
         version"
    )]
    UnknownAggregate(String),
    /// An earlier event of the same aggregate is not applied.
    #[error("it is blocked by event {expected} of the same {aggregate_type}, which has not been applied")]
    Blocked {
        /// Type of the aggregate.
        aggregate_type: String,
        /// Sequence of the event that comes next.
        expected: u64,
    },
    /// A job begins with `JobCreated`.
    #[error("the first event of a job must be JobCreated, and this is {0}; restore it from a backup")]
    MissingCreation(String),
    /// A job's id is a UUID.
    #[error("its aggregate id is not a UUID; something else than this program wrote it")]
    InvalidJobId,
    /// A delivery notifies of a job whose creation was not applied.
    #[error("it is about job {0}, which is not in the read model")]
    UnknownJob(JobId),
    /// The database rejects the row that follows from it.
    #[error("the database rejects what follows from it: {0}; report this with the event's content")]
    Rejected(#[source] sqlx::Error),
}

impl ProjectionError {
    /// Whether the event itself is sound, and only an earlier one keeps it from being applied.
    pub const fn is_blocked(&self) -> bool {
        matches!(self, Self::Blocked { .. })
    }
}
