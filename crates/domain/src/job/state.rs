//! The state of a job, folded from its events.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Audio, MediaSource, Priority, TranscriptionOptions, Warning};
use crate::AccountId;
use crate::Span;
use crate::language::AUTO;

/// The status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Accepted, waiting for a download worker.
    Pending,
    /// A download worker has taken it.
    Downloading,
    /// The audio is stored; its chunks wait or are being transcribed.
    Transcribing,
    /// The captions are ready.
    Completed,
    /// It cannot be completed.
    Failed,
    /// It was stopped on request.
    Cancelled,
}

impl JobStatus {
    /// All states, in the order of a job's life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Downloading, Self::Transcribing, Self::Completed, Self::Failed, Self::Cancelled];

    /// Whether the job has ended: no event can follow.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Downloading => "downloading",
            Self::Transcribing => "transcribing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not the name of a status.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a status; use pending, downloading, transcribing, completed, failed or cancelled")]
pub struct UnknownStatus(String);

impl FromStr for JobStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// The aggregate's state. The default is a job that does not exist yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// `None` until the job is created.
    pub status: Option<JobStatus>,
    /// The owner; `None` until the job is created.
    pub account: Option<AccountId>,
    /// Where the media comes from.
    pub source: Option<MediaSource>,
    /// Options of the transcription.
    pub transcription: TranscriptionOptions,
    /// How urgent it is.
    pub priority: Priority,
    /// The requested model, or else the one that the first chunk was started with.
    pub model: Option<String>,
    /// Number of the latest download attempt; 0 before the first.
    pub download_attempt: u32,
    /// Latest reported share of the media that has arrived, 0 to 100.
    pub download_percent: u8,
    /// What the latest download attempt found to be wrong with the media, in that order.
    pub warnings: Vec<Warning>,
    /// The audio, once downloaded.
    pub audio: Option<Audio>,
    /// The planned chunks and the state of each.
    pub chunks: Vec<Chunk>,
    /// The language that was detected in the media, if none was requested.
    pub detected_language: Option<String>,
    /// The beam size of all chunks, once a worker has fixed it.
    pub beam_size: Option<u32>,
}

/// One chunk of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// The interval that it covers.
    pub span: Span,
    /// Whether a worker may start it.
    pub scheduled: bool,
    /// Number of its latest attempt; 0 before the first.
    pub attempt: u32,
    /// What its transcription produced, once it is done.
    pub result: Option<ChunkResult>,
}

impl Chunk {
    /// A chunk without an attempt.
    pub(super) fn new(span: Span) -> Self {
        Self { span, scheduled: false, attempt: 0, result: None }
    }
}

/// What the job's state keeps of a transcribed chunk; the text itself is in the events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkResult {
    /// Code of the language of its text.
    pub language: String,
    /// Milliseconds of speech in that language.
    pub speech_ms: u64,
    /// How many segments there are.
    pub segments: u32,
}

impl Job {
    /// Whether the job exists and has not ended.
    pub fn is_open(&self) -> bool {
        self.status.is_some_and(|status| !status.has_ended())
    }

    /// Code of the language to transcribe in: the requested one, else the detected one; `None` until one is known.
    pub fn language(&self) -> Option<&str> {
        let requested = Some(self.transcription.language.as_str()).filter(|language| *language != AUTO);
        requested.or(self.detected_language.as_deref())
    }

    /// The chunk of that index.
    pub fn chunk(&self, index: u32) -> Option<&Chunk> {
        self.chunks.get(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_open_from_its_creation_to_its_end() {
        assert!(!Job::default().is_open(), "it does not exist");
        for status in JobStatus::ALL {
            let job = Job { status: Some(status), ..Job::default() };
            assert_eq!(job.is_open(), !status.has_ended(), "{status}");
        }
    }
}
