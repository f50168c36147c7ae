//! Why a job refuses a command.

use super::JobStatus;

/// A refusal: the command makes no sense for the job as it stands.
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
    #[error("the chunks must adjoin in order and cover at least a millisecond each")]
    InvalidPlan,
    /// The job has no chunk of that index.
    #[error("the job has no chunk {0}")]
    UnknownChunk(u32),
    /// Other chunks of the job were begun with another model.
    #[error("the job was begun with the model `{begun}`; a worker with `{offered}` cannot go on with it")]
    ModelChanged {
        /// The model the first chunk was begun with.
        begun: String,
        /// The model of the worker that asked.
        offered: String,
    },
    /// A segment ends before it begins, or lies outside its chunk's recording.
    #[error("segment {0} has impossible times")]
    InvalidSegment(usize),
}
