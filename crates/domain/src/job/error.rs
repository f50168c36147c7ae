//! Why a job refuses a command.

use super::JobStatus;

/// A command is not possible in the job's state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobRejection {
    /// The job does not exist.
    #[error("there is no such job")]
    NotFound,
    /// A job of this id exists already.
    #[error("a job with this id exists already")]
    AlreadyExists,
    /// The job has ended.
    #[error("the job has already ended: it is {0}")]
    AlreadyEnded(JobStatus),
    /// The plan is empty, has gaps, or is not in order.
    #[error("the chunks must be contiguous, in order, and at least one millisecond long each")]
    InvalidPlan,
    /// The job has no chunk of that index.
    #[error("the job has no chunk {0}")]
    UnknownChunk(u32),
    /// Other chunks of the job were started with another model.
    #[error("the job was started with the model `{started_with}`; a worker with `{offered}` cannot continue it")]
    ModelChanged {
        /// The model that the first chunk was started with.
        started_with: String,
        /// The model of the worker.
        offered: String,
    },
    /// A segment ends before it begins.
    #[error("segment {0} ends before it begins")]
    InvalidSegment(usize),
}
