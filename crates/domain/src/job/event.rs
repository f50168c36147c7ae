//! What happens to a job. Each event is declared here and nowhere else; its name and meaning never change: a change is a
//! new version and an upcaster (ADR 11).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Audio, Failure, JobOptions, JobResult, MediaSource, Priority, Warning};
use crate::Span;
use crate::captions::Segment;
use crate::event::{EventFamily, EventType};
use crate::upcast::{Upcast, Upcaster};
use crate::{AccountId, JobId};

/// A fact in the life of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, EventFamily)]
#[event_family(aggregate = "job", upcasters = UPCASTERS)]
#[serde(tag = "type")]
#[expect(clippy::large_enum_variant, reason = "the largest is the first of a job, of which there is one")]
pub enum JobEvent {
    /// The job was accepted.
    #[event(version = 2)]
    JobCreated {
        /// The owner.
        account: AccountId,
        /// Where the media comes from.
        #[personal(url, file_name)]
        source: MediaSource,
        /// The kind of job, and the options of that kind.
        #[personal(initial_prompt, hotwords)]
        options: JobOptions,
        /// How urgent it is.
        priority: Priority,
        /// Notified when the job ends.
        #[personal]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        webhook_url: Option<Url>,
        /// The job, failed or cancelled, that this one does once more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_of: Option<JobId>,
    },
    /// A download worker took the job.
    DownloadStarted {
        /// Counted from 1.
        attempt: u32,
        /// The worker.
        worker: String,
    },
    /// More of the media has arrived.
    DownloadProgressed {
        /// The attempt it belongs to.
        attempt: u32,
        /// Share of the media that has arrived, 0 to 100.
        percent: u8,
    },
    /// A download attempt failed.
    DownloadAttemptFailed {
        /// Attempt that failed.
        attempt: u32,
        /// Why.
        #[personal(message)]
        failure: Failure,
        /// Delay until the next attempt, in milliseconds after this event; absent if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
    /// Something is wrong with the media, and the job continues with what can be used of it.
    WarningRaised {
        /// The download attempt that found it.
        attempt: u32,
        /// What is wrong.
        #[personal(message)]
        warning: Warning,
    },
    /// The audio is in the blob store.
    AudioDownloaded {
        /// The attempt that fetched it.
        attempt: u32,
        /// The audio.
        audio: Audio,
        /// Title of the media.
        #[personal]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// The audio is divided into these chunks; each is scheduled when its turn comes.
    ChunksPlanned {
        /// Contiguous, in order, at least one.
        chunks: Vec<Span>,
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
    /// The language of the media was detected; all chunks are transcribed in it.
    LanguageDetected {
        /// Its code, see [`crate::language`].
        language: String,
    },
    /// All chunks are decoded with this beam size, also when the workers' settings change.
    BeamSizeChosen {
        /// Hypotheses that the beam search follows, at least 1.
        beam_size: u32,
    },
    /// An attempt at a chunk failed.
    ChunkAttemptFailed {
        /// Index of the chunk.
        chunk: u32,
        /// Attempt that failed.
        attempt: u32,
        /// Why.
        #[personal(message)]
        failure: Failure,
        /// Delay until the next attempt, in milliseconds after this event; absent if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_in_ms: Option<u64>,
    },
    /// A chunk was transcribed.
    ChunkTranscribed {
        /// Index of the chunk.
        chunk: u32,
        /// Attempt that succeeded.
        attempt: u32,
        /// Code of the language of the text, see [`crate::language`].
        language: String,
        /// The text. Times count from the start of the media.
        #[personal]
        segments: Vec<Segment>,
    },
    /// All work of the job is done; its result is ready.
    JobCompleted {
        /// The kind of result, and what it amounts to.
        result: JobResult,
    },
    /// The job cannot be completed.
    JobFailed {
        /// Name of the step that failed, see [`crate::step`].
        step: String,
        /// Why.
        #[personal(message)]
        failure: Failure,
    },
    /// The job was stopped on request.
    JobCancelled {
        /// Why, in the client's words.
        #[personal]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// How earlier versions are read.
const UPCASTERS: &[Upcaster] = &[
    // Version 2 has the option `audio_track`, which no job had before.
    Upcaster {
        name: "JobCreated",
        version: 1,
        upcast: |payload| Ok(vec![Upcast { name: "JobCreated", version: 2, payload }]),
    },
];

impl JobEvent {
    /// The events that end a job.
    pub const TERMINAL_EVENTS: [EventType; 3] = [Self::JOB_COMPLETED, Self::JOB_FAILED, Self::JOB_CANCELLED];
}
