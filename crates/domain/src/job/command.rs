//! What can be asked of a job.

use url::Url;

use super::{Audio, ChunkSpan, Failure, MediaSource, Priority, TranscriptionOptions};
use crate::AccountId;
use crate::captions::Segment;

/// A request to a job. Attempts are numbered by the job; a command of an overtaken attempt decides to nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum JobCommand {
    /// Accept a recording for captioning.
    CreateTranscription {
        /// The owner.
        account: AccountId,
        /// Where the recording comes from.
        source: MediaSource,
        /// What is asked of the transcription.
        transcription: TranscriptionOptions,
        /// How urgent it is.
        priority: Priority,
        /// Told when the job ends.
        webhook_url: Option<Url>,
    },
    /// A download worker takes the job.
    StartDownload {
        /// The worker.
        worker: String,
    },
    /// The download has come some way.
    ReportDownloadProgress {
        /// Attempt it speaks of.
        attempt: u32,
        /// Share of the media that has arrived, 0 to 100.
        percent: u8,
    },
    /// A download attempt failed.
    RecordDownloadFailure {
        /// Attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When it is tried again, in milliseconds from now; never if absent.
        retry_in_ms: Option<u64>,
    },
    /// The recording is damaged; what can be heard of it will be transcribed.
    ReportDamage {
        /// Attempt that found it out.
        attempt: u32,
        /// What is wrong and what to do, for the client.
        message: String,
    },
    /// The audio lies in the blob store, planned into chunks.
    RecordAudio {
        /// Attempt that fetched it.
        attempt: u32,
        /// The audio.
        audio: Audio,
        /// Title of the recording, if the source has one.
        title: Option<String>,
        /// The plan: adjoining, in order, at least one.
        chunks: Vec<ChunkSpan>,
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
    /// The language of the whole recording was heard.
    RecordLanguage {
        /// Its code, see [`crate::language`].
        language: String,
    },
    /// A worker is about to decode a chunk of several.
    ChooseBeamSize {
        /// Hypotheses it would follow at a time.
        beam_size: u32,
    },
    /// An attempt at a chunk failed.
    RecordChunkFailure {
        /// Index of the chunk.
        chunk: u32,
        /// Attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When it is tried again, in milliseconds from now; never if absent.
        retry_in_ms: Option<u64>,
    },
    /// A chunk has been transcribed.
    RecordChunk {
        /// Index of the chunk.
        chunk: u32,
        /// Attempt that succeeded.
        attempt: u32,
        /// ISO 639-1 code of the language heard.
        language: String,
        /// The text, times counted from the start of the recording.
        segments: Vec<Segment>,
    },
    /// Stop the job.
    Cancel {
        /// Why, in the client's words.
        reason: Option<String>,
    },
}
