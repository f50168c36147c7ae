//! A job as its events have made it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Audio, ChunkSpan, MediaSource, Priority, TranscriptionOptions};
use crate::AccountId;
use crate::language::AUTO;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Accepted, waiting for a download worker.
    Pending,
    /// A download worker has taken it.
    Downloading,
    /// The audio is there; its chunks wait or are being transcribed.
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

    /// Whether nothing can happen to the job any more.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word used in JSON.
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

/// A word that names no status.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no status; use pending, downloading, transcribing, completed, failed or cancelled")]
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
    /// The owner.
    pub account: AccountId,
    /// Where the recording comes from.
    pub source: Option<MediaSource>,
    /// What is asked of the transcription.
    pub transcription: TranscriptionOptions,
    /// How urgent it is.
    pub priority: Priority,
    /// The model asked for, or else the one the first chunk was begun with.
    pub model: Option<String>,
    /// Number of the latest download attempt; 0 before the first.
    pub download_attempt: u32,
    /// Latest reported share of the media that has arrived, 0 to 100.
    pub download_percent: u8,
    /// What the latest download attempt found to be wrong with the recording.
    pub damage: Option<String>,
    /// The audio, once downloaded.
    pub audio: Option<Audio>,
    /// The plan and how far it has come.
    pub chunks: Vec<Chunk>,
    /// The language the recording was heard to be in, if none was asked for.
    pub heard_language: Option<String>,
    /// Hypotheses at a time with which its chunks are decoded, where there are several.
    pub beam_size: Option<u32>,
}

/// One chunk of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// The stretch it covers.
    pub span: ChunkSpan,
    /// Whether its turn has come.
    pub scheduled: bool,
    /// Number of its latest attempt; 0 before the first.
    pub attempt: u32,
    /// What came out, once it is transcribed.
    pub result: Option<ChunkResult>,
}

impl Chunk {
    /// One that nobody has begun.
    pub(super) fn new(span: ChunkSpan, scheduled: bool) -> Self {
        Self { span, scheduled, attempt: 0, result: None }
    }
}

/// What the job remembers of a transcribed chunk; the text itself stays in the events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkResult {
    /// ISO 639-1 code of the language heard.
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

    /// Code of the language to transcribe in; `None` if nobody knows yet.
    pub fn language(&self) -> Option<&str> {
        let asked = Some(self.transcription.language.as_str()).filter(|language| *language != AUTO);
        asked.or(self.heard_language.as_deref())
    }

    /// The chunk of that index.
    pub fn chunk(&self, index: u32) -> Option<&Chunk> {
        self.chunks.get(usize::try_from(index).ok()?)
    }
}
