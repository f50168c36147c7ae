//! What happened to a job. Names and meanings never change once landed; a change is a new version and an upcaster.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Audio, Failure, MediaSource, Priority, Stage};
use crate::AccountId;
use crate::captions::Segment;

/// Version of every event type so far.
const VERSION_1: &str = "1";

/// A fact in the life of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum JobEvent {
    /// The job was accepted.
    TranscriptionJobCreated {
        /// The owner.
        account: AccountId,
        /// Where the recording comes from.
        source: MediaSource,
        /// ISO 639-1 code, or `auto`.
        language: String,
        /// How urgent it is.
        priority: Priority,
        /// Name of the model asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// Told when the job ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        webhook_url: Option<Url>,
    },
    /// A download worker took the job.
    DownloadStarted {
        /// Counted from 1.
        attempt: u32,
        /// The worker.
        worker: String,
    },
    /// The download came some way.
    DownloadProgressed {
        /// Attempt it speaks of.
        attempt: u32,
        /// Share of the media that has arrived, 0 to 100.
        percent: u8,
    },
    /// A download attempt failed.
    DownloadAttemptFailed {
        /// Attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When it is tried again, in milliseconds after this event; never if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
    /// The audio lies in the blob store.
    AudioDownloaded {
        /// Attempt that fetched it.
        attempt: u32,
        /// The audio.
        audio: Audio,
        /// Title of the recording.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Into how many chunks it was planned.
        chunks: u32,
    },
    /// A chunk waits for a transcription worker.
    ChunkScheduled {
        /// Index, from 0.
        chunk: u32,
        /// First millisecond.
        start_ms: u64,
        /// One past the last millisecond.
        end_ms: u64,
    },
    /// A transcription worker took a chunk.
    ChunkStarted {
        /// Index of the chunk.
        chunk: u32,
        /// Counted from 1 for each chunk.
        attempt: u32,
        /// The worker.
        worker: String,
        /// Name of the model it uses.
        model: String,
    },
    /// An attempt at a chunk failed.
    ChunkAttemptFailed {
        /// Index of the chunk.
        chunk: u32,
        /// Attempt that failed.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When it is tried again, in milliseconds after this event; never if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
    /// A chunk was transcribed.
    ChunkTranscribed {
        /// Index of the chunk.
        chunk: u32,
        /// Attempt that succeeded.
        attempt: u32,
        /// ISO 639-1 code of the language heard.
        language: String,
        /// The text, times counted from the start of the recording.
        segments: Vec<Segment>,
    },
    /// All chunks are transcribed; the captions are ready.
    TranscriptionCompleted {
        /// ISO 639-1 code of the recording's main language.
        language: String,
        /// Length of the recording in milliseconds.
        duration_ms: u64,
        /// How many segments there are.
        segments: u32,
    },
    /// The job cannot be completed.
    TranscriptionFailed {
        /// Where it failed.
        stage: Stage,
        /// Why.
        failure: Failure,
    },
    /// The job was stopped on request.
    JobCancelled {
        /// Why, in the client's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

impl JobEvent {
    /// The event's name, as stored and as it stands in subjects.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TranscriptionJobCreated { .. } => "TranscriptionJobCreated",
            Self::DownloadStarted { .. } => "DownloadStarted",
            Self::DownloadProgressed { .. } => "DownloadProgressed",
            Self::DownloadAttemptFailed { .. } => "DownloadAttemptFailed",
            Self::AudioDownloaded { .. } => "AudioDownloaded",
            Self::ChunkScheduled { .. } => "ChunkScheduled",
            Self::ChunkStarted { .. } => "ChunkStarted",
            Self::ChunkAttemptFailed { .. } => "ChunkAttemptFailed",
            Self::ChunkTranscribed { .. } => "ChunkTranscribed",
            Self::TranscriptionCompleted { .. } => "TranscriptionCompleted",
            Self::TranscriptionFailed { .. } => "TranscriptionFailed",
            Self::JobCancelled { .. } => "JobCancelled",
        }
    }
}

impl DomainEvent for JobEvent {
    fn event_type(&self) -> String {
        self.name().to_owned()
    }

    fn event_version(&self) -> String {
        VERSION_1.to_owned()
    }
}
