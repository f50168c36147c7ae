//! What happened to a job. Names and meanings never change once landed; a change is a new version and an upcaster.

use cqrs_es::DomainEvent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::upcast::UPCASTERS;
use super::{Audio, ChunkSpan, Failure, MediaSource, Priority, Stage, TranscriptionOptions};
use crate::AccountId;
use crate::captions::Segment;
use crate::upcast::{Upcaster, Versioned};

/// A fact in the life of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
#[expect(clippy::large_enum_variant, reason = "the largest is the first of a job, of which there is one")]
pub enum JobEvent {
    /// The job was accepted.
    JobCreated {
        /// The owner.
        account: AccountId,
        /// Where the recording comes from.
        source: MediaSource,
        /// What is asked of the transcription.
        transcription: TranscriptionOptions,
        /// How urgent it is.
        priority: Priority,
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
    /// The recording is damaged; what can be heard of it is transcribed.
    WarningRaised {
        /// Attempt that found it out.
        attempt: u32,
        /// What is wrong and what to do, for the client.
        message: String,
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
    /// The audio is divided into these chunks; each is scheduled when its turn comes.
    ChunksPlanned {
        /// Adjoining, in order.
        chunks: Vec<ChunkSpan>,
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
    /// The language of the whole recording was heard; all chunks are transcribed in it.
    LanguageDetected {
        /// Its code, see [`crate::language`].
        language: String,
    },
    /// All chunks are decoded with this beam size, whatever the workers' settings become.
    BeamSizeChosen {
        /// Hypotheses followed at a time.
        beam_size: u32,
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
    JobCompleted {
        /// ISO 639-1 code of the recording's main language.
        language: String,
        /// Length of the recording in milliseconds.
        duration_ms: u64,
        /// How many segments there are.
        segments: u32,
    },
    /// The job cannot be completed.
    JobFailed {
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
    /// The names of the events that end a job.
    pub const ENDS: [&'static str; 3] = ["JobCompleted", "JobFailed", "JobCancelled"];

    /// The event's name, as stored and as it stands in subjects.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::JobCreated { .. } => "JobCreated",
            Self::DownloadStarted { .. } => "DownloadStarted",
            Self::DownloadProgressed { .. } => "DownloadProgressed",
            Self::DownloadAttemptFailed { .. } => "DownloadAttemptFailed",
            Self::WarningRaised { .. } => "WarningRaised",
            Self::AudioDownloaded { .. } => "AudioDownloaded",
            Self::ChunksPlanned { .. } => "ChunksPlanned",
            Self::ChunkScheduled { .. } => "ChunkScheduled",
            Self::ChunkStarted { .. } => "ChunkStarted",
            Self::LanguageDetected { .. } => "LanguageDetected",
            Self::BeamSizeChosen { .. } => "BeamSizeChosen",
            Self::ChunkAttemptFailed { .. } => "ChunkAttemptFailed",
            Self::ChunkTranscribed { .. } => "ChunkTranscribed",
            Self::JobCompleted { .. } => "JobCompleted",
            Self::JobFailed { .. } => "JobFailed",
            Self::JobCancelled { .. } => "JobCancelled",
        }
    }

    /// Version of the event's shape.
    pub const fn version(&self) -> u32 {
        match self {
            Self::JobCreated { .. } => 2,
            _ => 1,
        }
    }
}

impl Versioned for JobEvent {
    const CURRENT: &'static [(&'static str, u32)] = &[
        ("JobCreated", 2),
        ("DownloadStarted", 1),
        ("DownloadProgressed", 1),
        ("DownloadAttemptFailed", 1),
        ("WarningRaised", 1),
        ("AudioDownloaded", 1),
        ("ChunksPlanned", 1),
        ("ChunkScheduled", 1),
        ("ChunkStarted", 1),
        ("LanguageDetected", 1),
        ("BeamSizeChosen", 1),
        ("ChunkAttemptFailed", 1),
        ("ChunkTranscribed", 1),
        ("JobCompleted", 1),
        ("JobFailed", 1),
        ("JobCancelled", 1),
    ];
    const UPCASTERS: &'static [Upcaster] = UPCASTERS;
}

impl DomainEvent for JobEvent {
    fn event_type(&self) -> String {
        self.name().to_owned()
    }

    fn event_version(&self) -> String {
        self.version().to_string()
    }
}
