//! Commands to a job.

use url::Url;

use super::{Audio, Failure, JobOptions, MediaSource, Priority, Warning};
use crate::Span;
use crate::captions::Segment;
use crate::{AccountId, JobId};

/// A command to a job. The job numbers the attempts at each step; a command of a superseded attempt is a no-op.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "the largest is the first of a job, of which there is one")]
pub enum JobCommand {
    /// Accept a job.
    Create {
        /// The owner.
        account: AccountId,
        /// Where the media comes from.
        source: MediaSource,
        /// The kind of job, and the options of that kind.
        options: JobOptions,
        /// How urgent it is.
        priority: Priority,
        /// Notified when the job ends.
        webhook_url: Option<Url>,
        /// The job, failed or cancelled, that this one does once more.
        retry_of: Option<JobId>,
    },
    /// A download worker takes the job.
    StartDownload {
        /// The worker.
        worker: String,
    },
    /// Report how much of the media has arrived.
    ReportDownloadProgress {
        /// The attempt it belongs to.
        attempt: u32,
        /// Share of the media that has arrived, 0 to 100.
        percent: u8,
    },
    /// Record that a download attempt failed.
    RecordDownloadFailure {
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// Delay until the next attempt, in milliseconds from now; absent if there is none.
        retry_in_ms: Option<u64>,
    },
    /// Record that something is wrong with the media, and that the job continues.
    RaiseWarning {
        /// The download attempt that found it.
        attempt: u32,
        /// What is wrong.
        warning: Warning,
    },
    /// Record that the audio is in the blob store, and the plan of its chunks.
    RecordAudio {
        /// The attempt that fetched it.
        attempt: u32,
        /// The audio.
        audio: Audio,
        /// Title of the media, if the source has one.
        title: Option<String>,
        /// The plan: contiguous intervals, in order, at least one.
        chunks: Vec<Span>,
    },
    /// A transcription worker takes a chunk.
    StartChunk {
        /// Index of the chunk.
        chunk: u32,
        /// The worker.
        worker: String,
        /// Name of the model it will use.
        model: String,
    },
    /// Record the language that was detected in the media.
    RecordLanguage {
        /// Its code, see [`crate::language`].
        language: String,
    },
    /// Fix the beam size of all chunks before the first of several is decoded.
    ChooseBeamSize {
        /// Hypotheses that the worker's beam search would follow, at least 1.
        beam_size: u32,
    },
    /// Record that an attempt at a chunk failed.
    RecordChunkFailure {
        /// Index of the chunk.
        chunk: u32,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// Delay until the next attempt, in milliseconds from now; absent if there is none.
        retry_in_ms: Option<u64>,
    },
    /// Record the text of a chunk.
    RecordChunk {
        /// Index of the chunk.
        chunk: u32,
        /// The attempt that succeeded.
        attempt: u32,
        /// Code of the language of the text, see [`crate::language`].
        language: String,
        /// The text. Times count from the start of the media.
        segments: Vec<Segment>,
    },
    /// Stop the job.
    Cancel {
        /// Why, in the client's words.
        reason: Option<String>,
    },
}
