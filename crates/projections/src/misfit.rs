//! Why an event cannot be applied to a read model.

use ytcaption_domain::JobId;
use ytcaption_eventstore::DecodeError;

/// Why an event cannot be applied to a read model.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// This program cannot read it.
    #[error(transparent)]
    Unreadable(#[from] DecodeError),
    /// An earlier event of the same aggregate is missing: what follows it would be told wrong.
    #[error("it waits behind event {expected} of the same {aggregate_type}, which has not been applied")]
    Waits {
        /// Kind of the aggregate.
        aggregate_type: String,
        /// Number of the event that comes next.
        expected: i64,
    },
    /// A job must begin with its creation.
    #[error("the first event of a job must be JobCreated, and this is {0}; restore it from a backup")]
    NoBeginning(String),
    /// Jobs are named by UUIDs.
    #[error("its aggregate id is no UUID; something else than this program wrote it")]
    NoJobId,
    /// A delivery tells of a job whose beginning was not applied.
    #[error("it tells of job {0}, which is not in the read model")]
    UnknownJob(JobId),
    /// The database does not take what follows from it.
    #[error("the database refuses what follows from it: {0}; report this with the event's content")]
    Refused(#[source] sqlx::Error),
}

impl Misfit {
    /// Whether nothing is wrong with the event itself.
    pub const fn only_waits(&self) -> bool {
        matches!(self, Self::Waits { .. })
    }
}
